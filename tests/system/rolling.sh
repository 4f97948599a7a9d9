#!/bin/bash
# A batch of hosts after the other, and a run that goes on without a host.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

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
    expect 0 plan production
    says 'switch .*1 host at a time, 0\.2 s between'
    expect 0 deploy --json production
    same order "$(order)" 'app1 1,well app1,app2 2,well app2,app3 3,well app3,'
    same "hosts of the switches" "$(jq -r 'select(.event == "stage" and .stage == "switch" and .state == "done") | .hosts | join(" ")' "$OUT" | tr '\n' ',')" 'app1,app2,app3,'
    same waits "$(jq -r 'select(.stage == "rolling") | .state + " " + (.hosts | join(" "))' "$OUT" | tr '\n' ',')" 'begun app2,done app2,begun app3,done app3,'
    finished "$(revision)" 1
    commit_file public/index.html two
    expect 0 deploy production
    : >"$SITE/order"
    expect 0 rollback production
    # On the way back the older release is the one that is live.
    same order "$(order)" 'app1 1,well app1,app2 2,well app2,app3 3,well app3,'
}

case_percent() {
    site_new percent 3
    recipe_write <<END
rolling: {batch: 50%}
restart: {run: '$(notes)'}
END
    expect 0 plan --json production
    same note "$(json '.steps[] | select(.stage == "restart") | .note')" '2 hosts at a time'
    expect 0 deploy production
    same order "$(sort "$SITE/order" | tr '\n' ',')" 'app1 2,app2 2,app3 3,'
    finished "$(revision)" 1
    recipe_write <<<'rolling: {batch: 0}'
    expect 2 deploy production
    says 'crelease\.yml:1:[0-9]+: .rolling.batch. is .0., expected'
    recipe_write <<<'rolling: {batch: 101%}'
    expect 2 deploy production
    says 'crelease\.yml:1:[0-9]+: .rolling.batch. is .101%., expected'
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
    expect 0 deploy production
    FIRST=$(release)
    rm "$SITE"/*.did
    touch "$SITE/break"
    commit_file public/index.html two
    expect 1 deploy production
    says "stage 'switch' on app2"
    put_right
    local round='drain,restart second,fill,filled,restart first,'
    same app1 "$(did app1)" "$round"
    gone "$SITE/app3.did"
    # The restart of the way back is not held to be done already.
    expect 1 resume production
    put_right
    same app1 "$(did app1)" "$round$round"
    rm "$SITE/break"
    expect 0 resume production
    same app1 "$(did app1)" "$round${round}drain,restart second,fill,filled,"
    same app3 "$(did app3)" 'drain,restart second,fill,filled,'
    finished "$(revision)" 2
}
did() { sed "s/$FIRST/first/; s/[0-9]\{14\}/second/" "$SITE/$1.did" | tr '\n' ,; }
put_right() {
    rmdir "$SITE/app2/current"
    mv "$SITE/kept" "$SITE/app2/current"
    same live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
}

# The switch of app3 fails, and app2 cannot go back: that does not keep app1 from its restart.
case_one_cannot_go_back() {
    site_new one_cannot_go_back 3
    expect 0 deploy production
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
    expect 1 deploy production
    says "app2: .*$FIRST, which was live before, is gone: .*stays"
    same live "$(release app1) $(live_revision app2)" "$FIRST $(revision)"
    same app1 "$(did app1)" 'restart second,restart first,'
    rm "$SITE/break"
    mv "$SITE/first" "$SITE/app2/releases/$FIRST"
    rmdir "$SITE/app3/current"
    mv "$SITE/kept" "$SITE/app3/current"
    expect 0 resume production
    same app1 "$(did app1)" 'restart second,restart first,restart second,'
    finished "$(revision)" 2
}

case_health_fails_later() {
    site_new health_fails_later 3
    expect 0 deploy production
    FIRST=$(release)
    commit_file public/index.html two
    recipe_write <<END
rolling: {batch: 1}
restart: {run: 'echo restart \$(basename \$(readlink $SITE_Q/\$CRELEASE_HOST/current)) >>$SITE_Q/\$CRELEASE_HOST.did'}
health: {run: 'test \$CRELEASE_HOST != app2', attempts: 1}
END
    expect 1 deploy production
    says "stage 'health' on app2"
    same live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    same app1 "$(did app1)" 'restart second,restart first,'
    same app2 "$(did app2)" 'restart second,restart first,'
    gone "$SITE/app3.did"
    for host in app1 app2 app3; do
        same "releases of $host" "$(releases "$host" | wc -l)" 1
        gone "$SITE/$host/.crelease/lock"
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
    cr_begin deploy production
    wait_for 60 grep -q app2 "$SITE/order"
    cr_kill9
    rm "$SITE/block"
    expect 0 resume production
    same order "$(order)" 'app1 1,app2 2,app3 3,'
    finished "$(revision)" 1
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
    cr_end 130
    grep -q 'between two batches: app1, app2 done, app3 to come' "$CR_ERR" || fail 'it does not say where it stopped'
    # It goes on at once, in the batch where it stopped.
    expect 0 resume production
    same order "$(sort "$SITE/order" | tr '\n' ',')" 'app1 2,app2 2,app3 3,'
    finished "$(revision)" 1
    commit_file public/index.html two
    : >"$SITE/order"
    between_two
    cr_kill9
    cr status --json production
    same state "$(json .run.state)" interrupted
    expect 0 resume production
    same order "$(sort "$SITE/order" | tr '\n' ',')" 'app1 2,app2 2,app3 3,'
    finished "$(revision)" 2
}
between_two() {
    cr_begin deploy production
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
    expect 0 deploy production
    FIRST=$(release)
    rm "$SITE"/*.built
    commit_file public/index.html two
    commit_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
}

case_build_fails_on_one() {
    site_that_goes_on build_fails_on_one "hooks: {after migrate: ['echo migrated >>../../../\$CRELEASE_HOST.built']}"
    touch "$SITE/fail.app2"
    expect 1 deploy production
    says "app2 is left out in stage 'build': 'compile' ended with exit status 1; going on"
    says "crelease: live on 2 of 3 hosts; app2 was left out in stage 'build': 'compile' ended with exit status 1; resume brings it forward"
    says "next: .*crelease resume production"
    same live "$(live_revision app1) $(live_revision app3)" "$(revision) $(revision)"
    same app2 "$(release app2)" "$FIRST"
    there "$SITE/app2/.crelease/lock"
    gone "$SITE/app1/.crelease/lock"
    gone "$SITE/app3/.crelease/lock"
    same built "$(cat "$SITE/app1.built" "$SITE/app3.built" | tr '\n' ,)" 'one,three,migrated,one,three,migrated,'
    expect 6 deploy production
    # Still the same: nobody is left to go on with, so it is an ordinary failure.
    expect 1 resume production
    says "stage 'build' on app2"
    rm "$SITE/fail.app2"
    wait_for 20 hosts_are_quiet app1 app3
    local before1 before3
    before1=$(tree_of "$SITE/app1") before3=$(tree_of "$SITE/app3")
    expect 0 resume --json production
    same "hosts of the stages" "$(jq -r 'select(.event == "stage" and .state == "begun") | .hosts | join(" ")' "$OUT" | sort -u)" app2
    same "app1" "$(tree_of "$SITE/app1")" "$before1"
    same "app3" "$(tree_of "$SITE/app3")" "$before3"
    same app2 "$(tr '\n' , <"$SITE/app2.built")" 'one,three,'
    same migrations "$(sql "select count(*) from migration_runs where version = '20260102000000'" "$DB")" 1
    finished "$(revision)" 2
}

case_json() {
    site_that_goes_on json
    touch "$SITE/fail.app1"
    expect 1 deploy --json production
    same end "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word, .error.stage, .error.host, .error.command] | join(" ")' | cut -d' ' -f1-6)" \
        'end 1 failed build app1 test'
    same "hosts of the build" "$(jq -r 'select(.event == "stage" and .stage == "build") | .state + " " + (.hosts | join(" "))' "$OUT" | tr '\n' ,)" \
        'begun app1 app2 app3,done app2 app3,'
    expect 0 status --json production
    same state "$(json .run.state)" failed
}

# app2 loses its power in the build.
case_host_dies() {
    site_new host_dies 3
    expect 0 deploy production
    FIRST=$(release)
    commit_file public/index.html two
    commit_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    recipe_write <<END
on_host_failure: continue
build: ['touch $SITE_Q/begun.\$CRELEASE_HOST; while [ \$CRELEASE_HOST = app2 ] && [ -e $SITE_Q/block ]; do sleep 0.05; done']
END
    touch "$SITE/block"
    cr_begin deploy production
    wait_for 60 test -e "$SITE/begun.app2"
    host_crash app2
    cr_end 1
    grep -q "live on 2 of 3 hosts; app2 was left out in stage 'build'" "$CR_ERR" || fail 'app2 was not left out'
    same live "$(live_revision app1) $(live_revision app3)" "$(revision) $(revision)"
    same app2 "$(release app2)" "$FIRST"
    rm "$SITE/block"
    expect 5 resume production
    # Without it the others can be deployed to.
    expect 0 deploy --hosts app1,app3 production
    host_again app2
    cr resume production
    case $STATUS in 0) ;; 7) expect 0 resume production ;; *) fail "resume: status $STATUS" ;; esac
    same migrations "$(sql "select count(*) from migration_runs where version = '20260102000000'" "$DB")" 1
    finished "$(revision)" 2
}

case_too_many() {
    site_that_goes_on too_many
    touch "$SITE/fail.app1" "$SITE/fail.app2"
    expect 1 deploy production
    says '2 hosts failed, and host_failures lets a run go on without 1'
    says "stage 'build'"
    says_not 'left out'
    same live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    expect 0 abort production
    sed -i '1i host_failures: 2' "$RECIPE"
    expect 1 deploy production
    says 'live on 1 of 3 hosts; app1 was left out .*; app2 was left out .*; resume brings them forward'
    same live "$(release app1) $(release app2) $(live_revision app3)" "$FIRST $FIRST $(revision)"
    rm "$SITE"/fail.*
    expect 0 resume production
    finished "$(revision)" 2
}

# What the others need is not left out: the database's host, and the one of a job that runs once.
case_needed() {
    site_that_goes_on needed "hooks: {after restart: [{run: 'true', name: notify, once: true}]}"
    touch "$SITE/fail.app3"
    expect 1 deploy production
    says 'app3 cannot be left out: the migration runs there'
    rm "$SITE/fail.app3"
    expect 0 abort production
    touch "$SITE/fail.app1"
    expect 1 deploy production
    says "app1 cannot be left out: 'notify' runs there for all hosts"
    rm "$SITE/fail.app1"
    expect 0 resume production
    finished "$(revision)" 2
    commit_file public/index.html three
    sed -i 's/on_host_failure: continue/on_host_failure: stop/' "$RECIPE"
    touch "$SITE/fail.app2"
    expect 1 deploy production
    same live "$(live_revision app1)" "$(git -C "$REPO" rev-parse HEAD~1)"
}

case_abort() {
    site_that_goes_on abort
    touch "$SITE/fail.app2"
    expect 1 deploy production
    local second
    second=$(release app1)
    expect 0 abort production
    says "release $second stays live on app1, app3"
    same live "$(release app1) $(release app2) $(release app3)" "$second $FIRST $second"
    gone "$SITE/app2/releases/$second"
    gone "$SITE/app2/.crelease/lock"
    same history "$(tail -n 1 "$SITE/app2/.crelease/history" | cut -d' ' -f3)" aborted
    same log "$(wc -l <"$SITE/app2/revisions.log")" 1
    same columns "$(sql "select count(*) from information_schema.columns where table_name = 'events' and column_name = 'place'" "$DB")" 1
    rm "$SITE/fail.app2"
    expect 0 deploy production
    finished "$(revision)"
}

# The others turn back while one is left out: then it cannot be brought forward alone any more.
case_others_turn_back() {
    site_that_goes_on others_turn_back "health: {run: 'test ! -e ../../../ill', attempts: 1}"
    touch "$SITE/fail.app2" "$SITE/ill"
    expect 1 deploy production
    says 'rolling back'
    says 'crelease abort production'
    same live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    there "$SITE/app2/.crelease/lock"
    gone "$SITE/app1/.crelease/lock"
    rm "$SITE/fail.app2" "$SITE/ill"
    expect 0 resume production
    says aborted
    same live "$(release app1) $(release app2) $(release app3)" "$FIRST $FIRST $FIRST"
    gone "$SITE/app2/.crelease/lock"
    expect 0 deploy production
    finished "$(revision)" 2
}

# Brought forward alone, and not well: the others keep their release.
case_ill_after_resume() {
    site_that_goes_on ill_after_resume "health: {run: 'test ! -e ../../../ill', attempts: 1}"
    touch "$SITE/fail.app2"
    expect 1 deploy production
    rm "$SITE/fail.app2"
    touch "$SITE/ill"
    expect 1 resume production
    says 'not rolling back: the run has already finished on app1, app3'
    same live "$(live_revision app1) $(live_revision app2)" "$(revision) $(revision)"
    expect 1 abort production
    says 'has already finished on app1, app3'
    rm "$SITE/ill"
    expect 0 resume production
    finished "$(revision)" 2
}

case_rolling_without_one() {
    site_that_goes_on rolling_without_one "rolling: {batch: 1, wait: 100ms}"
    touch "$SITE/fail.app1"
    expect 1 deploy --json production
    same switched "$(jq -r 'select(.stage == "switch" and .state == "done") | .hosts | join(" ")' "$OUT" | tr '\n' ,)" 'app2,app3,'
    rm "$SITE/fail.app1"
    expect 0 resume --json production
    same switched "$(jq -r 'select(.stage == "switch" and .state == "done") | .hosts | join(" ")' "$OUT" | tr '\n' ,)" 'app1,'
    same waits "$(grep -c '"rolling"' "$OUT" || true)" 0
    finished "$(revision)" 2
}

rig_open
rig_postgres
rig_start 3
run_cases "$@"
