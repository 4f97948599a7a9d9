#!/bin/bash
# kill -9 of the program in every stage, and at many instants: resume ends where a deploy that was
# never interrupted would have ended.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='any_instant s29_after_switch in_restart'

# Each stage is held up by a job of the recipe in front of it, or in it, that waits for a file to go.
# It says that it has begun, so that the kill is known to fall into it.
holds() { # STAGE
    echo "echo \$\$ >>$SITE_Q/begun.$1; while test -e $SITE_Q/block.$1; do sleep 0.05; done"
}

# The file names have the blank of "before switch" replaced.
killed_in() { # STAGE, as in the recipe
    local name=${1// /-}
    site_new "kill9_${name//-/_}" 2
    expect_status 0 deploy production
    commit_file public/index.html two
    commit_migration 20260102000000 AddPlaceToEvents "\\! echo x >>$SITE_Q/begun.in-migrate; while test -e $SITE_Q/block.in-migrate; do sleep 0.05; done
alter table events add column place text;"
    {
        echo "build: ['$(holds in-build)']"
        echo "restart: {touch: tmp/restart.txt, run: '$(holds in-restart)'}"
        echo "health: {run: test -e REVISION, attempts: 3}"
        case $1 in in-*) ;; *) echo "hooks: {$1: ['$(holds "$name")']}" ;; esac
    } | recipe_write
    touch "$SITE/block.$name"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun.$name"
    kill_crelease
    run_crelease status --json production
    assert_equal "state after the kill" "$(json .run.state)" interrupted
    rm "$SITE/block.$name"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
    assert_equal "migrations" "$(sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB")" '20260101000000 20260102000000'
    assert_equal "how often the migration began" "$(wc -l <"$SITE/begun.in-migrate")" 1
    assert_equal "how often the build ran, on both hosts" "$(wc -l <"$SITE/begun.in-build")" 2
    assert_equal "releases" "$(releases app1 | wc -l)" 2
}

# tests/fault/run has the other stages and hooks.
case_in_build() { killed_in in-build; }
case_s29_in_migrate() { killed_in in-migrate; }
case_in_restart() { killed_in in-restart; }
case_s29_before_switch() { killed_in 'before switch'; }
case_s29_after_switch() { killed_in 'after switch'; }

# Killed in the migration, and resumed while that still runs: it is waited for, not begun again.
case_migration_still_runs() {
    site_new migration_still_runs 1
    expect_status 0 deploy production
    commit_migration 20260102000000 AddPlaceToEvents "\\! echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done
alter table events add column place text;"
    touch "$SITE/block"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun"
    kill_crelease
    start_crelease resume production
    wait_for 60 resumed
    rm "$SITE/block"
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal "how often it began" "$(wc -l <"$SITE/begun")" 1
}
resumed() { run_crelease status --json production; case $(json .run.state) in running | waiting) ;; *) return 1 ;; esac; }

# At instants spread over the whole deploy, whatever it is doing then.
case_any_instant() {
    site_new any_instant 2
    expect_status 0 deploy production
    local i=1 begun took wait_ms
    begun=$(date +%s%3N)
    commit_migration 20260103000000 "AddColumn0" 'alter table events add column column0 text'
    expect_status 0 deploy production
    took=$(($(date +%s%3N) - begun))
    for i in $(seq 1 7); do
        commit_file public/index.html "$i"
        commit_migration "202601030000$((10 + i))" "AddColumn$i" "alter table events add column column$i text"
        wait_ms=$((took * i / 7))
        start_crelease deploy production
        # Not a wait for something: the instant is what is being tried.
        sleep "$(printf '%d.%03d' $((wait_ms / 1000)) $((wait_ms % 1000)))"
        kill_crelease
        wait_for 60 nobody_holds_it
        case $STATUS in
        0) ;;
        # Killed before there was anything to resume, or after the end.
        *) expect_status 0 deploy production ;;
        esac
        run_crelease deploy production
        [ "$STATUS" = 0 ] || fail "after the kill at $wait_ms ms: status $STATUS"
        assert_deployed "$(revision)" $((i + 2))
        assert_equal "migrations after $wait_ms ms" "$(sql "select count(*), count(distinct version) from migration_runs" "$DB")" "$((i + 2))|$((i + 2))"
    done
}

# A script that was at work on a host may still have to come to its end.
nobody_holds_it() { run_crelease resume production; [ "$STATUS" != 3 ]; }

# What a job prints is shown by one or the other, whenever they are killed, and little of it twice.
case_output_at_any_instant() {
    site_new output_at_any_instant 1
    recipe_write <<END
build: ['for i in \$(seq 1 120); do echo \$i; sleep 0.01; done; until test -e $SITE_Q/end; do sleep 0.05; done']
END
    : >"$SITE/shown"
    start_crelease deploy --json production
    wait_for 60 grep -q '"data":"1"' "$CR_OUT"
    local i
    for i in 1 2 3 4 5 6; do
        # Not a wait for something: the instant is what is being tried.
        sleep "0.$((i * 13))"
        kill_crelease >/dev/null
        jq -R -r 'fromjson? | select(.event == "output" and .stage == "build") | .data' "$CR_OUT" >>"$SITE/shown"
        start_crelease resume --json production
        wait_for 60 grep -q 'reattached' "$CR_OUT"
    done
    touch "$SITE/end"
    finish_crelease 0 >/dev/null
    jq -r 'select(.event == "output" and .stage == "build") | .data' "$CR_OUT" >>"$SITE/shown"
    assert_equal "all that was shown" "$(sort -n -u "$SITE/shown")" "$(seq 1 120)"
    [ "$(wc -l <"$SITE/shown")" -lt 180 ] || fail "$(wc -l <"$SITE/shown") lines were shown"
}

# Given up after the migration: what the database is ahead by is named; and a rollback says it, too.
case_abort_names_migrations() {
    site_new abort_names_migrations 1
    expect_status 0 deploy production
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    { echo "hooks: {after migrate: ['$(holds hook)']}"; echo "migrate: {run: bin/migrate, status: bin/migrate-status, paths: [db/migrate]}"; } | recipe_write
    touch "$SITE/block.hook"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun.hook"
    kill_crelease
    rm "$SITE/block.hook"
    expect_status 0 abort production
    expect_output 'stays ahead of the code by 20260102000000 Add ?Place'
    assert_equal "releases" "$(releases app1 | wc -l)" 1
    expect_status 0 deploy production
    commit_file public/index.html three
    expect_status 0 rollback --dry-run production
    expect_output 'last migrated for release [0-9]*, [0-9a-f]{7}, which is newer than'
    expect_status 0 rollback production
    expect_output 'last migrated for release [0-9]*, [0-9a-f]{7}, which is newer than'
}

# The second of two migrations fails: what has changed is said at once, and again when the run is given up.
case_half_migrated() {
    site_new half_migrated 1
    expect_status 0 deploy production
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    commit_migration 20260103000000 AddNothing 'alter table no_such_table add column place text'
    recipe_write <<<'migrate: {run: bin/migrate, status: bin/migrate-status, paths: [db/migrate]}'
    expect_status 1 deploy production
    expect_output 'the database has changed: 20260102000000 Add ?Place.* was applied'
    expect_output 'what the failed migration did before its error is still in the database, unless'
    run_crelease status production
    expect_output '1 release kept'
    expect_status 0 abort production
    expect_output 'stays ahead of the code by 20260102000000 Add ?Place'
    # The same release again is not behind the database.
    git -C "$REPO" rm -q db/migrate/20260103000000_add_nothing.sql
    commit_all 'Without it'
    expect_status 0 deploy production
    expect_status 0 deploy --force production
    expect_status 0 rollback production
    expect_no_output 'migrations are not rolled back'
}

# A rollback that was killed.
case_rollback() {
    site_new rollback_killed 2
    expect_status 0 deploy production
    local first
    first=$(release)
    commit_file public/index.html two
    recipe_write <<<"restart: {run: '$(holds restart)'}"
    expect_status 0 deploy production
    : >"$SITE/begun.restart"
    touch "$SITE/block.restart"
    start_crelease rollback production
    wait_for 60 test -s "$SITE/begun.restart"
    kill_crelease
    rm "$SITE/block.restart"
    expect_status 0 resume production
    assert_equal "live" "$(release app1) $(release app2)" "$first $first"
    assert_equal "log" "$(grep -c "rolled back to release $first" "$SITE/app1/revisions.log")" 1
    assert_gone "$SITE/app1/.crelease/lock"
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
