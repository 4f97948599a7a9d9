#!/bin/bash
# Deploys to HOSTS_N="1 10 50" hosts with LATE="0 20 100" ms of latency: crelease, a hand-written script over OpenSSH
# (shell-deploy.sh: what a skilled user would write) and Capistrano, which do the same work, taken in turn RUNS=3 times;
# medians, and their ratios.  KINDS, each of which all of them run alike:
#
#     code        2 files of 2,000 change; crelease knows from the trees that nothing is to be migrated
#     asking      the same without migrate.paths, so that rake is started to ask, as the others always do
#     nothing     nothing has changed since the last deploy
#     migrating   with a migration
#     first       the first deploy
#     big         35 of 20,000 files, 200 MB, change (FILES=20000), and big_hardlink with checkout: hardlink
#
# Every host has a sshd, an address and processes of its own on this machine; the latency is that of a relay
# (late.pl), which also counts round trips and bytes.  The Git server of the others is next to the hosts, without
# latency.  CAPISTRANO= leaves Capistrano out; with 50 hosts it is left out anyway, because Ruby and 50 sshd
# do not go together on two processors.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${RUNS-3}
read -ra counts <<<"${HOSTS_N-1 10 50}"
read -ra lates <<<"${LATE-0 20 100}"
read -ra kinds <<<"${KINDS-code asking nothing migrating}"
PORT_FILE=late

files_make() { # FOLDERS FILES BYTES
    local folder file
    for folder in $(seq "$1"); do
        mkdir -p "$REPO/app/part$folder"
        for file in $(seq "$2"); do
            # Text which no two files share.
            head -c $(($3 * 3 / 4)) /dev/urandom | base64 >"$REPO/app/part$folder/file$file.rb"
        done
    done
    commit_all "$(($1 * $2)) files"
}

# --- those that are compared -----------------------------------------------------------------------

recipe_for() { # KIND
    local paths=', paths: [db/migrate]' checkout=
    case $1 in
    asking) paths= ;;
    big_hardlink) checkout='checkout: hardlink' ;;
    esac
    recipe_write <<END
migrate: {run: rake db:migrate, status: rake db:migrate:status$paths}
$checkout
END
}

crelease() { "$CRELEASE" deploy production; }
shell() { "$TOP/tests/bench/shell-deploy.sh" "$SITE/shell.hosts" "$REPO" "$SSH_CONFIG"; }

# Each has a database of its own, in which it migrates on the last host.
database_of() { # NAME FOLDER
    mkdir -p "$2/shared/config"
    sed "s/database: .*/database: \"$1\"/" "$SITE/${SITE_HOSTS[-1]}/shared/config/database.yml" >"$2/shared/config/database.yml"
}

shell_write() {
    local host
    SSH_CONFIG=$SITE/ssh_config
    printf '%s\n' "IdentityFile $HOME/.ssh/id_ed25519" "UserKnownHostsFile $HOME/.ssh/known_hosts" 'LogLevel ERROR' >"$SSH_CONFIG"
    sql "create database \"${DB}_shell\""
    for host in "${SITE_HOSTS[@]}"; do
        printf '%s %s %s %s\n' "$host" "$(host_address "$host")" "$(host_port "$host")" "$SITE/shell-$host"
        database_of "${DB}_shell" "$SITE/shell-$host"
    done >"$SITE/shell.hosts"
}

# Capistrano has one deploy_to for all hosts, which is a folder of its own on each.
capistrano_hosts() {
    local host roles
    capistrano_write
    for host in "${SITE_HOSTS[@]}"; do
        roles='app web'
        [ "$host" != "${SITE_HOSTS[-1]}" ] || roles='app web db'
        printf "server '%s', port: %s, user: '%s', roles: %%w[%s]\n" "$(host_address "$host")" "$(host_port "$host")" "$(id -un)" "$roles"
        database_of "$CAP_DB" "$SITE/cap-$host"
        PORT_FILE=port on_host "$host" "nsenter -t 1 -m mount --bind '$SITE/cap-$host' '$SITE/cap-host'" </dev/null
    done >"$SITE/cap/config/deploy/production.rb"
    cat >>"$SITE/cap/config/deploy/production.rb" <<END
set :ssh_options, { keys: ['$HOME/.ssh/id_ed25519'], keys_only: true, config: false, verify_host_key: :always,
                    user_known_hosts_file: '$HOME/.ssh/known_hosts', forward_agent: false }
END
}

# --- measuring --------------------------------------------------------------------------------------

jiffies() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }

counted() { # CONNECTIONS TURNS BYTES-UP BYTES-DOWN since the last time
    rm -f "$RIG/late.count"
    kill -USR1 "$RELAY"
    wait_for 10 test -e "$RIG/late.count"
    cat "$RIG/late.count"
}

# measure NAME FILE COMMAND: a line "MS CPU-MS RSS-KB TURNS KB-UP HOSTS-CPU-MS".
measure() {
    local begun took before used cpu rss up turns
    counted >/dev/null
    before=$(jiffies)
    begun=$(now_ms)
    command time -f '%U %S %M' -o "$RIG/used" bash -c "$3" </dev/null >"$RIG/out" 2>&1 || { cat "$RIG/out" >&2; fail "$1 failed"; }
    took=$(($(now_ms) - begun))
    used=$((($(jiffies) - before) * 10))
    read -r cpu rss < <(awk 'END { printf "%d %d\n", ($1 + $2) * 1000, $3 }' "$RIG/used")
    read -r _ turns up _ < <(counted)
    echo "$took $cpu $rss $turns $((up / 1000)) $((used - cpu))" >>"$2"
}

column() { awk -v c="$2" '{ print $c }' "$1" | median; }

change() { # KIND N
    local file
    case $1 in
    nothing) ;;
    big*)
        for file in $(seq 35); do echo "changed $2" >"$REPO/app/part$file/file$((file % 50 + 1)).rb"; done
        commit_all "35 files, $2"
        ;;
    migrating) commit_ruby_migration "$((20260103000000 + $2))" "AddColumn$2" "add_column :events, :column$2, :string" ;;
    *)
        echo "changed $2" >"$REPO/app/part1/file1.rb"
        commit_file app/part2/file2.rb "changed $2"
        ;;
    esac
}

# Exported for the shell of `time`.
export -f crelease shell capistrano
number=0 TABLE=()
all_of() { # HOSTS
    printf '%s\n' crelease shell
    [ -z "$with_cap" ] || [ "$1" -gt 10 ] || echo capistrano
}

compare() { # KIND HOSTS LATE
    local name=$1.$2.$3 who i all
    mapfile -t all < <(all_of "$2")
    recipe_for "$1"
    for i in $(seq "$runs"); do
        number=$((number + 1))
        change "$1" "$number"
        for who in "${all[@]}"; do
            measure "$who, $name" "$RIG/$name.$who" "$who"
        done
    done
    row "$name" "$1, $(hosts_text "$2"), $3 ms" "$2" "${all[@]}"
}

# row FILE WHAT HOSTS WHO...: a line of the table, printed at once, too.
row() {
    local file=$RIG/$1 n=$3 ms own who times=() ratios=() work=()
    own=$(column "$file.crelease" 1)
    for who in "${@:4}"; do
        ms=$(column "$file.$who" 1)
        times+=("$(seconds "$ms")")
        [ "$who" = crelease ] || ratios+=("$(awk -v a="$own" -v b="$ms" 'BEGIN { printf "%.2f", a / b }')")
        work+=("$(column "$file.$who" 6 | awk -v n="$n" '{ printf "%.2f", $1 / n / 1000 }')")
    done
    TABLE+=("$(printf '| %s | %s | %s | %.0f | %.0f | %s, %s | %s |' "$2" "$(joined "${times[@]}")" "$(joined "${ratios[@]}")" \
        "$(column "$file.crelease" 4 | awk -v n="$n" '{ print $1 / n }')" "$(column "$file.crelease" 5 | awk -v n="$n" '{ print $1 / n }')" \
        "$(column "$file.crelease" 2)" "$(column "$file.crelease" 3 | awk '{ printf "%.0f", $1 / 1024 }')" "$(joined "${work[@]}")")")
    printf '%s\n' "${TABLE[-1]}"
}

joined() { printf '%s\n' "$@" | paste -sd/ | sed 's|/| / |g'; }
hosts_text() { if [ "$1" = 1 ]; then echo '1 host'; else echo "$1 hosts"; fi; }

# --- the hosts --------------------------------------------------------------------------------------

relay_begin() {
    local host to=()
    for host in "${SITE_HOSTS[@]}"; do
        to+=("$(PORT_FILE=port host_address "$host")" "$(PORT_FILE=port host_port "$host")")
    done
    rm -f "$RIG/late.port"
    echo 0 >"$RIG/late"
    perl "$TOP/tests/bench/late.pl" "$RIG/late" "${to[@]}" </dev/null &
    RELAY=$!
    wait_for 10 test -e "$RIG/late.port"
    exec 6<"$RIG/late.port"
    for host in "${SITE_HOSTS[@]}"; do
        read -r port <&6
        echo "$port" >"$RIG/$host/late"
        printf '[%s]:%s %s\n' "$(host_address "$host")" "$port" "$(cut -d' ' -f1,2 "$RIG/$host/key.pub")" >>"$HOME/.ssh/known_hosts"
    done
    exec 6<&-
}

# Through the relay: the recipe is written when the ports are known.
site_of() { # HOSTS
    local n=$1 kind late who
    SITE_HOSTS=("${HOSTS[@]:0:n}")
    relay_begin
    site_new "bench$n" "$n"
    files_make $((${FILES-2000} / 50)) 50 10000
    shell_write
    [ -z "$with_cap" ] || [ "$n" -gt 10 ] || capistrano_hosts
    export CRELEASE SITE REPO SSH_CONFIG TOP
    for who in $(all_of "$n"); do
        measure "$who, first" "$RIG/first.$n.0.$who" "$who"
    done
    # shellcheck disable=SC2046 # words
    row "first.$n.0" "first, $(hosts_text "$n"), 0 ms" "$n" $(all_of "$n")
    for late in "${lates[@]}"; do
        echo $((late / 2)) >"$RIG/late"
        for kind in "${kinds[@]}"; do
            compare "$kind" "$n" "$late"
        done
    done
    kill "$RELAY"
    wait "$RELAY" 2>/dev/null || true
}

rig_open
start_postgres
start_hosts "$(printf '%s\n' "${counts[@]}" | largest)"
with_cap=
[ -z "${CAPISTRANO-yes}" ] || ! has_capistrano || with_cap=yes
for n in "${counts[@]}"; do
    site_of "$n"
done
printf '\n%s\n(%s processors, load at the end %s)\n\n' \
    "$runs runs each, taken in turn; medians of crelease / the script${with_cap:+ / Capistrano}" "$(nproc)" "$(cut -d' ' -f1-3 /proc/loadavg)"
printf '| %s | elapsed | crelease to each | turns a host | kB sent a host | CPU ms, MB of crelease | CPU s a host, with the relay |\n|---|---|---|---|---|---|---|\n' ''
printf '%s\n' "${TABLE[@]}"
