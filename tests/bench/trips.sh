#!/bin/bash
# What a deploy to one host costs besides time: SSH channels (one a script), round trips, processes on
# the host.  A redeploy with `migrate.paths` unchanged, one for which rake is asked what is pending, and one
# with a migration to be run.  The round trips are how much longer it takes when each byte is RTT_MS=200
# on the way and back, medians of RUNS=3; the processes are those that strace sees, by stage, without sshd's own.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${RUNS-3} rtt_ms=${RTT_MS-200}

recipe() { # [PATHS]: through the relay
    recipe_write <<END
migrate: {run: rake db:migrate, status: rake db:migrate:status${1:+, paths: [$1]}}
environments:
  production:
    hosts:
      - {host: $(host_address app1), port: $(cat "$RIG/late.port"), name: app1, roles: [app, web, db], deploy_to: '$SITE/app1'}
END
}

# A change of that kind is committed, and the recipe is made for it.
change() { # redeploy|asking|migrating
    n=$((n + 1))
    case $1 in
    redeploy) recipe db/migrate ;;
    *) recipe ;;
    esac
    if [ "$1" = migrating ]; then
        commit_ruby_migration "$((20260103000000 + n))" "AddColumn$n" "add_column :events, :column$n, :string"
    else
        commit_file public/index.html "$n"
    fi
}

deploy() { # FILE: appends the milliseconds
    timed "$1" "$CRELEASE" deploy production
}

sessions() { grep -c 'Starting session' "$RIG/app1/sshd.log" || true; }

traced() { # FILE: a deploy under strace; how many processes it started there
    strace -f -qq -s 200 --pidns-translation -e trace=process,write -o "$1" -p "$(cat "$RIG/app1/sshd.pid")" 2>"$RIG/strace.err" &
    local tracer=$!
    wait_for 10 grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$(cat "$RIG/app1/sshd.pid")/status"
    deploy "$RIG/traced.ms"
    kill -INT "$tracer"
    wait "$tracer" || true
    perl "$TOP/tests/lib/processes.pl" "$1"
}

# shellcheck disable=SC2016 # for a table
declare -A title=([redeploy]='redeploy, `migrate.paths` unchanged' [asking]='rake is asked, nothing pending' [migrating]='with a migration')
rig_open
start_postgres
start_hosts 1
site_new trips 1
n=0
echo 0 >"$RIG/late"
perl "$TOP/tests/bench/late.pl" "$RIG/late" "$(host_address app1)" "$(host_port app1)" </dev/null &
disown
wait_for 5 test -e "$RIG/late.port"
printf '[%s]:%s %s\n' "$(host_address app1)" "$(cat "$RIG/late.port")" "$(cut -d' ' -f1,2 "$RIG/app1/key.pub")" >>"$HOME/.ssh/known_hosts"
change redeploy
deploy "$RIG/first"
for kind in redeploy asking migrating; do
    change $kind
    before=$(sessions)
    deploy "$RIG/named"
    channels=$(($(sessions) - before))
    echo "$kind: $channels channels"
    for _ in $(seq "$runs"); do
        for late in 0 $((rtt_ms / 2)); do
            echo $late >"$RIG/late"
            change $kind
            deploy "$RIG/$kind.$late"
        done
    done
    echo 0 >"$RIG/late"
    trips=$(awk -v a="$(median <"$RIG/$kind.$((rtt_ms / 2))")" -v b="$(median <"$RIG/$kind.0")" -v rtt="$rtt_ms" 'BEGIN { printf "%.1f", (a - b) / rtt }')
    echo "    $trips round trips: $(paste -sd' ' "$RIG/$kind.0") ms, with $rtt_ms ms on the way: $(paste -sd' ' "$RIG/$kind.$((rtt_ms / 2))") ms"
    started='-'
    if command -v strace >/dev/null; then
        change $kind
        by_stage=$(traced "$RIG/$kind.trace")
        printf '%s\n' "$by_stage" | awk '{ printf "    %-14s %4d processes, %4d programs\n", $1, $2, $3 }'
        started=$(sed -n 's/^total \([0-9]*\) .*/\1/p' <<<"$by_stage")
    fi
    figure "${title[$kind]}" "$channels, $trips" "$started"
done
figures 'One deploy to one host, without the connection of TCP itself:' 'channels, round trips' 'processes on the host'
