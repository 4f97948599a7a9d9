#!/bin/bash
# Any script and a deploy keep out of each other's way: `backups --wait`, `backups --hold`, and what
# happens when the database cannot be asked.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='wait_signals hold_is_not_killed hold_taken_just_before hold_session_lost migration_session_lost gap_is_short
    migration_ends_in_the_gap migration_over_a_restart_of_the_server s51_no_psql_wrong_password_no_database
    resume_without_a_database_to_ask'

# A revision live, a second with a migration committed.
site_pending() {
    site_new "$1" 2
    recipe_write <<<"${2-backup: {policy: wait\}}"
    expect_status 0 deploy production
    LIVE=$(release)
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
}

migrations() { sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB"; }
through() { assert_deployed "$(revision)" 2; assert_equal "migrations" "$(migrations)" '20260101000000 20260102000000'; }
still_as_before() { assert_equal "live" "$(release app1) $(release app2)" "$LIVE $LIVE"; assert_equal "migrations" "$(migrations)" 20260101000000; }

bg_says() { grep -qiE -- "$1" "$CR_OUT" "$CR_ERR"; }
has_ended() { ! kill -0 "$1" 2>/dev/null; }

lock_pid() { sql "select l.pid from pg_locks l join pg_database d on d.oid = l.database where d.datname = '$DB' and l.locktype = 'advisory' and l.classid = 1668441452 and l.objid = 1 and l.granted"; }
is_locked() { [ -n "$(lock_pid)" ]; }
not_locked() { [ -z "$(lock_pid)" ]; }
# Now and then it gives a sign of life.
holds_no_transaction() { wait_for 30 is_idle "$(lock_pid)"; }
is_idle() { [ "$(sql "select state || ' ' || (xact_start is null) from pg_stat_activity where pid = $1")" = 'idle true' ]; }

# hold_begin: a command that runs until hold_end, held against migrations; $HOLD.
hold_begin() {
    rm -f "$SITE/open" "$SITE/held"
    mkfifo "$SITE/open"
    exec 7<>"$SITE/open"
    # shellcheck disable=SC2016 # for sh
    env --default-signal=INT,QUIT "$CRELEASE" backups production --hold -- sh -c 'echo begun >"$0/held"; read -r x <"$0/open"; exit 3' "$SITE" \
        </dev/null >"$SITE/hold.out" 2>"$SITE/hold.err" 7>&- &
    HOLD=$!
    wait_for 60 test -e "$SITE/held"
    wait_for 30 is_locked
}
hold_end() { # STATUS
    local status=0
    echo go >&7
    wait "$HOLD" || status=$?
    cat "$SITE/hold.err"
    assert_equal "status of the hold" "$status" "$1"
}

# A migration that runs until migration_end.
migrates_until_told() {
    recipe_write <<END
migrate: {run: 'echo run >>"$SITE/attempts"; until [ -e "$SITE/go" ]; do sleep 0.05; done; bin/migrate', status: 'bin/migrate-status', lock_timeout: 500ms}
${1-}
END
}
migration_runs() { [ -e "$SITE/attempts" ]; }
migration_end() { : >"$SITE/go"; }

# --- --wait ------------------------------------------------------------------------------------------

case_wait_until_clear() {
    site_new wait_until_clear 2
    make_big_table
    expect_status 0 backups production --wait
    expect_output 'no backup blocks a migration'
    start_dump
    start_crelease backups production --wait
    wait_for 60 bg_says "pid $(dump_pid)"
    kill -0 "$CR_PID" || fail "it did not wait"
    end_dump
    finish_crelease 0
    grep -q 'ended on its own' "$CR_OUT" || fail "its end is not told"
    assert_gone "$SITE/app1/.crelease"
    assert_gone "$SITE/app2/.crelease"
}

case_wait_limit() {
    # Nothing of the recipe stops it: whoever waits here changes nothing.
    site_new wait_limit 2
    recipe_write <<<'backup: {policy: kill, after_limit: kill, unknown: proceed}'
    make_big_table
    start_dump
    local pid
    pid=$(dump_pid)
    expect_status 4 backups production --wait --wait-limit 3s
    expect_output "pid $pid"
    expect_output 'waited for 3'
    assert_equal "the dump" "$(dump_pid)" "$pid"
    expect_status 4 backups production --json --wait --wait-limit 3s
    jq -se 'map(.event) | unique == ["backup", "end"]' "$OUT" >/dev/null || fail "not these events: $(cat "$OUT")"
    jq -se '.[-1] | .status == 4 and .word == "backup"' "$OUT" >/dev/null || fail "no end with 4"
    end_dump
    expect_status 2 backups production --wait-limit 3s
    expect_status 2 backups production -- true
    expect_status 2 backups production --hold
    expect_status 2 backups production --wait --hold -- true
    expect_status 2 backups production --json --hold -- true
}

case_wait_signals() {
    site_new wait_signals 2
    make_big_table
    start_dump
    start_crelease backups production --wait
    wait_for 60 bg_says "pid $(dump_pid)"
    kill -INT "$CR_PID"
    finish_crelease 130
    start_crelease backups production --wait
    wait_for 60 bg_says "pid $(dump_pid)"
    kill -TERM "$CR_PID"
    finish_crelease 143
    dump_runs || fail "the dump is gone"
    end_dump
}

# --- --hold ------------------------------------------------------------------------------------------

case_hold_is_the_command() {
    site_new hold_is_the_command 2
    local status=0
    expect_status 7 backups production --hold -- sh -c 'exit 7'
    # Or the next one has to say that it waits.
    wait_for 30 not_locked
    printf 'in\n' | "$CRELEASE" backups production --hold -- sh -c 'cat; echo err >&2' >"$SITE/out" 2>"$SITE/err"
    assert_equal "its output" "$(cat "$SITE/out")" in
    assert_equal "its error" "$(cat "$SITE/err")" err
    wait_for 30 not_locked
    expect_status 127 backups production --hold -- "$SITE/not there"
    expect_output 'cannot run'
    hold_begin
    holds_no_transaction
    assert_equal "application" "$(sql "select application_name from pg_stat_activity where pid = $(lock_pid)")" crelease-hold
    expect_status 0 backups production
    expect_output "hold of .* by rig as crelease-hold, pid $(lock_pid)"
    expect_status 0 backups --json production
    assert_equal "kind" "$(json '.backups[0].kind')" hold
    hold_end 3
    wait_for 30 not_locked
    # A signal is the command's.
    hold_begin
    kill -TERM "$HOLD"
    wait "$HOLD" || status=$?
    assert_equal "status after TERM" "$status" 143
    wait_for 30 not_locked
}

case_hold_holds_up_a_deploy() {
    site_pending hold_holds_up_a_deploy
    hold_begin
    local pid
    pid=$(lock_pid)
    start_crelease deploy production
    wait_for 60 bg_says "hold of .* as crelease-hold, pid $pid"
    still_as_before
    expect_status 0 status production
    expect_output "hold of"
    hold_end 3
    finish_crelease 0
    through
    wait_for 30 not_locked
}

case_hold_is_not_killed() {
    site_pending hold_is_not_killed 'backup: {policy: kill}'
    hold_begin
    expect_status 4 deploy production
    expect_output "it is a 'hold'"
    is_locked || fail "the hold was ended"
    expect_status 4 resume production --on-backup abort
    # What it would not do is not what it says to type.
    expect_output "next: '.*crelease resume production' when it has ended; it is a 'hold'"
    expect_no_output 'on-backup=kill'
    expect_status 4 resume production --on-backup wait --wait-limit 1s
    expect_no_output 'on-backup=kill'
    still_as_before
    hold_end 3
    expect_status 0 resume production
    through
}

case_hold_waits_for_a_migration() {
    site_pending hold_waits_for_a_migration
    migrates_until_told
    start_crelease deploy production
    wait_for 60 migration_runs
    is_locked || fail "the migration began without the lock"
    holds_no_transaction
    expect_status 4 backups production --wait-limit 2s --hold -- touch "$SITE/ran"
    expect_output 'migration of .* as crelease-migration-'
    assert_gone "$SITE/ran"
    # It lives without crelease.
    kill_crelease
    is_locked || fail "the lock went with crelease"
    cut_connections app2
    is_locked || fail "the lock went with the connection"
    "$CRELEASE" backups production --hold -- touch "$SITE/ran" 2>"$SITE/err" &
    HOLD=$!
    wait_for 30 grep -q 'as crelease-migration-' "$SITE/err"
    assert_gone "$SITE/ran"
    migration_end
    wait "$HOLD" || fail "the hold ended with $?: $(cat "$SITE/err")"
    assert_exists "$SITE/ran"
    expect_status 0 resume production
    assert_equal "attempts" "$(wc -l <"$SITE/attempts")" 1
    through
    wait_for 30 not_locked
}

# Between the last look and the beginning of the command somebody else takes the lock.
case_hold_taken_just_before() {
    site_pending hold_taken_just_before
    migration_end
    # The deploy's own look is told that nobody holds anything; the lock is not to be fooled.
    cat >"$SITE/psql" <<END
#!/bin/sh
if [ -e "$SITE/blindfold" ]; then
    sed -u "s/l.objsubid = 2/l.objsubid = 99/" | psql "\$@"
else
    exec psql "\$@"
fi
END
    chmod +x "$SITE/psql"
    migrates_until_told "database: {adapter: postgresql, name: $DB, psql: '$SITE/psql'}"
    hold_begin
    : >"$SITE/blindfold"
    start_crelease deploy production
    wait_for 60 bg_says 'another session just took the migration lock'
    migration_runs && fail "the migration ran beside the hold"
    rm "$SITE/blindfold"
    wait_for 30 bg_says 'hold of .* as crelease-hold'
    hold_end 3
    finish_crelease 0
    through
    assert_equal "attempts" "$(wc -l <"$SITE/attempts")" 1
}

case_hold_of_a_dead_machine() {
    site_new hold_of_a_dead_machine 2
    hold_begin
    kill -KILL "$HOLD"
    wait "$HOLD" 2>/dev/null || true
    wait_for 30 not_locked
    echo go >&7
}

case_hold_session_lost() {
    site_new hold_session_lost 2
    hold_begin
    sql "select pg_terminate_backend($(lock_pid))"
    wait_for 90 grep -q 'may start while' "$SITE/hold.err"
    hold_end 3
    assert_equal "warnings" "$(grep -c 'may start while' "$SITE/hold.err")" 1
    # And with its connection.
    hold_begin
    cut_connections app2
    wait_for 90 grep -q 'may start while' "$SITE/hold.err"
    wait_for 30 not_locked
    hold_end 3
}

# --- a migration's session is lost ---------------------------------------------------------------------

LOST='lost the session that holds the migration lock'
AGAIN='holds the migration lock again'
TAKEN='another session took the migration lock'

bg_count() { cat "$CR_OUT" "$CR_ERR" | grep -cE -- "$1" || true; }
bg_told() { [ "$(bg_count "$1")" -ge "$2" ]; } # TEXT TIMES
told_so_often() { assert_equal "'$1'" "$(bg_count "$1")" "$2"; }
end_lock_session() { sql "select pg_terminate_backend($(lock_pid))"; }
has_another_than() { is_locked && [ "$(lock_pid)" != "$1" ]; }

# Nothing runs on the host any more, but the server's own.
host_is_quiet() {
    local pid
    for pid in $(host_processes app2); do
        is_sshd "$pid" || return 1
    done
}
nothing_is_left() {
    wait_for 30 not_locked
    wait_for 30 host_is_quiet
    # Who has just said goodbye to it may still be there for the server.
    wait_for 30 no_session
}
no_session() { [ "$(sql "select count(*) from pg_stat_activity where application_name like 'crelease-%'")" = 0 ]; }

case_migration_session_lost() {
    site_pending migration_session_lost
    migrates_until_told
    start_crelease deploy production
    wait_for 60 migration_runs
    local first second
    first=$(lock_pid)
    end_lock_session
    wait_for 30 bg_told "$LOST \\(.*terminating connection.*\\): taking the lock again" 1
    wait_for 30 bg_told "$AGAIN" 1
    second=$(lock_pid)
    [ "$second" != "$first" ] || fail "it is the same session"
    holds_no_transaction
    expect_status 4 backups production --wait-limit 2s --hold -- touch "$SITE/ran"
    expect_output "migration of .* as crelease-migration-[a-z0-9]*, pid $second"
    assert_gone "$SITE/ran"
    # That one as well; and the watch does it all by itself, too.
    end_lock_session
    wait_for 30 bg_told "$AGAIN" 2
    told_so_often "$LOST" 2
    second=$(lock_pid)
    kill_crelease
    end_lock_session
    wait_for 30 has_another_than "$second"
    start_crelease resume production
    wait_for 60 bg_told "$AGAIN" 3
    migration_end
    finish_crelease 0
    told_so_often "$LOST" 3
    told_so_often "$AGAIN" 3
    told_so_often "$TAKEN" 0
    assert_equal "attempts" "$(wc -l <"$SITE/attempts")" 1
    through
    nothing_is_left
}

# A psql that does not connect for the migration's session while there is a file $SITE/apart, but once for
# each $SITE/once; what it has to say of its end is not for everybody.
slow_psql() {
    cat >"$SITE/psql" <<END
#!/bin/sh
case \$PGAPPNAME in
crelease-migration-*) ;;
*) exec psql "\$@" ;;
esac
echo begun >>"$SITE/sessions"
while [ -e "$SITE/apart" ] && ! rm "$SITE/once" 2>/dev/null; do sleep 0.05; done
psql "\$@" 2>/dev/null || {
    echo 'cannot go on with postgresql://rig:geheim@db/shop, password=geheim' >&2
    exit 2
}
END
    chmod +x "$SITE/psql"
    migrates_until_told "database: {adapter: postgresql, name: $DB, psql: '$SITE/psql'}"
}

case_hold_begins_in_the_gap() {
    site_pending hold_begins_in_the_gap
    slow_psql
    start_crelease deploy production
    wait_for 60 migration_runs
    : >"$SITE/apart"
    end_lock_session
    wait_for 30 bg_told "$LOST \\(cannot go on with " 1
    hold_begin
    rm "$SITE/apart"
    wait_for 30 bg_told "$TAKEN" 1
    assert_equal "holds" "$(sql "select application_name from pg_stat_activity where pid = $(lock_pid)")" crelease-hold
    hold_end 3
    wait_for 30 bg_told "$AGAIN" 1
    # When it ends while somebody else has the lock, that one keeps it.
    : >"$SITE/apart"
    end_lock_session
    wait_for 30 bg_told "$LOST" 2
    hold_begin
    rm "$SITE/apart"
    wait_for 30 bg_told "$TAKEN" 2
    migration_end
    finish_crelease 0
    told_so_often "$LOST" 2
    told_so_often "$AGAIN" 1
    told_so_often "$TAKEN" 2
    through
    wait_for 30 host_has_only_the_hold
    hold_end 3
    nothing_is_left
    ! grep -r geheim "$SITE/app2/.crelease" || fail "a password lies on the host"
    ! grep geheim "$CR_OUT" "$CR_ERR" || fail "a password is told"
}
host_has_only_the_hold() { [ "$(sql "select string_agg(distinct application_name, ' ') from pg_stat_activity where application_name like 'crelease-%'")" = crelease-hold ]; }

# Who refuses once may be the session that was lost, which has not come to its end yet.
case_gap_is_short() {
    site_pending gap_is_short
    slow_psql
    start_crelease deploy production
    wait_for 60 migration_runs
    : >"$SITE/apart"
    end_lock_session
    wait_for 30 bg_told "$LOST" 1
    hold_begin
    wait_for 30 sessions_were 2
    : >"$SITE/once"
    wait_for 30 sessions_were 3
    hold_end 3
    wait_for 30 not_locked
    rm "$SITE/apart"
    wait_for 30 bg_told "$AGAIN" 1
    migration_end
    finish_crelease 0
    told_so_often "$TAKEN" 0
    through
    nothing_is_left
}
sessions_were() { [ "$(wc -l <"$SITE/sessions")" = "$1" ]; }

# The command ends while the next session is on its way to the server.
case_migration_ends_in_the_gap() {
    site_pending migration_ends_in_the_gap
    slow_psql
    start_crelease deploy production
    wait_for 60 migration_runs
    : >"$SITE/apart"
    end_lock_session
    wait_for 30 bg_told "$LOST" 1
    migration_end
    finish_crelease 0
    told_so_often "$AGAIN" 0
    through
    nothing_is_left
}

case_migration_over_a_restart_of_the_server() {
    site_pending migration_over_a_restart
    migrates_until_told
    start_crelease deploy production
    wait_for 60 migration_runs
    crash_postgres
    wait_for 30 bg_told "$LOST" 1
    restart_postgres
    wait_for 60 bg_told "$AGAIN" 1
    is_locked || fail "it has no lock"
    migration_end
    finish_crelease 0
    told_so_often "$LOST" 1
    told_so_often "$AGAIN" 1
    told_so_often "$TAKEN" 0
    through
    nothing_is_left
}

# --- the database cannot be asked --------------------------------------------------------------------

unknown_with() { # UNKNOWN PSQL
    recipe_write <<END
database: {adapter: postgresql, name: ${3-$DB}, psql: '$2'}
backup: {policy: wait, unknown: $1}
END
}
warned_once() { assert_equal "warnings" "$(grep -c "warning: .*$1" "$OUT")" 1; }

case_s51_no_psql_wrong_password_no_database() {
    site_pending s51
    local psql
    for psql in no-such-psql 'PGPASSFILE=/nonexistent psql'; do
        unknown_with abort "$psql"
        expect_status 4 deploy production
        expect_output 'could not check for backups: .*backup.unknown: abort'
        # Asking for one would take what is to be asked for it, and be all that is told.
        expect_no_output 'Password for user'
        still_as_before
        expect_status 0 abort production
        expect_status 4 backups production --wait
        expect_status 4 backups production --hold -- touch "$SITE/ran"
        assert_gone "$SITE/ran"
        unknown_with proceed "$psql"
        expect_status 0 backups production --wait
        warned_once 'could not check for backups'
        expect_status 5 backups production --hold -- sh -c 'exit 5'
        expect_output 'running the command without it'
    done
    unknown_with abort psql none_such
    expect_status 4 deploy production
    expect_output 'none_such'
    expect_status 0 abort production
    # What it only warns of is not why.
    unknown_with abort 'PGPASSFILE=/ psql'
    expect_status 4 deploy production
    expect_output 'could not check for backups: psql: error: .*no password supplied'
    expect_no_output 'is not a plain file'
    expect_status 0 abort production
    unknown_with proceed psql none_such
    expect_status 0 deploy production
    warned_once 'could not check for backups'
    through
}

# The looks go well, and the session that is to hold the lock beside the migration cannot be had.
case_no_lock_beside_the_migration() {
    site_pending no_lock
    cat >"$SITE/psql" <<'END'
#!/bin/sh
case $PGAPPNAME in crelease-migration-*) export PGPORT=1 ;; esac
exec psql "$@"
END
    chmod +x "$SITE/psql"
    unknown_with abort "$SITE/psql"
    expect_status 4 deploy production
    expect_output 'could not request the migration lock: psql: .*Connection refused.*backup.unknown: abort'
    expect_output 'bin/migrate: failed: was not started'
    expect_output "next: fix it, check with '.*crelease check production'"
    still_as_before
    expect_status 0 abort production
    unknown_with proceed "$SITE/psql"
    expect_status 0 deploy production
    warned_once 'runs without the migration lock.*: psql: .*Connection refused'
    through
    # One that takes it up is told, too.
    commit_migration 20260103000000 AddNoteToEvents 'alter table events add column note text'
    recipe_write <<END
database: {adapter: postgresql, name: $DB, psql: '$SITE/psql'}
migrate: {run: 'echo run >>"$SITE/attempts"; until [ -e "$SITE/go" ]; do sleep 0.05; done; bin/migrate', status: 'bin/migrate-status'}
END
    start_crelease deploy production
    wait_for 60 migration_runs
    kill_crelease
    start_crelease resume production
    wait_for 60 bg_says 'runs without the migration lock'
    migration_end
    finish_crelease 0
    assert_equal attempts "$(wc -l <"$SITE/attempts")" 1
}

# What another process found out is not known to the one that resumes.
case_resume_without_a_database_to_ask() {
    site_pending resume_without
    recipe_write <<<'database: {adapter: none}
hooks: {before backup-clear: [{run: "test -e go-on", roles: [db]}]}'
    expect_status 1 deploy production
    : >"$SITE/app1/releases/$(releases app1 | tail -n 1)/go-on"
    : >"$SITE/app2/releases/$(releases app2 | tail -n 1)/go-on"
    expect_status 0 resume production
    expect_output 'names no database'
    assert_equal "migrations" "$(migrations)" '20260101000000 20260102000000'
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
