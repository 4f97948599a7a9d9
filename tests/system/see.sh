#!/bin/bash
# What is seen of a backup: real ones of every kind, as whoever may look, and what each means for a
# migration.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='s1_no_dump name_in_no_encoding variables_called_like_ours s5_inserts s9_wide_table s11_pg_dumpall_behind_ours
    s12_pgbackrest s13_another_database_and_concurrently s14_killed_in_the_wait s14_beside_a_full_one
    s14_beside_one_that_still_locks s14_parallel s14_recipe_says_wait s14_concurrently_passed_over
    s14_concurrently_not_seen s14_concurrently_in_the_command s14_concurrently_by_a_setting s14_short_wait'
MIGRATES=rake

# site_pending NAME: one revision live; standard input: sections of the recipe.
site_pending() {
    site_deployed "$1" 1
    commit_ruby_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    recipe_write
}

# backup_begin NAME COMMAND...: one whose reader does not read before backup_end NAME.
backup_begin() {
    local name=$1
    shift
    { "$@" 2>"$SITE/$name.err" | { until [ -e "$SITE/$name.go" ]; do sleep 0.05; done; cat >"$SITE/$name.out"; }; } &
    disown
}
backup_end() {
    touch "$SITE/$1.go"
}

# web_begin STATEMENT: a transaction of the application's that stays open until web_end.
web_begin() {
    mkfifo "$SITE/hold"
    PGAPPNAME=web psql -X -q -d "$DB" <"$SITE/hold" >/dev/null 2>&1 &
    exec 7>"$SITE/hold"
    printf 'begin; %s;\n' "$1" >&7
    wait_for 30 is_there "application_name = 'web' and state = 'idle in transaction'"
}
# Others may have the descriptor, too.
web_end() {
    printf '\\q\n' >&7
    exec 7>&-
}

# sessions CONDITION: of the site's database, without its own.
sessions() { sql "select pid from pg_stat_activity where datname = '$DB' and pid <> pg_backend_pid() and ($1) order by pid"; }
is_there() { [ -n "$(sessions "$1")" ]; }
are_there() { [ "$(sessions "$2" | wc -l)" = "$1" ]; }
dumps() { sessions "application_name = 'pg_dump' and $1"; }
dump_is() { [ -n "$(dumps "$1")" ]; }

# Of what that process has started those that dump.
clients() {
    local pid
    for pid in $(descendants_of "$1"); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != pg_dump ] || echo "$pid"
    done
}

said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
waits() { said "$1" && kill -0 "$CR_PID"; }
migrations() { sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB"; }
not_migrated() { assert_equal migrations "$(migrations)" 20260101000000; }
migrated() {
    assert_deployed "$(revision)" 2
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    # Nothing was tried while it was in the way.
    assert_equal attempts "$(grep -c '^20260102000000 ' "$SITE/app1/shared/log/migrations.log")" 1
}

# waited_for NAME PID [PATTERN]: a deploy names it, waits for it, and goes on when it has gone.
waited_for() {
    start_crelease deploy production
    wait_for 60 waits "backup app1: pg_dump of $DB by rig, pid $2, for .*, expected end unknown, waited.*${3-}"
    not_migrated
    backup_end "$1"
    finish_crelease 0
    migrated
}

case_s1_no_dump() {
    site_pending s1 </dev/null
    commit_ruby_migration 20260103000000 AddNoteToEvents 'add_column :events, :note, :string'
    expect_status 0 deploy production
    expect_output '2 pending'
    expect_no_output ', waited|: waiting'
    assert_deployed "$(revision)" 2
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000 20260103000000'
}

# Inside a COPY: with all there is to tell.
case_s3_in_copy() {
    site_pending s3 </dev/null
    make_big_table
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "state = 'active' and query like 'COPY public.big %'"
    local pid
    pid=$(dumps true)
    expect_status 0 backups production
    expect_output "app1: pg_dump of s3 by rig, pid $pid, for [0-9.]+ .*; a migration would wait for it"
    expect_output 'COPY public.big \(id, body\) TO stdout'
    expect_output 'expected end unknown'
    expect_no_output 'locks [0-9]+ of'
    waited_for dump "$pid"
}

# In a database of SQL_ASCII any bytes are a name; nothing makes UTF-8 of them.
case_name_in_no_encoding() {
    site_new no_encoding 1
    sql 'drop database no_encoding'
    sql "create database no_encoding template template0 encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'"
    expect_status 0 deploy production
    commit_ruby_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    make_big_table
    PGCLIENTENCODING=SQL_ASCII sql $'alter table big rename to "b\xfcro"' "$DB"
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "state = 'active' and query like 'COPY public.%'"
    local pid
    pid=$(dumps true)
    expect_status 0 backups production
    expect_output "pg_dump of no_encoding by rig, pid $pid, .*; a migration would wait for it"
    expect_output 'COPY public."b\\xfcro"'
    expect_status 0 backups --json production
    assert_equal "seen" "$(json '.backups[0] | [.pid, .blocks_migrations] | tostring')" "[$pid,true]"
    waited_for dump "$pid"
}

# The recipe's variables are the application's: none of them says which database is asked, and what.
case_variables_called_like_ours() {
    sql 'create database elsewhere'
    site_pending called_like_ours <<<"env: {RAILS_ENV: production, database: elsewhere, client: psql -d elsewhere, ask: x, hold: x, sql: select 1, encoding: LATIN1, separator: x}"
    make_big_table
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "query like 'COPY public.big %'"
    expect_status 0 backups production
    expect_output "pg_dump of called_like_ours by rig, pid $(dumps true), .*; a migration would wait for it"
    expect_status 0 backups --hold production -- psql -XAtq -d "$DB" -c "select 'held ' || count(*) from pg_locks l join pg_database d on d.oid = l.database
        where l.locktype = 'advisory' and l.classid = 1668441452 and l.objid = 1 and d.datname = current_database()"
    expect_output '^held 1$'
    waited_for dump "$(dumps true)"
    sql 'drop database elsewhere'
}

# Everything is sent, and its client writes slowly: the server waits for it, no COPY runs.
case_s4_idle_in_transaction() {
    site_pending s4 </dev/null
    sql "create table small as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 500) g" "$DB"
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "state = 'idle in transaction' and query like 'COPY public.small %'"
    expect_status 0 status production
    expect_output 'pg_dump of s4 by rig'
    waited_for dump "$(dumps true)"
}

# Stopped in the middle (a full disk behind NFS, SIGSTOP, a debugger): it goes on holding its locks.
case_stopped_dump() {
    site_pending stopped_dump </dev/null
    sql "create table small as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 500) g" "$DB"
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "state = 'idle in transaction' and query like 'COPY public.small %'"
    local pid client me=$BASHPID
    pid=$(dumps true)
    client=$(clients "$me")
    kill -STOP "$client"
    backup_end dump
    start_crelease deploy production
    wait_for 60 waits "pg_dump of $DB by rig, pid $pid, .*waited"
    not_migrated
    kill -CONT "$client"
    finish_crelease 0
    migrated
}

# No COPY at all.
case_s5_inserts() {
    site_pending s5 </dev/null
    make_big_table
    backup_begin dump pg_dump --inserts -d "$DB"
    wait_for 60 dump_is "query like 'FETCH %'"
    assert_equal "a COPY" "$(dumps "query ilike 'copy%'")" ''
    waited_for dump "$(dumps true)"
}

# It may see of others neither when they began nor what they do.
case_s7_role_without_rights() {
    sql "create role poor login password '$(cut -d: -f5 "$PGPASSFILE")'"
    site_pending s7 <<<"database: {adapter: postgresql, name: s7, psql: psql -U poor}"
    make_big_table
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "query like 'COPY public.big %'"
    local pid
    pid=$(dumps true)
    assert_equal "what the role sees" "$(psql -U poor -XAtq -d "$DB" -c "select query || state is null from pg_stat_activity where pid = $pid")" t
    expect_status 0 backups production
    # Where hosts have no processes of their own, its client is seen.
    expect_output "pg_dump of s7 by rig, pid $pid, (start time unknown|for [0-9.]+ (s|min [0-9]+ s)); a migration would wait for it"
    expect_status 0 status --json production
    assert_equal "age" "$(json '.backups[0] | [.pid, .since, .query] | tostring')" "[$pid,null,null]"
    # Not stopped: the role may not, and the deploy knows before it tries.
    expect_status 4 deploy --on-backup=kill production
    expect_output "blocks the migration: .*superuser"
    expect_no_output 'on-backup=kill. to stop it'
    expect_output 'on-backup=wait. to wait for it'
    assert_equal "the dump" "$(dumps true)" "$pid"
    start_crelease resume production
    wait_for 60 waits "backup app1: pg_dump of s7 by rig, pid $pid, .*expected end unknown, waited"
    not_migrated
    backup_end dump
    finish_crelease 0
    migrated
}

# A text that the server cuts before its end.
case_s9_wide_table() {
    site_pending s9 </dev/null
    sql "create table wide ($(for i in $(seq 60); do printf 'quite_a_long_column_name_%s int%s' "$i" "$([ "$i" = 60 ] || echo ,)"; done));
        insert into wide (quite_a_long_column_name_1) select g from generate_series(1, 100000) g" "$DB"
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "query like 'COPY public.wide %'"
    assert_equal "the end of its text" "$(dumps "query ~* 'to stdout'")" ''
    expect_status 0 backups production
    expect_output 'COPY public.wide \(quite_a_long_column_name_1,'
    waited_for dump "$(dumps true)"
    # One of a single table that calls itself something else: nothing to wait for, and still a backup.
    rm "$SITE/dump.go"
    PGAPPNAME=nightly backup_begin dump pg_dump -t wide -d "$DB"
    wait_for 60 is_there "application_name = 'nightly' and query like 'COPY public.wide %'"
    expect_status 0 backups --json production
    assert_equal "kind" "$(json '[.backups[] | .kind, .blocks_migrations] | tostring')" '["copy",false]'
    backup_end dump
}

# Of two the end of the first is not the end.
case_two_dumps() {
    site_pending two_dumps </dev/null
    make_big_table
    local told first=one second=two
    backup_begin one pg_dump -d "$DB"
    wait_for 60 are_there 1 "query like 'COPY public.big %'"
    told=$(dumps true)
    backup_begin two pg_dump -d "$DB"
    wait_for 60 are_there 2 "query like 'COPY public.big %'"
    # They hold as much, and are told in the order of their numbers.
    if [ "$(dumps true | head -n 1)" != "$told" ]; then
        told=$(dumps true | head -n 1) first=two second=one
    fi
    start_crelease deploy production
    wait_for 60 waits "pg_dump of $DB by rig, pid $told, .*waited"
    backup_end $first
    wait_for 60 are_there 1 "application_name = 'pg_dump'"
    wait_for 60 waits "pg_dump of $DB by rig, pid $(dumps true), .*waited"
    not_migrated
    backup_end $second
    finish_crelease 0
    migrated
}

# pg_dumpall takes one database after the other, by name: ours is not begun, and will be.
case_s11_pg_dumpall_before_ours() {
    local ours
    site_pending s11 </dev/null
    ours=$DB
    sql 'create database aaa_s11'
    DB=aaa_s11
    make_big_table
    backup_begin all pg_dumpall --no-role-passwords -l postgres
    wait_for 60 dump_is "query like 'COPY public.big %'"
    DB=$ours
    assert_equal "sessions of dumps here" "$(dumps true)" ''
    expect_status 0 backups production
    expect_output 'pg_dumpall of postgres by rig, .*; a migration would wait for it'
    start_crelease deploy production
    wait_for 60 waits 'backup app1: pg_dumpall .*: it dumps one database after another, and s11 is still to come'
    not_migrated
    backup_end all
    finish_crelease 0
    migrated
    sql 'drop database aaa_s11'
}

# Behind ours: what there was to wait for is over.
case_s11_pg_dumpall_behind_ours() {
    local ours
    site_pending s11b </dev/null
    ours=$DB
    sql 'create database zzz_s11'
    DB=zzz_s11
    make_big_table
    # As far as that one, and no further.
    { pg_dumpall --no-role-passwords -l postgres 2>"$SITE/all.err" | {
        sed '/^.connect zzz_s11/q' >/dev/null
        until [ -e "$SITE/all.go" ]; do sleep 0.05; done
        cat >/dev/null
    }; } &
    disown
    wait_for 120 dump_is "query like 'COPY public.big %'"
    DB=$ours
    expect_status 0 backups production
    expect_output 'pg_dumpall of postgres by rig, .*; does not block a migration'
    expect_status 0 deploy production
    expect_no_output ', waited|: waiting'
    migrated
    DB=zzz_s11
    dump_is true || fail "the pg_dumpall is gone"
    backup_end all
    wait_for 60 are_there 0 true
    sql 'drop database zzz_s11'
}

# A copy of the files: it holds no lock on anything.
case_s12_pg_basebackup() {
    site_pending s12 </dev/null
    make_big_table
    backup_begin base pg_basebackup -D - -Ft -X none -c fast --max-rate=1M
    wait_for 60 base_runs
    expect_status 0 backups production
    expect_no_output 'would wait'
    expect_status 0 deploy production
    expect_no_output ', waited|: waiting'
    migrated
    base_runs || fail "the pg_basebackup is gone: then this proves nothing"
    pg_base_end
}
base_runs() { [ -n "$(sql "select pid from pg_stat_activity where backend_type = 'walsender' and query like 'BASE_BACKUP%' and wait_event is distinct from 'CheckpointStart'")" ]; }
pg_base_end() {
    sql "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'walsender'" >/dev/null
    backup_end base
}

# rest ARGUMENTS: pgBackRest, as whoever may read the files of the server.  It starts those who copy by its own
# name: the one here has them wait until $SITE/rest.go is there.
rest() {
    local program=/usr/bin/pgbackrest
    [ -x $program ] || program=$SERVERS/usr/bin/pgbackrest
    printf '#!/bin/sh\ntouch %s\nuntil [ -e %s ]; do sleep 0.05; done\nexec %s "$@"\n' "$SITE_Q/rest.held" \
        "$SITE_Q/rest.go" "$(printf %q "$program")" >"$SITE/rest"
    chmod +x "$SITE/rest"
    # shellcheck disable=SC2016 # for bash
    (cd "$RIG" && LD_LIBRARY_PATH=$(library_path) exec "${POSTGRES_AS[@]}" "$BASH" -c 'exec -a "$@"' bash "$SITE/rest" \
        "$program" --config="$SITE/rest.conf" --stanza=main "$@")
}

# Its session is in our database, as it need not be, and holds a lock there: an advisory one of its own.
case_s12_pgbackrest() {
    site_pending s12_pgbackrest </dev/null
    mkdir "$SITE/repository"
    cat >"$SITE/rest.conf" <<END2
[global]
repo1-path=$SITE/repository
lock-path=$SITE/repository/lock
log-level-console=info
log-level-file=off
archive-check=n
start-fast=y
[main]
pg1-path=$RIG/data
pg1-port=$PGPORT
pg1-user=$PGUSER
pg1-database=$DB
END2
    rest stanza-create
    rest backup >"$SITE/rest.out" 2>&1 &
    local backup=$!
    wait_for 60 test -e "$SITE/rest.held"
    rest_runs || fail "it has no session: $(tail -n 3 "$SITE/rest.out")"
    expect_status 0 backups production
    expect_no_output 'would wait'
    expect_status 0 deploy production
    expect_no_output ', waited|: waiting'
    migrated
    rest_runs || fail "it is gone: then this proves nothing"
    touch "$SITE/rest.go"
    wait "$backup" || fail "pgBackRest: $(tail -n 3 "$SITE/rest.out")"
    assert_equal "its backups" "$(rest info --output=json | jq -r '.[0] | [.status.message, (.backup | length)] | tostring')" '["ok",1]'
}
rest_runs() { is_there "application_name = 'pgBackRest [backup]'"; }

# CONCURRENTLY waits for every old snapshot of its database, those of the watch too, and of no other.
case_s13_another_database_and_concurrently() {
    site_pending s13 <<'END2'
migrate: {run: 'psql -X -v ON_ERROR_STOP=1 -d s13 -c "create index concurrently events_name on events (name)"', lock_timeout: 20s, attempts: 1}
END2
    local ours=$DB
    sql 'create database neighbour_s13'
    DB=neighbour_s13
    make_big_table
    backup_begin dump pg_dump -d "$DB"
    wait_for 60 dump_is "query like 'COPY public.big %'"
    DB=$ours
    expect_status 0 deploy --on-backup kill production
    expect_no_output ', waited|pg_dump'
    assert_deployed "$(revision)" 2
    assert_equal "the index is valid" "$(sql "select indisvalid from pg_index where indexrelid = 'events_name'::regclass" "$DB")" t
    DB=neighbour_s13
    dump_is true || fail "the dump is gone"
    backup_end dump
}

# site_one_table NAME TABLE: a dump of that table alone runs, held open; five others are there.
site_one_table() {
    site_pending "$1" </dev/null
    for i in 1 2 3 4; do sql "create table other_$i (id int)" "$DB"; done
    make_big_table
    sql "insert into events (name) select repeat('x', 2000) from generate_series(1, 20000)" "$DB"
    backup_begin dump pg_dump -t "$2" -d "$DB"
    wait_for 60 dump_is "query like 'COPY public.$2 %'"
    TABLES=$(sql "select count(*) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace" "$DB")
}

# Of tables that the migration does not need: it begins beside it, whatever the policy is.
case_s14_dump_of_other_tables() {
    site_one_table s14 big
    local pid
    pid=$(dumps true)
    expect_status 0 backups production
    expect_output "pid $pid, for .*; a migration of a table that it locks would wait for it"
    expect_output "holds locks on 1 of $TABLES tables"
    expect_status 0 deploy --on-backup kill production
    expect_output "1 pending: .*; pg_dump of s14 by rig, pid $pid, for .*, locks 1 of $TABLES tables: the migration waits for it only if"
    expect_no_output ', waited|: waiting|stopp'
    migrated
    assert_equal "the dump" "$(dumps true)" "$pid"
    backup_end dump
}

# Of one that it needs: tried once, and then waited for like any other.
case_s14_dump_of_its_table() {
    site_one_table s14b events
    local pid
    pid=$(dumps true)
    start_crelease deploy production
    wait_for 60 waits "backup app1: pg_dump of s14b by rig, pid $pid, .*waited.*: it locks 1 of $TABLES tables, and the migration needs one"
    said "attempt 1 of " || fail "it was not tried"
    not_migrated
    backup_end dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    assert_equal attempts "$(grep -c '^20260102000000 ' "$SITE/app1/shared/log/migrations.log")" 2
}

# Killed behind it: who resumes does not know that it was met, tries once more, and waits.
case_s14_killed_in_the_wait() {
    site_one_table s14m events
    start_crelease deploy production
    wait_for 60 waits "backup app1: pg_dump of s14m .*waited.*and the migration needs one"
    kill_crelease
    not_migrated
    start_crelease resume production
    wait_for 60 waits "backup app1: pg_dump of s14m .*waited.*and the migration needs one"
    not_migrated
    backup_end dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    assert_equal attempts "$(grep -c '^20260102000000 ' "$SITE/app1/shared/log/migrations.log")" 3
}

# One that it needs, and the policy says not to wait for any.
case_s14_policy_abort() {
    site_one_table s14c events
    expect_status 4 deploy --on-backup abort production
    expect_output 'pg_dump of s14c by rig, .* blocks the migration: .*the policy says not to wait for it'
    not_migrated
    backup_end dump
    wait_for 60 are_there 0 "application_name = 'pg_dump'"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

# A full one and one of other tables, begun together by the same role: what is in the way is stopped, and
# nothing else.
case_s14_beside_a_full_one() {
    site_pending s14i </dev/null
    for i in 1 2 3 4; do sql "create table other_$i (id int)" "$DB"; done
    make_big_table
    backup_begin few pg_dump -t big -d "$DB"
    backup_begin full pg_dump -d "$DB"
    wait_for 60 are_there 2 "query like 'COPY public.big %'"
    expect_status 0 deploy --on-backup kill production
    expect_output 'stopped pg_dump of s14i'
    assert_deployed "$(revision)" 2
    assert_equal "locks of the one that is left" "$(sql "select count(distinct relation) from pg_locks l join pg_stat_activity a using (pid)
        join pg_class c on c.oid = l.relation and c.relkind = 'r' and relnamespace = 'public'::regnamespace
        where a.application_name = 'pg_dump' and a.datname = current_database()" "$DB")" 1
    backup_end few
    backup_end full
}

# Two of the same role that began together are not leader and worker while the one still takes its locks.
case_s14_beside_one_that_still_locks() {
    site_pending s14_still_locks </dev/null
    local i full
    make_big_table
    for i in 1 2 3 4; do sql "create table held_$i (id int)" "$DB"; done
    web_begin 'lock table held_1, held_2, held_3, held_4'
    backup_begin few pg_dump -t big -d "$DB"
    wait_for 60 dump_is "query like 'COPY public.big %'"
    backup_begin all pg_dump -d "$DB"
    wait_for 60 dump_is "query like 'LOCK TABLE %' and wait_event_type = 'Lock'"
    full=$(dumps "query like 'LOCK TABLE %'")
    expect_status 0 backups production
    expect_output "pg_dump of $DB by rig, pid $full, .*; a migration would wait for it"
    start_crelease deploy production
    wait_for 60 waits "backup app1: pg_dump of $DB by rig, pid $full, .*waited"
    not_migrated
    web_end
    backup_end few
    backup_end all
    finish_crelease 0
    migrated
}

# One with several workers: its leader reads nothing.
case_s14_parallel() {
    local dumps
    site_pending s14j </dev/null
    for i in 1 2 3 4 5 6; do sql "create table other_$i (id int)" "$DB"; done
    # Slow to be packed.
    sql "create table big as select g as id, (select string_agg(md5(random()::text || i || g), '') from generate_series(1, 32) i) as body
            from generate_series(1, 60000) g; create table big2 as select * from big" "$DB"
    LEADER=
    wait_for 120 workers_stand_still
    dumps=$(dumps true | wc -l)
    expect_status 0 deploy production
    expect_output 'locks [0-9] of [0-9]+ tables: the migration waits for it only if'
    expect_no_output ', waited|: waiting'
    migrated
    assert_equal "its sessions" "$(dumps true | wc -l)" "$dumps"
    # shellcheck disable=SC2086
    kill -CONT $WORKERS
    wait "$LEADER" || fail "the dump has failed: $(cat "$SITE/dump.err")"
}
# In the middle of their tables; when they were through before somebody looked, in those of another dump.
workers_stand_still() {
    if [ -z "$LEADER" ] || process_gone "$LEADER"; then
        rm -rf "$SITE/dump.d"
        pg_dump -j 2 -Z 9 -Fd -t big -t big2 -f "$SITE/dump.d" -d "$DB" 2>"$SITE/dump.err" &
        LEADER=$!
    fi
    WORKERS=$(children_of "$LEADER")
    [ "$(wc -w <<<"$WORKERS")" -eq 2 ] || return 1
    # shellcheck disable=SC2086 # a list of numbers
    kill -STOP $WORKERS && [ "$(dumps "query like 'COPY %'" | wc -l)" -eq 2 ] && return
    # shellcheck disable=SC2086
    kill -CONT $WORKERS
    return 1
}

# The recipe may say that it is waited for all the same.
case_s14_recipe_says_wait() {
    site_one_table s14k big
    recipe_write <<<'backup: {partial: wait}'
    waited_for dump "$(dumps true)" ": it locks 1 of $TABLES tables, and the recipe says to wait for it"
}

# What an earlier deploy brought and did not migrate is still new.
case_s14_concurrently_passed_over() {
    site_one_table s14l big
    commit_ruby_migration 20260103000000 AddIndexToEvents 'add_index :events, :place, algorithm: :concurrently'
    sed -i 's/^class .*/&\n  disable_ddl_transaction!/' "$REPO"/db/migrate/20260103000000_*.rb
    commit_all 'No transaction around it'
    expect_status 0 deploy --no-migrate production
    commit_file public/index.html two
    start_crelease deploy production
    wait_for 60 waits "backup app1: pg_dump of s14l .*waited.*add_index_to_events.rb does something CONCURRENTLY"
    not_migrated
    backup_end dump
    finish_crelease 0
    assert_deployed "$(revision)" 3
}

# What is done CONCURRENTLY waits for every dump, and leaves an invalid index when it is cut short.
case_s14_concurrently() {
    site_one_table s14d big
    commit_ruby_migration 20260103000000 AddIndexToEvents 'add_index :events, :place, algorithm: :concurrently'
    sed -i 's/^class .*/&\n  disable_ddl_transaction!/' "$REPO"/db/migrate/20260103000000_*.rb
    commit_all 'No transaction around it'
    start_crelease deploy production
    wait_for 60 waits "backup app1: pg_dump of s14d .*waited.*: it locks 1 of $TABLES tables, and .*add_index_to_events.rb does something CONCURRENTLY"
    not_migrated
    backup_end dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal "invalid indexes" "$(sql 'select count(*) from pg_index where not indisvalid' "$DB")" 0
    # It is the live one's now, and no reason any more.
    rm "$SITE/dump.go"
    backup_begin dump pg_dump -t big -d "$DB"
    wait_for 60 dump_is "query like 'COPY public.big %'"
    commit_ruby_migration 20260104000000 AddNoteToEvents 'add_column :events, :note, :string'
    expect_status 0 deploy production
    expect_no_output ', waited|: waiting'
    assert_deployed "$(revision)" 3
    backup_end dump
}

# What cannot be read is not known to be without it, and a link leads to what is meant.
case_s14_concurrently_not_seen() {
    site_one_table s14e big
    recipe_write <<<'migrate: {run: rake db:migrate, status: rake db:migrate:status, lock_timeout: 500ms, paths: [db/migrate, db/gone]}'
    expect_status 4 deploy --on-backup abort production
    expect_status 0 abort production
    commit_file engines/index.rb '# concurrently'
    ln -s ../../engines "$REPO/db/migrate/engines"
    commit_all 'A link'
    recipe_write <<<'migrate: {run: rake db:migrate, status: rake db:migrate:status, lock_timeout: 500ms, paths: [db/migrate]}'
    expect_status 4 deploy --on-backup abort production
    not_migrated
    backup_end dump
}

# In the command itself.
case_s14_concurrently_in_the_command() {
    site_one_table s14n big
    recipe_write <<<"migrate: {run: 'psql -X -d $DB -c \"create index concurrently on events (id)\"', status: rake db:migrate:status}"
    expect_status 4 deploy --on-backup abort production
    expect_output 'and migrate.run does something CONCURRENTLY'
    expect_status 0 abort production
    backup_end dump
    assert_equal "invalid indexes" "$(sql 'select count(*) from pg_index where not indisvalid' "$DB")" 0
}

# A setting that has each index added so.
case_s14_concurrently_by_a_setting() {
    site_one_table s14h big
    commit_file config/initializers/strong_migrations.rb 'StrongMigrations.safe_by_default = true'
    expect_status 4 deploy --on-backup abort production
    expect_output 'config/initializers/strong_migrations.rb does something CONCURRENTLY'
    expect_status 0 abort production
    not_migrated
    commit_file config/initializers/strong_migrations.rb '# StrongMigrations.safe_by_default = true'
    expect_status 0 deploy --on-backup abort production
    assert_deployed "$(revision)" 2
    backup_end dump
}

# The wait was too short for the watch to see who it was for.
case_s14_short_wait() {
    site_one_table s14f events
    recipe_write <<<'migrate: {run: rake db:migrate, status: rake db:migrate:status, lock_timeout: 1ms, attempts: 2}'
    start_crelease deploy production
    wait_for 60 waits "backup app1: pg_dump of s14f by rig, .*waited.*: it locks 1 of $TABLES tables, and the migration needs one"
    not_migrated
    backup_end dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
}

# Other than that: it has its locks, and calls itself something else.
case_s15_long_query_is_no_backup() {
    site_pending s15_see </dev/null
    for i in 1 2 3 4; do sql "create table other_$i (id int)" "$DB"; done
    web_begin 'select * from other_1, other_2'
    expect_status 0 backups production
    expect_output 'no backup is running'
    expect_status 0 deploy production
    expect_no_output ', waited|: waiting'
    migrated
    web_end
}

rig_open
start_postgres
start_hosts 1
run_cases "$@"
