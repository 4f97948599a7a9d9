#!/bin/bash
# The watch beside a migration: a driver that heeds no PGOPTIONS, and a client that dies, leave nobody
# waiting.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='driver_asyncpg driver_node_postgres driver_without_name client_without_name_that_dies adopted_in_each_shell'

ours() { sql "select count(*) from pg_stat_activity where application_name like 'crelease-%'" "$DB"; }
none_of_ours() { [ "$(ours)" = 0 ]; }
has_column() { sql "select count(*) from pg_attribute where attrelid = 'zz'::regclass and attname = 'c'" "$DB"; }

migrates_with() { # SHELL TEXT
    recipe_write <<END
migrate: {run: 'echo run >>"$SITE/attempts"; $1', lock_timeout: 500ms, attempts: 2, timeout: 200s}
END
}

case_driver_without_lock_timeout() {
    site_new driver_without_lock_timeout 1
    sql 'create table zz (id int)' "$DB"
    migrates_with "PGOPTIONS= psql -X -v ON_ERROR_STOP=1 -d $DB -c \"alter table zz add column c int\""
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(wc -l <"$SITE/attempts")" 2
    expect_output 'attempt 1 of 2'
    wait_for 30 none_of_ours
    drop_table_lock
    expect_status 0 resume production
    assert_equal column "$(has_column)" 1
    assert_deployed "$(revision)" 1
}

# As drivers do that take neither PGOPTIONS nor PGAPPNAME: by the client's end of its connection the session is
# still known for the migration's.
NAMELESS='PGOPTIONS= PGAPPNAME= psql -X -v ON_ERROR_STOP=1'
waiting() { sql "select count(*) from pg_stat_activity where application_name = '$1' and wait_event_type = 'Lock' and datname = '$DB'"; }
nobody_waits() { [ "$(waiting shop)" = 0 ]; }
waits_as() { [ "$(waiting "$1")" = 1 ]; }

case_driver_without_name() {
    site_new driver_without_name 1
    sql 'create table zz (id int)' "$DB"
    migrates_with "$NAMELESS -d \"dbname=$DB application_name=shop\" -c \"alter table zz add column c int\""
    hold_table_lock
    # The application's own, which calls itself the same, has the same role, and waits for the same.
    psql -X -d "dbname=$DB application_name=shop" -c 'alter table zz add column d int' >"$SITE/other" 2>&1 &
    OTHER=$!
    wait_for 30 waits_as shop
    expect_status 1 deploy production
    assert_equal attempts "$(wc -l <"$SITE/attempts")" 2
    expect_output 'canceling statement due to user request'
    expect_output "held by 'console'"
    expect_output 'attempt 1 of 2'
    assert_equal "what else waits" "$(waiting shop)" 1
    drop_table_lock
    wait "$OTHER" || fail "the application's statement was cancelled: $(cat "$SITE/other")"
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
}

# The watch itself is killed: told, once, also by who takes the migration up, and that ends as it ends.
case_watch_that_is_killed() {
    site_new watch_that_is_killed 1
    touch "$SITE/block"
    migrates_with "while test -e \"$SITE/block\"; do sleep 0.05; done"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/attempts"
    local beside job told='the watchdog of the migration was killed'
    job=$(echo "$SITE"/app1/.crelease/runs/*/jobs/migrate.0/1)
    read -r beside _ <"$job/beside"
    # ps names it; what it asks the database, and how, lies on no disk.
    assert_equal 'what ps shows' "$(on_host app1 "tr '\\0' ' ' </proc/$beside/cmdline")" "sh $job/watch "
    assert_equal 'mode' "$(stat -c %a "$job/watch")" 600
    ! grep -q "$DB" "$job/watch" || fail 'the values of the watchdog are on the disk'
    on_host app1 "kill -KILL -- -$beside"
    wait_for 60 grep -q "$told" "$CR_ERR" "$CR_OUT"
    kill_crelease
    start_crelease resume production
    wait_for 60 grep -q "$told" "$CR_ERR" "$CR_OUT"
    rm "$SITE/block"
    finish_crelease 0
    assert_equal "how often it was told" "$(cat "$CR_ERR" "$CR_OUT" | grep -c "$told")" 1
    assert_equal attempts "$(wc -l <"$SITE/attempts")" 1
    assert_deployed "$(revision)" 1
}

# Real drivers.  driver_waits COMMAND: its ALTER stands behind somebody's transaction, and twice is told to end.
driver_waits() {
    sql 'create table zz (id int)' "$DB"
    migrates_with "PGDATABASE=$DB $1 \"alter table zz add column c int\""
    hold_table_lock
    expect_status 1 deploy production
    assert_equal attempts "$(wc -l <"$SITE/attempts")" 2
    expect_output 'attempt 1 of 2'
    expect_output 'gave up after 2 attempts'
    assert_equal "what waits" "$(sql "select count(*) from pg_locks where not granted" "$DB")" 0
}

# Nothing of it was left to be applied when the lock came; tried again, it is.
driver_goes_on() {
    drop_table_lock
    assert_equal column "$(has_column)" 0
    expect_status 0 resume production
    assert_equal attempts "$(wc -l <"$SITE/attempts")" 3
    assert_equal column "$(has_column)" 1
    assert_deployed "$(revision)" 1
}

case_driver_asyncpg() {
    site_new driver_asyncpg 1
    driver_waits "python3 \"$TOP/tests/apps/drivers/migrate.py\""
    expect_output "asyncpg is '', lock_timeout 0"
    expect_output 'QueryCanceledError: canceling statement due to user request'
    expect_output "held by 'console'"
    driver_goes_on
}

case_driver_node_postgres() {
    site_new driver_node_postgres 1
    driver_waits "NODE_PATH=\"/usr/share/nodejs:$SERVERS/usr/share/nodejs\" node \"$TOP/tests/apps/drivers/migrate.js\""
    expect_output "node-postgres is 'crelease-[a-z0-9]+', lock_timeout 500ms"
    expect_output 'error: canceling statement due to lock timeout'
    driver_goes_on
}

case_client_without_name_that_dies() {
    site_new client_without_name_that_dies 1
    sql 'create table zz (id int)' "$DB"
    recipe_write <<END
migrate: {run: '$NAMELESS -d "dbname=$DB application_name=shop" -c "alter table zz add column c int" & until grep -qs . "$SITE"/app1/.crelease/runs/*/jobs/migrate.0/1/adopted; do sleep 0.1; done; kill -KILL \$!; exit 9', lock_timeout: 100s, attempts: 1, timeout: 200s}
END
    hold_table_lock
    expect_status 1 deploy production
    # Told to end, and with the lock still held.
    wait_for 30 nobody_waits
    drop_table_lock
    assert_equal column "$(has_column)" 0
    expect_status 0 abort production
}

# The same in each of the shells of a host, with both ways that an address stands in the kernel's table.
case_adopted_in_each_shell() {
    local shell server client port mapped hex at=$RIG/adopt
    mkdir -p "$at"
    perl -MIO::Socket::INET -e '$| = 1; $l = IO::Socket::INET->new(Listen => 2, LocalAddr => "127.0.0.1"); print $l->sockport, "\n"; @_ = ($l->accept, $l->accept); sleep 600' >"$at/server" &
    wait_for 30 test -s "$at/server"
    server=$(cat "$at/server")
    perl -MIO::Socket::INET -e '$| = 1; $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]); print $s->sockport, "\n"; sleep 600' "$server" >"$at/client" &
    client=$!
    wait_for 30 test -s "$at/client"
    # As Java does: a socket of IPv6 to an address that is none.
    perl -MSocket=:all -e '$| = 1; socket S, AF_INET6, SOCK_STREAM, 0 or die; connect S, pack_sockaddr_in6($ARGV[0], inet_pton(AF_INET6, "::ffff:127.0.0.1")) or die; print +(unpack_sockaddr_in6 getsockname S)[0], "\n"; sleep 600' "$server" >"$at/mapped" &
    client="$client $!"
    wait_for 30 test -s "$at/mapped"
    port=$(printf %04X "$(cat "$at/client")")
    mapped=$(printf %04X "$(cat "$at/mapped")")
    hex=$(printf %04X "$server")
    for shell in dash 'bash --posix' 'busybox ash' mksh; do
        {
            printf "separator='\037' crelease_job='%s'; members() { members=' %s'; }\n" "$at" "$client"
            cat "$TOP/src/db/postgres/unnamed.sh"
            echo "exec 6<'$at/lines'; adopt"
            echo "echo \"\$asked; \$adopted\""
        } >"$at/script"
        echo "1 1 -" >"$at/pid"
        # Ours, with the server's address and on a server of this host; another server, another port, no number.
        printf 'maybe\037%s\n' "$(printf '1\0371\0377F000001\037%s\0377F000001\037%s' "$port" "$hex")" \
            "$(printf '2\0372\0377F000001\037%s\037-\037%s' "$port" "$hex")" \
            "$(printf '3\0373\0377F000001\037%s\0377F000002\037%s' "$port" "$hex")" \
            "$(printf '4\0374\0377F000001\037%s\0377F000001\037%s' "$hex" "$hex")" \
            "$(printf '5\0375\0370A000001\037%s\037-\037%s' "$port" "$hex")" \
            "$(printf '6\0376\0377F000001\037%s\0377F000001\037%s' "$mapped" "$hex")" \
            "$(printf 'A\0377\0377F000001\037%s\0377F000001\037%s' "$port" "$hex")" >"$at/lines"
        # shellcheck disable=SC2086 # words
        $shell <"$at/script" >"$at/said" 2>&1 || fail "$shell: status $?: $(cat "$at/said")"
        assert_equal "$shell" "$(cat "$at/said")" '(0,0),(1,1),(2,2),(3,3),(4,4),(5,5),(6,6); (0,0),(1,1),(2,2),(6,6)'
    done
}

# kill -9 of the client leaves its statement waiting in the server, and that one would be carried out
# when the lock comes.
case_client_that_dies() {
    site_new client_that_dies 1
    sql 'create table zz (id int)' "$DB"
    # With a limit that does not come before its death.
    recipe_write <<END
migrate: {run: 'PGOPTIONS= psql -X -d $DB -c "alter table zz add column c int" & until psql -XAtq -d $DB -c "select 1 from pg_locks where not granted" | grep -q 1; do sleep 0.05; done; kill -KILL \$!; touch "$SITE/killed"; exit 9', lock_timeout: 100s, attempts: 1, timeout: 200s}
END
    hold_table_lock
    expect_status 1 deploy production
    assert_exists "$SITE/killed"
    wait_for 30 none_of_ours
    drop_table_lock
    assert_equal column "$(has_column)" 0
    expect_status 0 abort production
}

rig_open
start_postgres
start_hosts 1
run_cases "$@"
