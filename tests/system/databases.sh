#!/bin/bash
# Several databases in one deploy: each with its own guard and its own migration, in the order of the recipe.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

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

rig_open
start_postgres
start_hosts 2
run_cases "$@"
