# shellcheck shell=bash
# rig.sh -- hosts, a database and a repository of one's own, for tests, demo and bench.
#
#     . tests/lib/rig.sh          re-executes the script once, marked as belonging to its rig
#     start_hosts 3                 three sshds: 127.0.1.1, 127.0.1.2, 127.0.1.3
#     start_postgres                a PostgreSQL on a free port of 127.0.0.1
#     start_mariadb                 a MariaDB there, and on a socket
#     site_new shop 3             repository, database, folders and recipe of one application
#     expect_status 0 deploy production  runs the program, wants that status
#
# All of it lies in $RIG, a folder under build/, and is gone when the script has ended, however it
# ended: by its EXIT trap, or by reaper.sh, which waits for this process to disappear.
set -eu -o pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/lib/environment.sh
. "$TOP/tests/lib/environment.sh"
if [ -z "${CRELEASE_RIG-}" ] || [ "${CRELEASE_RIG_OF-}" != $$ ]; then
    case $0 in
    */run) name=$(basename "$(dirname "$0")") ;;
    *) name=$(basename "$0" .sh) ;;
    esac
    CRELEASE_RIG=$TOP/build/rig/$name.$$
    CRELEASE_RIG_OF=$$
    export CRELEASE_RIG CRELEASE_RIG_OF
    exec "$BASH" "$0" "$@"
fi
RIG=$CRELEASE_RIG
CRELEASE=${CRELEASE-$TOP/build/crelease}
SERVERS=$TOP/build/servers
CASE_SECONDS=${CASE_SECONDS-300}
HOST_PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
# In front of Debian's wrapper, which is a Perl program that looks for the one to run.
for name in /usr/lib/postgresql/*/bin; do
    [ ! -x "$name/psql" ] || HOST_PATH=$name:$HOST_PATH
done

# For a program with the sanitizer.
export LSAN_OPTIONS="suppressions='$TOP/tests/lib/leaks.supp':print_suppressions=0"
# Nothing of the person who runs this: no keys, no configuration.
export PATH=$HOST_PATH HOME=$RIG/home USER="${USER-$(id -un)}" GIT_CONFIG_NOSYSTEM=1 "GIT_CEILING_DIRECTORIES=$RIG"
export GIT_AUTHOR_NAME=Ann GIT_AUTHOR_EMAIL=ann@example.com GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@example.com

root() { [ "$(id -u)" -eq 0 ]; }
fail() {
    trap - ERR # or set -e would tell of this one, too
    printf '%s\n' "$*" >"$RIG/why"
    # What the one in the background has said so far.
    [ -z "${CR_PID-}" ] || sed 's/^/  & | /' "$CR_OUT" "$CR_ERR" >&2
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# --- beginning and end -------------------------------------------------------------------------

rig_end() {
    trap - EXIT INT TERM HUP
    [ -z "${CASE_PID-}" ] || kill -KILL -- "-$CASE_PID" 2>/dev/null || true
    if [ -n "${KEEP-}" ]; then
        printf 'kept: %s\n' "$RIG" >&2
        return
    fi
    # Not in the rig's name, or it would end itself.
    (cd / && exec env -u CRELEASE_RIG "$BASH" "$TOP/tests/lib/reaper.sh" clean "$RIG" $$ >/dev/null 2>&1 9>&-) || true
}

rig_open() {
    local pid
    # login: the home of who logs in, since the real one's .bashrc would be run at every login.
    mkdir -p "$RIG/home/.ssh" "$RIG/login"
    chmod 700 "$RIG/home/.ssh"
    # In a session of its own, so that Ctrl-C does not reach it.
    local watched=${CRELEASE_WATCHED-${MAKELEVEL:+$PPID}}
    env -u CRELEASE_RIG setsid "$BASH" "$TOP/tests/lib/reaper.sh" watch "$RIG" "$$ $watched" </dev/null >/dev/null 2>&1 9>&- &
    disown
    trap 'rig_end' EXIT
    for pid in INT:130 TERM:143 HUP:129; do
        # shellcheck disable=SC2064 # now
        trap "rig_end; exit ${pid#*:}" "${pid%:*}"
    done
    HOSTS=()
    # What it says to type names the program.
    if [ "${CRELEASE##*/}" != crelease ]; then
        mkdir -p "$RIG/program"
        ln -s "$(realpath "$CRELEASE")" "$RIG/program/crelease"
        CRELEASE=$RIG/program/crelease
    fi
    ssh-keygen -q -t ed25519 -N '' -C rig -f "$RIG/home/.ssh/id_ed25519"
    cp "$RIG/home/.ssh/id_ed25519.pub" "$RIG/authorized_keys"
    : >"$RIG/home/.ssh/known_hosts"
}

free_port() {
    perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => $ARGV[0])->sockport' "$1"
}

# nap [SECONDS]: a moment of waiting between two looks, without a process.
exec {NAP}<> <(:)
nap() { read -r -t "${1-0.05}" -u "$NAP" || true; }

# wait_for SECONDS COMMAND...: until the command succeeds; fails when it still does not at the deadline.  A loaded
# machine needs longer, so there are some seconds more, and the last attempt is never older than the deadline.
# The pause grows to as long as a look takes: what waits must not keep the machine from what it waits for.
wait_for() {
    local deadline=$((SECONDS + 2 * $1 + 20)) last='' began took
    shift
    while :; do
        began=${EPOCHREALTIME/[.,]/}
        ! "$@" >/dev/null 2>&1 || return 0
        [ -z "$last" ] || fail "waited in vain for: $*"
        [ $SECONDS -lt $deadline ] || last=yes
        took=$((${EPOCHREALTIME/[.,]/} - began))
        [ $took -gt 50000 ] || took=50000
        [ $took -lt 200000 ] || took=200000
        took=00000$took
        nap "0.${took: -6}"
    done
}

# read_word FILE: prints what it holds, a word; as cat would, without a process.
read_word() {
    local word
    { read -r word <"$1"; } 2>/dev/null || return 1
    printf '%s\n' "$word"
}

port_answers() { (exec 3<>"/dev/tcp/$1/$2") 2>/dev/null; }

library_path() {
    # systemd finds its own library where it would be installed.  Newer packages have no /lib of their own.
    { find "$SERVERS/usr/lib" "$SERVERS/lib" -maxdepth 2 -type d \( -name '*-linux-*' -o -path '*-linux-*/systemd' \) 2>/dev/null ||
        true; } | paste -sd: -
}

# --- hosts -------------------------------------------------------------------------------------

sshd_program() {
    if [ -x /usr/sbin/sshd ]; then echo /usr/sbin/sshd; else echo "$SERVERS/usr/sbin/sshd"; fi
}

# Can a host have processes of its own?
hosts_are_isolated() {
    if [ -z "${RIG_APART-}" ]; then
        RIG_APART=no
        # Out of a chroot nsenter would lead to where there is nothing of this.
        # shellcheck disable=SC2016 # for sh
        ! root || ! unshare -m -p -f --kill-child sh -c 'mount -t proc none /proc && nsenter -t 1 -m -p test -d "$0"' "$TOP/tests" 2>/dev/null ||
            RIG_APART=yes
    fi
    [ "$RIG_APART" = yes ]
}

first_pid() { read_word "$RIG/$1/first.pid"; }

# indented PREFIX FILE...: prints the files, each line with the prefix, as sed would, without a process.
indented() {
    local prefix=$1 file lines
    shift
    for file; do
        mapfile -t lines 2>/dev/null <"$file" || continue
        [ ${#lines[@]} -eq 0 ] || printf "$prefix%s\\n" "${lines[@]}"
    done
}

# The host's first process, unless it is there.
start_first_process() { # DIR
    local pid
    if pid=$(cat "$1/first.pid" 2>/dev/null) && [ -d "/proc/$pid" ]; then
        return 0
    fi
    rm -f "$1/first.pid"
    setsid unshare -m -p -f --kill-child sh "$TOP/tests/lib/sshd-stage.sh" host "$1" </dev/null >>"$1/sshd.out" 2>&1 9>&- &
    disown
    wait_for 30 test -e "$1/first.pid"
}

start_sshd() { # DIR: start the sshd that is configured there
    local stage=()
    if hosts_are_isolated; then
        start_first_process "$1"
        stage=(nsenter -t "$(cat "$1/first.pid")" -m -p --)
    elif root; then
        if unshare -m true 2>/dev/null; then
            stage=(unshare -m sh "$TOP/tests/lib/sshd-stage.sh" accounts "$1")
        else
            mkdir -p /run/sshd
        fi
    fi
    touch "$1/sshd.log"
    grep -c '^Server listening on' "$1/sshd.log" >"$1/listened" || true
    # In a session of its own: it outlives the case that begins it anew.
    LD_LIBRARY_PATH=$(library_path) setsid "${stage[@]}" "$(sshd_program)" -D -f "$1/sshd_config" -E "$1/sshd.log" \
        </dev/null >>"$1/sshd.out" 2>&1 9>&- &
    disown
}

# sshd_listens DIR: it says so itself, once more than before.  The port is its own then, and without isolation its pid is
# in its file a moment later.
sshd_listens() {
    [ "$(grep -c '^Server listening on' "$1/sshd.log")" -gt "$(read_word "$1/listened")" ] &&
        { hosts_are_isolated || [ -s "$1/sshd.pid" ]; }
}

# sshd_ready DIR: it takes connections, and its pid, as seen from here, is in its file.
sshd_ready() {
    local pid
    (wait_for 10 sshd_listens "$1") 2>/dev/null || return 1
    hosts_are_isolated || return 0
    # shellcheck disable=SC2013 # numbers
    for pid in $(grep -alF -- "$1/sshd_config" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
        # Not one that it has forked for a connection.
        if is_sshd "$pid" && ! is_sshd "$(parent_of "$pid")"; then echo "$pid" >"$1/sshd.pid"; fi
    done
    [ -s "$1/sshd.pid" ]
}
# Since OpenSSH 9.8 a connection is a program of its own.
is_sshd() { case $(readlink "/proc/$1/exe") in */sshd | */sshd-session | */sshd-auth) ;; *) return 1 ;; esac; }

# What such a version needs besides.  It would soon refuse an address from which connections come that do not
# log in, such as those that look whether it answers; and unpacked, it is told where its programs lie.
sshd_parts() {
    local lib=/usr/lib/openssh
    case $(sshd_program) in "$SERVERS"/*) lib=$SERVERS$lib ;; esac
    [ -e "$lib/sshd-session" ] || return 0
    printf '%s\n' 'PerSourcePenalties no' "SshdSessionPath \"$lib/sshd-session\""
    [ ! -e "$lib/sshd-auth" ] || printf '%s\n' "SshdAuthPath \"$lib/sshd-auth\""
}

# host_start NAME ADDRESS: sets PORT_NAME's value in $RIG/NAME/port.
host_start() {
    local name=$1 address=$2 dir=$RIG/$1 try port
    mkdir -p "$dir"
    [ -e "$dir/key" ] || ssh-keygen -q -t ed25519 -N '' -C "$name" -f "$dir/key"
    for try in 1 2 3 4 5; do
        port=$(free_port "$address")
        cat >"$dir/sshd_config" <<END
ListenAddress $address
Port $port
HostKey "$dir/key"
PidFile $(if hosts_are_isolated; then echo none; else printf '"%s"' "$dir/sshd.pid"; fi)
AuthorizedKeysFile "$RIG/authorized_keys"
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
PrintMotd no
PrintLastLog no
MaxStartups 100
LogLevel VERBOSE
PermitUserRC no
$(sshd_parts)
SetEnv "HOME=$RIG/login" "PATH=$RIG/bin:${HOST_TOOLS:+$HOST_TOOLS:}$HOST_PATH" "CRELEASE_RIG=$RIG" "CRELEASE_RIG_HOST=$dir" LANG=C.UTF-8 $(host_env)
END
        start_sshd "$dir"
        if sshd_ready "$dir"; then
            echo "$address" >"$dir/address"
            echo "$port" >"$dir/port"
            printf '[%s]:%s %s\n' "$address" "$port" "$(cut -d' ' -f1,2 "$dir/key.pub")" >>"$RIG/home/.ssh/known_hosts"
            return 0
        fi
    done
    cat "$dir/sshd.out" "$dir/sshd.log" >&2
    fail "sshd of $name does not start (tried $try times)"
}

# The database is found from a login as on a real host: by its environment.
host_env() {
    [ -z "${PGPORT-}" ] || printf '"%s" ' "PGHOST=$PGHOST" "PGPORT=$PGPORT" "PGUSER=$PGUSER" "PGPASSFILE=$PGPASSFILE" \
        "PGSSLMODE=$PGSSLMODE" "PGGSSENCMODE=$PGGSSENCMODE"
}

# on_host NAME COMMAND...: as its login would run it; what it starts is that host's.
on_host() {
    local name=$1
    shift
    ssh -F none -i "$RIG/home/.ssh/id_ed25519" -o "UserKnownHostsFile=$RIG/home/.ssh/known_hosts" -o LogLevel=ERROR \
        -p "$(host_port "$name")" "$(host_address "$name")" "$@"
}

host_address() { read_word "$RIG/$1/address"; }
# The recipe names the host's own port, or with PORT_FILE=link.port that of its link.
host_port() { read_word "$RIG/$1/${PORT_FILE-port}"; }

# host_stop NAME: it cannot be reached any more; what runs there goes on.
host_stop() {
    local pid child
    pid=$(cat "$RIG/$1/sshd.pid")
    for child in $(descendants_of "$pid"); do
        ! is_sshd "$child" || kill -KILL "$child" 2>/dev/null || true
    done
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$RIG/$1/sshd.pid"
}

# What was started through a login on the host, detached or not.
host_processes() { grep -alzxF -- "CRELEASE_RIG_HOST=$RIG/$1" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3 || true; }

# host_crash NAME: as if its power had failed.  Nothing of it is left when this returns.
host_crash() {
    local pid pids
    if pid=$(first_pid "$1"); then
        # Its death waits for that of all the others there.
        kill -KILL "$pid" 2>/dev/null || true
        wait_for 30 process_gone "$pid"
    else
        pid=$(cat "$RIG/$1/sshd.pid")
        # More than once: one may have forked in between.
        pids="$pid $(descendants_of "$pid") $(host_processes "$1")"
        while [ -n "${pids// /}" ]; do
            # shellcheck disable=SC2086 # a list of numbers
            kill -KILL $pids 2>/dev/null || true
            pids=$(host_processes "$1")
        done
    fi
    rm -f "$RIG/$1/sshd.pid" "$RIG/$1/first.pid"
}

process_gone() { [ ! -d "/proc/$1" ]; }

# hosts_are_quiet NAME...: what ran beside a migration, say, takes a moment to end.
hosts_are_quiet() {
    local name
    for name; do
        [ -z "$(host_processes "$name")" ] || return 1
    done
}

# cut_connections NAME: every connection to the host ends; what runs there and was detached stays.
cut_connections() {
    local pid pids=
    for pid in $(descendants_of "$(cat "$RIG/$1/sshd.pid")"); do
        if is_sshd "$pid"; then pids="$pids $pid"; fi
    done
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
}

host_restart() {
    start_sshd "$RIG/$1"
    sshd_ready "$RIG/$1" || fail "sshd of $1 does not come back"
}

# own_crontab: on the hosts crontab prints $RIG/crontab.
own_crontab() {
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/crontab" <<END
#!/bin/sh
cat "$RIG/crontab" 2>/dev/null || { echo "no crontab for \$(id -un)" >&2; exit 1; }
END
    chmod +x "$RIG/bin/crontab"
    HOST_PATH=$RIG/bin:$HOST_PATH
}

# --- links -------------------------------------------------------------------------------------------

# link_start NAME: a relay in front of the host, for recipes that name its port (link_port) instead of
# the host's.
link_start() {
    local dir=$RIG/$1
    rm -f "$dir"/link.* # of a case before
    perl "$TOP/tests/lib/link.pl" "$dir" "$(host_address "$1")" "$(host_port "$1")" </dev/null >>"$dir/link.out" 2>&1 9>&- &
    disown
    wait_for 30 test -e "$dir/link.pid"
    printf '[%s]:%s %s\n' "$(host_address "$1")" "$(link_port "$1")" "$(cut -d' ' -f1,2 "$dir/key.pub")" >>"$RIG/home/.ssh/known_hosts"
}

link_port() { read_word "$RIG/$1/link.port"; }

set_link() { # NAME STATE
    local dir=$RIG/$1
    rm -f "$dir/link.is"
    echo "$2" >"$dir/link.want"
    kill -USR1 "$(cat "$dir/link.pid")"
    wait_for 30 test -e "$dir/link.is"
}

# link_cut NAME [both|deaf|mute]: both: connections are reset, new ones refused; deaf: what is sent to
# the host is lost; mute: what it sends is.
link_cut() { set_link "$1" "${2-both}"; }
link_mend() { set_link "$1" open; }

# read_parent PID: in $parent.
read_parent() {
    local stat
    parent=
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
    stat=${stat##*) }
    stat=${stat#* }
    parent=${stat%% *}
}
parent_of() {
    local parent
    read_parent "$1"
    echo "$parent"
}

children_of() {
    local entry parent
    for entry in /proc/[0-9]*; do
        read_parent "${entry#/proc/}"
        [ "$parent" != "$1" ] || echo "${entry#/proc/}"
    done
}

# Of a connection only sshd's own processes: a session's shell would be the user's.
descendants_of() {
    local entry parent found=("$1") i=0 pid
    declare -A parents
    for entry in /proc/[0-9]*; do
        read_parent "${entry#/proc/}"
        [ -z "$parent" ] || parents[${entry#/proc/}]=$parent
    done
    while [ $i -lt ${#found[@]} ]; do
        for pid in "${!parents[@]}"; do
            [ "${parents[$pid]}" != "${found[i]}" ] || found+=("$pid")
        done
        i=$((i + 1))
    done
    [ ${#found[@]} -eq 1 ] || printf '%s\n' "${found[@]:1}"
}

# start_hosts N: hosts app1 .. appN (on 127.0.1.1 .. 127.0.1.N), the last one named db1 too.
start_hosts() {
    local i
    for i in $(seq "$1"); do
        host_start "app$i" "127.0.1.$i"
        HOSTS+=("app$i")
    done
}

# --- database ----------------------------------------------------------------------------------

postgres_bin() {
    local dir
    for dir in /usr/lib/postgresql/*/bin "$SERVERS"/usr/lib/postgresql/*/bin; do
        [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] && { echo "$dir"; return; }
    done
    fail "there is no PostgreSQL server: sh tests/lib/need.sh servers"
}

# PostgreSQL refuses to run as root.  As nobody, but able to reach its files wherever the clone lies;
# or, where owners cannot be changed or capabilities not handed on, as nobody of a user namespace.
postgres_as() { # DATA BIN
    POSTGRES_AS=()
    root || return 0
    local caps=+dac_override,+dac_read_search
    chown 65534:65534 "$1" 2>/dev/null || true
    POSTGRES_AS=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps "$caps" --ambient-caps "$caps")
    # Not `test -w`: access(2) does not see capabilities.
    # shellcheck disable=SC2016 # for sh
    if ! "${POSTGRES_AS[@]}" sh -c 'touch "$1/probe" && rm "$1/probe"' sh "$1" 2>/dev/null ||
        [ "$(stat -c %u "$1")" != 65534 ]; then
        chown 0:0 "$1"
        POSTGRES_AS=(unshare --user --map-user=65534 --map-group=65534)
    elif ! setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$2/postgres"; then
        cc -shared -fPIC -O2 -o "$RIG/eaccess.so" "$TOP/tests/lib/eaccess.c"
        POSTGRES_AS+=(env "LD_PRELOAD=$RIG/eaccess.so")
    fi
}

# make_postgres BIN: an empty server in $RIG/data, whose password is in $PGPASSFILE.
make_postgres() {
    local password new
    password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    printf '*:*:*:*:%s\n' "$password" >"$PGPASSFILE"
    chmod 600 "$PGPASSFILE"
    printf '%s\n' "$password" >"$RIG/pwfile"
    chmod 644 "$RIG/pwfile"
    # "cd": nobody might not be allowed into the current folder.
    (cd "$RIG" && LD_LIBRARY_PATH=$(library_path) "${POSTGRES_AS[@]}" "$1/initdb" -D "$RIG/data" -U rig -A scram-sha-256 \
        --pwfile="$RIG/pwfile" -E UTF8 --locale=C.UTF-8 --no-sync) || return 1
    rm -f "$RIG/pwfile"
    # For the scripts after this one: a copy costs a tenth.
    new=$RIG/empty-postgres
    mkdir "$new"
    cp -a "$RIG/data" "$PGPASSFILE" "$new"
    echo "$1" >"$new/made-by"
    mv -T "$new" "$TOP/build/empty-postgres" 2>/dev/null || rm -rf "$new"
}

# The one that another script of this user has made.
copied_postgres() { # BIN
    local made=$TOP/build/empty-postgres
    [ -O "$made" ] && [ "${POSTGRES_AS[0]-setpriv}" = setpriv ] &&
        [ "$(read_word "$made/made-by")" = "$1" ] || return 1
    cp -a "$made/pgpass" "$PGPASSFILE"
    cp -a "$made/data/." "$RIG/data"
}

start_postgres() {
    local bin log=$RIG/postgres.log try
    bin=$(postgres_bin)
    mkdir -p "$RIG/data"
    chmod 700 "$RIG/data"
    postgres_as "$RIG/data" "$bin"
    PGHOST=127.0.0.1 PGUSER=rig PGDATABASE=postgres PGPASSFILE=$RIG/pgpass
    # What this server does not have costs every psql a fifth of its time to find out.
    PGSSLMODE=disable PGGSSENCMODE=disable
    export PGHOST PGUSER PGDATABASE PGPASSFILE PGPORT PGSSLMODE PGGSSENCMODE
    copied_postgres "$bin" || make_postgres "$bin" >"$log" 2>&1 || { cat "$log" >&2; fail "initdb"; }
    for try in 1 2 3 4 5; do
        PGPORT=$(free_port 127.0.0.1)
        if restart_postgres; then
            return 0
        fi
    done
    cat "$log" >&2
    fail "PostgreSQL does not start (tried $try times)"
}

# In a session of its own: it outlives the case that begins it anew.
restart_postgres() {
    local bin
    bin=$(postgres_bin)
    (cd "$RIG" && LD_LIBRARY_PATH=$(library_path) exec setsid "${POSTGRES_AS[@]}" "$bin/postgres" -D "$RIG/data" -p "$PGPORT" \
        -c listen_addresses=127.0.0.1 -c "unix_socket_directories=${POSTGRES_SOCKETS-}" -c fsync=off -c full_page_writes=off \
        -c synchronous_commit=off -c jit=off -c max_connections=60 -c shared_buffers=32MB \
        -c autovacuum=off) </dev/null >>"$RIG/postgres.log" 2>&1 9>&- &
    echo $! >"$RIG/postgres.pid"
    disown
    # One that has found its port taken has ended; one that is slow is waited for, since it has the data.
    (wait_for 60 answers_or_gone "$(cat "$RIG/postgres.pid")" sql 'select 1') 2>/dev/null && sql 'select 1' >/dev/null 2>&1
}
answers_or_gone() { # PID QUERY
    "${@:2}" || process_gone "$1"
}

# As `pg_ctl stop -m immediate` does it: a crash, after which restart_postgres recovers.
crash_postgres() {
    local bin
    bin=$(postgres_bin)
    (cd "$RIG" && LD_LIBRARY_PATH=$(library_path) "${POSTGRES_AS[@]}" "$bin/pg_ctl" stop -D "$RIG/data" -m immediate) >/dev/null
}

# sql QUERY [DATABASE]: its bare answer.
sql() { psql -XAtq -v ON_ERROR_STOP=1 -d "${2-$PGDATABASE}" -c "$1"; }

# mariadb_program NAME
mariadb_program() {
    local dir
    for dir in /usr/sbin /usr/bin "$SERVERS/usr/sbin" "$SERVERS/usr/bin"; do
        [ -x "$dir/$1" ] && { echo "$dir/$1"; return; }
    done
    fail "there is no $1: sh tests/lib/need.sh servers"
}

# start_mariadb: a MariaDB on a free port of 127.0.0.1 and on a socket, with the plugin that shows
# metadata locks.  $MARIADB_TCP and $MARIADB_FILE are option files for the two ways to it.
start_mariadb() {
    local server base log=$RIG/mariadb.log try password files as at
    server=$(mariadb_program mariadbd)
    base=${server%/sbin/mariadbd} files=$base/share/mysql
    # Their names since MariaDB 11.
    [ ! -e "$base/share/mariadb/mariadb_system_tables.sql" ] || files=$base/share/mariadb
    mkdir -p "$RIG/mariadb" "$RIG/mariadb.tmp"
    chmod 700 "$RIG/mariadb"
    as=()
    root && as=(--user=root)
    MARIADB=(env "LD_LIBRARY_PATH=$(library_path)" "$server" --no-defaults "${as[@]}" "--basedir=$base"
        "--datadir=$RIG/mariadb" "--plugin-dir=$base/lib/mysql/plugin" "--lc-messages-dir=$files"
        "--socket=$RIG/mariadb.s" "--pid-file=$RIG/mariadb/pid" "--tmpdir=$RIG/mariadb.tmp" --innodb-flush-log-at-trx-commit=0
        --innodb-buffer-pool-size=32M --innodb-log-file-size=16M --skip-name-resolve)
    password=$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')
    # What mariadb-install-db does, without its look around the machine: one statement a line.
    {
        printf 'create database mysql;\nuse mysql;\nset @auth_root_socket=NULL, @skip_auth_anonymous=1;\n'
        cat "$files/${files##*/}_system_tables.sql" "$files/${files##*/}_performance_tables.sql" "$files/${files##*/}_system_tables_data.sql"
        printf 'flush privileges;\n'
        for at in 127.0.0.1 localhost; do
            printf "create user rig@'%s' identified by '%s';\ngrant all on *.* to rig@'%s' with grant option;\n" "$at" "$password" "$at"
        done
    } >"$RIG/mariadb.sql"
    "${MARIADB[@]}" --bootstrap <"$RIG/mariadb.sql" >"$log" 2>&1 || { cat "$log" >&2; fail "mariadbd --bootstrap"; }
    rm -f "$RIG/mariadb.sql"
    MARIADB_TCP=$RIG/mariadb.tcp.cnf MARIADB_FILE=$RIG/mariadb.file.cnf
    (umask 077; printf '[client]\nsocket=%s\nuser=rig\npassword=%s\n' "$RIG/mariadb.s" "$password" >"$MARIADB_FILE")
    for try in 1 2 3 4 5; do
        MARIADB_PORT=$(free_port 127.0.0.1)
        (umask 077; printf '[client]\nskip-ssl\nhost=127.0.0.1\nport=%s\nuser=rig\npassword=%s\n' "$MARIADB_PORT" "$password" >"$MARIADB_TCP")
        (cd "$RIG" && exec "${MARIADB[@]}" --bind-address=127.0.0.1 "--port=$MARIADB_PORT" --plugin-load-add=metadata_lock_info) \
            </dev/null >>"$log" 2>&1 9>&- &
        echo $! >"$RIG/mariadb.pid"
        disown
        if (wait_for 60 answers_or_gone "$(cat "$RIG/mariadb.pid")" mariadb_sql 'select 1') 2>/dev/null && mariadb_sql 'select 1' >/dev/null 2>&1; then
            return 0
        fi
    done
    cat "$log" >&2
    fail "MariaDB does not start (tried $try times)"
}

# mariadb_sql QUERY [DATABASE]: its bare answer.
mariadb_sql() { "$(mariadb_program mariadb)" --defaults-file="$MARIADB_TCP" -N -B -e "$1" ${2+"$2"}; }

# --- repository --------------------------------------------------------------------------------

# rig_repo DIR: the Rails-like application of tests/app, with one migration, committed.  It is committed once for each
# rig; whoever asks for another gets a copy.
rig_repo() {
    REPO=$RIG/application
    if [ ! -d "$REPO" ]; then
        mkdir -p "$REPO"
        cp -R "$TOP/tests/app/." "$REPO"
        # Without the examples of hooks, which would be copied each time.
        git -C "$REPO" init -q -b main --template=
        commit_all "The application"
    fi
    [ -d "${1%/*}" ] || mkdir -p "${1%/*}"
    cp -R "$REPO" "$1"
    REPO=$1
}

commit_all() {
    git -C "$REPO" add -A
    git -C "$REPO" commit -q --allow-empty -m "$1"
}

# Another migration of the Django application, which adds a column to events.
commit_django_migration() {
    cat >"$REPO/shop/migrations/0002_note.py" <<'END'
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]
    operations = [migrations.RunSQL("ALTER TABLE events ADD note text")]
END
    commit_all note
}

# commit_file PATH TEXT
commit_file() {
    local file=$REPO/$1
    [ -d "${file%/*}" ] || mkdir -p "${file%/*}"
    printf '%s\n' "$2" >"$file"
    commit_all "Change ${1##*/}"
}

# commit_migration VERSION ClassName SQL: for bin/migrate of the application, and for psql, whose \! and \if it may use.
commit_migration() {
    printf '%s\n' "$3" >"$REPO/db/migrate/$1_$(migration_name "$2").sql"
    commit_all "Add $2"
}
migration_name() {
    local rest=$1 name=''
    while [[ $rest =~ ^(.*[a-z0-9])([A-Z].*)$ ]]; do
        name=_${BASH_REMATCH[2]}$name
        rest=${BASH_REMATCH[1]}
    done
    name=$rest$name
    printf '%s\n' "${name,,}"
}

# commit_ruby_migration VERSION ClassName RUBY: for rake; RUBY is the body of `change`.
commit_ruby_migration() {
    local file
    file=$REPO/db/migrate/$1_$(migration_name "$2").rb
    cat >"$file" <<END
class $2 < ActiveRecord::Migration[6.1]
  include Counted

  def change
    counted
    $3
  end
end
END
    commit_all "Add $2"
}

revision() { git -C "$REPO" rev-parse HEAD; }

# own_disk OPTIONS FOLDER COMMAND...: with a disk of its own (a tmpfs with these options) in the place of the
# folder, which only the command sees: as root, else in a user namespace, else with the help of sudo.
own_disk() {
    # shellcheck disable=SC2016 # for bash
    local options=$1,mode=777 mounted='mount -t tmpfs -o "$1" none "$2"; shift 2; exec "$@"'
    shift
    if root; then
        unshare -m -- "$BASH" -ec "$mounted" bash "$options" "$@"
    elif unshare -r -m true 2>/dev/null; then
        unshare -r -m -- "$BASH" -ec "$mounted" bash "$options" "$@"
    else
        # sudo keeps neither the environment nor the user.
        mapfile -d '' -t environment </proc/self/environ
        sudo -n unshare -m -- "$BASH" -ec "$mounted" bash "$options" "$1" \
            setpriv --reuid "$(id -u)" --regid "$(id -g)" --init-groups -- env -i "${environment[@]}" "${@:2}"
    fi
}

# --- site --------------------------------------------------------------------------------------

# host_script VALUES: what crelease sends before every script, for a case that gives a script to a shell itself.
host_script() {
    echo "$1"
    cat "$TOP/src/host/identity.sh" "$TOP/src/host/prelude.sh" "$TOP/src/host/trust.sh" "$TOP/src/host/releases.sh"
    echo begin_script
}

# site_new NAME HOSTS: $SITE with repo/, one folder a host, crelease.yml; a database when there is
# a server.  HOSTS 0: one host, this machine itself (transport: local).
site_new() {
    local host
    local folders=()
    SITE=$RIG/sites/$1 DB=
    # shellcheck disable=SC2034 # for the scripts
    printf -v SITE_Q %q "$SITE" # in shell text
    SITE_HOSTS=()
    if [ "$2" -eq 0 ]; then
        SITE_HOSTS=(here)
    else
        SITE_HOSTS=("${HOSTS[@]:0:$2}")
    fi
    for host in "${SITE_HOSTS[@]}"; do
        folders+=("$SITE/$host/shared/config")
    done
    mkdir -p "$SITE" "${folders[@]}"
    rig_repo "$SITE/repo"
    [ -z "${from-}" ] || copy_deployed "$from"
    if [ -n "${PGPORT-}" ]; then
        DB=$1
        wait_for 10 sql "create database \"$DB\"${from:+ template \"${from##*/}\"}"
    fi
    for host in "${SITE_HOSTS[@]}"; do
        database_yml >"$SITE/$host/shared/config/database.yml"
    done
    RECIPE=$SITE/crelease.yml
    recipe_write </dev/null
    cd "$SITE"
}

# site_deployed NAME HOSTS: the same, after its first deploy with the recipe that site_new writes, for a case that
# is about what comes then.  It is deployed once for each script and number of hosts, then copied: a first
# deploy with its migration starts some four hundred processes.
site_deployed() {
    local from
    from=$RIG/sites/deployed_$2${MIGRATES-}
    [ -e "$from/ready" ] || (deploy_original "${from##*/}" "$2")
    site_new "$1" "$2"
}

deploy_original() { # NAME HOSTS
    local from=
    # One that was interrupted.
    rm -rf "$RIG/sites/$1"
    [ -z "${PGPORT-}" ] || sql "drop database if exists \"$1\""
    site_new "$1" "$2"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    : >"$SITE/ready"
}

# copy_deployed SITE: what is on its hosts.  The links there are absolute.
copy_deployed() {
    cp -a "${SITE_HOSTS[@]/#/$1/}" "$SITE"
    # shellcheck disable=SC2016 # for perl
    perl -e '
        my ($from, $to) = splice @ARGV, 0, 2;
        for my $link (@ARGV) {
            my $target = readlink $link or next;
            $target =~ s/^\Q$from\E\//$to\// or next;
            unlink $link and symlink $target, $link or die "$link: $!\n";
        }' "$1" "$SITE" "$SITE"/*/current "$SITE"/*/releases/*/{log,tmp/pids,config/database.yml}
}

database_yml() {
    printf '%s\n' 'production:' '  adapter: postgresql' "  database: \"$DB\"" "  host: \"${PGHOST-}\"" \
        "  port: ${PGPORT-0}" "  username: \"${PGUSER-}\""
}

# over TRANSPORT: the recipe reaches its hosts that way from now on.
over() {
    sed -i '/^transport:/d' "$RECIPE"
    echo "transport: $1" >>"$RECIPE"
}

# recipe_write <<END: the recipe of the site; what is on standard input replaces the sections here
# that begin with the same key.
recipe_write() {
    local own section sections text
    IFS= read -r -d '' own || true
    own=${own%$'\n'}
    recipe_sections
    {
        printf '%s\n' "$own"
        # A section is a key at the left edge and what is indented under it.
        for section in "${sections[@]}"; do
            [[ $'\n'$own == *$'\n'"${section%%:*}:"* ]] || printf '%s\n' "$section"
        done
    } >"$RECIPE"
}

# In $sections.
recipe_sections() {
    local run='bin/migrate' status='bin/migrate-status'
    # rake takes seconds to start: for what is about Rails.
    [ "${MIGRATES-plain}" = plain ] || run='rake db:migrate' status='rake db:migrate:status'
    sections=('application: shop' "repository: '$SITE/repo'" 'ref: main' "deploy_to: '$SITE/${SITE_HOSTS[0]}'"
        'keep_releases: 3' 'linked_files: [config/database.yml]' 'linked_dirs: [log, tmp/pids]')
    if [ -n "$DB" ]; then
        sections+=('env: {RAILS_ENV: production}' "database: {adapter: postgresql, name: $DB}" 'backup: {policy: wait}'
            "migrate: {run: $run, status: $status, lock_timeout: 500ms}")
    fi
    sections+=('restart: {touch: tmp/restart.txt}')
    if [ "${SITE_HOSTS[0]}" = here ]; then sections+=('transport: local'); elif [ -n "${TRANSPORT-}" ]; then sections+=("transport: $TRANSPORT"); fi
    recipe_hosts
    sections+=("${text%$'\n'}")
}

# The section of the hosts, in $text.
recipe_hosts() {
    local host roles address port
    text=$'environments:\n  production:\n    hosts:\n'
    for host in "${SITE_HOSTS[@]}"; do
        if [ "$host" = here ]; then
            text+="      - {host: localhost, name: here, deploy_to: '$SITE/here'}"$'\n'
            continue
        fi
        # The last host has the database, as in many a small site.
        roles='app, web'
        [ "$host" != "${SITE_HOSTS[-1]}" ] || roles='app, web, db'
        read -r address <"$RIG/$host/address"
        read -r port <"$RIG/$host/${PORT_FILE-port}"
        text+="      - {host: $address, port: $port, name: $host, roles: [$roles], deploy_to: '$SITE/$host'}"$'\n'
    done
}

current() { readlink "$SITE/${1-${SITE_HOSTS[0]}}/current" 2>/dev/null || true; }
# shellcheck disable=SC2120 # some scripts ask for the first host only
release() {
    local target
    target=$(readlink "$SITE/${1-${SITE_HOSTS[0]}}/current" 2>/dev/null) || true
    printf '%s\n' "${target##*/}"
}
# shellcheck disable=SC2120 # as above
live_revision() { read_word "$SITE/${1-${SITE_HOSTS[0]}}/current/REVISION"; }
releases() { (cd "$SITE/$1/releases" && ls); }

# A name, kind, mode, size and target of everything under a folder: what "changes nothing" is held against.
tree_of() { (cd "$1" && find . -printf '%p|%y|%m|%s|%l|%T@\n' | LC_ALL=C sort); }

# --- the program -------------------------------------------------------------------------------

# run_crelease ARGUMENTS: runs it; $STATUS, and the files $OUT and $ERR.  Never fails itself.
run_crelease() {
    OUT=$RIG/out.$BASHPID ERR=$RIG/err.$BASHPID
    STATUS=0
    "$CRELEASE" "$@" </dev/null >"$OUT" 2>"$ERR" || STATUS=$?
    printf '%s crelease %s -> %s\n' '$' "$*" "$STATUS"
    indented '  | ' "$OUT" "$ERR"
}

# expect_status STATUS ARGUMENTS
expect_status() {
    local want=$1
    shift
    run_crelease "$@"
    [ "$STATUS" = "$want" ] || fail "crelease $*: status $STATUS instead of $want: $(tail -n 3 "$ERR" "$OUT" | tr '\n' ' ' | cut -c1-300)"
}

# start_crelease ARGUMENTS: in the background; $CR_PID.  finish_crelease [STATUS] waits for its end.
start_crelease() {
    CR_OUT=$RIG/bg.out.$BASHPID CR_ERR=$RIG/bg.err.$BASHPID CR_ARGS=$*
    : >"$CR_OUT" # what the one before said is not what this one says
    : >"$CR_ERR"
    # bash has background commands ignore SIGINT; the program must not inherit that.
    env --default-signal=INT,QUIT "$CRELEASE" "$@" </dev/null >"$CR_OUT" 2>"$CR_ERR" &
    CR_PID=$!
}

finish_crelease() {
    STATUS=0
    wait "$CR_PID" || STATUS=$?
    CR_PID=
    printf '%s crelease %s -> %s\n' '&' "$CR_ARGS" "$STATUS"
    indented '  | ' "$CR_OUT" "$CR_ERR"
    [ -z "${1-}" ] || [ "$STATUS" = "$1" ] ||
        fail "crelease $CR_ARGS: status $STATUS instead of $1: $(tail -n 3 "$CR_ERR" "$CR_OUT" | tr '\n' ' ' | cut -c1-300)"
}

# Its own process only: what it started on the hosts lives on, as when a laptop dies.  That the connection
# is gone reaches a loaded host late.
kill_crelease() {
    local limit=$((SECONDS + 20))
    kill -KILL "$CR_PID" 2>/dev/null || true
    wait "$CR_PID" 2>/dev/null || true
    until no_lock_is_alive || [ $SECONDS -ge $limit ]; do nap; done
    CR_PID=
    printf '! crelease %s was killed\n' "$CR_ARGS"
    indented '  | ' "$CR_OUT" "$CR_ERR"
}

# The program on a terminal of its own; what is written to descriptor 7 are its keys.
start_on_terminal() { # ARGS
    rm -f "$SITE/keys" "$SITE/typed"
    mkfifo "$SITE/keys"
    exec 7<>"$SITE/keys"
    script -qefc "$(printf '%q ' "$CRELEASE" "$@")" "$SITE/typed" <"$SITE/keys" >/dev/null 2>&1 &
    TYPED=$!
}
finish_on_terminal() { # STATUS
    local status=0
    wait "$TYPED" || status=$?
    exec 7>&-
    sed 's/^/  t | /' "$SITE/typed" >&2
    assert_equal "status" "$status" "$1"
}
terminal_shows() { grep -qE -- "$1" <<<"$(tr -d '\r' <"$SITE/typed")"; }

# Whether the process lives that keeps the lock of the site there.
lock_is_alive() { # HOST
    local word='' pid='' ticks='' stat='' proc=/proc
    { while read -r word pid ticks _ && [ "$word" != keeper ]; do :; done <"$SITE/$1/.crelease/lock"; } 2>/dev/null || return 1
    [ "$word" = keeper ] || return 1
    # Its number is one of the host's own.
    [ "$1" = here ] || ! hosts_are_isolated || proc=/proc/$(first_pid "$1")/root/proc
    { read -r stat <"$proc/$pid/stat"; } 2>/dev/null || return 1
    read -r -a stat <<<"${stat##*) }"
    case ${stat[0]} in Z | X) return 1 ;; esac
    [ "${stat[19]}" = "$ticks" ]
}
no_lock_is_alive() {
    local host
    for host in "${SITE_HOSTS[@]}"; do
        ! lock_is_alive "$host" || return 1
    done
}

json() { jq -r "$@" "$OUT"; }

# --- asserting ---------------------------------------------------------------------------------

assert_equal() { [ "$2" = "$3" ] || fail "$1: '$2' instead of '$3'"; }
assert_exists() { [ -e "$1" ] || [ -L "$1" ] || fail "$1 is not there"; }
assert_gone() { if [ -e "$1" ] || [ -L "$1" ]; then fail "$1 is still there"; fi; }
expect_output() { grep -qiE -- "$1" "$OUT" "$ERR" || fail "nothing said about '$1' ($(tail -n 2 "$OUT" "$ERR" | tr '\n' ' ' | cut -c1-200))"; }
expect_no_output() { ! grep -qiE -- "$1" "$OUT" "$ERR" || fail "says '$1'"; }

# assert_deployed REVISION [LINES]: on every host that revision is live, whole, and nothing is left over.
assert_deployed() {
    local host line name revision wanted i=0 count log currents=() targets
    for host in "${SITE_HOSTS[@]}"; do
        currents+=("$SITE/$host/current")
        [ -L "$SITE/$host/current" ] || fail "$host: there is no current"
    done
    mapfile -t targets < <(readlink "${currents[@]}")
    wanted=${targets[0]##*/}
    for host in "${SITE_HOSTS[@]}"; do
        read -r revision <"$SITE/$host/current/REVISION" || fail "$host: there is no REVISION"
        assert_equal "$host: revision" "$revision" "$1"
        name=${targets[i]##*/}
        assert_equal "$host: release" "$name" "$wanted"
        assert_equal "$host: current" "${targets[i]}" "$SITE/$host/releases/$name"
        assert_gone "$SITE/$host/.crelease/lock"
        assert_gone "$SITE/$host/releases/current"
        mapfile -t log <"$SITE/$host/revisions.log"
        count=0
        for line in "${log[@]}"; do
            [[ $line != *"deployed as release $name by"* ]] || count=$((count + 1))
        done
        assert_equal "$host: lines of $name in revisions.log" "$count" 1
        [ -z "${2-}" ] || assert_equal "$host: lines in revisions.log" "${#log[@]}" "$2"
        assert_release_complete "$host"
        i=$((i + 1))
    done
}

# The release holds what git would export, and its currents; nothing else but what was made by jobs.
assert_release_complete() {
    local dir=$SITE/$1/current want revision
    read -r revision <"$dir/REVISION"
    # Per process, since two may look at the same time.
    want=$SITE/export.$BASHPID.$revision
    if [ ! -d "$want" ]; then
        mkdir "$want"
        git -C "$REPO" archive "$revision" | tar -C "$want" -xf -
    fi
    # Shared things replace what the repository has in their place.
    diff -r --no-dereference -x log -x pids -x database.yml -x restart.txt -x REVISION -x REVISION_TIME -x tmp -x made \
        "$want" "$dir/" >"$want.diff" ||
        fail "$1: the release differs from the commit: $(head -n 3 "$want.diff" | tr '\n' ' ')"
}

# --- the backup in the way ---------------------------------------------------------------------

# make_big_table: one that does not fit into any buffer between server and reader.
make_big_table() {
    sql "create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g" "$DB"
}

dump_pid() { sql "select pid from pg_stat_activity where application_name = 'pg_dump' and datname = '$DB' and query ilike 'copy %'" | head -n 1; }
dump_runs() { [ -n "$(dump_pid)" ]; }
dump_is_gone() { ! dump_runs; }

# start_dump: a real pg_dump whose reader does not read on before end_dump; it has come as far as the
# function $DUMP_UNTIL says, or to its first table.
start_dump() {
    DUMP_GATE=$(mktemp -u "$SITE/gate.XXXXXX")
    mkfifo "$DUMP_GATE"
    # Both ends, so that neither opening it nor writing into it blocks.
    exec 8<>"$DUMP_GATE"
    { pg_dump -d "$DB" 2>"$SITE/dump.err" | { read -r _ <&8; cat >"$SITE/dump.sql"; }; } &
    disown
    wait_for 60 "${DUMP_UNTIL-dump_runs}"
}

end_dump() {
    echo go >&8
    wait_for 60 dump_is_gone
}

# hold_table_lock: a share lock on the table zz of the site, as somebody's open transaction, until drop_table_lock.
hold_table_lock() {
    mkfifo "$SITE/hold"
    PGAPPNAME=console psql -X -q -d "$DB" <"$SITE/hold" >/dev/null 2>&1 &
    HOLD=$!
    exec 7>"$SITE/hold"
    # With a snapshot, for which what runs CONCURRENTLY waits.
    printf "begin isolation level repeatable read;\nselect *, 'private' from zz;\n" >&7
    wait_for 30 table_lock_is_held
}
table_lock_is_held() { [ "$(sql "select count(*) from pg_locks where relation = 'zz'::regclass and granted" "$DB")" -gt 0 ]; }
drop_table_lock() {
    printf '\\q\n' >&7 # what runs in the background may have inherited it
    exec 7>&-
    wait "$HOLD" || true
}

# start_receiver: a web server for notifications, at $at, until `kill "$RECEIVER"`; it writes each path and body as a line
# into `posted`.  It answers by path: /broken, /moved, and never to /silent.
start_receiver() {
    perl -MIO::Socket::INET -e '$SIG{CHLD} = "IGNORE"; my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1") or die;
        open(my $f, ">", "port.new") or die; print $f $s->sockport; close($f); rename("port.new", "port");
        while (1) { my $c = $s->accept or next; next if fork; my ($path, $n) = ("", 0);
            while (my $l = <$c>) { $path = $1 if $l =~ /^POST (\S+)/; $n = $1 if $l =~ /^content-length: *(\d+)/i; last if $l =~ /^\r?\n/ }
            read($c, my $body, $n); $body =~ s/\s+$//; open(my $to, ">>", "posted"); syswrite($to, "$path $body\n");
            <$c> if $path =~ /silent/; my $how = $path =~ /broken/ ? "500 No" : $path =~ /moved/ ? "302 Moved\r\nLocation: /elsewhere" : "200 OK";
            print $c "HTTP/1.1 $how\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"; exit }' </dev/null >/dev/null 2>&1 9>&- &
    # shellcheck disable=SC2034 # for the scripts
    RECEIVER=$!
    wait_for 30 test -s port
    at=http://127.0.0.1:$(cat port)
    export no_proxy=127.0.0.1
    : >posted
}
posted() { sed -n "s|^$1 ||p" posted; } # PATH

# --- cases -------------------------------------------------------------------------------------

# case_event KIND NAME: to tests/run, when that has started the script.
case_event() {
    [ -z "$EVENTS" ] || printf '%.1000s\n' "$1 $SCRIPT_NAME $2" >"$EVENTS"
}

# skip WHY: ends the case that calls it.  The run does not count it as passed, and names it at its end.
skip() {
    printf '%s\n' "$*" >"$RIG/skipped"
    exit 0
}

# case_failed NAME LOG WHY
case_failed() {
    if [ -n "$EVENTS" ]; then
        cp "$2" "$KEPT_LOGS/$SCRIPT_NAME.$1.log"
        case_event not "$1: $3"
    else
        sed 's/^/    /' "$2" >&9
    fi
    echo "not ok $1: $3" >&9
}

# end_stuck_case PID LOG: ends a case that has printed nothing for $CASE_SECONDS seconds, or does not stop printing.  How
# long it takes as a whole says nothing on a loaded machine.
end_stuck_case() {
    local quiet=0 round=0
    # Without a process: many a case is over sooner than some looks would take.
    while [ "$quiet" -lt "$CASE_SECONDS" ] && [ "$round" -lt $((CASE_SECONDS * 2)) ]; do
        : >"$RIG/looked"
        nap 5
        if [ "$2" -nt "$RIG/looked" ]; then quiet=0; else quiet=$((quiet + 5)); fi
        round=$((round + 1))
    done
    echo "no output for $quiet s, $((round * 5)) s after its start" >"$RIG/why"
    kill -KILL -- "-$1"
}

# read_cpu: in $CPU_MS the processor time of what has ended so far, servers not included.
read_cpu() {
    local user system seconds
    builtin times >"$RIG/times"
    { read -r _ && read -r user system; } <"$RIG/times"
    CPU_MS=0
    for user in "$user" "$system"; do
        user=${user%s}
        seconds=${user#*m}
        seconds=${seconds%.*}
        CPU_MS=$((CPU_MS + ${user%m*} * 60000 + 10#${user#*.} + seconds * 1000))
    done
}

# run_cases: every function named case_NAME of the script, in its order, or those asked for, each in
# a process group of its own; "ok NAME", "skipped NAME: why" or "not ok NAME: why" for each, on the real standard
# output.
# Those named in $LONG only when they are asked for, or all are ($ALL).
run_cases() {
    local name status failed=0 log limit began cpu
    exec 9>&1
    # Scripts that a case runs tell their results to it.
    EVENTS=${CRELEASE_EVENTS-} KEPT_LOGS=${CRELEASE_KEPT-} SCRIPT_NAME=$(basename "$0" .sh)
    unset CRELEASE_EVENTS CRELEASE_KEPT
    for name; do
        grep -q "^case_$name()" "$0" || { case_failed "$name" /dev/null "there is no such case" && failed=1; }
    done
    # shellcheck disable=SC2013 # names are words
    for name in $(grep -o '^case_[a-z0-9_]*' "$0"); do
        if [ $# -gt 0 ]; then
            [[ " $* " == *" ${name#case_} "* ]] || continue
        elif [ -z "${ALL-}" ] && [[ " ${LONG-} " =~ [[:space:]]${name#case_}[[:space:]] ]]; then
            continue
        fi
        log=$RIG/case.log
        case_event case "${name#case_}"
        [ ! -e "$RIG/why" ] || rm -f "$RIG/why"
        [ ! -e "$RIG/skipped" ] || rm -f "$RIG/skipped"
        status=0
        set -m
        (
            set -eE
            trap '[ -s "$RIG/why" ] || echo "line $LINENO of ${FUNCNAME[0]-}: $BASH_COMMAND: status $?" >"$RIG/why"' ERR
            trap - EXIT INT TERM HUP
            "$name"
        ) </dev/null >"$log" 2>&1 9>&- &
        CASE_PID=$!
        end_stuck_case "$CASE_PID" "$log" 9>&- >/dev/null 2>&1 &
        limit=$!
        disown
        set +m
        began=$EPOCHREALTIME
        read_cpu
        cpu=$CPU_MS
        wait "$CASE_PID" || status=$?
        read_cpu
        case_event time "${name#case_} $(((${EPOCHREALTIME/[.,]/} - ${began/[.,]/}) / 1000)) $((CPU_MS - cpu))"
        kill -KILL -- "-$limit" 2>/dev/null || true
        kill -KILL -- "-$CASE_PID" 2>/dev/null || true
        CASE_PID=
        if [ "$status" -eq 0 ] && [ -e "$RIG/skipped" ]; then
            case_event skip "${name#case_}: $(head -n 1 "$RIG/skipped")"
            echo "skipped ${name#case_}: $(head -n 1 "$RIG/skipped")" >&9
        elif [ "$status" -eq 0 ]; then
            case_event ok "${name#case_}"
            echo "ok ${name#case_}" >&9
        else
            failed=1
            case_failed "${name#case_}" "$log" "$(head -n 1 "$RIG/why" 2>/dev/null || echo "status $status")"
        fi
    done
    return $failed
}
