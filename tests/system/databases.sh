#!/bin/bash
# Several databases in one deploy: each with its own guard and its own migration, in the order of the recipe.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='policies rerun'

# A migration tool as plain as can be, for any number of databases: NAME.d/*.sql, and a table for what is done.
write_tool() {
    cat >"$SITE/tool" <<END
#!/bin/sh
# tool migrate|status NAME DATABASE
q() { psql -XAtq -v ON_ERROR_STOP=1 -d "\$3" "\$@"; }
sql() { psql -XAtq -v ON_ERROR_STOP=1 -d "\$db" "\$@"; }
db=\$3
for file in $SITE_Q/todo/"\$2"/*.sql; do
    [ -f "\$file" ] || continue
    version=\${file##*/}
    [ "\$(sql -c "select count(*) from done where name = '\$version'")" = 0 ] || continue
    if [ "\$1" = status ]; then echo "todo \$version"; continue; fi
    echo "\$2 \$version" >>$SITE_Q/attempts
    sql -1 -f "\$file" -c "insert into done values ('\$version')" || exit
done
END
    sed -i '/^q()/d' "$SITE/tool"
    chmod +x "$SITE/tool"
}
# todo NAME VERSION SQL; the database's table is `events`.
todo() {
    mkdir -p "$SITE/todo/$1"
    printf '%s\n' "$3" >"$SITE/todo/$1/$2.sql"
}
attempts() { { tr '\n' ' ' <"$SITE/attempts"; } 2>/dev/null || true; }
said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
done_in() { sql 'select string_agg(name, chr(32) order by name) from done' "$1"; }

# one_database NAME DATABASE [KEYS]
one_database() {
    printf '  %s:\n    database: {adapter: postgresql, name: %s}\n' "$1" "$2"
    printf "    migrate: {run: '%s/tool migrate %s %s', status: '%s/tool status %s %s'}\n" "$SITE" "$1" "$2" "$SITE" "$1" "$2"
    [ -z "${3-}" ] || printf '    %s\n' "$3"
}

# site_two NAME HOSTS: the databases NAME and NAME_orders, each with a migration that is pending.
site_two() {
    local db
    site_new "$1" "$2"
    ORDERS=${1}_orders
    sql "create database $ORDERS"
    for db in "$DB" "$ORDERS"; do
        sql 'create table done (name text primary key); create table events (id int);
            create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g' "$db"
    done
    write_tool
    todo main 1 'alter table events add column one int;'
    todo orders 1 'alter table events add column one int;'
    write_recipe
}

# write_recipe: what more the recipe says is in $MORE, and what more it says of orders in $OF_ORDERS.
write_recipe() {
    recipe_write <<END
${MORE-}
migrate: {pending_when: {output: '^todo (.*)'}, lock_timeout: 500ms}
database:
databases:
$(one_database main "$DB")
$(one_database orders "$ORDERS" "${OF_ORDERS-}")
END
    sed -i '/^database:$/d' "$RECIPE"
}
marks() { awk '{ print $1, $2 }' "$SITE/app1/.crelease/runs/"*/marks | grep -E "^$1" | tr '\n' ';'; }

case_in_order() {
    site_two in_order 1
    expect_status 0 plan production
    expect_output 'backup-detect-main .*app1'
    expect_output 'migrate-orders .*app1.*tool migrate orders in_order_orders .*if migrations are pending'
    expect_status 0 check production
    expect_output 'ok +app1 +database +main: PostgreSQL'
    expect_output 'ok +app1 +database +orders: PostgreSQL'
    expect_status 0 deploy --json production
    assert_deployed "$(revision)" 1
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql '
    assert_equal "main" "$(done_in "$DB")" 1.sql
    assert_equal "orders" "$(done_in "$ORDERS")" 1.sql
    assert_equal "order" "$(json -s '[.[] | select(.event == "stage" and .state == "done" and .database) | .stage] | join(" ")')" \
        'backup-detect-main backup-detect-orders backup-clear-main backup-clear-orders migrate-main migrate-orders'
    assert_equal "databases" "$(json -s '[.[] | select(.event == "stage" and .state == "done" and .database) | .database] | unique | join(" ")')" 'main orders'
    assert_equal "marks" "$(marks migrate)" 'migrate-main begun;migrate-main done;migrate-orders begun;migrate-orders done;'
    # Only one of them has something pending.
    todo orders 2 'alter table events add column two int;'
    commit_all again
    expect_status 0 status --json production
    assert_equal "pending" "$(json '[.databases[] | [.database, .migrations.pending | tostring] | join(" ")] | join(", ")')" 'main 0, orders 1'
    expect_status 0 deploy production
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql orders 2.sql '
    expect_output 'migrate-main .*skipped.*nothing is pending|nothing pending'
    expect_status 0 status production
    expect_output '^database main$'
    expect_output '^database orders$'
    expect_status 0 backups production
    expect_output '^database orders$'
}

# One of them is held, by its name.
case_hold() {
    site_two hold 1
    expect_status 2 backups production --hold -- true
    expect_output "name it with --database \(main, orders\)"
    expect_status 2 backups production --database order
    expect_output "no database 'order' in 'databases', expected one of them: main, orders"
    # shellcheck disable=SC2016 # for that shell
    expect_status 7 backups production --hold --database orders -- sh -c 'psql -X -At -o "$0" -c "$1"; exit 7' "$SITE/locked" \
        "select string_agg(distinct datname, ',') from pg_locks l join pg_database d on d.oid = l.database where locktype = 'advisory'"
    assert_equal "held" "$(cat "$SITE/locked")" "$ORDERS"
    expect_status 0 backups production --database orders --json
    assert_equal "shown" "$(json '[.databases[].database] | join(" ")')" orders
    expect_status 0 backups production --database main --wait
}

# What has not changed under the paths of one database says nothing about one without paths.
case_paths() {
    site_two paths 1
    write_recipe
    sed -i "s|\\(tool status orders $ORDERS'\\)|\\1, paths: [public]|" "$RECIPE"
    expect_status 0 deploy production
    todo main 2 'alter table events add column two int;'
    todo orders 2 'alter table events add column two int;'
    commit_file lib/other x
    expect_status 0 plan production
    expect_output 'migrate-main .*if migrations are pending'
    expect_output "migrate-orders .*unchanged since the last migration, of $(git -C "$REPO" rev-parse HEAD~1 | cut -c1-7)"
    expect_status 0 deploy production
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql main 2.sql '
    commit_file public/more x
    expect_status 0 deploy production
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql main 2.sql orders 2.sql '
}

# A dump of the second database: neither of them is migrated before it has ended, and then both are.
case_dump_of_second() {
    site_two dump_of_second 1
    DB=$ORDERS start_dump
    expect_status 0 plan production
    expect_output "warning: orders: pg_dump of $ORDERS by rig, pid $(DB=$ORDERS dump_pid).* would wait for it"
    expect_no_output 'warning: main'
    expect_status 0 check production
    expect_output "orders: pg_dump of $ORDERS by rig"
    expect_status 0 backups --json production
    assert_equal "backups" "$(json '[.databases[] | .database + " " + (.backups | length | tostring)] | join(", ")')" 'main 0, orders 1'
    start_crelease deploy production
    wait_for 60 said "backup app1: pg_dump of $ORDERS by rig, pid $(DB=$ORDERS dump_pid), .*waited"
    wait_for 60 waits_in backup-clear-orders
    assert_equal "attempts" "$(attempts)" ''
    PGOPTIONS='-c lock_timeout=3000' sql "select count(*) from events" "$ORDERS"
    DB=$ORDERS end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 1
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql '
}
waits_in() { run_crelease status --json production && [ "$(json '.run | .state + " " + .stage')" = "waiting $1" ]; }

# Each has its own policy, and an option wins over all of them.  A dump that is stopped is that database's.
case_policies() {
    site_two policies 1
    OF_ORDERS='backup: {policy: kill}' MORE='backup: {policy: abort}' write_recipe
    DB=$ORDERS start_dump
    STARTED=$(sql 'select pg_postmaster_start_time()')
    expect_status 0 deploy production
    expect_output "stopped"
    assert_equal "start of PostgreSQL" "$(sql 'select pg_postmaster_start_time()')" "$STARTED"
    todo main 2 'alter table events add column two int;'
    commit_all again
    start_dump
    expect_status 4 deploy production
    expect_output "pg_dump of $DB .*the policy says not to wait"
    expect_status 0 resume --on-backup=kill production
    assert_deployed "$(revision)" 2
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql main 2.sql '
}

# The dump that was stopped is started again for its own database, after the deploy.
case_rerun() {
    site_two rerun 1
    OF_ORDERS="backup: {policy: kill, rerun: true, command: 'pg_dump -d $ORDERS >$SITE_Q/again.sql'}" write_recipe
    DB=$ORDERS start_dump
    expect_status 0 deploy production
    expect_output "backup-rerun-orders .*pg_dump of $ORDERS was started again"
    wait_for 60 grep -q 'database dump complete' "$SITE/again.sql"
}

# Killed, or failed, between the migration of the first database and that of the second.
case_killed_between() {
    site_two killed_between 2
    expect_status 0 deploy production
    LIVE=$(release app1)
    todo main 2 'alter table events add column two int;'
    todo orders 2 "\\! touch $SITE_Q/begun; until test -e $SITE_Q/go; do sleep 0.05; done
alter table events add column two int;"
    commit_all again
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun"
    kill_crelease
    expect_status 0 status production
    expect_output "interrupted at stage 'migrate-orders'"
    assert_equal "live" "$(release app1)" "$LIVE"
    # Nobody may take it for one that ended before its migration.
    expect_status 6 deploy production
    expect_output 'still running|migrate-'
    start_crelease resume production
    wait_for 60 said 'migrate-orders'
    touch "$SITE/go"
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql main 2.sql orders 2.sql '
    assert_equal "orders" "$(done_in "$ORDERS")" '1.sql 2.sql'
}

# A resume does not wait for a dump of the second database before it has reattached to the first migration.
case_reattached_first() {
    site_two reattached_first 1
    expect_status 0 deploy production
    todo main 2 "\\! touch $SITE_Q/begun; until test -e $SITE_Q/go; do sleep 0.05; done
alter table events add column two int;"
    todo orders 2 'alter table events add column two int;'
    commit_all again
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun"
    kill_crelease
    DB=$ORDERS start_dump
    start_crelease resume production
    wait_for 60 said 'migrate-main'
    touch "$SITE/go"
    wait_for 60 said "backup app1: pg_dump of $ORDERS by rig"
    assert_equal "main" "$(done_in "$DB")" '1.sql 2.sql'
    assert_equal "orders" "$(done_in "$ORDERS")" 1.sql
    DB=$ORDERS end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql main 2.sql orders 2.sql '
}

# A migration of the second one fails: the first is not migrated again by the resume; an abort names what was applied.
case_second_fails() {
    site_two second_fails 1
    expect_status 0 deploy production
    LIVE=$(release app1)
    todo main 2 'alter table events add column two int;'
    todo orders 2 'alter table nowhere add column two int;'
    commit_all again
    expect_status 1 deploy production
    expect_output "stage 'migrate-orders' on app1"
    assert_equal "live" "$(release app1)" "$LIVE"
    expect_status 0 status --json production
    assert_equal "pending" "$(json '[.databases[] | [.database, .migrations.pending | tostring] | join(" ")] | join(", ")')" 'main 0, orders 1'
    expect_status 1 resume production
    assert_equal "attempts" "$(attempts)" 'main 1.sql orders 1.sql main 2.sql orders 2.sql orders 2.sql '
    expect_status 0 abort production
    expect_output "database 'main': migrations are not rolled back: the database stays ahead of the code by 2.sql"
    expect_no_output "database 'orders': migrations .*2.sql"
    assert_equal "live" "$(release app1)" "$LIVE"
    todo orders 2 'alter table events add column two int;'
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
    expect_status 0 rollback production
    assert_equal "live" "$(release app1)" "$LIVE"
    expect_output "the database 'orders' was last migrated for release"
}

# The second one is a MariaDB, on another host.
case_mariadb() {
    site_two mariadb_too 2
    [ -n "${MARIADB_TCP-}" ] || start_mariadb
    mariadb_sql "create database $ORDERS; create table $ORDERS.a (id int primary key)"
    CLIENT="\"$(mariadb_program mariadb)\" --defaults-file=\"$MARIADB_TCP\""
    cat >"$SITE/up" <<END
#!/bin/sh
echo mysql >>$SITE_Q/attempts
$CLIENT $ORDERS -e 'alter table a add column place int'
END
    cat >"$SITE/todo-of-mysql" <<END
#!/bin/sh
$CLIENT $ORDERS -N -e "select 'todo 1' from dual where not exists (select 1 from information_schema.columns where table_schema = '$ORDERS' and table_name = 'a' and column_name = 'place')"
END
    chmod +x "$SITE/up" "$SITE/todo-of-mysql"
    recipe_write <<END
migrate: {pending_when: {output: '^todo (.*)'}, lock_timeout: 1s}
database:
databases:
$(one_database main "$DB" 'role: web')
  orders:
    database: {adapter: mysql, name: $ORDERS, mysql: '$CLIENT'}
    migrate: {run: '$SITE/up', status: '$SITE/todo-of-mysql'}
END
    sed -i '/^database:$/d' "$RECIPE"
    expect_status 0 check production
    expect_output 'ok +app1 +database +main: PostgreSQL'
    expect_output 'ok +app2 +database +orders: MariaDB'
    start_dump
    start_crelease deploy production
    wait_for 60 said "backup app1: pg_dump of $DB by rig"
    assert_equal "attempts" "$(attempts)" ''
    end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 1
    assert_equal "attempts" "$(attempts)" 'main 1.sql mysql '
    expect_status 0 status production
    expect_output 'no migration is pending'
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
