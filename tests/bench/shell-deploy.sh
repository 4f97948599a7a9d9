#!/bin/bash
# shell-deploy.sh HOSTS REPOSITORY SSH-CONFIG -- a deploy as a skilled user would write it without a tool: one
# connection and one shell a host, three barriers (prepared, migrated, switched).  HOSTS has lines
# "NAME ADDRESS PORT FOLDER"; the last host migrates.  No lock, no record, no resume.
set -u
now=$(date +%Y%m%d%H%M%S%N)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
names=() in=() out=()

prepare() { # FOLDER
    cat <<END
set -e
release='$1/releases/$now'
mkdir -p "\$release" '$1/shared/log' '$1/shared/tmp/pids'
cd '$1'
if [ -d repo ]; then git -C repo fetch -q origin; else git clone -q --mirror '$repository' repo; fi
git -C repo archive main | tar -x -C "\$release"
cd "\$release"
git -C ../../repo rev-parse main >REVISION
mkdir -p config tmp
rm -rf log tmp/pids
ln -sf '$1/shared/config/database.yml' config/database.yml
ln -s '$1/shared/log' log
ln -s '$1/shared/tmp/pids' tmp/pids
echo prepared
END
}
migrate() { echo 'RAILS_ENV=production rake db:migrate >/dev/null; echo migrated'; }
switch() { # FOLDER
    cat <<END
ln -s "\$release" '$1/current.new'
mv -T '$1/current.new' '$1/current'
touch '$1/current/tmp/restart.txt'
ls -1d '$1'/releases/* | head -n -3 | xargs -r rm -rf
echo switched
exit 0
END
}
wait_for() { # NUMBER WORD
    local line
    while read -r line <&"${out[$1]}"; do
        [ "$line" != "$2" ] || return 0
    done
    echo "${names[$1]}: not $2" >&2
    exit 1
}

repository=$2
folders=()
while read -r name address port folder; do
    mkfifo "$work/$name.in" "$work/$name.out"
    ssh -F "$3" -p "$port" "$address" bash -s <"$work/$name.in" >"$work/$name.out" &
    exec {fd_in}>"$work/$name.in" {fd_out}<"$work/$name.out"
    names+=("$name") in+=("$fd_in") out+=("$fd_out") folders+=("$folder")
done <"$1"
for i in "${!names[@]}"; do prepare "${folders[i]}" >&"${in[i]}"; done
for i in "${!names[@]}"; do wait_for "$i" prepared; done
last=$((${#names[@]} - 1))
migrate >&"${in[last]}"
wait_for "$last" migrated
for i in "${!names[@]}"; do switch "${folders[i]}" >&"${in[i]}"; done
for i in "${!names[@]}"; do wait_for "$i" switched; done
