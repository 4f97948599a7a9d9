#!/bin/bash
# The story it is all for, with cron's own daemon: a deploy just before the minute at which cron starts
# a pg_dump.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

cron_program() {
    if [ -x /usr/sbin/cron ]; then echo /usr/sbin/cron; else echo "$SERVERS/usr/sbin/cron"; fi
}

# In the host's view only: /etc is a copy, in which nothing but this table is there for cron; its spool is
# empty, and its number is written where nobody else looks.
cron_begin() { # TABLE
    local dir=$RIG/app1
    cp "$1" "$dir/table"
    cat >"$dir/cron.stage" <<'END2'
set -eu
dir=$1 program=$2
cp -a /etc "$dir/etc"
rm -rf "$dir"/etc/cron* "$dir/etc/localtime"
mkdir -p "$dir/etc/cron.d" "$dir/etc/pam.d" /var/spool
echo Asia/Kolkata >"$dir/etc/timezone"
ln -s /usr/share/zoneinfo/Asia/Kolkata "$dir/etc/localtime"
cp "$dir/table" "$dir/etc/cron.d/backup"
chown 0:0 "$dir/etc/cron.d/backup"
chmod 644 "$dir/etc/cron.d/backup"
for what in auth account session; do echo "$what required pam_permit.so"; done >"$dir/etc/pam.d/cron"
mount --bind "$dir/etc" /etc
mount -t tmpfs -o mode=755 none /var/spool
mkdir -p /var/spool/cron/crontabs
exec unshare -m sh -c 'mount -t tmpfs none /run && exec "$0" -f -L 15' "$program"
END2
    if hosts_are_isolated; then
        LD_LIBRARY_PATH=$(library_path) setsid nsenter -t "$(first_pid app1)" -m -p -- sh "$dir/cron.stage" "$dir" "$(cron_program)" \
            </dev/null >"$dir/cron.out" 2>&1 &
        disown
        wait_for 20 test -e "$dir/etc/cron.d/backup"
    else
        # Nobody may be shown an /etc of his own here: what cron does is done for it, what it reads is given.
        mkdir -p "$RIG/bin"
        printf '#!/bin/sh\ngrep -v ^[A-Z] %q/table | sed "s/ root / /"\n' "$dir" >"$RIG/bin/crontab"
        chmod +x "$RIG/bin/crontab"
        (
            while [ "$(date +%s)" -lt "$AT" ]; do sleep 0.1; done
            eval "$(grep '^[0-9]' "$dir/table" | cut -d' ' -f7-)"
        ) </dev/null >/dev/null 2>&1 &
        disown
    fi
}

# By the clock of the host.
host_date() { if hosts_are_isolated; then TZ=Asia/Kolkata date "$@"; else date "$@"; fi; }

said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
migrations() { sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB"; }
dump_of_cron() { sql "select pid from pg_stat_activity where application_name = 'pg_dump' and datname = '$DB'"; }

# The time of day is that of the host's zone; one whose clock is never set back, when cron would not do it again.
case_s46_cron_starts_a_dump() {
    site_new s46 1
    expect_status 0 deploy production
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    # Late enough to be foreseen on a slow machine.
    AT=$((($(date +%s) + 40) / 60 * 60 + 60))
    {
        printf '%s=%s\n' PGHOST "$PGHOST" PGPORT "$PGPORT" PGUSER "$PGUSER" PGPASSFILE "$PGPASSFILE" PATH "$PATH"
        printf '%s root pg_dump %s | (until [ -e %s/go ]; do sleep 0.1; done; cat) | gzip > %s/nightly.gz\n' \
            "$(host_date -d "@$AT" '+%-M %-H * * *')" "$DB" "$SITE_Q" "$SITE_Q"
    } >"$SITE/table"
    cron_begin "$SITE/table"
    recipe_write <<<'backup: {clearance: 10m}'
    expect_status 0 backups production
    expect_output "a backup \(pg_dump $DB .*\) starts at .*, from (/etc/cron.d/backup|crontab)"
    start_crelease deploy production
    wait_for 60 said 'backup app1: a backup of s46, not started yet, .*: it starts at [0-9:]+ \(pg_dump s46 .*the migration waits for it'
    assert_equal "it has not begun" "$(dump_of_cron)" ''
    wait_for 150 said 'backup app1: pg_dump of s46 by rig, pid [0-9]+, .*, waited'
    [ -n "$(dump_of_cron)" ] || fail "cron has started none"
    [ "$(date +%s)" -ge "$AT" ] || fail "it was there before its time"
    assert_equal migrations "$(migrations)" 20260101000000
    touch "$SITE/go"
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    # Its session has ended; what packs it may take longer.
    wait_for 60 nightly_is_whole
}
nightly_is_whole() { gzip -dc "$SITE/nightly.gz" | tail -n 5 | grep -q 'PostgreSQL database dump complete'; }

rig_open
start_postgres
start_hosts 1
run_cases "$@"
