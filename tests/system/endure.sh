#!/bin/bash
# What a deploy endures while it waits and migrates: dumps that begin at the wrong moment, deadlocks
# lost and won, connections and clients that die or freeze, supervisors, hosts and databases that
# crash, a clock that is wrong; and what a resume has left to do then.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='s1_nothing_in_the_way s17_in_another_language s27_connection_goes_silent s28_client_is_frozen
    s43_host_reboots_after_it s44_database_crashes_during_the_wait s45_clock_of_the_control_host_is_off
    s54_sqlite_is_being_dumped s55_link_points_there_already s57_interrupted_without_a_terminal s57_ctrl_c_twice'
MIGRATES=rake

bg_says() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
bg_says_not() { ! bg_says "$1" || fail "says '$1'"; }
cr_has_ended() { ! kill -0 "$CR_PID" 2>/dev/null; }
state_is() { run_crelease status --json production; [ "$(json .run.state)" = "$1" ]; }

migrations() { sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB"; }
ours() { sql "select count(*) from pg_stat_activity where application_name like 'crelease-%' and datname = '$DB'"; }
none_of_ours() { [ "$(ours)" = 0 ]; }
columns() { sql "select string_agg(attrelid::regclass::text, ' ' order by attrelid) from pg_attribute where attname = 'c' and attnum > 0 and not attisdropped" "$DB"; }
is_held() { [ "$(sql "select count(*) from pg_locks where relation = '$1'::regclass and granted" "$DB")" -gt 0 ]; }
waits() { [ "$(sql "select count(*) from pg_locks where relation = '$1'::regclass and not granted" "$DB")" -gt 0 ]; }
dump_waits() { [ "$(sql "select count(*) from pg_stat_activity where application_name = 'pg_dump' and datname = '$DB' and wait_event_type = 'Lock'")" -gt 0 ]; }
attempts() { wc -l <"$SITE/attempts"; }
# The folder of the migration's newest attempt.
job() { printf '%s\n' "$SITE/app1/.crelease/runs"/*/jobs/migrate.0/* | tail -n 1; }

migrates_with() { # SHELL TEXT [MORE KEYS]
    recipe_write <<END
migrate: {run: 'echo run >>"$SITE/attempts"; $1', timeout: 200s${2-}}
END
}
alters_zz() { printf 'psql -X -v ON_ERROR_STOP=1 -d %s -c "alter table zz add column c int"' "$DB"; }

site_zz() {
    site_new "$1" 1
    sql 'create table zz (id int)' "$DB"
}

# A migration of two statements in one transaction: it has changed zz and goes on, to aa, when the file
# `go` is there.  A dump takes aa first.
site_two_tables() { # NAME PGOPTIONS REDIRECTION
    site_new "$1" 1
    local table
    for table in aa mm zz; do sql "create table $table (id int)" "$DB"; done
    make_big_table
    cat >"$SITE/migration.sql" <<END
begin;
alter table zz add column c int;
\! touch "$SITE/has-zz"; until [ -e "$SITE/go" ]; do sleep 0.05; done
alter table aa add column c int;
commit;
END
    migrates_with "PGOPTIONS=\"\$PGOPTIONS $2\" psql -X -q -v ON_ERROR_STOP=1 -d $DB -f \"$SITE/migration.sql\" $3" ', lock_timeout: 60s'
}

case_s1_nothing_in_the_way() {
    site_new s1 2
    expect_status 0 deploy production
    commit_ruby_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    commit_ruby_migration 20260103000000 AddNoteToEvents 'add_column :events, :note, :string'
    expect_status 0 deploy --json production
    assert_equal "what is told of waiting" "$(jq -c 'select(.event == "backup" or .event == "blocker" or .state == "waiting")' "$OUT")" ''
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000 20260103000000'
    assert_deployed "$(revision)" 2
}

# --- deadlocks ---------------------------------------------------------------------------------------

# The dump holds aa and waits for zz, and does not look for deadlocks for an hour: the migration does.
case_s17_migration_is_the_victim() {
    site_two_tables s17 '' ''
    start_crelease deploy production
    wait_for 60 test -e "$SITE/has-zz"
    DUMP_UNTIL=dump_waits PGOPTIONS='-c deadlock_timeout=1h' start_dump
    touch "$SITE/go"
    wait_for 60 bg_says 'the migration was the victim of a deadlock.* and its transaction was rolled back \(attempt 1 of'
    # Now the dump has got what it wants, and is waited for.
    wait_for 60 bg_says 'backup app1: pg_dump of s17 by rig, pid '
    wait_for 60 dump_runs
    assert_equal attempts "$(attempts)" 1
    assert_equal columns "$(columns)" ''
    end_dump
    finish_crelease 0
    wait_for 60 grep -q 'PostgreSQL database dump complete' "$SITE/dump.sql"
    assert_equal attempts "$(attempts)" 2
    assert_equal columns "$(columns)" 'aa zz'
    # It was not the dump that lost.
    bg_says_not 'was probably its victim'
    assert_deployed "$(revision)" 1
}

# As above, in words that nobody knows.
case_s17_in_another_language() {
    site_two_tables s17b '' '>/dev/null 2>&1 || { echo FEHLER: Verklemmung entdeckt; exit 3; }'
    start_crelease deploy production
    wait_for 60 test -e "$SITE/has-zz"
    DUMP_UNTIL=dump_waits PGOPTIONS='-c deadlock_timeout=1h' start_dump
    # No word will tell what it was; what the watch has seen does.
    wait_for 60 grep -q ^behind "$(job)/watched"
    touch "$SITE/go"
    wait_for 60 bg_says 'the migration was the victim of a deadlock'
    end_dump
    finish_crelease 0
    assert_equal attempts "$(attempts)" 2
    assert_equal columns "$(columns)" 'aa zz'
}

# The other way round: the migration waits for aa first, then the dump for zz, and finds out.
case_s18_dump_is_the_victim() {
    site_two_tables s18 '-c deadlock_timeout=1h' ''
    mkfifo "$SITE/console"
    PGAPPNAME=console psql -X -q -d "$DB" <"$SITE/console" >/dev/null 2>&1 &
    exec 7>"$SITE/console"
    printf 'begin;\nlock table mm;\n' >&7
    wait_for 30 is_held mm
    start_crelease deploy production
    wait_for 60 test -e "$SITE/has-zz"
    DUMP_UNTIL=dump_waits PGOPTIONS='-c deadlock_timeout=50ms' start_dump
    local dump
    dump=$(sql "select pid from pg_stat_activity where application_name = 'pg_dump'")
    touch "$SITE/go"
    wait_for 60 waits aa
    wait_for 60 bg_says "the migration waits for 'pg_dump' of rig, pid $dump"
    printf 'commit;\n' >&7
    exec 7>&-
    finish_crelease 0
    echo go >&8
    assert_equal attempts "$(attempts)" 1
    assert_equal columns "$(columns)" 'aa zz'
    wait_for 60 grep -q 'deadlock detected' "$SITE/dump.err"
    bg_says "the backup beside it \(pid $dump\) was probably its victim" || fail 'the broken backup is not told of'
    assert_deployed "$(revision)" 1
}

# --- connections and clients -------------------------------------------------------------------------

# What it prints goes on while nobody listens, and is shown by the one who takes it up.
connection_ends() { # NAME HOW OF THE LINK
    site_zz "$1"
    link_start app1
    # shellcheck disable=SC2034 # for the recipe
    PORT_FILE=link.port
    migrates_with "seq 1 50; $(alters_zz) & i=0; while kill -0 \$! 2>/dev/null; do i=\$((i + 1)); echo tick \$i; sleep 0.05; done; wait \$! && echo after" ', lock_timeout: 10m'
    echo 'connection: {alive: 4s}' >>"$RECIPE"
    hold_table_lock
    start_crelease deploy --json production
    wait_for 60 waits zz
    wait_for 60 bg_says '"data":"tick 3"'
    link_cut app1 "$2"
    wait_for 150 cr_has_ended
    finish_crelease 7
    # Of a connection that was cut the host may hear later.
    wait_for 60 no_lock_is_alive
    cp "$CR_OUT" "$SITE/first"
    local size
    size=$(stat -c %s "$(job)/log")
    waits zz || fail 'the statement did not live on'
    wait_for 60 log_is_longer_than "$size"
    link_mend app1
    start_crelease resume --json production
    wait_for 60 bg_says 'reattached to the running job'
    waits zz || fail 'it was not the one that waits'
    drop_table_lock
    finish_crelease 0
    assert_equal attempts "$(attempts)" 1
    assert_equal columns "$(columns)" zz
    shown_of "$SITE/first" | cmp - <(head -n "$(shown_of "$SITE/first" | wc -l)" "$(job)/log") ||
        fail 'what was shown at first is not what was printed'
    shown_of "$CR_OUT" | cmp - <(tail -n "$(shown_of "$CR_OUT" | wc -l)" "$(job)/log") ||
        fail 'what was shown by resume is not what was printed'
    # A piece whose showing could not be told any more is shown again.
    local all twice
    all=$(wc -l <"$(job)/log")
    twice=$(($(shown_of "$SITE/first" "$CR_OUT" | wc -l) - all))
    if [ $twice -lt 0 ] || [ $twice -gt 40 ]; then fail "$all lines, and $twice shown twice"; fi
    assert_deployed "$(revision)" 1
    wait_for 30 none_of_ours
}
shown_of() { jq -r 'select(.event == "output" and .stage == "migrate") | .data' "$@"; }
case_s27_connection_dies_while_an_alter_waits() { connection_ends s27 both; }
# What was sent since was never shown.
case_s27_connection_goes_silent() { connection_ends s27s mute; }
log_is_longer_than() { [ "$(stat -c %s "$(job)/log")" -gt "$1" ]; }

# More than fits into any buffer on the way is printed while nobody reads.
case_s28_client_is_frozen() {
    site_zz s28
    migrates_with "until [ -e \"$SITE/go\" ]; do sleep 0.05; done; yes $(printf '%0200d' 0) | head -n 120000; $(alters_zz); echo last"
    start_crelease deploy --json production
    wait_for 60 test -s "$SITE/attempts"
    wait_for 60 bg_says '"event":"job"'
    kill -STOP "$CR_PID"
    touch "$SITE/go"
    wait_for 120 test -e "$(job)/status"
    case $(cut -d' ' -f3 "/proc/$CR_PID/stat") in T) ;; *) fail 'it was not frozen' ;; esac
    assert_equal columns "$(columns)" zz
    kill -CONT "$CR_PID"
    finish_crelease 0 >"$SITE/told" # long
    assert_equal lines "$(grep -c '"event":"output"' "$CR_OUT")" 120002
    assert_equal last "$(grep '"event":"output"' "$CR_OUT" | tail -n 1 | jq -r .data)" last
    assert_equal attempts "$(attempts)" 1
    assert_deployed "$(revision)" 1
}

# While the first waits for a backup, and while it migrates.
case_s32_second_deploy_meanwhile() {
    site_zz s32
    migrates_with "$(alters_zz)" ', lock_timeout: 10m'
    make_big_table
    start_dump
    start_crelease deploy production
    wait_for 60 state_is waiting
    expect_status 3 deploy production
    expect_output "run .* \($USER@.*\) is alive on these hosts, at stage 'backup-clear'"
    hold_table_lock # before the migration can be through
    end_dump
    wait_for 60 waits zz
    expect_status 3 deploy production
    expect_output "at stage 'migrate'"
    expect_status 3 resume production
    drop_table_lock
    finish_crelease 0
    assert_equal attempts "$(attempts)" 1
    assert_deployed "$(revision)" 1
}

# --- what dies on the host, and of the database ------------------------------------------------------

# A migration of rake's that waits in the middle for the file `block` to go.
site_rake() {
    site_new "$1" 1
    commit_ruby_migration 20260102000000 AddPlaceToEvents "
    File.write('$SITE/attempts', \"x\\n\", mode: 'a')
    sleep 0.05 while File.exist?('$SITE/block')
    add_column :events, :place, :string"
    touch "$SITE/block"
}

# It is followed by its own number; what became of it is asked of the tool.
case_s42_supervisor_killed() {
    site_rake s42
    start_crelease deploy production
    wait_for 60 test -s "$SITE/attempts"
    local supervisor
    read -r supervisor _ <"$(job)/supervisor"
    on_host app1 "kill -KILL $supervisor"
    state_is running || fail 'not running'
    expect_status 3 deploy production
    kill_crelease
    start_crelease resume production
    wait_for 60 bg_says 'reattached to the running job'
    rm "$SITE/block"
    finish_crelease 0
    bg_says 'its exit status was not recorded .*nothing is pending: continuing as if it succeeded' || fail 'not told'
    assert_equal attempts "$(attempts)" 1
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    assert_deployed "$(revision)" 1
    wait_for 30 none_of_ours
}

# Numbers of processes of a host that was restarted are those of others.
host_reboots() {
    host_crash app1
    host_restart app1
    sed -i 's/ [0-9a-f]*-[0-9a-f-]*$/ 11111111-1111-1111-1111-111111111111/' "$(job)/pid" "$(job)/supervisor" "$(job)/beside"
}

case_s43_host_reboots_in_the_migration() {
    site_rake s43
    start_crelease deploy production
    wait_for 60 test -s "$SITE/attempts"
    kill_crelease
    host_reboots
    rm "$SITE/block"
    expect_status 0 resume production
    expect_output 'its exit status was not recorded .* 1 is still pending: starting it again'
    assert_equal attempts "$(attempts)" 2
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    assert_deployed "$(revision)" 1
}

# The crash comes after the last commit, and before the end could be recorded.
case_s43_host_reboots_after_it() {
    site_rake s43b
    rm "$SITE/block"
    recipe_write <<END
migrate: {run: 'rake db:migrate && touch "$SITE/through" && sleep 600', status: 'rake db:migrate:status'}
END
    start_crelease deploy production
    wait_for 60 test -e "$SITE/through"
    kill_crelease
    host_reboots
    expect_status 0 resume production
    assert_equal attempts "$(attempts)" 1
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    assert_deployed "$(revision)" 1
}

# The database goes down with the dump that was waited for, and another one begins when it is back.
case_s44_database_crashes_during_the_wait() {
    site_zz s44
    cat >"$SITE/psql" <<END
#!/bin/sh
while [ -e "$SITE/shut" ]; do sleep 0.05; done
exec psql "\$@"
END
    chmod +x "$SITE/psql"
    recipe_write <<END
database: {adapter: postgresql, name: $DB, psql: '$SITE/psql'}
migrate: {run: 'echo run >>"$SITE/attempts"; $(alters_zz)'}
END
    make_big_table
    start_dump
    start_crelease deploy production
    wait_for 60 bg_says "backup app1: pg_dump of s44 by rig, pid $(dump_pid), .*, waited"
    crash_postgres
    echo go >&8
    wait_for 30 bg_says 'could not check for backups: .*; retrying'
    touch "$SITE/shut"
    restart_postgres || fail 'PostgreSQL does not come back'
    start_dump
    local second
    second=$(dump_pid)
    rm "$SITE/shut"
    wait_for 30 bg_says "pg_dump of s44 by rig, pid $second,"
    assert_gone "$SITE/attempts"
    end_dump
    finish_crelease 0
    assert_equal attempts "$(attempts)" 1
    assert_equal columns "$(columns)" zz
    assert_deployed "$(revision)" 1
    # The one that went down with it is no measure for others.
    [ ! -e "$SITE/app1/.crelease/backups" ] || assert_equal "recorded" "$(wc -l <"$SITE/app1/.crelease/backups")" 1
}

# --- clocks and estimates ----------------------------------------------------------------------------

# clock_off SECONDS: of the machine that the program runs on from now on; hosts and database have the
# right time.
clock_off() {
    [ -e "$RIG/clock.so" ] || cc -shared -fPIC -O2 -o "$RIG/clock.so" "$TOP/tests/lib/clock.c"
    printf '#!/bin/sh\nLD_PRELOAD=%q CLOCK_OFF=%s exec %q "$@"\n' "$RIG/clock.so" "$1" "$PROGRAM" >"$SITE/crelease"
    chmod +x "$SITE/crelease"
    CRELEASE=$SITE/crelease
}
dump_age() { sql "select floor(extract(epoch from clock_timestamp() - xact_start)) from pg_stat_activity where application_name = 'pg_dump' and datname = '$DB'"; }

case_s45_clock_of_the_control_host_is_off() {
    site_new s45 1
    PROGRAM=$CRELEASE
    local start
    start=$(($(date +%s) / 60 * 60 + 1800))
    recipe_write <<END
backup: {schedule: ['$(date -d "@$start" '+%-M %-H * * *') pg_dump nightly']}
migrate: {run: 'true'}
END
    expect_status 0 deploy production
    commit_file public/index.html two
    local now off before after
    now=$(date +%s)
    printf '%s\n' "1 $((now - 86400)) 1000 - - pg_dump $DB" "1 $((now - 172800)) 1000 - - pg_dump $DB" >"$SITE/app1/.crelease/backups"
    make_big_table
    start_dump
    for off in 3600 -3600 0; do
        clock_off "$off"
        before=$(dump_age)
        expect_status 0 backups --json production
        after=$(dump_age)
        json ".backups[0].running_s | . >= $before and . <= $after" | grep -qx true || fail "$off: age $(json '.backups[0].running_s') is not in $before..$after"
        json ".backups[0] | .running_s + .eta_s" | grep -qxE '999|1000|1001' || fail "$off: expected end"
        json '.backups[0].since | sub("\\.[0-9]*"; "") | fromdateiso8601' | awk -v now="$now" '$1 < now - 5 || $1 > now + 60 { exit 1 }' ||
            fail "$off: since $(json '.backups[0].since')"
        assert_equal "$off: next" "$(json '.next_backups[0].at')" "$(date -u -d "@$start" +%Y-%m-%dT%H:%M:%SZ)"
        expect_status 0 backups production
        expect_output "pg_dump of s45 by rig, pid [0-9]+, for [0-9.]+ (s|min [0-9]+ s);"
        expect_output ' about 1[56] min [0-9]+ s left'
        expect_output 'pg_dump nightly\) starts at [0-9:]+, in (30|29|28|27|26) min'
        expect_status 0 status production
        expect_output 'pg_dump of s45'
    done
    # The deploy, too: what others see of it, its name, and what it records.
    clock_off 3600
    start_crelease deploy --json production
    wait_for 60 bg_says '"event":"backup".*"state":"waiting"'
    CRELEASE=$PROGRAM
    wait_for 60 state_is waiting
    expect_status 3 deploy production
    expect_status 0 status production
    expect_output 'waiting|backup-clear'
    end_dump
    finish_crelease 0
    jq -r 'select(.event == "backup") | .running_s' "$CR_OUT" | awk '$1 < 0 || $1 > 300 { exit 1 }' || fail 'the age of the dump'
    assert_equal "other ends than expected" "$(jq -r 'select(.event == "backup" and .state == "waiting") | .running_s + .eta_s' "$CR_OUT" | grep -vE '^(999|1000|1001)$')" ''
    assert_deployed "$(revision)" 2
}

# dump_slowly RATE FILE: a real pg_dump on the host, whose reader takes so many bytes a second.  $SITE/behind gets the
# seconds by which a loaded machine has held it up.
dump_slowly() {
    cat >"$SITE/slow.pl" <<'END'
use Time::HiRes qw(time sleep);
$| = 1;
my ($begun, $n, $part) = (time, 0);
while (sysread(STDIN, $part, 65536)) {
    print $part;
    $n += length $part;
    my $ahead = $n / $ARGV[0] - (time - $begun);
    sleep $ahead if $ahead > 0;
}
open my $behind, '>>', $ARGV[1] or die;
printf $behind "%.1f\n", time - $begun - $n / $ARGV[0];
END
    rm -f "$SITE/ended"
    mkdir -p "$SITE/dumps"
    { on_host app1 "pg_dump -d '$DB' | perl '$SITE/slow.pl' $1 '$SITE/behind' >'$2'"; date +%s >"$SITE/ended"; } </dev/null &
    disown
    wait_for 60 dump_runs
}

# Three earlier ones that differ as those of a busy machine do, then one of a database that has grown.
# What is held against each other is what was told and what came of it.
case_s50_backup_grows() {
    site_zz s50
    recipe_write <<<"migrate: {run: 'true'}"
    expect_status 0 deploy production
    # Large against an empty database, which is eight megabytes.
    sql "create table data as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 60000) g" "$DB"
    local rate day=3 n=0
    for rate in 4000000 3500000 3200000; do
        commit_file public/index.html "$rate"
        dump_slowly "$rate" "$SITE/dumps/s50.sql"
        expect_status 0 deploy production
        wait_for 30 test -e "$SITE/ended"
        rm "$SITE/dumps/s50.sql"
        # It was some nights ago.
        awk -v last="$(wc -l <"$SITE/app1/.crelease/backups")" -v days=$day \
            'NR == last { $2 -= days * 86400 } { print }' "$SITE/app1/.crelease/backups" >"$SITE/aged"
        cp "$SITE/aged" "$SITE/app1/.crelease/backups"
        day=$((day - 1))
    done
    cat "$SITE/aged"
    sql "insert into data select g, repeat(md5(g::text), 32) from generate_series(1, 12000) g" "$DB"
    dump_slowly 3500000 "$SITE/dumps/s50.sql"
    local from until
    while [ ! -e "$SITE/ended" ]; do
        from=$(date +%s)
        run_crelease backups --json production
        until=$(date +%s)
        json ".backups[0] // empty | select(.eta_s != null) | \"$from $until \\(.eta_low_s) \\(.eta_high_s) \\(.eta_s) \\(.running_s) \\(.overdue_s)\"" >>"$SITE/told"
    done
    cat "$SITE/told"
    cat "$SITE/behind"
    # Seconds are whole on both sides, and the dumps may have been held up for some; what is wrong all the time
    # was no estimate.
    n=$(awk -v end="$(cat "$SITE/ended")" -v off="$(awk '{ off += $1 } END { print 2 + off }' "$SITE/behind")" '
        $7 != "null" { bad += ($7 > 4 + off); next }
        $1 + $3 - off > end || $2 + $4 + off < end { print "not within", $0 >"/dev/stderr"; bad++; next }
        { good++ }
        END { print good + 0; exit (bad > good) }' "$SITE/told") ||
        fail "the end, $(cat "$SITE/ended"), was not in the ranges that were told: $(head -n 1 "$SITE/told")"
    [ "$n" -ge 3 ] || fail "only $n ranges were told"
}

# --- a database that is a file -----------------------------------------------------------------------

sqlite_begin() {
    sqlite3 "$SITE/app.db" "create table zz (id int, body text); with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000) insert into zz select i, hex(randomblob(200)) from n"
    mkfifo "$SITE/gate"
    exec 8<>"$SITE/gate"
    { sqlite3 -cmd '.timeout 60000' "$SITE/app.db" .dump | { read -r _ <&8; cat >"$SITE/dump.sql"; echo x >"$SITE/dumped"; }; } &
    disown
    wait_for 60 sqlite_is_locked
}
# Only a look at it may come in the way of the dump, which waits then.
sqlite_is_locked() { ! sqlite3 "$SITE/app.db" 'begin exclusive; rollback'; }

case_s54_sqlite_is_being_dumped() {
    site_new s54 1
    local alter='alter table zz add column c int'
    recipe_write <<END
database: {adapter: none}
migrate: {run: 'echo run >>"$SITE/attempts"; sqlite3 "$SITE/app.db" "$alter"', attempts: 2}
END
    sqlite_begin
    expect_status 1 deploy production
    expect_output 'the migration found the SQLite database locked \(.*\) \(attempt 1 of 2\)'
    expect_output 'found the SQLite database locked .*; gave up after 2 attempts'
    assert_equal attempts "$(attempts)" 2
    sed -i 's/attempts: 2/attempts: 20/' "$RECIPE"
    start_crelease resume --new-recipe production
    wait_for 60 bg_says 'found the SQLite database locked .*\(attempt 1 of 20\)'
    echo go >&8
    wait_for 60 test -e "$SITE/dumped"
    finish_crelease 0
    assert_equal column "$(sqlite3 "$SITE/app.db" 'select count(*) from pragma_table_info("zz") where name = "c"')" 1
    assert_equal 'end of the dump' "$(tail -n 1 "$SITE/dump.sql")" 'COMMIT;'
    assert_deployed "$(revision)" 1
    # What is not a lock is not tried again.
    : >"$SITE/attempts"
    commit_file public/index.html two
    expect_status 1 deploy production
    expect_output 'duplicate column name'
    assert_equal attempts "$(attempts)" 1
}

# --- what is left to be done -------------------------------------------------------------------------

link_is() { stat -c '%i %y' "$SITE/app1/current"; }

# As in the story: somebody has finished the deploy by hand as far as the link.
case_s55_link_points_there_already() {
    site_new s55 1
    expect_status 0 deploy production
    local first second link
    first=$(release)
    commit_file public/index.html two
    recipe_write <<END
hooks: {before switch: ['test -e "$SITE/go"']}
health: {run: 'test ! -e "$SITE/ill"', attempts: 1, on_failure: stop}
END
    expect_status 1 deploy production
    second=$(releases app1 | tail -n 1)
    ln -sfn "$SITE/app1/releases/$second" "$SITE/app1/current"
    link=$(link_is)
    touch "$SITE/go" "$SITE/ill"
    expect_status 1 resume production
    assert_equal "the link" "$(link_is)" "$link"
    # And the way back is where the run found it.
    expect_status 0 abort production
    assert_equal "live" "$(release)" "$first"
    rm "$SITE/ill"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
}

case_s56_restart_fails() {
    site_zz s56
    recipe_write <<END
build: ['echo x >>"$SITE/builds"']
migrate: {run: 'echo run >>"$SITE/attempts"; $(alters_zz)'}
restart: {run: 'echo x >>"$SITE/restarts"; test -e "$SITE/mended"'}
END
    expect_status 1 deploy production
    expect_output "stage 'restart'"
    expect_output 'users see: current is [0-9]{14} on app1'
    local link
    link=$(link_is)
    expect_status 1 resume production
    assert_equal restarts "$(wc -l <"$SITE/restarts")" 2
    touch "$SITE/mended"
    expect_status 0 resume production
    assert_equal restarts "$(wc -l <"$SITE/restarts")" 3
    assert_equal builds "$(wc -l <"$SITE/builds")" 1
    assert_equal attempts "$(attempts)" 1
    assert_equal "the link" "$(link_is)" "$link"
    assert_deployed "$(revision)" 1
}

# rake, whose statement waits for a lock: it heeds no signal before that ends.
site_rake_waits() {
    site_zz "$1"
    recipe_write <<<"migrate: {run: 'rake db:migrate', status: 'rake db:migrate:status', lock_timeout: 10m}"
    commit_ruby_migration 20260102000000 AddZzC "
    File.write('$SITE/attempts', \"x\\n\", mode: 'a')
    execute 'alter table zz add column c int'"
    hold_table_lock
    exec 6>&7 # 7 is a terminal's
}

case_s57_interrupted_without_a_terminal() {
    site_rake_waits s57
    start_crelease deploy production
    wait_for 60 waits zz
    kill -INT "$CR_PID"
    finish_crelease 130
    bg_says "'rake db:migrate' was left running on the host" || fail 'nothing said of the migration'
    waits zz || fail 'the migration was ended'
    start_crelease resume production
    wait_for 60 bg_says 'reattached to the running job'
    printf '\\q\n' >&6
    finish_crelease 0
    assert_equal attempts "$(attempts)" 1
    assert_equal columns "$(columns)" zz
    assert_deployed "$(revision)" 1
}

case_s57_ctrl_c_once() {
    site_rake_waits s57once
    start_on_terminal deploy production
    wait_for 60 waits zz
    printf '\003' >&7
    wait_for 60 terminal_shows "stopping when the command of 'migrate' has ended"
    waits zz || fail 'the migration was ended'
    printf '\\q\n' >&6
    finish_on_terminal 130
    assert_equal columns "$(columns)" zz
    expect_status 0 resume production
    assert_equal attempts "$(attempts)" 1
    assert_deployed "$(revision)" 1
}

case_s57_ctrl_c_twice() {
    site_rake_waits s57twice
    start_on_terminal deploy production
    wait_for 60 waits zz
    printf '\003' >&7
    wait_for 60 terminal_shows 'Ctrl-C again'
    printf '\003' >&7
    finish_on_terminal 130
    terminal_shows "stopped, and 'rake db:migrate' was ended" || fail 'nothing said of its end'
    # Nothing of it waits in the database, to be carried out later.
    wait_for 30 none_of_ours
    waits zz && fail 'its statement waits on'
    printf '\\q\n' >&6
    assert_equal columns "$(columns)" ''
    expect_status 0 resume production
    assert_equal attempts "$(attempts)" 2
    assert_equal columns "$(columns)" zz
    assert_deployed "$(revision)" 1
}

rig_open
start_postgres
start_hosts 1
run_cases "$@"
