#!/bin/bash
# A backup that is stopped, and started again.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='s25_gzip_of_a_killed_dump s10_parallel rerun_after_abort rerun_not_known s25_judged_by_its_end
    s23_another_process socket_file_and_tcp socket_file_twice'

on_host() {
    ssh -n -F none -i "$RIG/home/.ssh/id_ed25519" -o BatchMode=yes -o "UserKnownHostsFile=$RIG/home/.ssh/known_hosts" \
        -p "$(host_port app1)" "$(id -un)@$(host_address app1)" "$1"
}

# site_stopping NAME: one revision live, a migration committed, a large table.  Standard input: the
# section backup of the recipe.
site_stopping() {
    rm -f "$RIG/crontab"
    site_deployed "$1" 1
    recipe_write
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    STARTED=$(sql 'select pg_postmaster_start_time()')
    # What comes fast is written slowly.
    cat >"$SITE/slowly" <<'END'
#!/usr/bin/perl
while (sysread STDIN, $_, 65536) { syswrite STDOUT, $_; select undef, undef, undef, 0.2 }
END
    # An end of its own, so that it is not left behind.
    chmod +x "$SITE/slowly"
}

# host_dump COMMAND: a backup of the login's on the host, as cron would start it.
host_dump() {
    make_big_table
    printf '%s\n' "$1" >"$SITE/backup.sh"
    on_host "setsid sh $SITE_Q/backup.sh </dev/null >$SITE_Q/backup.out 2>&1 &"
    wait_for 60 dump_runs
}

migrated() {
    assert_deployed "$(revision)" 2
    assert_equal "migrations" "$(sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB")" '20260101000000 20260102000000'
    assert_equal "start of PostgreSQL" "$(sql 'select pg_postmaster_start_time()')" "$STARTED"
}
# The client of a dump was told to end, and how that came about is in the record: so, or, where its session
# took longer to go than is waited for, in another way after it.
client_was_told() { # WHAT IT SAID
    grep -q 'terminated by user' "$1" || fail "its pg_dump was not told: $(cat "$1")"
    case $(record 3) in client | cancel | terminate) ;; *) fail "how: '$(record 3)'" ;; esac
}
record() { cut -f "$1" "$SITE/app1/.crelease/stopped" | tail -n 1; }
times_again() { { cat "$SITE/again" || true; } 2>/dev/null | wc -l; }
again_is() { [ "$(times_again)" = "$1" ]; }

# The role that makes it could be ended in the database too; but so its script hears of it.
case_s20_client_is_told() {
    site_stopping s20_client_is_told <<END
backup: {policy: kill, rerun: true, command: 'echo again >>$RIG/sites/s20_client_is_told/again; while [ -e $RIG/sites/s20_client_is_told/hold ]; do sleep 0.1; done; exit 3'}
END
    touch "$SITE/hold"
    host_dump "pg_dump $DB | $SITE_Q/slowly >$SITE_Q/dump.sql; echo ended"
    local pid
    pid=$(dump_pid)
    expect_status 0 deploy production
    migrated
    expect_output "stopped pg_dump of $DB by rig, pid $pid"
    expect_output "its output $SITE/dump.sql is incomplete"
    client_was_told "$SITE/backup.out"
    assert_equal "pid" "$(record 6)" "$pid"
    assert_equal "judged" "$(record 11)" incomplete
    assert_exists "$SITE/dump.sql"
    # The deploy did not wait for it.
    wait_for 60 again_is 1
    expect_status 0 status production
    expect_output "pid $pid\) was stopped .*backup.policy: kill.*started again .*still running"
    expect_status 0 status --json production
    assert_equal "again" "$(json '.stopped_backups[0].again.state')" running
    rm "$SITE/hold"
    wait_for 60 test -e "$SITE/app1/.crelease/rerun/$(record 4)/1/status"
    expect_status 0 backups production
    expect_output 'ended with status 3'
    assert_equal "started" "$(times_again)" 1
}

case_s25_gzip_of_a_killed_dump() {
    site_stopping s25_gzip_of_a_killed_dump <<<'backup: {policy: kill, set_aside: true}'
    host_dump "pg_dump $DB | $SITE_Q/slowly | gzip >$SITE_Q/dump.gz; echo \"\$?\" >$SITE_Q/status"
    wait_for 60 test -e "$SITE/dump.gz"
    expect_status 0 deploy production
    migrated
    wait_for 60 test -s "$SITE/status"
    assert_equal "status of the pipeline" "$(cat "$SITE/status")" 0
    assert_gone "$SITE/dump.gz"
    gzip -t "$SITE/dump.gz.incomplete" || fail "gzip -t finds fault with it: then this proves nothing"
    expect_output "dump.gz is incomplete.*and is $SITE/dump.gz.incomplete now"
    expect_output 'backup.rerun'
}

case_s26_custom_format() {
    site_stopping s26_custom_format <<<'backup: {policy: kill}'
    host_dump "pg_dump -Fc -Z0 $DB | $SITE_Q/slowly >$SITE_Q/dump.fc"
    wait_for 60 test -s "$SITE/dump.fc"
    expect_status 0 deploy production
    migrated
    expect_output "dump.fc is incomplete"
    pg_restore -l "$SITE/dump.fc" >/dev/null || fail "pg_restore -l finds fault with it: then this proves nothing"
    assert_exists "$SITE/dump.fc"
}

# Its workers stand still; they and their locks go with the leader.
case_s10_parallel() {
    site_stopping s10_parallel <<<'backup: {policy: kill, set_aside: true}'
    # Two of one size, and as slow to compress as can be, so that both workers are at it for a while.
    sql 'create table big1 as select g as id, repeat(md5(g::text), 10) as body from generate_series(1, 30000) g;
        create table big2 as select * from big1' "$DB"
    # Again and again, since one may be through before its workers are met.
    printf 'until [ -e %s/met ]; do rm -rf %s/dump.d; pg_dump -j 2 -Z 9 -Fd -f %s/dump.d %s; done\n' "$SITE_Q" "$SITE_Q" "$SITE_Q" "$DB" \
        >"$SITE/backup.sh"
    on_host "setsid sh $SITE_Q/backup.sh </dev/null >$SITE_Q/backup.out 2>&1 &"
    wait_for 180 workers_stand_still
    touch "$SITE/met"
    expect_status 0 deploy production
    # shellcheck disable=SC2086 # a list of numbers
    kill -KILL $STILL 2>/dev/null || true
    migrated
    assert_equal "locks of dumps" "$(sql "select count(*) from pg_locks l join pg_stat_activity a using (pid) where a.application_name = 'pg_dump' and l.locktype = 'relation'")" 0
    assert_exists "$SITE/dump.d.incomplete"
}
# Stops the whole dump at once, and then lets all but its two workers go on.
workers_stand_still() {
    local pid group=
    STILL=
    for pid in $(host_processes app1); do
        [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = pg_dump ] || continue
        group=$(ps -o pgid= -p "$pid") && break
    done
    group=${group// /}
    [ -n "$group" ] && kill -STOP -- "-$group" 2>/dev/null || return 1
    for pid in $(pgrep -g "$group"); do
        case $(cat "/proc/$pid/comm" 2>/dev/null).$(cat "/proc/$(parent_of "$pid")/comm" 2>/dev/null) in pg_dump.pg_dump) STILL="$STILL $pid" ;; esac
    done
    if [ "$(wc -w <<<"$STILL")" -ne 2 ]; then
        # Not yet, or one is through already: another dump follows.
        kill -CONT -- "-$group"
        return 1
    fi
    for pid in $(pgrep -g "$group"); do
        case " $STILL " in *" $pid "*) ;; *) kill -CONT "$pid" ;; esac
    done
}

# A session that looks like one and is made by a process that is none of ours.
start_idle() {
    IDLE_GATE=$SITE/idle
    mkfifo "$IDLE_GATE"
    exec 7<>"$IDLE_GATE"
    PGAPPNAME=pg_dump psql -XAtq -d "$DB" <"$IDLE_GATE" >/dev/null 2>&1 7>&- &
    disown
    echo 'begin; lock table events in access share mode;' >&7
    wait_for 60 idle_runs
}
idle_pid() { sql "select pid from pg_stat_activity where application_name = 'pg_dump' and datname = '$DB' and state = 'idle in transaction'"; }
idle_runs() { [ -n "$(idle_pid)" ]; }

case_s22_cancel_does_nothing() {
    site_stopping s22_cancel_does_nothing <<<'backup: {policy: kill}'
    start_idle
    expect_status 0 deploy production
    migrated
    assert_equal "how" "$(record 3)" terminate
    expect_output 'output file is incomplete .*its location could not be determined'
}

# It ends after the look, before the signal.
case_s24_gone_meanwhile() {
    site_stopping s24_gone_meanwhile <<<"backup: {policy: kill, rerun: true, command: 'echo again >>again'}"
    start_idle
    cat >"$SITE/psql" <<END
#!/bin/sh
sql=\$(cat)
case \$sql in *pg_cancel_backend*)
	psql -XAtq -d "$DB" -c "select pg_terminate_backend(\$(cat $SITE_Q/idle.pid), 60000)" >/dev/null </dev/null ;;
esac
printf '%s\n' "\$sql" | psql "\$@"
END
    chmod +x "$SITE/psql"
    idle_pid >"$SITE/idle.pid"
    { echo "database: {adapter: postgresql, name: $DB, psql: '$SITE_Q/psql'}"; cat "$RECIPE"; } | grep -v '^database: .*name: [a-z0-9_]*}$' >"$RECIPE.new"
    mv "$RECIPE.new" "$RECIPE"
    expect_status 0 deploy production
    migrated
    expect_output 'had already ended'
    expect_no_output 'incomplete'
    assert_equal "how" "$(record 3)" ended
    assert_exists "$SITE/app1/.crelease/stopped"
    assert_gone "$SITE/app1/.crelease/rerun"
}

# A superuser's session, and a role that may end those of others: known before anything is done.
case_s21_no_right() {
    site_stopping s21_no_right <<<'backup: {policy: kill}'
    local password
    password=$(cut -d: -f5 "$PGPASSFILE")
    sql "create role ender login password '$password' in role pg_signal_backend; grant connect on database \"$DB\" to ender"
    { echo "database: {adapter: postgresql, name: $DB, psql: psql -U ender}"; cat "$RECIPE"; } | grep -v '^database: .*name: [a-z0-9_]*}$' >"$RECIPE.new"
    mv "$RECIPE.new" "$RECIPE"
    make_big_table
    start_dump
    expect_status 4 deploy production
    expect_output 'pg_signal_backend does not cover'
    dump_runs || fail "the dump is gone"
    assert_gone "$SITE/app1/.crelease/stopped"
    end_dump
    expect_status 0 resume production
    migrated
}

# Under another name it is nobody's to end but a person's.
case_s8_dump_like() {
    site_stopping s8_dump_like <<<'backup: {policy: kill}'
    make_big_table
    export PGAPPNAME='Heroku Postgres Backups'
    sql 'create table third as select 1 as id' "$DB"
    start_named_dump
    unset PGAPPNAME
    expect_status 4 deploy production
    expect_output 'only looks like a dump'
    expect_status 4 resume --on-backup=wait --wait-limit=1s production
    expect_output "next: '.*crelease resume production' when it has ended; it only looks like a dump"
    expect_no_output 'on-backup=kill'
    named_runs || fail "the dump is gone"
    echo go >&8
    wait_for 60 named_has_gone
    expect_status 0 resume production
    migrated
}
named_runs() { [ -n "$(sql "select pid from pg_stat_activity where application_name like 'Heroku%' and query ilike 'copy %'")" ]; }
named_has_gone() { ! named_runs; }
start_named_dump() {
    mkfifo "$SITE/gate"
    exec 8<>"$SITE/gate"
    { pg_dump -d "$DB" 2>/dev/null | { read -r _ <&8; cat >/dev/null; }; } &
    disown
    wait_for 60 named_runs
}

# Killed between the intention and the record: resumed, and started again once.
case_s29_killed_while_stopping() {
    site_stopping s29_killed_while_stopping <<<"backup: {policy: kill, rerun: true, command: 'echo again >>$RIG/sites/s29_killed_while_stopping/again'}"
    host_dump "pg_dump $DB | $SITE_Q/slowly >$SITE_Q/dump.sql"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/app1/.crelease/stopped"
    kill_crelease
    run_crelease resume production
    # It may have been through already.
    [ "$STATUS" = 0 ] || fail "resume: $STATUS"
    migrated
    wait_for 60 again_is 1
    expect_status 0 resume production
    assert_equal "started" "$(times_again)" 1
}

# Killed once the backup was started again, before the run knows.
case_rerun_killed_after_it() {
    site_stopping rerun_killed_after_it <<END
backup: {policy: kill, rerun: true, command: 'echo again >>$RIG/sites/rerun_killed_after_it/again'}
hooks: {after backup-rerun: ['touch $RIG/sites/rerun_killed_after_it/begun; while [ -e $RIG/sites/rerun_killed_after_it/hold ]; do sleep 0.1; done']}
END
    rm -f "$SITE/begun"
    touch "$SITE/hold"
    host_dump "pg_dump $DB | $SITE_Q/slowly >$SITE_Q/dump.sql"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun"
    kill_crelease
    # As if the mark had not come to be.
    sed -i '/^backup-rerun done/d' "$SITE/app1/.crelease/runs"/*/marks
    rm "$SITE/hold"
    expect_status 0 resume production
    migrated
    wait_for 60 again_is 1
    assert_equal "started" "$(times_again)" 1
}

# Given up after the stop: the backup has nothing to wait for any more.
case_rerun_after_abort() {
    site_stopping rerun_after_abort <<END
backup: {policy: kill, rerun: true, command: 'echo again >>$RIG/sites/rerun_after_abort/again'}
END
    commit_migration 20260103000000 Failing "do \$\$ begin raise 'not today'; end \$\$"
    host_dump "pg_dump $DB | $SITE_Q/slowly >$SITE_Q/dump.sql"
    expect_status 1 deploy production
    assert_equal "started" "$(times_again)" 0
    expect_status 0 abort production
    expect_output 'was started again in the background'
    wait_for 60 again_is 1
    expect_status 0 abort production
    assert_equal "started" "$(times_again)" 1
    assert_gone "$SITE/app1/.crelease/lock"
}

# By the crontab's line, with what the crontab sets.
case_rerun_by_crontab() {
    site_stopping rerun_by_crontab <<<'backup: {policy: kill, rerun: true}'
    cat >"$RIG/crontab" <<END
WHAT=night
0 1 * * * pg_dump neighbour >/dev/null
0 2 * * * echo \$WHAT >>$SITE/again; pg_dump -s $DB >$SITE/second.sql
END
    host_dump "pg_dump $DB | $SITE_Q/slowly >$SITE_Q/dump.sql"
    expect_status 0 deploy production
    migrated
    wait_for 60 again_is 1
    assert_equal "by" "$(cat "$SITE/again")" night
    wait_for 60 grep -q 'dump complete' "$SITE/second.sql"
    # A schema that was not dumped from within the run's own: no name of ours.
    wait_for 60 again_has_ended
    assert_equal "status" "$(json '.stopped_backups[0].again.status')" 0
}

again_has_ended() { run_crelease status --json production && [ "$(json '.stopped_backups[0].again.state')" = ended ]; }

case_rerun_not_known() {
    site_stopping rerun_not_known <<<'backup: {policy: kill, rerun: true}'
    host_dump "pg_dump $DB | $SITE_Q/slowly >$SITE_Q/dump.sql"
    expect_status 0 deploy production
    migrated
    expect_output "pg_dump of $DB was stopped and is not started again: no line of the login user's crontab starts it; start it by hand"
}

# The functions of stop.sh themselves.
verdict() {
    {
        host_script "verb=none name='' database=x deploy_to=$SITE_Q run=t sessions='' state=$SITE_Q"
        cat "$TOP/src/stages/backup/progress.sh"
        sed '/^case \$verb in$/,$d' "$TOP/src/stages/backup/stop.sh"
        printf '%s\n' "$1"
    } | sh -s | grep -v '^end\|^ended'
}

case_s25_judged_by_its_end() {
    site_new s25_judged_by_its_end 1
    make_big_table
    pg_dump "$DB" >"$SITE/whole.sql"
    # shellcheck disable=SC1003 # as newer versions write it
    printf '%s\n' '\unrestrict aB3' '' >>"$SITE/whole.sql"
    head -c 1000000 "$SITE/whole.sql" >"$SITE/cut.sql"
    { cat "$SITE/whole.sql" && echo 'COPY public.x (a) FROM stdin;'; } >"$SITE/middle.sql"
    pg_dump -Fc "$DB" >"$SITE/whole.fc"
    local of program
    for program in gzip zstd xz; do
        for of in whole cut; do "$program" -c <"$SITE/$of.sql" >"$SITE/$of.$program"; done
    done
    for of in whole.sql:complete cut.sql:incomplete middle.sql:incomplete whole.gzip:complete cut.gzip:incomplete \
        whole.zstd:complete cut.zstd:incomplete whole.xz:complete cut.xz:incomplete whole.fc:incomplete; do
        # shellcheck disable=SC2016 # for that shell
        assert_equal "${of%:*}" "$(verdict "judge $SITE_Q/${of%:*}; echo \"\$verdict\"")" "${of#*:}"
    done
}

# The number of a process alone is no reason to signal it.
case_s23_another_process() {
    site_new s23_another_process 1
    # shellcheck disable=SC2016 # for that shell
    local script='me=$(id -u); comm_of() { comm=pg_dump; }; is_ours() { true; }
        sleep 100 & victim=$!; identity_of "$victim"; was=$ticks
        clients="$victim $((was + 1)) $boot pg_dump$newline"; term_clients; kill -0 "$victim" && echo lives
        clients="$victim $was $boot pg_dump$newline"; term_clients | sed "s/ .*//"; wait "$victim"; echo "$?"'
    assert_equal "what was told" "$(verdict "$script" | tr '\n' ' ')" 'lives termed 143 '
}

# Another user's processes are none of ours, and so is what only has the name.
case_not_ours() {
    site_new not_ours 1
    cp "$(command -v sleep)" "$SITE/pg_dump"
    # shellcheck disable=SC2016 # for that shell
    local script='programs="pg_dump pg_dumpall"; is() { if is_ours "$1"; then echo ours; else echo not; fi; }
        '"$SITE_Q"'/pg_dump 100 & one=$!; sleep 100 & other=$!
        until [ "$(cat /proc/$one/comm)" = pg_dump ]; do sleep 0.05; done
        me=$(id -u); is "$one"; is "$other"; me=99999; is "$one"; me=$(id -u); is 1000000000; kill "$one" "$other"'
    assert_equal "what is ours" "$(verdict "$script" | tr '\n' ' ')" 'ours not not not '
}

# Two backups that begin together: one of everything through the socket file, which is in the way, and one
# of a table that nobody needs, which is not.
two_begin() { # HOW the second one reaches the server
    sql 'create table other as select 1 as id; create table third (id int); create table fourth (id int)' "$DB"
    sql "create role second superuser login password '$(cut -d: -f5 "$PGPASSFILE")'" 2>/dev/null || true
    make_big_table
    for name in all one; do
        printf 'export PGPASSFILE=%q\n{ pg_dump %s -d %s; echo "$?" >%s/%s.status; } 2>%s/%s.err | { until [ -e %s/go ]; do sleep 0.1; done; cat; } >%s/%s.sql\n' \
            "$PGPASSFILE" "$([ $name = all ] && echo "-U rig -h $RIG" || echo "-U second -t big -h $1") -p $PGPORT" "$DB" \
            "$SITE_Q" $name "$SITE_Q" $name "$SITE_Q" "$SITE_Q" $name >"$SITE/$name.sh"
    done
    on_host "for name in all one; do setsid sh $SITE_Q/\$name.sh </dev/null >/dev/null 2>&1 & done"
    wait_for 60 both_dump
}
both_dump() { [ "$(sql "select count(*) from pg_stat_activity where application_name = 'pg_dump' and datname = '$DB' and query like 'COPY public.big %'")" = 2 ]; }
# The other one has not even heard of it.
one_is_stopped() {
    expect_status 0 deploy production
    migrated
    assert_gone "$SITE/one.status"
    assert_exists "$SITE/one.sql"
    assert_equal "what the other does" "$(sql "select left(query, 16) from pg_stat_activity where usename = 'second' and datname = '$DB'")" 'COPY public.big '
    touch "$SITE/go"
}

# Whose process reaches the server by TCP has no session of a socket file.
case_socket_file_and_tcp() {
    site_stopping socket_file_and_tcp <<<'backup: {policy: kill, set_aside: true}'
    two_begin 127.0.0.1
    one_is_stopped
    client_was_told "$SITE/all.err"
    assert_exists "$SITE/all.sql.incomplete"
}

# Which of two processes made the session cannot be told: then neither is, and the session is stopped.  A
# server that is just writing to a client that does not read hears of no cancel.
case_socket_file_twice() {
    site_stopping socket_file_twice <<<'backup: {policy: kill, set_aside: true}'
    two_begin "$RIG"
    one_is_stopped
    case $(record 3) in cancel | terminate) ;; *) fail "how: '$(record 3)'" ;; esac
    assert_exists "$SITE/all.sql"
}

rig_open
own_crontab
POSTGRES_SOCKETS=$RIG
start_postgres
start_hosts 1
run_cases "$@"
