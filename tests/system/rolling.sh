#!/bin/bash
# A batch of hosts after the other, and a run that goes on without a host.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='percent one_cannot_go_back between build_fails_on_one json too_many needed others_turn_back ill_after_resume
    rolling_without_one'

# --- rolling -------------------------------------------------------------------------------------

# A restart that notes the host, and which hosts were live with the new release at that time.
notes() {
    echo "echo \"\$CRELEASE_HOST \$(readlink $SITE_Q/*/current | grep -c \"\$CRELEASE_RELEASE\$\")\" >>$SITE_Q/order"
}
order() { tr '\n' ',' <"$SITE/order"; }

case_one_at_a_time() {
    site_new one_at_a_time 3
    recipe_write <<END
rolling: {batch: 1, wait: 200ms}
restart: {touch: tmp/restart.txt, run: '$(notes)'}
health: {run: 'echo "well \$CRELEASE_HOST" >>$SITE_Q/order'}
END
    expect_status 0 plan production
    expect_output 'switch .*1 host at a time, 0\.2 s between'
    expect_status 0 deploy --json production
    assert_equal order "$(order)" 'app1 1,well app1,app2 2,well app2,app3 3,well app3,'
    assert_equal "hosts of the switches" "$(jq -r 'select(.event == "stage" and .stage == "switch" and .state == "done") | .hosts | join(" ")' "$OUT" | tr '\n' ',')" 'app1,app2,app3,'
    assert_equal waits "$(jq -r 'select(.stage == "rolling") | .state + " " + (.hosts | join(" "))' "$OUT" | tr '\n' ',')" 'begun app2,done app2,begun app3,done app3,'
    assert_deployed "$(revision)" 1
    commit_file public/index.html two
    expect_status 0 deploy production
    : >"$SITE/order"
    expect_status 0 rollback production
    # On the way back the older release is the one that is live.
    assert_equal order "$(order)" 'app1 1,well app1,app2 2,well app2,app3 3,well app3,'
}

case_percent() {
    site_new percent 3
    recipe_write <<END
rolling: {batch: 50%}
restart: {run: '$(notes)'}
END
    expect_status 0 plan --json production
    assert_equal note "$(json '.steps[] | select(.stage == "restart") | .note')" '2 hosts at a time'
    expect_status 0 deploy production
    assert_equal order "$(sort "$SITE/order" | tr '\n' ',')" 'app1 2,app2 2,app3 3,'
    assert_deployed "$(revision)" 1
    recipe_write <<<'rolling: {batch: 0}'
    expect_status 2 deploy production
    expect_output 'crelease\.yml:1:[0-9]+: .rolling.batch. is .0., expected'
    recipe_write <<<'rolling: {batch: 101%}'
    expect_status 2 deploy production
    expect_output 'crelease\.yml:1:[0-9]+: .rolling.batch. is .101%., expected'
}

# current cannot be pointed on app2: app1, which had been through, goes back and is restarted; and a
# resume does all of it over again.
case_switch_fails_later() {
    site_new switch_fails_later 3
    local blocks="if [ -e $SITE_Q/break ] && [ \$CRELEASE_HOST = app2 ]; then mv $SITE_Q/app2/current $SITE_Q/kept && mkdir $SITE_Q/app2/current; fi"
    recipe_write <<END
rolling: {batch: 1}
restart: {run: 'echo restart \$(basename \$(readlink $SITE_Q/\$CRELEASE_HOST/current)) >>$SITE_Q/\$CRELEASE_HOST.did'}
health: {run: 'true'}
hooks:
  before switch: ['echo drain >>$SITE_Q/\$CRELEASE_HOST.did', '$blocks']
  after health: ['echo fill >>$SITE_Q/\$CRELEASE_HOST.did', 'echo filled >>$SITE_Q/\$CRELEASE_HOST.did']
END
    expect_status 0 deploy production
    FIRST=$(release)
    rm "$SITE"/*.did
    touch "$SITE/break"
    commit_file public/index.html two
    expect_status 1 deploy production
    expect_output "stage 'switch' on app2"
    put_right
    local round='drain,restart second,fill,filled,restart first,'
    assert_equal app1 "$(did app1)" "$round"
    assert_gone "$SITE/app3.did"
    # The restart of the way back is not held to be done already.
    expect_status 1 resume production
    put_right
    assert_equal app1 "$(did app1)" "$round$round"
    rm "$SITE/break"
    expect_status 0 resume production
    assert_equal app1 "$(did app1)" "$round${round}drain,restart second,fill,filled,"
    assert_equal app3 "$(did app3)" 'drain,restart second,fill,filled,'
    assert_deployed "$(revision)" 2
}
did() { sed "s/$FIRST/first/; s/[0-9]\{14\}/second/" "$SITE/$1.did" | tr '\n' ,; }
put_right() {
    rmdir "$SITE/app2/current"
    mv "$SITE/kept" "$SITE/app2/current"
    assert_equal live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
}

# The switch of app3 fails, and app2 cannot go back: that does not keep app1 from its restart.
case_one_cannot_go_back() {
    site_new one_cannot_go_back 3
    expect_status 0 deploy production
    FIRST=$(release)
    commit_file public/index.html two
    touch "$SITE/break"
    recipe_write <<END
rolling: {batch: 1}
restart: {run: 'echo restart \$(basename \$(readlink $SITE_Q/\$CRELEASE_HOST/current)) >>$SITE_Q/\$CRELEASE_HOST.did'}
hooks:
  after switch: ['if [ -e $SITE_Q/break ] && [ \$CRELEASE_HOST = app2 ]; then mv $SITE_Q/app2/releases/$FIRST $SITE_Q/first; fi']
  before switch: ['if [ -e $SITE_Q/break ] && [ \$CRELEASE_HOST = app3 ]; then mv $SITE_Q/app3/current $SITE_Q/kept && mkdir $SITE_Q/app3/current; fi']
END
    expect_status 1 deploy production
    expect_output "app2: .*cannot roll back: '.*$FIRST', which was live before, no longer exists.*stays"
    assert_equal live "$(release app1) $(live_revision app2)" "$FIRST $(revision)"
    assert_equal app1 "$(did app1)" 'restart second,restart first,'
    rm "$SITE/break"
    mv "$SITE/first" "$SITE/app2/releases/$FIRST"
    rmdir "$SITE/app3/current"
    mv "$SITE/kept" "$SITE/app3/current"
    expect_status 0 resume production
    assert_equal app1 "$(did app1)" 'restart second,restart first,restart second,'
    assert_deployed "$(revision)" 2
}

case_health_fails_later() {
    site_new health_fails_later 3
    expect_status 0 deploy production
    FIRST=$(release)
    commit_file public/index.html two
    recipe_write <<END
rolling: {batch: 1}
restart: {run: 'echo restart \$(basename \$(readlink $SITE_Q/\$CRELEASE_HOST/current)) >>$SITE_Q/\$CRELEASE_HOST.did'}
health: {run: 'test \$CRELEASE_HOST != app2', attempts: 1}
END
    expect_status 1 deploy production
    expect_output "stage 'health' on app2"
    assert_equal live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    assert_equal app1 "$(did app1)" 'restart second,restart first,'
    assert_equal app2 "$(did app2)" 'restart second,restart first,'
    assert_gone "$SITE/app3.did"
    for host in app1 app2 app3; do
        assert_equal "releases of $host" "$(releases "$host" | wc -l)" 1
        assert_gone "$SITE/$host/.crelease/lock"
    done
}

# Killed while the first batch is through and the second one is restarted.
case_killed() {
    site_new killed 3
    touch "$SITE/block"
    recipe_write <<END
rolling: {batch: 1}
restart: {touch: tmp/restart.txt, run: '$(notes); while [ \$CRELEASE_HOST = app2 ] && [ -e $SITE_Q/block ]; do sleep 0.05; done'}
END
    start_crelease deploy production
    wait_for 60 grep -q app2 "$SITE/order"
    kill_crelease
    rm "$SITE/block"
    expect_status 0 resume production
    assert_equal order "$(order)" 'app1 1,app2 2,app3 3,'
    assert_deployed "$(revision)" 1
}

# Killed, and stopped, between two batches.
case_between() {
    site_new between 3
    recipe_write <<END
rolling: {batch: 2, wait: 5m}
restart: {run: '$(notes)'}
END
    between_two
    kill -INT "$CR_PID"
    finish_crelease 130
    grep -q 'between two batches: app1, app2 done, app3 remaining' "$CR_ERR" || fail 'it does not say where it stopped'
    # It goes on at once, in the batch where it stopped.
    expect_status 0 resume production
    assert_equal order "$(sort "$SITE/order" | tr '\n' ',')" 'app1 2,app2 2,app3 3,'
    assert_deployed "$(revision)" 1
    commit_file public/index.html two
    : >"$SITE/order"
    between_two
    kill_crelease
    run_crelease status --json production
    assert_equal state "$(json .run.state)" interrupted
    expect_status 0 resume production
    assert_equal order "$(sort "$SITE/order" | tr '\n' ',')" 'app1 2,app2 2,app3 3,'
    assert_deployed "$(revision)" 2
}
between_two() {
    start_crelease deploy production
    wait_for 60 said 'rolling app3.*before the next hosts'
}
said() { grep -qE "$1" "$CR_OUT"; }

# --- without a host ------------------------------------------------------------------------------

# A build that fails on the hosts of which there is a file fail.HOST, between two that do not.
site_that_goes_on() { # NAME [MORE OF THE RECIPE]
    site_new "$1" 3
    recipe_write <<END
on_host_failure: continue
${2-}
build:
  - 'echo one >>$SITE_Q/\$CRELEASE_HOST.built'
  - {run: 'test ! -e $SITE_Q/fail.\$CRELEASE_HOST', name: compile}
  - 'echo three >>$SITE_Q/\$CRELEASE_HOST.built'
END
    expect_status 0 deploy production
    FIRST=$(release)
    rm "$SITE"/*.built
    commit_file public/index.html two
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
}

case_build_fails_on_one() {
    site_that_goes_on build_fails_on_one "hooks: {after migrate: ['echo migrated >>../../../\$CRELEASE_HOST.built']}"
    touch "$SITE/fail.app2"
    expect_status 1 deploy production
    expect_output "app2 is left out in stage 'build': 'compile' ended with exit status 1; continuing"
    expect_output "crelease: live on 2 of 3 hosts; app2 was left out in stage 'build': 'compile' ended with exit status 1; resume brings it up to date"
    expect_output "next: .*crelease resume production"
    assert_equal live "$(live_revision app1) $(live_revision app3)" "$(revision) $(revision)"
    assert_equal app2 "$(release app2)" "$FIRST"
    assert_exists "$SITE/app2/.crelease/lock"
    assert_gone "$SITE/app1/.crelease/lock"
    assert_gone "$SITE/app3/.crelease/lock"
    assert_equal built "$(cat "$SITE/app1.built" "$SITE/app3.built" | tr '\n' ,)" 'one,three,migrated,one,three,migrated,'
    expect_status 6 deploy production
    # Still the same: nobody is left to go on with, so it is an ordinary failure.
    expect_status 1 resume production
    expect_output "stage 'build' on app2"
    rm "$SITE/fail.app2"
    wait_for 20 hosts_are_quiet app1 app3
    local before1 before3
    before1=$(tree_of "$SITE/app1") before3=$(tree_of "$SITE/app3")
    expect_status 0 resume --json production
    assert_equal "hosts of the stages" "$(jq -r 'select(.event == "stage" and .state == "begun") | .hosts | join(" ")' "$OUT" | sort -u)" app2
    assert_equal "app1" "$(tree_of "$SITE/app1")" "$before1"
    assert_equal "app3" "$(tree_of "$SITE/app3")" "$before3"
    assert_equal app2 "$(tr '\n' , <"$SITE/app2.built")" 'one,three,'
    assert_equal migrations "$(sql "select count(*) from migration_runs where version = '20260102000000'" "$DB")" 1
    assert_deployed "$(revision)" 2
}

case_json() {
    site_that_goes_on json
    touch "$SITE/fail.app1"
    expect_status 1 deploy --json production
    assert_equal end "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word, .error.stage, .error.host, .error.command] | join(" ")' | cut -d' ' -f1-6)" \
        'end 1 failed build app1 test'
    assert_equal "hosts of the build" "$(jq -r 'select(.event == "stage" and .stage == "build") | .state + " " + (.hosts | join(" "))' "$OUT" | tr '\n' ,)" \
        'begun app1 app2 app3,done app2 app3,'
    expect_status 0 status --json production
    assert_equal state "$(json .run.state)" failed
}

# app2 loses its power in the build.
case_host_dies() {
    site_new host_dies 3
    expect_status 0 deploy production
    FIRST=$(release)
    commit_file public/index.html two
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    recipe_write <<END
on_host_failure: continue
build: ['touch $SITE_Q/begun.\$CRELEASE_HOST; while [ \$CRELEASE_HOST = app2 ] && [ -e $SITE_Q/block ]; do sleep 0.05; done']
END
    touch "$SITE/block"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun.app2"
    host_crash app2
    finish_crelease 1
    grep -q "live on 2 of 3 hosts; app2 was left out in stage 'build'" "$CR_ERR" || fail 'app2 was not left out'
    assert_equal live "$(live_revision app1) $(live_revision app3)" "$(revision) $(revision)"
    assert_equal app2 "$(release app2)" "$FIRST"
    rm "$SITE/block"
    expect_status 5 resume production
    # Without it the others can be deployed to.
    expect_status 0 deploy --hosts app1,app3 production
    host_restart app2
    run_crelease resume production
    case $STATUS in 0) ;; 7) expect_status 0 resume production ;; *) fail "resume: status $STATUS" ;; esac
    assert_equal migrations "$(sql "select count(*) from migration_runs where version = '20260102000000'" "$DB")" 1
    assert_deployed "$(revision)" 2
}

case_too_many() {
    site_that_goes_on too_many
    touch "$SITE/fail.app1" "$SITE/fail.app2"
    expect_status 1 deploy production
    expect_output "2 hosts failed, but 'host_failures' allows only 1"
    expect_output "stage 'build'"
    expect_no_output 'left out'
    assert_equal live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    expect_status 0 abort production
    sed -i '1i host_failures: 2' "$RECIPE"
    expect_status 1 deploy production
    expect_output 'live on 1 of 3 hosts; app1 was left out .*; app2 was left out .*; resume brings them up to date'
    assert_equal live "$(release app1) $(release app2) $(live_revision app3)" "$FIRST $FIRST $(revision)"
    rm "$SITE"/fail.*
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

# What the others need is not left out: the database's host, and the one of a job that runs once.
case_needed() {
    site_that_goes_on needed "hooks: {after restart: [{run: 'true', name: notify, once: true}]}"
    touch "$SITE/fail.app3"
    expect_status 1 deploy production
    expect_output 'app3 cannot be left out: the migration runs there'
    rm "$SITE/fail.app3"
    expect_status 0 abort production
    touch "$SITE/fail.app1"
    expect_status 1 deploy production
    expect_output "app1 cannot be left out: 'notify' runs there for all hosts"
    rm "$SITE/fail.app1"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
    commit_file public/index.html three
    sed -i 's/on_host_failure: continue/on_host_failure: stop/' "$RECIPE"
    touch "$SITE/fail.app2"
    expect_status 1 deploy production
    assert_equal live "$(live_revision app1)" "$(git -C "$REPO" rev-parse HEAD~1)"
}

case_abort() {
    site_that_goes_on abort
    touch "$SITE/fail.app2"
    expect_status 1 deploy production
    local second
    second=$(release app1)
    expect_status 0 abort production
    expect_output "release $second stays live on app1, app3"
    assert_equal live "$(release app1) $(release app2) $(release app3)" "$second $FIRST $second"
    assert_gone "$SITE/app2/releases/$second"
    assert_gone "$SITE/app2/.crelease/lock"
    assert_equal history "$(tail -n 1 "$SITE/app2/.crelease/history" | cut -d' ' -f3)" aborted
    assert_equal log "$(wc -l <"$SITE/app2/revisions.log")" 1
    assert_equal columns "$(sql "select count(*) from information_schema.columns where table_name = 'events' and column_name = 'place'" "$DB")" 1
    rm "$SITE/fail.app2"
    expect_status 0 deploy production
    assert_deployed "$(revision)"
}

# The others turn back while one is left out: then it cannot be brought forward alone any more.
case_others_turn_back() {
    site_that_goes_on others_turn_back "health: {run: 'test ! -e ../../../ill', attempts: 1}"
    touch "$SITE/fail.app2" "$SITE/ill"
    expect_status 1 deploy production
    expect_output 'rolling back'
    expect_output 'crelease abort production'
    assert_equal live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    assert_exists "$SITE/app2/.crelease/lock"
    assert_gone "$SITE/app1/.crelease/lock"
    rm "$SITE/fail.app2" "$SITE/ill"
    expect_status 0 resume production
    expect_output aborted
    assert_equal live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    assert_gone "$SITE/app2/.crelease/lock"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
}

# Brought forward alone, and not well: the others keep their release.
case_ill_after_resume() {
    site_that_goes_on ill_after_resume "health: {run: 'test ! -e ../../../ill', attempts: 1}"
    touch "$SITE/fail.app2"
    expect_status 1 deploy production
    rm "$SITE/fail.app2"
    touch "$SITE/ill"
    expect_status 1 resume production
    expect_output 'not rolling back: the run has already finished on app1, app3'
    assert_equal live "$(live_revision app1) $(live_revision app2)" "$(revision) $(revision)"
    expect_status 1 abort production
    expect_output 'has already finished on app1, app3'
    rm "$SITE/ill"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

case_rolling_without_one() {
    site_that_goes_on rolling_without_one "rolling: {batch: 1, wait: 100ms}"
    touch "$SITE/fail.app1"
    expect_status 1 deploy --json production
    assert_equal switched "$(jq -r 'select(.stage == "switch" and .state == "done") | .hosts | join(" ")' "$OUT" | tr '\n' ,)" 'app2,app3,'
    rm "$SITE/fail.app1"
    expect_status 0 resume --json production
    assert_equal switched "$(jq -r 'select(.stage == "switch" and .state == "done") | .hosts | join(" ")' "$OUT" | tr '\n' ,)" 'app1,'
    assert_equal waits "$(grep -c '"rolling"' "$OUT" || true)" 0
    assert_deployed "$(revision)" 2
}

rig_open
start_postgres
start_hosts 3
run_cases "$@"
