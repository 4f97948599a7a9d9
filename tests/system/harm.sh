#!/bin/bash
# Migrations that meet locks, broken leftovers, statements without a client, and drivers that heed no
# PGOPTIONS: nobody waits for long, who is in the way is named, nothing is tried blindly.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='s15_statement_timeout s15_blocker_ends terminate_spares_a_backup deadlock_in_the_words_of_rails
    s31_column_is_there_already s35_invalid_index_passes_for_one pending_detach s38_application_sets_lock_timeout
    s39_begins_where_it_was s41_no_such_command s52_german_messages s37_driver_ignores_options'

zz_pid() { sql "select pid from pg_stat_activity where application_name = 'console' and datname = '$DB'"; }

begun_attempts() { wc -l <"$SITE/attempts" 2>/dev/null || echo 0; }
ours() { sql "select count(*) from pg_stat_activity where application_name like 'crelease-%' and datname = '$DB'"; }
none_of_ours() { [ "$(ours)" = 0 ]; }
has_column() { sql "select count(*) from pg_attribute where attrelid = 'zz'::regclass and attname = 'c'" "$DB"; }
said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }

migrates_with() { # SHELL TEXT [MORE KEYS]
    recipe_write <<END
migrate: {run: 'echo run >>"$SITE/attempts"; $1', lock_timeout: 600ms, attempts: 2, timeout: 60s${2-}}
END
}

# So long that the watch beside the migration has looked before an attempt is over.
waits_longer() { sed -i 's/lock_timeout: 600ms/lock_timeout: 5s/' "$RECIPE"; }

ALTER='alter table zz add column c int'
psql_run() { printf 'psql -X -v ON_ERROR_STOP=1 -d %s -c "%s"' "$DB" "${1-$ALTER}"; }

site_zz() {
    site_new "$1" 1
    sql 'create table zz (id int)' "$DB"
}

case_s15_blocker_is_named() {
    site_zz s15
    migrates_with "$(psql_run)"
    waits_longer
    hold_table_lock
    local pid
    pid=$(zz_pid)
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 2
    expect_output "held by 'console' of rig, pid $pid, idle in transaction"
    expect_output "the migration waits for 'console'"
    expect_output 'attempt 1 of 2'
    expect_output 'gave up after 2 attempts'
    expect_no_output private
    expect_no_output pg_dump
    # The same as JSON; what is told there fits its description.
    run_crelease resume --json production
    assert_equal status "$STATUS" 1
    assert_equal pid "$(jq -r 'select(.event == "blocker") | .pid' "$OUT" | head -n 1)" "$pid"
    assert_equal kind "$(jq -r 'select(.event == "blocker") | .kind' "$OUT" | head -n 1)" session
    /usr/bin/python3 - "$TOP/config/event.schema.json" "$OUT" <<'PY'
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
for line in open(sys.argv[2]):
    jsonschema.validate(json.loads(line), schema)
PY
    drop_table_lock
    expect_status 0 resume production
    assert_equal column "$(has_column)" 1
    assert_deployed "$(revision)" 1
}

# A limit of its own that comes first: who had the lock is named, and it is not tried again.
case_s15_statement_timeout() {
    site_zz s15t
    migrates_with "$(psql_run "set statement_timeout = 3000; $ALTER")"
    waits_longer
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 1
    expect_output "statement_timeout cancelled it while it waited for a lock \(held by 'console' of rig, pid $(zz_pid)"
    drop_table_lock
    expect_status 0 resume production
    assert_equal column "$(has_column)" 1
}

# Somebody's transaction ends during the pause: it is gone on with.
case_s15_blocker_ends() {
    site_zz s15b
    migrates_with "$(psql_run)" ', attempts: 20'
    sed -i 's/attempts: 2, //' "$RECIPE"
    hold_table_lock
    start_crelease deploy production
    wait_for 30 said 'held by'
    drop_table_lock
    finish_crelease 0
    assert_equal column "$(has_column)" 1
}

case_report() {
    site_zz report
    migrates_with "$(psql_run)" ', blockers: report'
    waits_longer
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 1
    expect_output "held by 'console' of rig, pid $(zz_pid)"
    expect_output 'migrate.blockers'
    drop_table_lock
    expect_status 0 resume production
}

case_terminate() {
    site_zz terminate
    migrates_with "$(psql_run)" ', blockers: terminate'
    waits_longer
    hold_table_lock
    local pid
    pid=$(zz_pid)
    expect_status 0 deploy production
    expect_output "ended 'console' of rig, pid $pid"
    assert_equal column "$(has_column)" 1
    assert_equal sessions "$(sql "select count(*) from pg_stat_activity where pid = $pid")" 0
    exec 7>&-
}

# A backup is no session to be ended by migrate.blockers.
case_terminate_spares_a_backup() {
    site_zz terminate_backup
    migrates_with "sleep 0.1; touch \"$SITE/begun\"; while [ -f \"$SITE/block\" ]; do sleep 0.05; done; $(psql_run)" ', blockers: terminate'
    make_big_table
    touch "$SITE/block"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun"
    start_dump
    local dump
    dump=$(dump_pid)
    rm "$SITE/block"
    wait_for 60 said "pid $dump"
    assert_equal dump "$(dump_pid)" "$dump"
    end_dump
    finish_crelease 0
    assert_equal column "$(has_column)" 1
}

case_max_blocked() {
    site_zz max_blocked
    migrates_with "touch \"$SITE/begun\"; PGOPTIONS= $(psql_run)" ', max_blocked: 2'
    sed -i 's/lock_timeout: 600ms/lock_timeout: 30s/' "$RECIPE"
    hold_table_lock
    start_crelease deploy production
    wait_for 60 is_waited_for
    local i
    for i in 1 2 3 4; do
        psql -XAtq -d "$DB" -c 'select count(*) from zz' >"$SITE/reader.$i" 2>&1 &
        disown
    done
    wait_for 20 said 'sessions queued behind it \(migrate.max_blocked: 2\)'
    drop_table_lock
    finish_crelease 0
    assert_equal column "$(has_column)" 1
}
is_waited_for() { [ "$(sql "select count(*) from pg_locks where relation = 'zz'::regclass and not granted" "$DB")" -gt 0 ]; }

# As Rails tells of it; endure.sh has a real one.
case_deadlock_in_the_words_of_rails() {
    site_zz deadlock
    migrates_with "case \$(wc -l <\"$SITE/attempts\") in 1) echo PG::TRDeadlockDetected: ERROR:  deadlock detected >&2; exit 1;; esac; $(psql_run)"
    expect_status 0 deploy production
    expect_output 'victim of a deadlock'
    assert_equal attempts "$(begun_attempts)" 2
    assert_equal column "$(has_column)" 1
}

# The client is killed while its statement waits: the statement is ended by name, also that of an
# earlier run; one of somebody else's is left alone.
case_s30_ghosts() {
    site_zz s30
    migrates_with "$(psql_run 'select 1')"
    expect_status 0 deploy production
    local run
    run=$(cd "$SITE/app1/.crelease/runs" && echo *)
    # What ran beside its migration takes a moment to end.
    wait_for 20 nothing_of "$run"
    PGAPPNAME="crelease-$run" psql -X -d "$DB" -c 'select pg_sleep(600)' >/dev/null 2>&1 &
    disown
    PGAPPNAME=crelease-zzzz psql -X -d "$DB" -c 'select pg_sleep(600)' >/dev/null 2>&1 &
    disown
    wait_for 10 two_ghosts
    commit_file public/index.html two
    expect_status 0 deploy production
    expect_output "ended a session that run $run left in the database"
    expect_output 'run zzzz, which does not belong to this site, has a session in the database'
    wait_for 20 only_zzzz_is_left
    sql "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'crelease-zzzz'" >/dev/null
}
nothing_of() { ! grep -qzxF "CRELEASE_RUN=$1" /proc/[0-9]*/environ 2>/dev/null; }
two_ghosts() { [ "$(ours)" = 2 ]; }
only_zzzz_is_left() { [ "$(sql "select application_name from pg_stat_activity where application_name like 'crelease-%' and datname = '$DB'")" = crelease-zzzz ]; }

case_s31_column_is_there_already() {
    site_zz s31
    sql "$ALTER" "$DB"
    migrates_with "$(psql_run)"
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 1
    expect_output 'already exists .*column "c" of relation "zz" already exists'
    expect_output 'what the failed migration did before its error is still in the database'
    expect_output "remove from the database what the earlier attempt created, then run '[^']*resume"
}

case_s34_invalid_index_is_named() {
    site_zz s34
    migrates_with "$(psql_run 'create index concurrently zz_id on zz (id)')"
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 1
    expect_output 'index public.zz_id is invalid'
    expect_output 'DROP INDEX CONCURRENTLY public.zz_id;'
    drop_table_lock
    assert_equal "index" "$(sql "select indisvalid from pg_index where indexrelid = 'zz_id'::regclass" "$DB")" f
    sql 'drop index concurrently zz_id' "$DB"
    expect_status 0 resume production
    assert_equal "index" "$(sql "select indisvalid from pg_index where indexrelid = 'zz_id'::regclass" "$DB")" t
}

case_s35_invalid_index_passes_for_one() {
    site_zz s35
    migrates_with "$(psql_run 'create index concurrently if not exists zz_id on zz (id)')"
    hold_table_lock
    expect_status 1 deploy production
    drop_table_lock
    expect_status 1 resume production
    expect_output 'the migration succeeded, but left behind: index public.zz_id is invalid'
    sql 'reindex index zz_id' "$DB"
    expect_status 0 resume production
}

# One that was not valid before is told, and is no reason to fail.
case_invalid_before() {
    site_zz invalid_before
    hold_table_lock
    PGOPTIONS='-c lock_timeout=200ms' sql 'create index concurrently zz_id on zz (id)' "$DB" || true
    drop_table_lock
    migrates_with "$(psql_run)"
    expect_status 0 deploy production
    expect_output 'before the migration: index public.zz_id is invalid'
}

case_pending_detach() {
    site_zz pending_detach
    sql 'create table parts (id int) partition by range (id)' "$DB"
    # Or the transaction would hold most tables, like a dump.
    for i in 1 2 3 4 5; do sql "create table other_$i (id int)" "$DB"; done
    sql 'create table parts_1 partition of parts for values from (1) to (10)' "$DB"
    migrates_with "$(psql_run 'alter table parts detach partition parts_1 concurrently')"
    hold_table_lock
    printf 'select * from parts;\n' >&7
    wait_for 10 parts_held
    expect_status 1 deploy production
    expect_output "ALTER TABLE public.parts DETACH PARTITION public.parts_1 FINALIZE"
    drop_table_lock
}
parts_held() { [ "$(sql "select count(*) from pg_locks where relation = 'parts'::regclass and granted" "$DB")" -gt 0 ]; }

# Settings of the application win over PGOPTIONS: the watch is what is left.
case_s38_application_sets_lock_timeout() {
    site_zz s38
    migrates_with "psql -X -v ON_ERROR_STOP=1 -d $DB -c \"set lock_timeout = 0\" -c \"$ALTER\""
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 2
    expect_output "held by 'console'"
    drop_table_lock
    expect_status 0 resume production
    wait_for 10 none_of_ours
}

# Somebody else migrates: the tool's own lock is taken.  Rails takes one, plain migrations do not.
case_s33_advisory_lock() {
    local MIGRATES=rake
    site_new s33 1
    local key
    key=$(ruby -rzlib -e 'puts 2053462845 * Zlib.crc32(ARGV[0])' "$DB")
    mkfifo "$SITE/hold"
    PGAPPNAME=rake psql -X -q -d "$DB" <"$SITE/hold" >/dev/null &
    exec 7>"$SITE/hold"
    printf 'select pg_advisory_lock(%s);\n' "$key" >&7
    wait_for 10 advisory_held
    # The deploy has a lock of its own kind, too.
    local pid
    pid=$(sql "select pid from pg_locks where locktype = 'advisory' and granted")
    start_crelease deploy production
    wait_for 60 said "held by 'rake' of rig, pid $pid"
    printf '\\q\n' >&7
    finish_crelease 0
    assert_deployed "$(revision)" 1
}
advisory_held() { [ "$(sql "select count(*) from pg_locks where locktype = 'advisory' and granted" "$DB")" -gt 0 ]; }

# The first of three is through, the second does not get its lock: the next attempt begins there.
case_s39_begins_where_it_was() {
    site_zz s39
    recipe_write <<END
migrate: {run: bin/migrate, status: bin/migrate-status, lock_timeout: 600ms, attempts: 20}
END
    # What is pending can be told from the first one on.
    expect_status 0 deploy production
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    commit_migration 20260103000000 AddZzC 'alter table zz add column c int'
    commit_migration 20260104000000 AddZzD 'alter table zz add column d int'
    hold_table_lock
    start_crelease deploy production
    wait_for 60 said 'of 3 pending migrations, these were applied: 20260102000000'
    drop_table_lock
    finish_crelease 0
    assert_equal migrations "$(sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB")" '20260101000000 20260102000000 20260103000000 20260104000000'
}

case_s40_genuine_error() {
    site_zz s40
    migrates_with "$(psql_run 'alter table nowhere add column c int')"
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 1
    expect_output 'relation "nowhere" does not exist'
    # What it says of lock timeouts in passing is no lock timeout.
    migrates_with "echo with a lock timeout of 5 s; $(psql_run 'alter table nowhere add column c int')"
    expect_status 1 resume production --new-recipe
    assert_equal attempts "$(begun_attempts)" 2
    expect_no_output 'did not get a lock'
}

case_s41_no_such_command() {
    site_zz s41
    migrates_with no-such-command
    expect_status 1 deploy production
    expect_output 'exit status 127 \(command not found\)'
    assert_equal attempts "$(begun_attempts)" 1
    expect_status 0 abort production
    touch "$SITE/plain"
    migrates_with "\"$SITE/plain\""
    expect_status 1 deploy production
    expect_output 'exit status 126 \(not executable\)'
}

# Messages in German: what is asked of the database decides.
case_s52_german_messages() {
    site_zz s52
    # A server that has the translations would say so; the tool's words are replaced here.
    migrates_with "psql -X -v ON_ERROR_STOP=1 -d $DB -c \"set lock_timeout = 0\" -c \"$ALTER\" >\"$SITE/words\" 2>&1 || { echo FEHLER: storniere Anfrage wegen Zeitlimit; exit 1; }"
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 2
    expect_output "held by 'console'"
    drop_table_lock
}

# A PgBouncer in front of the database, that lets everybody in; $BOUNCER is its port.
bouncer_begin() {
    local program=/usr/sbin/pgbouncer dir=$SITE/bouncer try
    [ -x $program ] || program=$SERVERS/usr/sbin/pgbouncer
    mkdir "$dir"
    for try in 1 2 3; do
        BOUNCER=$(free_port 127.0.0.1)
        cat >"$dir/ini" <<END
[databases]
* = host=$PGHOST port=$PGPORT user=$PGUSER password=$(cut -d: -f5 "$PGPASSFILE")
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $BOUNCER
auth_type = any
unix_socket_dir =
END
        chmod 644 "$dir/ini"
        (cd "$RIG" && LD_LIBRARY_PATH=$(library_path) exec "${POSTGRES_AS[@]}" "$program" "$dir/ini") </dev/null >"$dir/log.$try" 2>&1 &
        BOUNCER_PID=$!
        disown
        if (wait_for 10 bouncer_answers) 2>/dev/null; then return 0; fi
        kill "$BOUNCER_PID" 2>/dev/null || true
    done
    fail "no PgBouncer: $(cat "$dir/log.$try")"
}
# Not somebody else's who was given the same port: a database of that name is there.
bouncer_answers() { PGPORT=$BOUNCER sql 'select 1' "$DB"; }
bouncer_end() { kill "$BOUNCER_PID"; }

case_s36_pgbouncer_refuses_options() {
    site_zz s36
    bouncer_begin
    migrates_with "PGPORT=$BOUNCER $(psql_run)"
    hold_table_lock
    expect_status 1 deploy production
    expect_output 'unsupported startup parameter'
    expect_output 'rejects PGOPTIONS'
    # The watch ended the wait, twice; the one that did not even begin does not count.
    assert_equal attempts "$(begun_attempts)" 3
    expect_output "held by 'console'"
    expect_output 'gave up after 2 attempts'
    wait_for 10 nobody_waits
    drop_table_lock
    expect_status 0 resume production
    assert_equal column "$(has_column)" 1
    bouncer_end
}
nobody_waits() { ! is_waited_for; }

case_s37_driver_ignores_options() {
    site_zz s37
    bouncer_begin
    migrates_with "perl \"$TOP/tests/lib/pgwire.pl\" 127.0.0.1 $BOUNCER rig $DB \"$ALTER\""
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(begun_attempts)" 2
    expect_output '57014'
    expect_output "held by 'console'"
    drop_table_lock
    expect_status 0 resume production
    assert_equal column "$(has_column)" 1
    bouncer_end
}

rig_open
start_postgres
start_hosts 1
run_cases "$@"
