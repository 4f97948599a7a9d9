#!/bin/bash
# A real pg_dump, whose reader stands still, is in the way of a migration.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='shown kill_by_option ctrl_c dump_killed_by_another wait_limit_then_kill s16_dump_begins_in_a_hook'

# site_migrating NAME: one revision live, a second with a migration committed, a table too large to
# be dumped before somebody reads it.
site_migrating() {
    site_deployed "$1" 2
    recipe_write <<<"${2-backup: {policy: wait\}}"
    LIVE=$(release)
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    start_dump
    STARTED=$(sql 'select pg_postmaster_start_time()')
}

migrations() { sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB"; }
not_restarted() { assert_equal "start of PostgreSQL" "$(sql 'select pg_postmaster_start_time()')" "$STARTED"; }
still_as_before() { assert_equal "live" "$(release app1) $(release app2)" "$LIVE $LIVE"; assert_equal "migrations" "$(migrations)" 20260101000000; }
through() { assert_deployed "$(revision)" 2; assert_equal "migrations" "$(migrations)" '20260101000000 20260102000000'; not_restarted; }

waits() { grep -qiE 'pg_dump|backup' "$CR_OUT" "$CR_ERR" && kill -0 "$CR_PID"; }
state_is() { run_crelease status --json production; [ "$(json .run.state)" = "$1" ]; }
# With the dump where it stands still.
waits_for_big() { state_is waiting && [ "$(json '.backups[0].query | split(" (")[0]')" = 'COPY public.big' ]; }

case_s3_wait() {
    site_migrating wait
    start_receiver
    echo "notify: [{url: '$at/a', on: [waiting]}]" >>"$RECIPE"
    start_crelease deploy production
    wait_for 60 waits
    wait_for 60 state_is waiting
    wait_for 60 said "backup app2: pg_dump of $DB by rig, pid $(dump_pid), for .*, expected end unknown, waited"
    wait_for 60 waits_for_big
    assert_equal "stage" "$(json .run.stage)" backup-clear
    assert_equal "pid" "$(json '.backups[0].pid')" "$(dump_pid)"
    assert_equal "kind" "$(json '.backups[0].kind')" pg_dump
    assert_equal "blocks" "$(json '.backups[0].blocks_migrations')" true
    assert_equal "pending" "$(json '.migrations.pending')" 1
    still_as_before
    # Readers and writers do not notice.
    PGOPTIONS='-c lock_timeout=3000' sql "insert into events (name) values ('x'); select count(*) from events" "$DB"
    end_dump
    finish_crelease 0
    through
    # Once, however often the wait was looked at.
    assert_equal "notifications" "$(posted /a | jq -r '[.event, .on, .stage, .release] | join(" ")')" "backup waiting backup-clear $(release)"
    kill "$RECEIVER"
}

# It is the person who stops, whatever the policy is: nothing has failed, and a resume goes on.
stopped_by_key() {
    start_on_terminal deploy production
    wait_for 60 terminal_shows 'q stop, resume later'
    printf 'q' >&7
    finish_on_terminal 4
    terminal_shows 'pg_dump of .* blocks the migration: stopped by you \(q\) while waiting for it' || fail "not said who stopped it"
    if terminal_shows 'policy'; then fail 'it is laid on the policy'; fi
    terminal_shows "next: .*resume production' when the backup has ended" || fail "not said how to go on"
    still_as_before
    expect_status 0 status --json production
    assert_equal "state" "$(json '[.run.state, .run.stage, (.run.error | contains("stopped by you"))] | join(" ")')" 'interrupted backup-clear true'
}

case_key_q() {
    site_migrating key_q
    stopped_by_key
    stopped_resume
    end_dump
    expect_status 0 resume production
    through
}

stopped_resume() {
    start_on_terminal resume production --on-backup=ask
    wait_for 60 terminal_shows 'wait for it, kill it, or stop here'
    printf 'xq' >&7
    finish_on_terminal 4
    terminal_shows 'stopped by you' || fail "not said who stopped it"
    dump_runs || fail "the dump is gone"
}

case_shown() {
    site_migrating shown
    local pid
    pid=$(dump_pid)
    expect_status 0 backups production
    expect_output pg_dump
    expect_output "\b$pid\b"
    expect_status 0 backups --json production
    jq -e . "$OUT" >/dev/null || fail "no JSON"
    expect_status 0 status production
    expect_output pg_dump
    expect_status 0 plan production
    expect_output "pg_dump of $DB by rig, pid $pid, .*: a migration would wait for it"
    assert_equal "the dump" "$(dump_pid)" "$pid"
    end_dump
}

case_abort() {
    site_migrating abort 'backup: {policy: abort}'
    expect_status 4 deploy production
    expect_output pg_dump
    expect_output resume
    still_as_before
    dump_runs || fail "the dump is gone"
    run_crelease deploy --on-unfinished stop production
    [ "$STATUS" = 6 ] || fail "deploy on it: status $STATUS"
    expect_status 4 resume production
    end_dump
    expect_status 0 resume production
    through
}

case_kill() {
    site_migrating kill 'backup: {policy: kill}'
    local dump
    dump=$(dump_pid)
    sql "insert into events (name) values ('kept')" "$DB"
    expect_status 0 deploy production
    expect_output "\b$dump\b"
    # Cancelled or terminated: it holds nothing any more, and what it writes is known to be broken.
    assert_equal "locks of the dump" "$(sql "select count(*) from pg_locks where pid = $dump and locktype = 'relation'")" 0
    expect_output 'incomplete'
    through
    not_restarted
}

case_kill_by_option() {
    site_migrating kill_by_option
    expect_status 4 deploy --on-backup abort production
    expect_status 0 resume --on-backup=kill production
    through
}

case_s2_nothing_pending() {
    site_deployed s2 2
    commit_file public/index.html two
    make_big_table
    start_dump
    local pid
    pid=$(dump_pid)
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
    assert_equal "the dump" "$(dump_pid)" "$pid"
    end_dump
}

case_ctrl_c() {
    site_migrating ctrl_c
    start_crelease deploy production
    wait_for 60 waits
    wait_for 60 state_is waiting
    kill -INT "$CR_PID"
    finish_crelease 130
    still_as_before
    dump_runs || fail "the dump is gone"
    state_is interrupted || state_is waiting || fail "state $(json .run.state)"
    end_dump
    expect_status 0 resume production
    through
}

case_s29_killed_while_waiting() {
    site_migrating killed_while_waiting
    start_crelease deploy production
    wait_for 60 waits
    wait_for 60 state_is waiting
    kill_crelease
    run_crelease deploy --on-unfinished stop production
    [ "$STATUS" = 6 ] || fail "status $STATUS"
    start_crelease resume production
    wait_for 60 said "backup app2: pg_dump of $DB by rig, pid $(dump_pid), for .*, waited"
    end_dump
    finish_crelease 0
    through
}

# Somebody else loses patience with it.
case_dump_killed_by_another() {
    site_migrating dump_killed_by_another
    start_crelease deploy production
    wait_for 60 waits
    wait_for 60 state_is waiting
    sql "select pg_terminate_backend($(dump_pid))"
    finish_crelease 0
    through
}

case_s19_wait_limit() {
    site_migrating wait_limit 'backup: {policy: wait, wait_limit: 5s, after_limit: abort}'
    local begun=$SECONDS
    expect_status 4 deploy production
    [ $((SECONDS - begun)) -ge 5 ] || fail "it did not wait"
    expect_output 'waited for 5.0 s, the limit'
    still_as_before
    dump_runs || fail "the dump is gone"
    expect_status 4 resume --wait-limit 1s production
    end_dump
    expect_status 0 resume production
    through
}

case_wait_limit_then_kill() {
    site_migrating wait_limit_then_kill 'backup: {policy: wait, wait_limit: 1s, after_limit: kill}'
    expect_status 0 deploy production
    through
}

# Without a terminal there is nobody to ask.
case_ask() {
    site_migrating ask 'backup: {policy: ask}'
    expect_status 4 deploy production
    expect_output 'no terminal .*on-backup=wait'
    still_as_before
    end_dump
    expect_status 0 resume production
    through
}

# A dump that begins after the look, and locks the table before the migration has it: the statement
# that waits gives way after lock_timeout, who queued behind it goes on, and the dump is waited for.
case_s16_dump_begins_in_the_migration() {
    site_deployed dump_begins_in_the_migration 1
    recipe_write <<<"migrate: {run: bin/migrate, status: bin/migrate-status, lock_timeout: 10s}"
    commit_migration 20260102000000 AddPlaceToEvents "\\! echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done
alter table events add column place text;"
    make_big_table
    touch "$SITE/block"
    STARTED=$(sql 'select pg_postmaster_start_time()')
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun"
    start_dump
    rm "$SITE/block"
    # As long as ten seconds; who looks later than that sees that it has given way.
    wait_for 60 alter_waits_or_did
    { sql "select count(*) from events" "$DB" >"$SITE/reader.out"; echo x >"$SITE/reader"; } &
    wait_for 60 test -e "$SITE/reader"
    dump_runs || fail "the reader had to wait for the dump's end"
    wait_for 60 said "the migration did not get a lock within 10 s \(held by 'pg_dump' of rig, pid $(dump_pid)"
    wait_for 60 said "backup app1: pg_dump of $DB by rig, pid $(dump_pid), for .*, waited"
    assert_equal "migrations" "$(migrations)" 20260101000000
    assert_equal "attempts" "$(grep -c '^20260102000000 ' "$SITE/app1/shared/log/migrations.log")" 1
    end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal "migrations" "$(migrations)" '20260101000000 20260102000000'
    assert_equal "attempts" "$(grep -c '^20260102000000 ' "$SITE/app1/shared/log/migrations.log")" 2
    assert_equal "statements still waiting" "$(sql "select count(*) from pg_locks where not granted")" 0
}
alter_waits_or_did() { alter_waits || said 'the migration did not get a lock'; }
alter_waits() { [ "$(sql "select count(*) from pg_locks where relation = 'events'::regclass and not granted" "$DB")" -gt 0 ]; }
said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }

# One that begins between the wait and the migration is waited for, too, and nothing is tried before.
case_s16_dump_begins_in_a_hook() {
    site_deployed dump_begins_in_a_hook 1
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    recipe_write <<<"hooks: {before migrate: ['touch $SITE_Q/hook; until test -e $SITE_Q/go; do sleep 0.05; done']}"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/hook"
    start_dump
    touch "$SITE/go"
    wait_for 60 said "backup app1: pg_dump of $DB by rig, pid $(dump_pid), for .*, waited"
    assert_equal "attempts" "$(grep -c '^20260102000000 ' "$SITE/app1/shared/log/migrations.log")" 0
    end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal "attempts" "$(grep -c '^20260102000000 ' "$SITE/app1/shared/log/migrations.log")" 1
    # Killed in the hook, and another one meanwhile: a resume looks anew.
    rm "$SITE/hook" "$SITE/go"
    commit_migration 20260103000000 AddNoteToEvents 'alter table events add column note text'
    start_crelease deploy production
    wait_for 60 test -e "$SITE/hook"
    kill_crelease
    start_dump
    touch "$SITE/go"
    start_crelease resume production
    wait_for 60 said "backup app1: pg_dump of $DB by rig, pid $(dump_pid), for .*, waited"
    assert_equal "attempts" "$(grep -c '^20260103000000 ' "$SITE/app1/shared/log/migrations.log")" 0
    end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 3
}

case_failing_migration() {
    site_deployed failing_migration 2
    LIVE=$(release)
    commit_migration 20260102000000 AddPlaceToEvents "\\set mended \`test -e $SITE_Q/mended && echo true || echo false\`
\\if :mended
alter table events add column place text;
\\else
do \$\$ begin raise 'not today'; end \$\$;
\\endif"
    expect_status 1 deploy production
    expect_output 'not today'
    expect_output 'migrate'
    still_as_before
    touch "$SITE/mended"
    STARTED=$(sql 'select pg_postmaster_start_time()')
    expect_status 0 resume production
    through
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
