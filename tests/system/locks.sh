#!/bin/bash
# Two at once, and what one finds of another who is gone.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# A site whose build waits for the file `block` to go.
site_blocked() {
    site_new "$1" 2
    touch "$SITE/block"
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']"
}

case_two_at_once() {
    site_blocked two_at_once
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    expect_status 3 deploy production
    expect_output "$USER"
    expect_status 3 rollback production
    expect_status 3 abort production
    run_crelease status --json production
    assert_equal "state" "$(json .run.state)" running
    rm "$SITE/block"
    finish_crelease 0
    assert_deployed "$(revision)" 1
}

# Begun in the same instant, many times: one wins, whoever it is, and nobody else does anything.
case_same_instant() {
    site_new same_instant 3
    local round i pids statuses winners
    for ((round = 1; round <= ${ROUNDS-4}; round++)); do
        commit_file public/index.html "$round"
        pids=() statuses=() winners=0
        for i in 1 2 3; do
            "$CRELEASE" deploy production </dev/null >"$SITE/out.$i" 2>&1 &
            pids+=($!)
        done
        for i in 0 1 2; do
            local status=0
            wait "${pids[$i]}" || status=$?
            statuses+=("$status")
            case $status in 0) winners=$((winners + 1)) ;; 3) ;; *) cat "$SITE/out.$((i + 1))"; fail "round $round: status $status" ;; esac
        done
        [ $winners -ge 1 ] || fail "round $round: nobody came through (${statuses[*]})"
        assert_deployed "$(revision)" "$round"
    done
}

# Two runs that have seen no lock take it on three hosts at once, in the worst order: each is first on some of them.
# The one that has the first host gets them all, and the other says who holds the lock.
own_ln() {
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/ln" <<END
#!/bin/sh
case \$2 in
*/.crelease/lock)
    host=\${2%/.crelease/lock} run=\${1##*/lock.}
    host=\${host##*/} run=\${run%%.*}
    : >"$RIG/crossing/at.\$host.\$run"
    until [ ! -d "$RIG/crossing" ] || [ -e "$RIG/crossing/go.\$host.\$run" ]; do sleep 0.02; done
    ;;
esac
status=0
$(command -v ln) "\$@" || status=\$?
: >"$RIG/crossing/done.\${host-}.\${run-}"
exit \$status
END
    chmod +x "$RIG/bin/ln"
}
all_wait() { set -- "$RIG"/crossing/at.*; [ $# -eq 6 ]; }
# crossed WINNER LOSER-FIRST-ON...: which of the two runs, 0 or 1, is first on app1; the other is on the others.
crossed() {
    local i runs host first second statuses=()
    rm -rf "$RIG/crossing"
    mkdir "$RIG/crossing"
    commit_file public/index.html "$1"
    pids=()
    for i in 0 1; do
        "$CRELEASE" deploy production </dev/null >"$SITE/out.$i" 2>&1 &
        pids+=($!)
    done
    wait_for 60 all_wait
    runs=("$RIG"/crossing/at.app1.*)
    runs=("${runs[@]##*.}")
    for host in app1 app2 app3; do
        first=${runs[$1]} second=${runs[$((1 - $1))]}
        [ "$host" = app1 ] || first=$second second=${runs[$1]}
        touch "$RIG/crossing/go.$host.$first"
        wait_for 30 test -e "$RIG/crossing/done.$host.$first"
        touch "$RIG/crossing/go.$host.$second"
    done
    for i in 0 1; do
        local status=0
        wait "${pids[$i]}" || status=$?
        statuses+=("$status")
        if [ "$status" = 3 ]; then
            grep -q "run ${runs[$1]} .*holds the lock" "$SITE/out.$i" || { cat "$SITE/out.$i"; fail 'who holds the lock is not said'; }
        fi
    done
    assert_equal 'statuses' "$(printf '%s\n' "${statuses[@]}" | sort | tr '\n' ' ')" '0 3 '
    assert_deployed "$(revision)"
}
case_crossed() {
    site_new crossed 3
    own_ln
    crossed 0
    crossed 1
    rm "$RIG/bin/ln"
}

case_wait_lock() {
    site_blocked wait_lock
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    local first=$CR_PID first_out=$CR_OUT
    CR_OUT=
    "$CRELEASE" deploy --wait-lock 3m production </dev/null >"$SITE/second" 2>&1 &
    CR_PID=$! CR_OUT=$SITE/second CR_ERR=/dev/null
    expect_status 3 deploy --wait-lock 1s production
    rm "$SITE/block"
    wait "$first" || { cat "$first_out"; fail "the first failed"; }
    finish_crelease 0
    assert_deployed "$(revision)"
}

case_unfinished() {
    site_blocked unfinished
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill_crelease
    rm "$SITE/block"
    run_crelease deploy --on-unfinished stop production
    [ "$STATUS" = 6 ] || fail "deploy on an unfinished run: status $STATUS"
    expect_output 'resume'
    expect_output 'abort'
    expect_status 0 status production
    expect_output 'resume'
    run_crelease status --json production
    assert_equal "state" "$(json .run.state)" interrupted
    expect_status 0 abort production
    assert_gone "$SITE/app1/.crelease/lock"
    assert_gone "$SITE/app1/current"
    assert_equal "releases" "$(releases app1)$(releases app2)" ''
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
}

# A run that ends while another looks at its lock: the lock that was read a moment ago names a keeper who is gone.
# An own tr removes the lock as soon as it was read.
case_released_while_looked_at() {
    site_new released_while_looked_at 0
    touch "$SITE/block"
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill_crelease
    rm "$SITE/block"
    run_crelease status --json production
    assert_equal "state" "$(json .run.state)" interrupted
    mkdir "$SITE/tools"
    cat >"$SITE/tools/tr" <<-END
		#!/bin/sh
		$(command -v tr) "\$@"
		rm -f "$SITE/here/.crelease/lock"
	END
    chmod +x "$SITE/tools/tr"
    PATH=$SITE/tools:$PATH run_crelease status --json production
    assert_equal "state" "$(json .run.state)" null
}

# Another person, another machine: nothing is known there but recipe and hosts.
case_resumed_by_another() {
    site_blocked resumed_by_another
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill_crelease
    rm "$SITE/block"
    cp -R "$RIG/home" "$SITE/elsewhere"
    rm -rf "$SITE/elsewhere/.cache" "$SITE/elsewhere/.local"
    USER=bob LOGNAME=bob HOME=$SITE/elsewhere expect_status 0 resume production
    assert_deployed "$(revision)" 1
    assert_equal "how often the job ran" "$(wc -l <"$SITE/begun")" 2
}

# The commit of the run is what resume brings live, not what the branch has meanwhile.
case_resume_keeps_the_commit() {
    site_blocked resume_keeps_the_commit
    local sha
    sha=$(revision)
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill_crelease
    rm "$SITE/block"
    commit_file public/index.html later
    expect_status 0 resume
    assert_deployed "$sha" 1
}

# Stopped (as a laptop that sleeps), taken over, and then continued: it must not do one step more.
case_fenced() {
    site_blocked fenced
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill -STOP "$CR_PID"
    rm "$SITE/block"
    run_crelease resume --takeover --force production
    local taken=$STATUS live
    [ "$taken" = 0 ] || fail "resume --takeover: status $taken"
    assert_deployed "$(revision)" 1
    live=$(release)
    kill -CONT "$CR_PID"
    finish_crelease ''
    [ "$STATUS" -ne 0 ] || fail "the one that was taken over ends with 0"
    assert_equal "live" "$(release)" "$live"
    assert_deployed "$(revision)" 1
}

case_ctrl_c() {
    site_blocked ctrl_c
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill -INT "$CR_PID"
    rm "$SITE/block"
    finish_crelease 130
    run_crelease deploy --on-unfinished stop production
    [ "$STATUS" = 6 ] || fail "status $STATUS"
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
    commit_file public/index.html two
    touch "$SITE/block"
    : >"$SITE/begun"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill -TERM "$CR_PID"
    rm "$SITE/block"
    finish_crelease 143
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

# Two names of one machine with one deploy_to: said before anything is done, instead of a run that waits for
# itself.
case_one_machine_twice() {
    site_new twice 0
    local recipe=$'environments:\n  production:\n    hosts:\n'
    recipe+="      - {host: localhost, name: one, deploy_to: '$SITE/here'}"$'\n'
    recipe_write <<<"$recipe      - {host: 127.0.0.1, name: other, deploy_to: '$SITE/link/here'}"
    ln -s . "$SITE/link"
    twice_is_said
    assert_gone "$SITE/here/.crelease"
    rm -r "$SITE/here"
    twice_is_said
    assert_gone "$SITE/here"
    mkdir -p "$SITE/here/shared/config"
    database_yml >"$SITE/here/shared/config/database.yml"
    expect_status 0 deploy --hosts one production
    twice_is_said rollback
    expect_status 0 status production
    # Where a host cannot say which machine it is, the lock finds out, and nothing is left of it.
    mkdir "$SITE/bin"
    printf '#!/bin/sh\nexit 1\n' >"$SITE/bin/stat"
    chmod +x "$SITE/bin/stat"
    PATH=$SITE/bin:$PATH run_crelease deploy --force production
    assert_equal "status" "$STATUS" 1
    expect_output "also the folder of another host of this run"
    assert_gone "$SITE/here/.crelease/lock"
    assert_equal "runs" "$(find "$SITE/here/.crelease/runs" -mindepth 1 -maxdepth 1 | wc -l)" 1
    expect_status 0 deploy --force --hosts other production
}
twice_is_said() { # COMMAND...
    local command
    for command in deploy plan check "$@"; do
        expect_status 1 "$command" production
        expect_output "'one' and 'other' are the same machine with the same deploy_to"
    done
}

rig_open
start_hosts 3
run_cases "$@"
