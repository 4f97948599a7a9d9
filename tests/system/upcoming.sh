#!/bin/bash
# When the next backup starts, how long the present one will run, and a migration that stays out of
# the way of both.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='age_by_its_process process_of_another_dump stopped_is_not_recorded clearance_of_none clearance_in_vain
    s47_crontab_refused folders'

# A host's crontab and timers: the programs that print them are files of the rig, found by the login's
# PATH, and print what a case has put there.  Without a file there is none, as on a host without cron.
own_programs() {
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/crontab" <<END
#!/bin/sh
[ ! -e "$RIG/crontab.refused" ] || { echo "You (\$(id -un)) are not allowed to use this program (crontab)" >&2; exit 1; }
cat "$RIG/crontab" 2>/dev/null || { echo "no crontab for \$(id -un)" >&2; exit 1; }
END
    cat >"$RIG/bin/systemctl" <<END
#!/bin/sh
case "\$* " in
*--user*) echo 'Failed to connect to bus: No medium found' >&2; exit 1 ;;
*list-timers*) cat "$RIG/timers" ;;
*show*) cat "$RIG/units" ;;
esac
END
    chmod +x "$RIG/bin/crontab" "$RIG/bin/systemctl"
    : >"$RIG/timers"
    : >"$RIG/units"
    HOST_PATH=$RIG/bin:$HOST_PATH
}

crontab_is() {
    rm -f "$RIG/crontab.refused"
    cat >"$RIG/crontab"
}

# The minute of the clock that begins N minutes after BASE, as the first fields of a cron line.
now_is() { BASE=$(($(date +%s) / 60 * 60)); }
minute_in() { date -d "@$((BASE + $1 * 60))" '+%-M %-H * * *'; }
rfc3339_in() { date -u -d "@$((BASE + $1 * 60))" '+%Y-%m-%dT%H:%M:00Z'; }

own() { json '.next_backups[] | select(.source == "crontab") | .command'; }

case_next() {
    site_deployed next 1
    now_is
    crontab_is <<END
# m h dom mon dow
MAILTO=ann@example.com
$(minute_in 90) PGPASSWORD=hunter2 pg_dump shop | gzip > /b/shop-\$(date +\%F).gz
$(minute_in 30) $SITE/nightly.sh --all
$(minute_in 20) $SITE/other.sh
$(minute_in 10) find /var/backups -mtime +7 -delete
@reboot pg_dump shop
END
    # shellcheck disable=SC2016 # as it stands in the crontab
    local want="$SITE/nightly.sh --all"$'\n''PGPASSWORD=[secret] pg_dump shop | gzip > /b/shop-$(date +%F).gz'
    printf '#!/bin/sh\nset -e\npg_dump shop >/dev/null\n' >"$SITE/nightly.sh"
    printf '#!/bin/sh\n# not pg_dump\ntrue\n' >"$SITE/other.sh"
    expect_status 0 backups --json production
    assert_equal "commands" "$(own)" "$want"
    assert_equal "at" "$(json '[.next_backups[] | select(.source == "crontab").at] | join(" ")')" "$(rfc3339_in 30) $(rfc3339_in 90)"
    expect_status 0 status --json production
    assert_equal "commands" "$(own)" "$want"
    expect_status 0 backups production
    expect_output "a backup \($SITE/nightly.sh --all\) starts at $(date -d "@$((BASE + 1800))" +%H:%M), in (30|29|28|27) min"
    expect_no_output hunter2
    expect_status 0 status production
    expect_output 'nightly.sh --all\) starts at'
}

# What may not be read is not "none".
case_s47_crontab_refused() {
    site_new s47 1
    crontab_is </dev/null
    touch "$RIG/crontab.refused"
    expect_status 0 backups --json production
    json '.could_not_read[]' | grep -q '^crontab: You .* are not allowed' || fail "it was not told"
    expect_status 0 backups production
    expect_output 'could not read crontab: you .* are not allowed'
    expect_no_output 'no backup is scheduled in crontabs'
    rm "$RIG/crontab.refused" "$RIG/crontab"
    expect_status 0 backups --json production
    assert_equal "could not read" "$(json '[.could_not_read[] | select(startswith("crontab: "))] | length')" 0
}

case_timers() {
    site_new timers 1
    printf '%s\n' \
        'Mon 2096-11-23 00:00:00 UTC 5h 3min left Sun 2096-11-22 00:00:00 UTC 18h ago dump.timer dump.service' \
        'Mon 2096-11-24 00:00:00 UTC 1 day left - - later.timer later.service' \
        'n/a n/a n/a n/a other.timer other.service' '' '3 timers listed.' >"$RIG/timers"
    printf '%s\n' 'ExecStart={ path=/usr/bin/pg_dump ; argv[]=/usr/bin/pg_dump -Fc shop ; ignore_errors=no ; start_time=[n/a] ; }' \
        >"$RIG/units.tmp"
    # In systemctl's own order: the name comes last, a blank line divides.
    {
        cat "$RIG/units.tmp"
        printf '%s\n' 'Id=dump.service' '' 'ExecStart={ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; start_time=[n/a] ; }'
        printf '%s\n' 'ExecStart={ path=/bin/pg_dump ; argv[]=/bin/pg_dump two ; ignore_errors=no ; start_time=[n/a] ; }' 'Id=later.service'
        printf '%s\n' '' 'Id=other.service'
    } >"$RIG/units"
    expect_status 0 backups --json production
    assert_equal "timer" "$(json '.next_backups[] | select(.source == "systemd'\''s timers") | [.at, .command] | join(" ")')" \
        $'2096-11-23T00:00:00Z /usr/bin/pg_dump -Fc shop\n2096-11-24T00:00:00Z /bin/pg_dump two'
    local shell
    for shell in dash 'bash --posix' 'busybox ash' mksh; do
        # shellcheck disable=SC2086 # words
        {
            host_script "deploy_to=/nowhere run='' epoch='' release='' step='' verb=look read_all=yes"
            cat "$TOP/src/stages/backup/upcoming.sh"
        } | PATH=$RIG/bin:$PATH $shell >"$SITE/said" || fail "$shell: status $?"
        assert_equal "$shell" "$(sed -n 's/^unit \([IE][A-Za-z]*=[a-z.]*\).*/\1/p' "$SITE/said" | tr '\n' ' ')" \
            'Id=dump.service ExecStart= Id=later.service ExecStart= ExecStart= Id=other.service '
    done
    : >"$RIG/timers"
    : >"$RIG/units"
}

case_recipe() {
    site_new recipe 1
    now_is
    crontab_is <<<"$(minute_in 5) pg_dump here"
    recipe_write <<<"backup: {schedule: none}"
    expect_status 0 backups --json production
    assert_equal "next" "$(json .next_backups)" null
    assert_equal "why" "$(json .could_not_foresee)" "the recipe says not to (backup.schedule: none)"
    recipe_write <<<"backup: {schedule: ['$(minute_in 7)', '$(minute_in 9) pg_dump far']}"
    expect_status 0 backups --json production
    assert_equal "next" "$(json '[.next_backups[] | .command, .at, .source] | join(" ")')" \
        "a backup $(rfc3339_in 7) the recipe pg_dump far $(rfc3339_in 9) the recipe"
    recipe_write <<<"backup: {schedule: ['every night']}"
    expect_status 2 backups production
    expect_output "cron line such as"
    rm "$RIG/crontab"
}

# The folders of the system, of which a copy stands in the rig: the real script, with /etc another one,
# in each of the shells of a host.
case_folders() {
    local shell root=$RIG/etc.$BASHPID
    mkdir -p "$root/cron.d" "$root/cron.daily"
    echo "17 2 * * * root cd / && run-parts --report $root/cron.daily" >"$root/crontab"
    printf '%s\n' 'CRON_TZ=Europe/Berlin' '5 1 * * * postgres pg_dump shop' >"$root/cron.d/shop"
    echo '5 1 * * * postgres pg_dump old' >"$root/cron.d/shop.dpkg-old"
    printf '#!/bin/sh\nexec pg_dumpall >/b\n' >"$root/cron.daily/zz"
    printf '#!/bin/sh\ntrue\n' >"$root/cron.daily/aa"
    touch "$root/debian_version"
    for shell in dash 'bash --posix' 'busybox ash' mksh; do
        {
            host_script "deploy_to=/nowhere run='' epoch='' release='' step='' verb=look read_all=yes"
            sed -e "s|/etc/cron|$root/cron|g" -e "s|/etc/debian|$root/debian|g" -e 's|/var/spool|/nowhere|g' "$TOP/src/stages/backup/upcoming.sh"
        } >"$root/script"
        # shellcheck disable=SC2086 # words
        HOME=$root PATH=$RIG/bin:$PATH $shell <"$root/script" >"$root/said" || fail "$shell: status $?"
        cat "$root/said"
        grep -qx "source read system $root/crontab" "$root/said" || fail "$shell: crontab"
        grep -qx "script pg_dump $root/cron.daily" "$root/said" || fail "$shell: run-parts"
        grep -qx 'line 5 1 \* \* \* postgres pg_dump shop' "$root/said" || fail "$shell: cron.d"
        grep -qE '^tz Europe/Berlin 545a6966[0-9a-f]+$' "$root/said" || fail "$shell: zone"
        ! grep -q 'pg_dump old' "$root/said" || fail "$shell: a file that cron does not read"
        grep -qx 'end schedule' "$root/said" || fail "$shell: end"
        chmod 0 "$root/cron.d/shop"
        # shellcheck disable=SC2086
        root || HOME=$root PATH=$RIG/bin:$PATH $shell <"$root/script" >"$root/said"
        root || grep -A1 "^source unreadable system $root/cron.d/shop" "$root/said" | grep -q '^why ' || fail "$shell: unreadable"
        chmod 644 "$root/cron.d/shop"
    done
}

# Before a migration that would meet one.
case_warning() {
    site_new warning 1
    now_is
    crontab_is <<<"$(minute_in 8) pg_dump $DB"
    local warning="a backup \(pg_dump $DB\) starts at [0-9:]+, in .* it may block the migration"
    expect_status 0 plan production
    expect_output "$warning"
    expect_status 0 plan --json production
    assert_equal "warnings" "$(json '.warnings | length')" 1
    assert_equal "upcoming" "$(json '.upcoming_backups | length')" 1
    crontab_is <<<"$(minute_in 200) pg_dump $DB"
    expect_status 0 plan production
    expect_output "^upcoming: a backup \(pg_dump $DB\) starts at [0-9:]+"
    expect_no_output 'may block the migration'
    crontab_is <<<"$(minute_in 8) pg_dump $DB"
    expect_status 0 check production
    expect_output "next backup +$warning"
    expect_status 0 deploy production
    expect_output "warning: app1: $warning"
    # Nothing to migrate, and nobody is asked.
    commit_file public/index.html two
    expect_status 0 deploy production
    expect_no_output 'may block the migration'
    # With a record of how long they take here.
    recipe_write <<<'migrate: {run: bin/migrate, status: bin/migrate-status, lock_timeout: 500ms, paths: [db]}'
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    expect_status 0 deploy production
    expect_no_output 'may block the migration'
    # The first lines name it, since there is a migration among the files.
    grep -qE '^[0-9:]+ upcoming: a backup \(pg_dump .*\) starts at [0-9:]+, in ' "$OUT" || fail 'not in the first lines'
    rm "$RIG/crontab"
}

# dump_to FILE [MEGABYTES]: a real pg_dump of the site's database on its last host, whose output stands
# still after its first megabyte, or after so many.
dump_to() {
    DUMP_GATE=$SITE/gate.$RANDOM
    mkfifo "$DUMP_GATE"
    exec 8<>"$DUMP_GATE"
    mkdir -p "$(dirname "$1")"
    cat >"$SITE/halting.pl" <<'END'
$| = 1;
for (my $n = 0; $n < $ARGV[1] << 20; $n += length $part) { sysread(STDIN, $part, 65536) or die; print $part }
open my $gate, "<", $ARGV[0] or die; <$gate>;
print $part while sysread(STDIN, $part, 65536);
END
    on_host "${SITE_HOSTS[-1]}" "pg_dump -d '$DB' 2>'$SITE/dump.err' | perl '$SITE/halting.pl' '$DUMP_GATE' ${2-1} >'$1'" </dev/null 8>&- &
    disown
    wait_for 60 dump_runs
    wait_for 60 has_megabytes "$1" "${2-1}"
}
has_megabytes() { [ "$(stat -c %s "$1")" -ge "$(($2 * 1048576))" ]; }

says_so_far() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }

# Of the first backup of a database, by a sample of its tables: aa of 20 MB as text is behind it, and
# of big, which is compressed on disk, 16 of 64.
case_first_backup() {
    site_deployed first_backup 2
    sql "create table aa as select g as id, md5(g::text) || md5((g+1)::text) || md5((g+2)::text) as body
            from generate_series(1, 200000) g;
        create table \"aa Never Read\" (id int);
        create table big as select g as id, repeat(md5(g::text), 125) as body from generate_series(1, 16000) g" "$DB"
    dump_to "$SITE/dumps/now.sql" 36
    wait_for 60 percent_is_known
    assert_equal "from" "$(json '.backups[0].eta_from')" "sampled rows of its tables, a guess"
    assert_equal "percent" "$(json '.backups[0].percent | . >= 40 and . <= 80')" true
    assert_equal "a range" "$(json '.backups[0] | .eta_low_s <= .eta_s and .eta_s < .eta_high_s')" true
    expect_status 0 backups production
    expect_output 'about .* left \(.*\), from sampled rows of its tables, a guess'
    # Who may not read the tables learns nothing, and says so.
    sql "create role reader login password '$(cut -d: -f5 "$PGPASSFILE")' in role pg_read_all_stats"
    recipe_write <<<"database: {adapter: postgresql, name: $DB, psql: psql -U reader}"
    expect_status 0 backups production
    expect_output 'expected end unknown'
    # Behind an ALTER TABLE that waits for the dump it does not queue for long.
    psql -X -d "$DB" -c 'alter table big add column x int' >/dev/null 2>&1 &
    local queued=$!
    wait_for 30 is_queued
    recipe_write </dev/null
    expect_status 0 backups production
    expect_output 'expected end unknown'
    end_dump
    wait "$queued" || fail "the ALTER TABLE has failed"
}
is_queued() { [ "$(sql "select count(*) from pg_locks where not granted and relation = 'big'::regclass" "$DB")" = 1 ]; }

# The role does not see since when it runs; the host, on which its client runs, does.
case_age_by_its_process() {
    site_deployed age_by_its_process 2
    make_big_table
    sql "create role blind login password '$(cut -d: -f5 "$PGPASSFILE")'"
    recipe_write <<<"database: {adapter: postgresql, name: $DB, psql: psql -U blind}"
    printf '%s\n' "1 $(($(date +%s) - 86400)) 1000 - - pg_dump $DB" >"$SITE/app2/.crelease/backups"
    dump_to "$SITE/dumps/now.sql"
    wait_for 60 percent_is_known
    assert_equal "what is known" "$(json '.backups[0] | [.since, .eta_from, (.running_s >= 0)] | tostring')" '[null,"the last backup",true]'
    expect_status 0 backups production
    expect_output "pg_dump of .*, pid $(dump_pid), for [0-9.]+ (s|min [0-9]+ s); a migration would wait for it"
    end_dump
}

# A dump that another machine makes, and one that this host makes: each has its own process, or none.
case_process_of_another_dump() {
    site_new another_dump 2
    make_big_table
    pg_dump -d "$DB" 2>/dev/null | { until [ -e "$SITE/go" ]; do sleep 0.1; done; } &
    wait_for 30 dump_runs
    local first
    first=$(dump_pid)
    wait_for 30 is_five_seconds_old "$first"
    dump_to "$SITE/dumps/now.sql"
    expect_status 0 backups --json production
    assert_equal "process of the first" "$(json ".backups[] | select(.pid == $first) | .process | tostring")" null
    touch "$SITE/go"
    end_dump
}

is_five_seconds_old() { [ "$(sql "select now() - xact_start > '5 s' from pg_stat_activity where pid = $1")" = t ]; }

case_s48_estimate() {
    site_deployed estimate 2
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    dump_to "$SITE/dumps/shop-20261122.sql"
    # Nothing is known of earlier ones.
    expect_status 0 backups production
    expect_output 'pg_dump .*for .*; a migration would wait'
    expect_output 'expected end unknown'
    expect_output "process [0-9]+: pg_dump \| perl > $SITE/dumps/shop-20261122.sql, 1\.[0-9] MB so far"
    expect_status 0 plan production
    expect_output 'warning: pg_dump of .*: a migration would wait for it'
    expect_status 0 check production
    expect_output 'backup .*pg_dump of .*: a migration would wait for it'
    expect_status 0 backups --json production
    assert_equal "its process" "$(json '.backups[0].process | [.pipeline, .output, .output_bytes > 1000000] | tostring')" \
        "[[\"pg_dump\",\"perl\"],\"$SITE/dumps/shop-20261122.sql\",true]"
    assert_equal "nothing known" "$(json '.backups[0] | [.percent, .eta_s, .eta_from, .overdue_s] | tostring')" '[null,null,null,null]'
    # Files beside it, that are older than their own birth.
    local file size
    size=$(stat -c %s "$SITE/dumps/shop-20261122.sql")
    for file in shop-20261120.sql shop-20261121.sql shop-20261121.sql.bad other-20261121.sql; do
        head -c $((size * 4)) /dev/zero >"$SITE/dumps/$file"
        touch -d 2026-01-01 "$SITE/dumps/$file"
    done
    touch -d 2026-01-02 "$SITE/dumps/shop-20261121.sql"
    wait_for 60 percent_is_known
    assert_equal "from files" "$(json '.backups[0].eta_from')" "its size and that of the last 2 backups"
    assert_equal "about a quarter" "$(json '.backups[0].percent | . >= 20 and . <= 26')" true
    in_each_shell
    # And what crelease has seen itself; lines that are no such record count for nothing.
    local now
    now=$(date +%s)
    printf '%s\n' "1 $((now - 86400)) 1000 $((size * 4)) - pg_dump $DB" "1 $((now - 86400)) 1 1 - pg_dump another" "2 x" \
        "1 $((now - 172800)) 1000 $((size * 4)) - pg_dump $DB" 'x' >"$SITE/app2/.crelease/backups"
    expect_status 0 backups production
    expect_output 'about .* left \(.*\), from the last 4 backups and its size'
    expect_status 0 status --json production
    assert_equal "from both" "$(json '.backups[0].eta_from')" "the last 4 backups and its size"
    start_crelease deploy production
    wait_for 60 says_so_far 'backup app2: pg_dump .* %, about .* left \(.*\), from the last 4 backups and its size'
    end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    # It is recorded, with its size and the database's.  What then lay in the pipe behind it may come later.
    local recorded
    recorded=$(tail -n 1 "$SITE/app2/.crelease/backups")
    grep -qE "^1 [0-9]{10} [0-9]+ [0-9]{7,} [0-9]{7,} pg_dump $DB\$" <<<"$recorded" || fail "recorded: $recorded"
    recorded=$(cut -d' ' -f4 <<<"$recorded")
    wait_for 60 dump_is_whole "$SITE/dumps/shop-20261122.sql"
    size=$(($(stat -c %s "$SITE/dumps/shop-20261122.sql") - recorded))
    if [ $size -lt 0 ] || [ $size -gt 131072 ]; then fail "$recorded bytes are recorded, $size too few"; fi
    assert_equal "lines of the record" "$(wc -l <"$SITE/app2/.crelease/backups")" 4
    assert_gone "$SITE/app2/.crelease/backups.new"
}

dump_is_whole() { tail -n 5 "$1" | grep -q 'PostgreSQL database dump complete'; }

# The same script in each of the shells of a host.
in_each_shell() {
    local shell
    touch -d '+10 minutes' "$SITE/dumps/shop-20261119.sql"
    echo x >"$SITE/dumps/shop-20261119.sql"
    touch -d '+10 minutes' "$SITE/dumps/shop-20261119.sql"
    {
        host_script "deploy_to=/nowhere run='' epoch='' release='' step='' path='' record='' verb=look database='$DB' name=pg_dump"
        cat "$TOP/src/stages/backup/progress.sh"
    } >"$SITE/script"
    for shell in dash 'bash --posix' 'busybox ash' mksh; do
        # shellcheck disable=SC2086 # words
        $shell <"$SITE/script" >"$SITE/said" 2>&1 || fail "$shell: status $?"
        cat "$SITE/said"
        grep -qE '^client [0-9]+ [0-9]+ [0-9a-f-]+$' "$SITE/said" || fail "$shell: client"
        grep -qx "output $size $SITE/dumps/shop-20261122.sql" "$SITE/said" || fail "$shell: output"
        assert_equal "$shell: earlier" "$(grep -c '^earlier ' "$SITE/said")" 3
        # Where files have a time of birth, and stat tells it.
        if [ "$shell" != 'busybox ash' ] && [ "$(stat -c %W "$SITE/dumps/shop-20261119.sql")" -gt 0 ]; then
            awk '$1 == "earlier" && $2 == 2 { n += $4 - $3 >= 590 } END { exit n != 1 }' "$SITE/said" || fail "$shell: birth"
        fi
        grep -qx 'end backup_host' "$SITE/said" || fail "$shell: end"
    done
    rm "$SITE/dumps/shop-20261119.sql"
}

percent_is_known() { run_crelease backups --json production; [ "$(json '.backups[0].percent')" != null ]; }

# The record has an end; and one that takes longer than any before is overdue.
case_s49_overdue() {
    site_deployed overdue 1
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    dump_to "$SITE/dump.sql"
    local i now
    now=$(date +%s)
    for i in $(seq 60); do
        echo "1 $((now - 6000000 + i * 86400)) 1 - - pg_dump $DB"
    done >"$SITE/app1/.crelease/backups"
    wait_for 60 is_overdue
    assert_equal "eta" "$(json '.backups[0].eta_s')" 0
    expect_status 0 backups production
    expect_output 'overdue by .*, from the last 5 backups'
    start_crelease deploy --json production
    wait_for 60 says_so_far '"event":"backup".*"eta_s":0.*"overdue_s":[0-9]+'
    end_dump
    finish_crelease 0
    assert_equal "lines of the record" "$(wc -l <"$SITE/app1/.crelease/backups")" 50
}
is_overdue() { run_crelease backups --json production; [ "$(json '.backups[0].overdue_s')" -gt 0 ]; }

# What was stopped, by crelease or somebody else, is no measure.
case_stopped_is_not_recorded() {
    site_deployed stopped_is_not_recorded 1
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    dump_to "$SITE/dump.sql"
    expect_status 0 deploy --on-backup=kill production
    assert_gone "$SITE/app1/.crelease/backups"
    end_dump
    commit_migration 20260103000000 AddNoteToEvents 'alter table events add column note text'
    echo "1 $(($(date +%s) - 86400)) 5000 - - pg_dump $DB" >"$SITE/app1/.crelease/backups"
    dump_to "$SITE/dump2.sql"
    start_crelease deploy production
    wait_for 60 says_so_far 'about .* left .*, from the last backup'
    sql "select pg_terminate_backend($(dump_pid))" >/dev/null
    finish_crelease 0
    assert_equal "lines of the record" "$(wc -l <"$SITE/app1/.crelease/backups")" 1
}

# site_before NAME BACKUP: a migration is pending, and a backup is to start in some minutes.
site_before() {
    site_deployed "$1" 1
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    now_is
    recipe_write <<<"backup: {schedule: ['$(minute_in 8) pg_dump nightly'], $2}"
}
state_is() { run_crelease status --json production; [ "$(json .run.state)" = "$1" ]; }
migrations() { sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB"; }

# It is let come and go before the migration.
case_clearance() {
    site_before clearance 'clearance: 10m'
    make_big_table
    start_crelease deploy production
    wait_for 60 says_so_far 'backup app1: a backup of clearance, not started yet, .*: it starts at [0-9:]+ \(pg_dump nightly\), and the migration waits for it'
    wait_for 60 state_is waiting
    kill -INT "$CR_PID"
    finish_crelease 130
    start_crelease resume production
    wait_for 60 says_so_far 'the migration waits for it'
    assert_equal "migrations" "$(migrations)" 20260101000000
    start_dump
    wait_for 60 says_so_far 'pg_dump of clearance by '
    assert_equal "migrations" "$(migrations)" 20260101000000
    end_dump
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal "migrations" "$(migrations)" '20260101000000 20260102000000'
}

# With nothing pending, or with one further away, nobody waits.
case_clearance_of_none() {
    site_before clearance_of_none 'clearance: 10s'
    expect_status 0 deploy production
    expect_no_output 'migration waits for it'
    recipe_write <<<"backup: {schedule: ['$(minute_in 8) pg_dump nightly'], clearance: 10m}"
    commit_file public/index.html two
    expect_status 0 deploy production
    expect_no_output 'migration waits for it'
}

case_clearance_and_policy() {
    site_before clearance_and_policy 'clearance: 10m, policy: abort'
    expect_status 4 deploy production
    expect_output 'a backup \(pg_dump nightly\) starts at [0-9:]+, in .*, and the policy says not to wait'
    expect_status 4 resume --on-backup=ask production
    expect_output 'no terminal'
    expect_status 4 resume --on-backup=wait --wait-limit=1s production
    expect_output 'an upcoming backup blocks the migration: waited for 1.0 s'
    expect_status 0 resume --on-backup=kill production
    assert_deployed "$(revision)" 2
}

case_clearance_in_vain() {
    site_before clearance_in_vain 'clearance: 20s'
    recipe_write <<END
backup: {schedule: ['* * * * * pg_dump nightly'], clearance: 20s}
hooks: {before backup-clear: ['touch $SITE_Q/hook; until test -e $SITE_Q/look; do sleep 0.05; done']}
END
    start_crelease deploy production
    wait_for 60 test -e "$SITE/hook"
    # It looks within the clearance, on one of its sides, also when that takes a while.
    wait_for 60 near_the_turn
    touch "$SITE/look"
    finish_crelease 0
    says_so_far 'was due at [0-9:]+, .* ago, but did not show up in the database: continuing' ||
        fail "it is not told that it did not come"
    assert_deployed "$(revision)" 2
}
near_the_turn() { case $(date +%S) in 4[2-9] | 5? | 0[0-4]) ;; *) return 1 ;; esac; }

rig_open
own_programs
start_postgres
start_hosts 2
run_cases "$@"
