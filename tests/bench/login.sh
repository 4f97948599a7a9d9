#!/bin/bash
# What reaching a host costs: the round trips of a login and one script (`status`) over each transport, beside ssh
# itself, from how much longer it takes when each byte is RTT_MS=200 on the way and back, medians of RUNS=3; and the
# elapsed and processor time of `status` with N=50 hosts, directly and behind one jump host.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${RUNS-3} rtt_ms=${RTT_MS-200} n=${N-50}

# round_trips NAME COMMAND...
round_trips() {
    local name=$1 late
    shift
    for _ in $(seq "$runs"); do
        for late in 0 $((rtt_ms / 2)); do
            echo "$late" >"$RIG/late"
            timed "$RIG/$name.$late" "$@"
        done
    done
    figure "$name" "$(awk -v a="$(median <"$RIG/$name.$((rtt_ms / 2))")" -v b="$(median <"$RIG/$name.0")" -v rtt="$rtt_ms" \
        'BEGIN { printf "%.1f", (a - b) / rtt }')" "$(median <"$RIG/$name.0") ms without delay"
}

# many NAME TRANSPORT [JUMP]: N hosts that are one sshd.
many() {
    local i begun
    {
        [ -z "${3-}" ] || echo "proxy_jump: 127.0.1.2:$(host_port app2)"
        printf '%s\n' "application: shop" "repository: '$SITE/repo'" 'ref: main' "transport: $2" environments: '  production:' '    hosts:'
        for i in $(seq "$n"); do echo "      - {host: 127.0.1.1, port: $(host_port app1), name: h$i, deploy_to: '$SITE/many/$i'}"; done
    } >"$SITE/many.yml"
    "$CRELEASE" -f "$SITE/many.yml" status production </dev/null >/dev/null 2>&1
    begun=$(now_ms)
    (
        "$CRELEASE" -f "$SITE/many.yml" status production </dev/null >"$RIG/out" 2>&1 || { cat "$RIG/out" >&2; exit 1; }
        times >"$RIG/times"
    )
    figure "$1" "$(seconds $(($(now_ms) - begun)))" \
        "$(awk -F '[ms ]' -v n="$n" 'NR == 2 { ms = ($1 + $4) * 60000 + ($2 + $5) * 1000; printf "%.0f ms of processor time a host", ms / n }' "$RIG/times")"
}

rig_open
start_hosts 2
site_new login 1
mkdir -p "$SITE/many"
printf 'IdentityFile "%s"\nUserKnownHostsFile "%s"\n' "$HOME/.ssh/id_ed25519" "$HOME/.ssh/known_hosts" >"$HOME/.ssh/config"
echo 0 >"$RIG/late"
perl "$TOP/tests/bench/late.pl" "$RIG/late" 127.0.1.1 "$(host_port app1)" </dev/null &
disown
wait_for 5 test -e "$RIG/late.port"
printf '[127.0.1.1]:%s %s\n' "$(cat "$RIG/late.port")" "$(cut -d' ' -f1,2 "$RIG/app1/key.pub")" >>"$HOME/.ssh/known_hosts"
sed -i "s|port: [0-9]*, name: app1|port: $(cat "$RIG/late.port"), name: app1|" "$RECIPE"
round_trips 'status over libssh2' "$CRELEASE" status production
echo 'transport: openssh' >>"$RECIPE"
round_trips 'status over openssh' "$CRELEASE" status production
round_trips 'ssh host true' ssh -F "$HOME/.ssh/config" -p "$(cat "$RIG/late.port")" 127.0.1.1 true
many "$n hosts over libssh2" libssh2
many "$n hosts over libssh2, behind one jump host" libssh2 jump
many "$n hosts over openssh" openssh
many "$n hosts over openssh, behind one jump host" openssh jump
figures 'Reaching hosts' 'round trips, elapsed' ''
