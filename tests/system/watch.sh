#!/bin/bash
# The watch beside a migration: a driver that heeds no PGOPTIONS, and a client that dies, leave nobody
# waiting.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

ours() { sql "select count(*) from pg_stat_activity where application_name like 'crelease-%'" "$DB"; }
none_of_ours() { [ "$(ours)" = 0 ]; }

migrates_with() { # SHELL TEXT
    recipe_write <<END
migrate: {run: 'echo run >>"$SITE/attempts"; $1', lock_timeout: 500ms, attempts: 2, timeout: 20s}
END
}

case_driver_without_lock_timeout() {
    site_new driver_without_lock_timeout 1
    sql 'create table zz (id int)' "$DB"
    migrates_with "PGOPTIONS= psql -X -v ON_ERROR_STOP=1 -d $DB -c \"alter table zz add column c int\""
    zz_begin
    expect 1 deploy production
    same attempts "$(wc -l <"$SITE/attempts")" 2
    says 'attempt 1 of 2'
    wait_for 10 none_of_ours
    zz_end
    expect 0 resume production
    same column "$(sql "select count(*) from pg_attribute where attrelid = 'zz'::regclass and attname = 'c'" "$DB")" 1
    finished "$(revision)" 1
}

# kill -9 of the client leaves its statement waiting in the server, and that one would be carried out
# when the lock comes.
case_client_that_dies() {
    site_new client_that_dies 1
    sql 'create table zz (id int)' "$DB"
    migrates_with "PGOPTIONS= psql -X -d $DB -c \"alter table zz add column c int\" & until psql -XAtq -d $DB -c \"select 1 from pg_locks where not granted\" | grep -q 1; do :; done; kill -KILL \$!; exit 9"
    zz_begin
    expect 1 deploy production
    wait_for 10 none_of_ours
    zz_end
    same column "$(sql "select count(*) from pg_attribute where attrelid = 'zz'::regclass and attname = 'c'" "$DB")" 0
    expect 0 abort production
}

rig_open
rig_postgres
rig_start 1
run_cases "$@"
