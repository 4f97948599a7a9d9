#!/bin/bash
# reaper.sh watch RIG PIDS  waits until one of these processes has gone, then does as clean
# reaper.sh clean RIG PID   ends whatever the rig started, but for PID; removes its folder
#
# Everything a rig starts has CRELEASE_RIG=<its folder> in its environment, also what was detached
# from it.  Servers rewrite their environment for their titles: they are known by their pid files.
set -u

# What a process was started as: its parent and its time of birth, so that a pid that was given
# away again is not taken for the old one.
born() { read_born "$1" && echo "$birth"; }
read_born() { # in $birth
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    stat=${stat##*) }
    # shellcheck disable=SC2086 # a list of numbers
    set -- $stat
    birth=${20}
    [ "$1" != Z ]
}

# In $births, one for each of $pids.
births_of() {
    local pid
    births=
    for pid in $pids; do
        if read_born "$pid"; then births="$births $birth"; else births="$births gone"; fi
    done
}

descendants() {
    local pid stat parent
    declare -A parents
    for pid in /proc/[0-9]*; do
        read -r stat 2>/dev/null <"$pid/stat" || continue
        stat=${stat##*) }
        parent=${stat#* }
        parents[${pid#/proc/}]=${parent%% *}
    done
    local found=("$@") i=0
    while [ $i -lt ${#found[@]} ]; do
        for pid in "${!parents[@]}"; do
            [ "${parents[$pid]}" = "${found[$i]}" ] && found+=("$pid")
        done
        i=$((i + 1))
    done
    echo "${found[@]}"
}

marked() {
    grep -alzxF -- "CRELEASE_RIG=$rig" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 | grep -vxF -e "$$" -e "$spare"
}

# The number may have been given away again, so the process has to name the rig.
pid_in() {
    local pid
    read -r pid 2>/dev/null <"$1" && [ -n "$(born "$pid")" ] &&
        grep -aqF -- "$rig" "/proc/$pid/cmdline" "/proc/$pid/environ" 2>/dev/null && echo "$pid"
}

# By their pid files, and by the files they were started with: the folder may have been removed.
servers() {
    local file pid
    for file in "$rig"/*/sshd.pid "$rig"/*/first.pid "$rig"/postgres.pid "$rig"/mariadb.pid; do
        pid_in "$file"
    done
    # shellcheck disable=SC2013 # numbers
    for pid in $(grep -alF -- "$rig/" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
        case $(readlink "/proc/$pid/exe") in
        */sshd | */sshd-session | */sshd-auth | */postgres | */mariadbd) echo "$pid" ;;
        esac
    done
}

# PostgreSQL is asked to end at once by itself: so it collects its own children.
postgres_end() {
    local round
    pid_in "$rig/postgres.pid" >/dev/null || return 0
    kill -QUIT "$(pid_in "$rig/postgres.pid")"
    for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        pid_in "$rig/postgres.pid" >/dev/null || return 0
        sleep 0.05
    done
}

clean() {
    local pids round
    postgres_end
    # Several rounds, since a process may have forked between the look and the signal.
    for round in 1 2 3 4 5; do
        # shellcheck disable=SC2046
        pids=$(descendants $(servers))
        pids="$pids $(marked)"
        [ -n "${pids// /}" ] || break
        # shellcheck disable=SC2086
        kill -KILL $pids 2>/dev/null
        [ "$round" = 1 ] || sleep 0.05
    done
    # Disks that were given to hosts.
    while read -r _ folder _; do
        case $folder in "$rig"/*) umount -l "$folder" 2>/dev/null ;; esac
    done <<<"$(cat /proc/self/mounts)"
    # What was killed may still be writing its last file.
    for round in 1 2 3 4 5 6 7 8 9 10; do
        chmod -R u+rwX "$rig" 2>/dev/null
        rm -rf "$rig" 2>/dev/null && break
        sleep 0.1
    done
    rmdir "${rig%/*}" 2>/dev/null
}

case $1 in
watch)
    rig=$2 pids=$3 spare=0
    births_of
    first=$births
    exec {nap}<> <(:)
    # Not until the folder is gone: who has removed it may still be on its way to its end, and be marked.
    while births_of && [ "$births" = "$first" ] && [[ $births != *gone* ]]; do
        read -r -t 0.5 -u "$nap"
    done
    clean
    ;;
clean)
    rig=$2 spare=$3
    clean
    ;;
esac
