#!/bin/bash
# MySQL and MariaDB: a real mariadb-dump in the way of a migration, and migrations that wait for locks.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='s53_flush_of_all_tables s53_between_two_tables s53_seen_once_and_then_still s13_dump_of_another_database
    s20_client_is_told_by_socket s21_account_that_may_not_stop hold_for_how_long_is_not_known hold_session_lost
    migration_session_lost s15_lock_wait_by_socket statement_of_another max_blocked account_that_may_not_cancel
    changed_is_known_after_a_resume schema_too_large_to_keep schema_too_large_to_try_again failed_halfway s40_error
    s29_killed_while_waiting estimate blocker_is_guessed s53_silent_lock_tables alias'

client() { printf '"%s" --defaults-file="%s"' "$(mariadb_program mariadb)" "$1"; }

# A migration tool as plain as can be: versions in a table, one file of SQL for each.
write_tool() { # OPTION-FILE
    mkdir -p "$SITE/todo"
    cat >"$SITE/tool" <<END
#!/bin/sh
sql() { $(client "$1") -N -B $DB; }
# Who only asks waits for nobody's locks.
[ "\$1" = status ] || echo 'create table if not exists schema_migrations (version varchar(20) primary key)' | sql || exit
for file in $SITE_Q/todo/*.sql; do
    [ -f "\$file" ] || continue
    version=\$(basename "\$file" .sql)
    [ -z "\$(echo "select version from schema_migrations where version = '\$version'" | sql 2>/dev/null)" ] || continue
    if [ "\$1" = status ]; then echo "todo \$version"; continue; fi
    echo run >>$SITE_Q/attempts
    sql <"\$file" || exit
    echo "insert into schema_migrations values ('\$version')" | sql || exit
done
END
    chmod +x "$SITE/tool"
}

todo() { printf '%s\n' "$2" >"$SITE/todo/$1.sql"; }

# site_mysql NAME [SECTIONS] [WATCH'S OPTION FILE] [TOOL'S OPTION FILE]: one migration is pending.
site_mysql() {
    site_new "$1" 1
    DB=$1
    mariadb_sql "create database $DB"
    mariadb_sql 'create table a (id int primary key); create table b (id int); create table c (id int);
        create table big (id int, body longtext); insert into b values (1);
        insert into big select seq, repeat(md5(seq), 128) from seq_1_to_20000' "$DB"
    write_tool "${4-$MARIADB_TCP}"
    todo 1 'alter table a add column place int;'
    recipe_write <<END
database: {adapter: mysql, name: $DB, mysql: '$(client "${3-$MARIADB_TCP}")'}
migrate: {run: '$SITE/tool migrate', status: '$SITE/tool status', pending_when: {output: '^todo (.*)'}, lock_timeout: 1s, attempts: 3}
${2-backup: {policy: wait, schedule: [none]\}}
END
}

in_database() { mariadb_sql "select id from information_schema.processlist where db = '$DB' and $1 order by id limit 1"; }
dump_id() { in_database "info like 'SELECT /*!40001%' and state = 'Writing to net'"; }
dump_runs() { [ -n "$(dump_id)" ]; }
dump_is_gone() { ! dump_runs; }
dump_is_whole() { grep -q '^-- Dump completed' "$SITE/dump.sql"; }
has_column() { [ -n "$(mariadb_sql "show columns from $1 like '$2'" "$DB")" ]; }
bg_says() { grep -qiE -- "$1" "$CR_OUT" "$CR_ERR"; }
attempts() { { cat "$SITE/attempts" || true; } 2>/dev/null | wc -l; }
state_is() { run_crelease status --json production; [ "$(json .run.state)" = "$1" ]; }

# A dump whose reader stands still, from elsewhere: no host has a process of it, also where, without
# namespaces, they have this machine's, since there it is called otherwise.
start_mysqldump() { # OPTIONS
    DUMP_GATE=$(mktemp -u "$SITE/gate.XXXXXX")
    mkfifo "$DUMP_GATE"
    exec 8<>"$DUMP_GATE"
    [ -e "$RIG/elsewhere" ] || cp "$(readlink -f "$(mariadb_program mariadb-dump)")" "$RIG/elsewhere"
    { "$RIG/elsewhere" --defaults-file="$MARIADB_FILE" "$@" 2>"$SITE/dump.err" 8>&- |
        { read -r _ <&8; cat >"$SITE/dump.sql"; }; } &
    disown
}
end_mysqldump() {
    echo go >&8
    wait_for 30 dump_is_whole
}

# The same as a process of the host, as cron would start it.
host_mysqldump() { # OPTION-FILE OPTIONS
    local file=$1
    shift
    # Some of it, and the rest when it is told to.
    cat >"$SITE/slowly" <<END
#!/bin/sh
head -c 4096
until [ -e $SITE_Q/go ]; do sleep 0.2; done
exec cat
END
    chmod +x "$SITE/slowly"
    mkdir -p "$RIG/bin"
    ln -sf "$(mariadb_program mariadb-dump)" "$RIG/bin/mysqldump"
    printf '%s\n' "'$RIG/bin/mysqldump' --defaults-file='$file' $* | $SITE_Q/slowly >$SITE_Q/dump.sql; echo ended" >"$SITE/backup.sh"
    on_host app1 "setsid sh $SITE_Q/backup.sh </dev/null >$SITE_Q/backup.out 2>&1 &"
}

# A person's session: what comes on descriptor 7, until person_end.
person_begin() { # STATEMENTS
    rm -f "$SITE/person"
    mkfifo "$SITE/person"
    "$(mariadb_program mariadb)" --defaults-file="$MARIADB_FILE" -n "$DB" <"$SITE/person" >/dev/null 2>&1 &
    PERSON=$!
    exec 7>"$SITE/person"
    printf '%s\n' "$1" >&7
    wait_for 10 person_is_there
}
# The server reads INNODB_TRX anew only when nobody has for a tenth of a second.
person_is_there() { sleep 0.2; [ -n "$(mariadb_sql "select trx_id from information_schema.innodb_trx t join information_schema.processlist p on p.id = t.trx_mysql_thread_id where p.db = '$DB'")" ]; }
person_end() {
    printf '\\q\n' >&7
    exec 7>&-
    wait "$PERSON" || true
}

# --- seen, and waited for -----------------------------------------------------------------------

waited_for() { # NAME OPTIONS
    local name=$1
    shift
    site_mysql "$name"
    start_mysqldump "$@" "$DB"
    wait_for 30 dump_runs
    start_crelease deploy production
    wait_for 30 bg_says "mysqldump of $DB by rig, pid $(dump_id)"
    wait_for 30 state_is waiting
    assert_equal "kind" "$(json '.backups[0].kind')" mysqldump
    assert_equal "pid" "$(json '.backups[0].pid')" "$(dump_id)"
    assert_equal "blocks" "$(json '.backups[0].blocks_migrations')" true
    assert_equal "pending" "$(json '.migrations.pending')" 1
    ! has_column a place || fail "it migrated beside the dump"
    assert_equal "readers" "$(mariadb_sql 'select count(*) from a' "$DB")" 0
    end_mysqldump
    finish_crelease 0
    has_column a place || fail "it did not migrate"
    assert_equal "attempts" "$(attempts)" 1
    assert_deployed "$(revision)" 1
    assert_exists "$SITE/app1/.crelease/backups"
}

case_s53_single_transaction() { waited_for s53_single --single-transaction; }
case_s53_lock_tables() { waited_for s53_tables --lock-tables; }
case_s53_flush_of_all_tables() { waited_for s53_flush --lock-all-tables; }

# All of the table is in the client: nothing runs, and only the transaction is there.  Its process on
# the host tells what it is.
between_id() { in_database "command = 'Sleep' and time > 0 and id in (select trx_mysql_thread_id from information_schema.innodb_trx)"; }
is_between() { sleep 0.2; [ -n "$(between_id)" ]; }
case_s53_between_two_tables() {
    site_mysql s53_between
    host_mysqldump "$MARIADB_FILE" --single-transaction --skip-quick s53_between
    # That it stood still between two others would say nothing.
    wait_for 30 test -s "$SITE/dump.sql"
    wait_for 30 is_between
    local id
    id=$(between_id)
    expect_status 0 backups --json production
    assert_equal "kind" "$(json '.backups[0].kind')" mysqldump
    assert_equal "pid" "$(json '.backups[0].pid')" "$id"
    start_crelease deploy production
    wait_for 30 bg_says "mysqldump of $DB by rig, pid $id"
    : >"$SITE/go"
    finish_crelease 0
    dump_is_whole || fail "it was disturbed: $(cat "$SITE/backup.out")"
    has_column a place || fail "it did not migrate"
}

# Somebody's transaction that only reads is none.
case_transaction_is_no_dump() {
    site_mysql no_dump
    person_begin 'start transaction with consistent snapshot;'
    expect_status 0 deploy production
    expect_no_output mysqldump
    has_column a place || fail "it did not migrate"
    person_end
}

# Once it was seen to dump it stays one, though nothing of it can be told any more.
case_s53_seen_once_and_then_still() {
    site_mysql s53_still
    mariadb_sql "select get_lock('gate', 0), sleep(600)" >/dev/null 2>&1 &
    disown
    wait_for 10 gate_is_held
    person_begin "start transaction with consistent snapshot; SELECT /*!40001 SQL_NO_CACHE */ get_lock('gate', 600), id from b;"
    wait_for 10 person_dumps
    start_crelease deploy production
    wait_for 30 bg_says "mysqldump of $DB"
    mariadb_sql "kill $(mariadb_sql "select is_used_lock('gate')")"
    wait_for 10 is_between
    # Several looks: two that saw nothing would let it go on.
    sleep 5
    kill -0 "$CR_PID" || fail "it went on"
    assert_equal "attempts" "$(attempts)" 0
    person_end
    finish_crelease 0
    has_column a place || fail "it did not migrate"
}
gate_is_held() { [ "$(mariadb_sql "select is_used_lock('gate') is not null")" = 1 ]; }
person_dumps() { [ -n "$(in_database "info like 'SELECT /*!40001%'")" ]; }

case_s13_dump_of_another_database() {
    site_mysql s13_other
    mariadb_sql 'create database elsewhere'
    mariadb_sql 'create table big select * from s13_other.big' elsewhere
    start_mysqldump --single-transaction elsewhere
    wait_for 30 elsewhere_runs
    expect_status 0 deploy production
    expect_no_output 'mysqldump'
    has_column a place || fail "it did not migrate"
    elsewhere_runs || fail "the dump is gone"
    end_mysqldump
}
elsewhere_runs() { [ -n "$(mariadb_sql "select id from information_schema.processlist where db = 'elsewhere' and state = 'Writing to net'")" ]; }

case_s02_nothing_pending() {
    site_mysql s02_nothing
    "$SITE/tool" migrate
    start_mysqldump --single-transaction "$DB"
    wait_for 30 dump_runs
    expect_status 0 deploy production
    dump_runs || fail "the dump is gone"
    end_mysqldump
}

role() { # NAME GRANTS: $ROLE
    mariadb_sql "create or replace user $1@'127.0.0.1' identified by 'word'; ${2-}"
    ROLE=$RIG/$1.cnf
    (umask 077; printf '[client]\nhost=127.0.0.1\nport=%s\nuser=%s\npassword=word\n' "$MARIADB_PORT" "$1" >"$ROLE")
}

case_s07_account_without_process() {
    role blind "grant all on s07_blind.* to blind@'127.0.0.1'"
    site_mysql s07_blind 'backup: {policy: wait, unknown: abort}' "$ROLE"
    start_mysqldump --single-transaction "$DB"
    wait_for 30 dump_runs
    expect_status 4 deploy production
    expect_output "could not check for backups: ERROR 1227 .*GRANT PROCESS ON \*\.\* TO 'blind'@'127.0.0.1';"
    expect_no_output 'no backup blocks the migration|psql|pg_'
    dump_runs || fail "the dump is gone"
    mariadb_sql "grant process on *.* to blind@'127.0.0.1'"
    end_mysqldump
    expect_status 0 resume production
    has_column a place || fail "it did not migrate"
}

# --- stopped ------------------------------------------------------------------------------------------

record() { cut -f "$1" "$SITE/app1/.crelease/stopped" | tail -n 1; }

# KILL QUERY does nothing to one whose client stands still.
case_s20_session_is_ended() {
    site_mysql s20_session 'backup: {policy: kill, schedule: [none]}'
    start_mysqldump --single-transaction "$DB"
    wait_for 30 dump_runs
    local id bystander
    id=$(dump_id)
    mariadb_sql 'select sleep(600)' "$DB" >/dev/null 2>&1 &
    disown
    wait_for 10 bystander_runs
    bystander=$(bystander_id)
    expect_status 0 deploy production
    expect_output "stopped mysqldump of $DB by rig, pid $id.*incomplete even if gzip -t accepts it"
    expect_no_output 'pg_restore|psql'
    assert_equal "how" "$(record 3)" terminate
    assert_equal "pid" "$(record 6)" "$id"
    assert_equal "dump" "$(dump_id)" ''
    assert_equal "bystander" "$(bystander_id)" "$bystander"
    mariadb_sql "kill $bystander"
    has_column a place || fail "it did not migrate"
    echo go >&8
}
bystander_id() { in_database "info = 'select sleep(600)'"; }
bystander_runs() { [ -n "$(bystander_id)" ]; }

client_is_told() { # NAME OPTION-FILE OPTION
    site_mysql "$1" "backup: {policy: kill, schedule: [none], set_aside: true, rerun: true, command: 'echo again >>$RIG/sites/$1/again'}"
    host_mysqldump "$2" "$3" "$1"
    wait_for 30 dump_runs
    expect_status 0 deploy production
    assert_equal "how" "$(record 3)" client
    assert_equal "judged" "$(record 11)" incomplete
    assert_exists "$SITE/dump.sql.incomplete"
    expect_output "its output $SITE/dump.sql is incomplete even if gzip -t accepts it; renamed to $SITE/dump.sql.incomplete"
    has_column a place || fail "it did not migrate"
    wait_for 20 test -s "$SITE/again"
}
case_s20_client_is_told_by_port() { client_is_told s20_port "$MARIADB_TCP" --lock-tables; }
case_s20_client_is_told_by_socket() { client_is_told s20_socket "$MARIADB_FILE" --single-transaction; }

case_s21_account_that_may_not_stop() {
    role seer "grant process, select on *.* to seer@'127.0.0.1'"
    site_mysql s21_seer 'backup: {policy: kill, schedule: [none]}' "$ROLE"
    start_mysqldump --single-transaction "$DB"
    wait_for 30 dump_runs
    expect_status 4 deploy production
    expect_output 'account of database.mysql is not permitted to stop it; it must be rig itself, or have CONNECTION ADMIN'
    expect_no_output 'psql|pg_signal'
    dump_runs || fail "the dump is gone"
    end_mysqldump
    expect_status 0 resume production
    has_column a place || fail "it did not migrate"
}

# --- the migration lock --------------------------------------------------------------------------------

lock_id() { mariadb_sql "select coalesce(is_used_lock('crelease.$DB'), '')"; }
is_locked() { [ -n "$(lock_id)" ]; }
not_locked() { [ -z "$(lock_id)" ]; }

# hold_begin: a command that runs until hold_end, held against migrations; $HOLD.
hold_begin() {
    rm -f "$SITE/open" "$SITE/held"
    mkfifo "$SITE/open"
    exec 7<>"$SITE/open"
    # shellcheck disable=SC2016 # for sh
    "$CRELEASE" backups production --hold -- sh -c 'echo begun >"$0/held"; read -r x <"$0/open"; exit 3' "$SITE" \
        </dev/null >"$SITE/hold.out" 2>"$SITE/hold.err" 7>&- &
    HOLD=$!
    wait_for 30 test -e "$SITE/held"
}
hold_end() {
    local status=0
    echo go >&7
    wait "$HOLD" || status=$?
    assert_equal "status of the hold" "$status" 3
}

case_hold_keeps_a_migration_back() {
    site_mysql hold_first
    hold_begin
    is_locked || fail "the lock is not held"
    start_crelease deploy production
    wait_for 30 bg_says "hold of $DB by rig as crelease-hold, pid $(lock_id)"
    assert_equal "attempts" "$(attempts)" 0
    hold_end
    finish_crelease 0
    has_column a place || fail "it did not migrate"
    wait_for 10 not_locked
}

case_hold_for_how_long_is_not_known() {
    site_mysql hold_how_long
    without_locks
    hold_begin
    expect_status 0 backups --json production
    assert_equal "kind" "$(json '.backups[0].kind')" hold
    assert_equal "for how long" "$(json '.backups[0].running_s')" null
    hold_end
    with_locks
}

case_hold_session_lost() {
    site_mysql hold_lost
    hold_begin
    mariadb_sql "kill $(lock_id)"
    wait_for 40 grep -q 'may start while' "$SITE/hold.err"
    hold_end
    assert_equal "warnings" "$(grep -c 'may start while' "$SITE/hold.err")" 1
}

case_hold_waits_for_a_migration() {
    site_mysql hold_second
    todo 1 "select if(is_used_lock('stay') is null, 0, get_lock('stay', 600)); alter table a add column place int;"
    mariadb_sql "select get_lock('stay', 0), sleep(600)" >/dev/null 2>&1 &
    disown
    wait_for 10 stay_is_held
    start_crelease deploy production
    wait_for 30 test -s "$SITE/attempts"
    wait_for 10 is_locked
    # shellcheck disable=SC2016 # for sh
    "$CRELEASE" backups production --hold -- sh -c 'echo begun >"$0/held"' "$SITE" </dev/null >"$SITE/hold.out" 2>&1 &
    local hold=$!
    wait_for 30 grep -q "migration of $DB by rig as crelease-migration, pid $(lock_id)" "$SITE/hold.out"
    assert_gone "$SITE/held"
    # That is told by the lock, not by the session's last statement.
    wait_for 20 held_for_seconds 3
    mariadb_sql "kill $(mariadb_sql "select is_used_lock('stay')")"
    finish_crelease 0
    wait "$hold" || fail "the hold failed: $(cat "$SITE/hold.out")"
    assert_exists "$SITE/held"
}
held_for_seconds() { run_crelease backups --json production && [ "$(json '.backups[0].running_s')" -ge "$1" ]; }
stay_is_held() { [ "$(mariadb_sql "select is_used_lock('stay') is not null")" = 1 ]; }

has_another_than() { is_locked && [ "$(lock_id)" != "$1" ]; }
told_so_often() { assert_equal "'$1'" "$(cat "$CR_OUT" "$CR_ERR" | grep -c "$1" || true)" "$2"; }
is_marked() { [ "$(mariadb_sql "select is_used_lock('crelease-migration.$DB') is not null")" = 1 ]; }

case_migration_session_lost() {
    site_mysql migration_lost
    todo 1 "select if(is_used_lock('stay') is null, 0, get_lock('stay', 600)); alter table a add column place int;"
    mariadb_sql "select get_lock('stay', 0), sleep(600)" >/dev/null 2>&1 &
    disown
    wait_for 10 stay_is_held
    start_crelease deploy production
    wait_for 30 test -s "$SITE/attempts"
    wait_for 10 is_locked
    local first
    first=$(lock_id)
    mariadb_sql "kill $first"
    wait_for 30 bg_says 'lost the session that holds the migration lock \(ERROR .*\): taking the lock again'
    wait_for 30 has_another_than "$first"
    wait_for 30 bg_says 'holds the migration lock again'
    is_marked || fail "it is not seen to be a migration's"
    expect_status 4 backups production --wait-limit 2s --hold -- touch "$SITE/ran"
    expect_output "migration of $DB by rig as crelease-migration, pid $(lock_id)"
    assert_gone "$SITE/ran"
    mariadb_sql "kill $(mariadb_sql "select is_used_lock('stay')")"
    finish_crelease 0
    told_so_often 'lost the session that holds the migration lock' 1
    told_so_often 'holds the migration lock again' 1
    told_so_often 'another session took the migration lock' 0
    assert_equal "attempts" "$(attempts)" 1
    has_column a place || fail "it did not migrate"
    wait_for 10 not_locked
}

# --- a statement that waits ------------------------------------------------------------------------

is_waiting() { [ -n "$(in_database "state like 'Waiting for table metadata lock'")" ]; }

# Nobody queues longer than lock_timeout, and it goes through when the person has ended.
lock_wait() { # NAME OPTION-FILE
    site_mysql "$1" 'backup: {policy: wait, schedule: [none]}' "$2" "$2"
    # More than there is time for before the person ends.
    sed -i 's/attempts: 3/attempts: 20/' "$RECIPE"
    person_begin 'start transaction; select * from a;'
    start_crelease deploy production
    wait_for 30 bg_says "the migration waits for a session of rig, pid [0-9]+, idle in transaction for"
    wait_for 30 bg_says 'did not get a lock within 1.0 s .*and changed nothing \(attempt 1 of 20\)'
    assert_equal "readers" "$(mariadb_sql 'select count(*) from a' "$DB")" 0
    person_end
    finish_crelease 0
    has_column a place || fail "it did not migrate"
    [ "$(attempts)" -ge 2 ] || fail "it was tried $(attempts) times"
    assert_deployed "$(revision)" 1
}
case_s15_lock_wait_by_port() { lock_wait s15_port "$MARIADB_TCP"; }
case_s15_lock_wait_by_socket() { lock_wait s15_socket "$MARIADB_FILE"; }

# Another's statement that waits is left alone, whatever it is.
case_statement_of_another() {
    site_mysql another
    todo 1 'select sleep(4); alter table a add column place int;'
    person_begin 'start transaction; select * from b;'
    start_crelease deploy production
    wait_for 30 test -s "$SITE/attempts"
    "$(mariadb_program mariadb)" --defaults-file="$MARIADB_TCP" -e 'alter table b add column other int' "$DB" >"$SITE/other" 2>&1 &
    local other=$!
    wait_for 10 is_waiting
    finish_crelease 0
    is_waiting || fail "it was cancelled: $(cat "$SITE/other")"
    person_end
    wait "$other" || fail "it failed: $(cat "$SITE/other")"
    has_column b other || fail "it is not there"
}

case_max_blocked() {
    site_mysql crowd
    sed -i 's/lock_timeout: 1s, attempts: 3/lock_timeout: 60s, attempts: 1, max_blocked: 1/' "$RECIPE"
    person_begin 'start transaction; select * from a;'
    start_crelease deploy production
    wait_for 30 is_waiting
    local i
    for i in 1 2; do mariadb_sql 'select count(*) from a' "$DB" >"$SITE/reader.$i" 2>&1 & disown; done
    finish_crelease 1
    grep -q 'statement was cancelled because 2 sessions queued behind it' "$CR_ERR" "$CR_OUT" || fail "that it gave way is not told"
    wait_for 10 test -s "$SITE/reader.2"
    person_end
    expect_status 0 resume production
}

case_blockers_terminate() {
    site_mysql terminate
    sed -i 's/attempts: 3/attempts: 3, blockers: terminate/' "$RECIPE"
    person_begin 'start transaction; select * from a;'
    expect_status 0 deploy production
    expect_output 'ended a session of rig.*migrate.blockers: terminate'
    has_column a place || fail "it did not migrate"
    exec 7>&-
    wait "$PERSON" || true
}

# It cannot be cancelled by an account that may not: that is said.
case_account_that_may_not_cancel() {
    role watcher "grant process, select on *.* to watcher@'127.0.0.1'"
    site_mysql watcher 'backup: {policy: wait, schedule: [none]}' "$ROLE"
    person_begin 'start transaction; select * from a;'
    start_crelease deploy production
    wait_for 30 bg_says "cannot cancel a statement of the migration .*: the account of database.mysql is not permitted to stop it; it must be the migration's account itself"
    person_end
    finish_crelease 0
    has_column a place || fail "it did not migrate"
    assert_equal "attempts" "$(attempts)" 1
}

# --- after a failure ---------------------------------------------------------------------------------

case_changed_is_not_tried_again() {
    site_mysql changed
    todo 1 'alter table b add column early int; alter table a add column place int;'
    person_begin 'start transaction; select * from a;'
    expect_status 1 deploy production
    assert_equal "attempts" "$(attempts)" 1
    expect_output "it is not retried, because MySQL does not roll back what it already did \(column b.early is new\).*crelease resume production"
    person_end
    # A person takes it back.
    mariadb_sql 'alter table b drop column early' "$DB"
    expect_status 0 resume production
    has_column a place || fail "it did not migrate"
    has_column b early || fail "it did not migrate"
    assert_equal "attempts" "$(attempts)" 2
}

# What the first attempt found is what counts for those of a resume, too.
case_changed_is_known_after_a_resume() {
    site_mysql changed_resume
    todo 1 'create table if not exists d (id int); alter table a add column place int;'
    person_begin 'start transaction; select * from a;'
    expect_status 1 deploy production
    expect_output 'table d is new'
    expect_status 1 resume production
    expect_output 'table d is new'
    assert_equal "attempts" "$(attempts)" 2
    person_end
    expect_status 0 resume production
}

case_applied_before() {
    site_mysql applied
    todo 1 "insert into b values (2);"
    todo 2 'alter table a add column place int;'
    person_begin 'start transaction; select * from a;'
    expect_status 1 deploy production
    expect_output 'not retried, .*\(applied: 1\)'
    person_end
    expect_status 0 resume production
    assert_equal "rows" "$(mariadb_sql 'select count(*) from b' "$DB")" 2
}

# The server's own client, and behind what the schema is asked for as many tables again as make its
# description larger than can be kept.
site_of_many_tables() { # NAME
    site_mysql "$1"
    cat >"$SITE/client" <<END
#!/bin/sh
# Sessions that stay get their statements one after the other.
case " \$* " in *' --unbuffered '*) exec $(client "$MARIADB_TCP") "\$@" ;; esac
sql=\$(cat)
printf '%s\n' "\$sql" | $(client "$MARIADB_TCP") "\$@" || exit
case \$sql in *crelease_columns*) awk 'BEGIN { for (i = 0; i < 40000; i++) printf "table%czz_%060d%c%032d\n", 31, i, 31, i }' ;; esac
END
    chmod +x "$SITE/client"
    sed -i "s|mysql: '.*'}|mysql: '$SITE/client'}|" "$RECIPE"
}

case_schema_too_large_to_keep() {
    site_of_many_tables too_large
    todo 1 'alter table b add column early int; alter table nowhere add column x int;'
    expect_status 1 deploy production
    expect_output 'could not record the schema before the migration: its description is larger than 3.1 MB'
    expect_output 'its changes are not rolled back and could not be determined'
    expect_no_output 'is new'
    assert_equal "attempts" "$(attempts)" 1
}

# What was changed is not known, so it is not done twice.
case_schema_too_large_to_try_again() {
    site_of_many_tables too_large_again
    person_begin 'start transaction; select * from a;'
    expect_status 1 deploy production
    expect_output 'not retried.*changes to the schema could not be determined'
    expect_no_output 'is new'
    assert_equal "attempts" "$(attempts)" 1
    person_end
}

# Whether it came to its end nobody knows, and half of it is done.
case_s43_host_crashes_halfway() {
    site_mysql s43_crash
    todo 1 'alter table b add column early int; select sleep(600); alter table a add column place int;'
    start_crelease deploy production
    wait_for 30 has_column b early
    host_crash app1
    finish_crelease
    host_restart app1
    expect_status 1 resume production
    expect_output 'the end of the migration was not recorded; it is not retried, because MySQL does not roll back what it already did \(column b.early is new\)'
    assert_equal "attempts" "$(attempts)" 1
    todo 1 'alter table a add column place int;'
    expect_status 0 resume --force production
    has_column a place || fail "it did not migrate"
}

case_failed_halfway() {
    site_mysql halfway
    todo 1 'alter table b add column early int; alter table nowhere add column x int;'
    expect_status 1 deploy production
    assert_equal "attempts" "$(attempts)" 1
    expect_output 'its changes are not rolled back: column b.early is new'
    expect_no_output 'DROP INDEX|it left behind'
}

case_s40_error() {
    site_mysql s40_error
    todo 1 'alter table a add column id int;'
    expect_status 1 deploy production
    assert_equal "attempts" "$(attempts)" 1
    expect_output 'what it creates already exists .*Duplicate column name'
}

case_s29_killed_while_waiting() {
    site_mysql s29_killed
    start_mysqldump --single-transaction "$DB"
    wait_for 30 dump_runs
    start_crelease deploy production
    wait_for 30 bg_says 'mysqldump of'
    kill_crelease
    assert_equal "attempts" "$(attempts)" 0
    start_crelease resume production
    wait_for 30 bg_says 'mysqldump of'
    end_mysqldump
    finish_crelease 0
    assert_equal "attempts" "$(attempts)" 1
    assert_deployed "$(revision)" 1
}

# While the statement waits nobody is there but the host: it is ended all the same.
case_s29_killed_while_migrating() {
    site_mysql s29_migrating
    person_begin 'start transaction; select * from a;'
    start_crelease deploy production
    wait_for 30 is_waiting
    kill_crelease
    wait_for 10 not_waiting
    assert_equal "readers" "$(mariadb_sql 'select count(*) from a' "$DB")" 0
    person_end
    expect_status 0 resume production
    has_column a place || fail "it did not migrate"
    wait_for 10 not_locked
}
not_waiting() { ! is_waiting; }

# --- besides ---------------------------------------------------------------------------------------

case_s46_schedule() {
    site_mysql s46_schedule 'backup: {policy: wait}'
    mkdir -p "$RIG/bin"
    printf '#!/bin/sh\ncat "%s/crontab" 2>/dev/null\n' "$RIG" >"$RIG/bin/crontab"
    chmod +x "$RIG/bin/crontab"
    echo '* * * * * pg_dump shop >/backup/pg' >"$RIG/crontab"
    expect_status 0 plan production
    expect_no_output 'may block the migration'
    echo "* * * * * mysqldump $DB | gzip >/backup/my" >"$RIG/crontab"
    expect_status 0 plan production
    expect_output 'a backup \(mysqldump s46_schedule .*may block the migration'
    echo '* * * * * mariabackup --backup' >"$RIG/crontab"
    expect_status 0 plan production
    expect_output 'what seems to be a backup \(mariabackup.*may block the migration'
    rm "$RIG/crontab"
}

case_estimate() {
    site_mysql estimate
    mkdir -p "$SITE/app1/.crelease"
    host_mysqldump "$MARIADB_TCP" --single-transaction estimate
    wait_for 30 dump_runs
    wait_for 30 test -s "$SITE/dump.sql"
    printf '1 %s 600 100000000 - mysqldump estimate\n' "$(($(date +%s) - 86400))" >"$SITE/app1/.crelease/backups"
    expect_status 0 backups --json production
    assert_equal "kind" "$(json '.backups[0].kind')" mysqldump
    [ "$(json '.backups[0].percent')" -ge 0 ] || fail "no percent"
    [ "$(json '.backups[0].eta_s')" -gt 0 ] || fail "no time"
    mariadb_sql "kill $(dump_id)"
}

# Without the plugin nobody's locks can be read, as on most servers of MariaDB.
without_locks() {
    mariadb_sql "uninstall soname 'metadata_lock_info'"
    ! mariadb_sql 'select * from information_schema.metadata_lock_info' 2>/dev/null || fail "the plugin is still there"
}
with_locks() { mariadb_sql "install soname 'metadata_lock_info'"; }

case_blocker_is_guessed() {
    site_mysql guessed
    sed -i 's/attempts: 3/attempts: 1, blockers: terminate/' "$RECIPE"
    without_locks
    person_begin 'start transaction; select * from a;'
    run_crelease deploy production
    with_locks
    assert_equal "status" "$STATUS" 1
    expect_output 'the migration waits for a session of rig, pid [0-9]+, idle in transaction \(a guess\)'
    expect_no_output 'migrate.blockers: terminate'
    person_is_there || fail "the person's session was ended"
    person_end
    expect_status 0 resume production
}

# LOCK TABLES, and nothing runs: it is still connected.
case_s53_silent_lock_tables() {
    site_mysql s53_silent
    without_locks
    mariadb_sql "select get_lock('gate', 0), sleep(600)" >/dev/null 2>&1 &
    disown
    wait_for 10 gate_is_held
    rm -f "$SITE/person"
    mkfifo "$SITE/person"
    "$(mariadb_program mariadb)" --defaults-file="$MARIADB_FILE" -n "$DB" <"$SITE/person" >/dev/null 2>&1 &
    PERSON=$!
    exec 7>"$SITE/person"
    printf 'lock tables a read local, b read local; SELECT /*!40001 SQL_NO_CACHE */ get_lock("gate", 600), id from b;\n' >&7
    wait_for 10 person_dumps
    start_crelease deploy production
    wait_for 30 bg_says "mysqldump of $DB"
    mariadb_sql "kill $(mariadb_sql "select is_used_lock('gate')")"
    wait_for 30 person_is_silent
    sleep 5
    with_locks
    kill -0 "$CR_PID" || fail "it went on"
    assert_equal "attempts" "$(attempts)" 0
    person_end
    finish_crelease 0
    has_column a place || fail "it did not migrate"
}
person_is_silent() { [ -n "$(in_database "command = 'Sleep' and user = 'rig'")" ] && ! person_dumps; }

case_check_shows_the_server() {
    site_mysql checked
    run_crelease check production
    expect_output 'MariaDB 1[0-9]\.'
    role nobody
    sed -i "s|$MARIADB_TCP|$ROLE|" "$RECIPE"
    sed -i 's/=word/=wrong/' "$ROLE"
    run_crelease check production
    expect_output 'Access denied'
    expect_no_output 'psql'
}

case_alias() {
    site_mysql alias
    sed -i 's/adapter: mysql/adapter: mysql2/' "$RECIPE"
    run_crelease check production
    expect_output 'MariaDB 1[0-9]\.'
}

rig_open
HOST_PATH=$RIG/bin:$HOST_PATH
start_mariadb
start_hosts 1
run_cases "$@"
