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
    expect_output "abort --takeover production' ends it although it is alive"
    expect_no_output 'wait-lock'
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

# Two that have seen nobody hold the lock take it on three hosts at once, in the worst order: each is first on some of
# them.  The one that has the first host gets them all.
own_ln() {
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/ln" <<END
#!/bin/sh
case \$2 in
*/.crelease/lock)
    host=\${2%/.crelease/lock}
    host=\${host##*/} by=\${SSH_CONNECTION%% *}
    : >"$RIG/crossing/at.\$host.\$by"
    until [ ! -d "$RIG/crossing" ] || [ -e "$RIG/crossing/go.\$host.\$by" ]; do sleep 0.02; done
    ;;
esac
status=0
$(command -v ln) "\$@" || status=\$?
: >"$RIG/crossing/done.\${host-}.\${by-}"
exit \$status
END
    chmod +x "$RIG/bin/ln"
}
both_wait() { [ -e "$RIG/crossing/at.app1.$1" ] && [ -e "$RIG/crossing/at.app1.$2" ]; }
was_on() { [ -e "$RIG/crossing/done.$1.$2" ] || ! kill -0 "$3" 2>/dev/null; }
# crossed WINNER LOSER SAID COMMAND: the winner is first on app1, and the loser, who then reads SAID, on the others.
# Both are told apart by the address that they connect from.
crossed() {
    local winner=$1 loser=$2 said=$3 name host status
    local -A at_work
    rm -rf "$RIG/crossing"
    mkdir "$RIG/crossing"
    for name in "$winner" "$loser"; do
        printf 'Host *\nBindAddress %s\n' "$name" >"$SITE/from.$name"
        FROM=$name "$CRELEASE" "$4" production </dev/null >"$SITE/out.$name" 2>&1 &
        at_work[$name]=$!
    done
    wait_for 60 both_wait "$winner" "$loser"
    touch "$RIG/crossing/go.app1.$winner"
    wait_for 30 was_on app1 "$winner" "${at_work[$winner]}"
    touch "$RIG/crossing/go.app1.$loser"
    for host in app2 app3; do
        touch "$RIG/crossing/go.$host.$loser"
        wait_for 30 was_on "$host" "$loser" "${at_work[$loser]}"
        touch "$RIG/crossing/go.$host.$winner"
    done
    for name in "$winner" "$loser"; do
        status=0
        wait "${at_work[$name]}" || status=$?
        case $name=$status in "$winner=0" | "$loser=3") continue ;; esac
        cat "$SITE/out.$name"
        fail "$name: status $status"
    done
    grep -q "$said" "$SITE/out.$loser" || { cat "$SITE/out.$loser"; fail "who was faster is not said"; }
    assert_deployed "$(revision)"
}
case_crossed() {
    site_new crossed 3
    recipe_write <<<"ssh_config: $SITE_Q/from.\${FROM}"
    own_ln
    commit_file public/index.html 1
    crossed 127.0.1.1 127.0.1.2 'holds the lock' deploy
    commit_file public/index.html 2
    crossed 127.0.1.2 127.0.1.1 'holds the lock' deploy
    rm "$RIG/bin/ln"
}

case_crossed_resume() {
    site_new crossed_resume 3
    recipe_write <<<"ssh_config: $SITE_Q/from.\${FROM}
build: ['test -e $SITE_Q/fixed']"
    true >"$SITE/from.here"
    FROM=here expect_status 1 deploy production
    touch "$SITE/fixed"
    own_ln
    crossed 127.0.1.1 127.0.1.2 'taken over by someone else' resume
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
