#!/bin/bash
# When the next backup starts, how long the present one will run, and a migration that stays out of
# the way of both.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

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
    site_new next 1
    expect 0 deploy production
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
    printf '#!/bin/sh\nset -e\npg_dump shop >/dev/null\n' >"$SITE/nightly.sh"
    printf '#!/bin/sh\n# not pg_dump\ntrue\n' >"$SITE/other.sh"
    expect 0 backups --json production
    same "commands" "$(own)" "$(printf '%s\n' "$SITE/nightly.sh --all" 'PGPASSWORD=[secret] pg_dump shop | gzip > /b/shop-$(date +%F).gz')"
    same "at" "$(json '[.next_backups[] | select(.source == "crontab").at] | join(" ")')" "$(rfc3339_in 30) $(rfc3339_in 90)"
    expect 0 status --json production
    same "commands" "$(own)" "$(printf '%s\n' "$SITE/nightly.sh --all" 'PGPASSWORD=[secret] pg_dump shop | gzip > /b/shop-$(date +%F).gz')"
    expect 0 backups production
    says "a backup \($SITE/nightly.sh --all\) starts at $(date -d "@$((BASE + 1800))" +%H:%M), in (29|28) min"
    says_not hunter2
    expect 0 status production
    says 'nightly.sh --all\) starts at'
}

# What may not be read is not "none".
case_refused() {
    site_new refused 1
    crontab_is </dev/null
    touch "$RIG/crontab.refused"
    expect 0 backups --json production
    json '.could_not_read[]' | grep -q '^crontab: You .* are not allowed' || fail "it was not told"
    expect 0 backups production
    says 'could not read crontab: you .* are not allowed'
    says_not 'no backup is scheduled in crontabs'
    rm "$RIG/crontab.refused" "$RIG/crontab"
    expect 0 backups --json production
    same "could not read" "$(json '[.could_not_read[] | select(startswith("crontab: "))] | length')" 0
}

case_timers() {
    site_new timers 1
    printf '%s\n' \
        'Mon 2096-11-23 00:00:00 UTC 5h 3min left Sun 2096-11-22 00:00:00 UTC 18h ago dump.timer dump.service' \
        'n/a n/a n/a n/a other.timer other.service' '' '2 timers listed.' >"$RIG/timers"
    printf '%s\n' 'ExecStart={ path=/usr/bin/pg_dump ; argv[]=/usr/bin/pg_dump -Fc shop ; ignore_errors=no ; start_time=[n/a] ; }' \
        >"$RIG/units.tmp"
    { echo 'Id=dump.service'; cat "$RIG/units.tmp"; echo; echo 'Id=other.service'; } >"$RIG/units"
    expect 0 backups --json production
    same "timer" "$(json '.next_backups[] | select(.source == "systemd'\''s timers") | [.at, .command] | join(" ")')" \
        '2096-11-23T00:00:00Z /usr/bin/pg_dump -Fc shop'
    : >"$RIG/timers"
    : >"$RIG/units"
}

case_recipe() {
    site_new recipe 1
    now_is
    crontab_is <<<"$(minute_in 5) pg_dump here"
    recipe_write <<<"backup: {schedule: none}"
    expect 0 backups --json production
    same "next" "$(json .next_backups)" null
    same "why" "$(json .could_not_foresee)" "the recipe says not to (backup.schedule: none)"
    recipe_write <<<"backup: {schedule: ['$(minute_in 7)', '$(minute_in 9) pg_dump far']}"
    expect 0 backups --json production
    same "next" "$(json '[.next_backups[] | .command, .at, .source] | join(" ")')" \
        "a backup $(rfc3339_in 7) the recipe pg_dump far $(rfc3339_in 9) the recipe"
    recipe_write <<<"backup: {schedule: ['every night']}"
    expect 2 backups production
    says "cron line such as"
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
            echo "deploy_to=/nowhere run='' epoch='' release='' step='' verb=look read_all=yes"
            cat "$TOP/src/stages/prelude.sh"
            sed -e "s|/etc/cron|$root/cron|g" -e "s|/etc/debian|$root/debian|g" -e 's|/var/spool|/nowhere|g' "$TOP/src/stages/schedule.sh"
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
    crontab_is <<<"$(minute_in 5) pg_dump $DB"
    local warning="a backup \(pg_dump $DB\) starts at [0-9:]+, in .* the migration may meet it"
    expect 0 plan production
    says "$warning"
    expect 0 plan --json production
    same "warnings" "$(json '.warnings | length')" 1
    expect 0 check production
    says "next backup +$warning"
    expect 0 deploy production
    says "warning: $warning"
    # Nothing to migrate, and nobody is asked.
    commit_file public/index.html two
    expect 0 deploy production
    says_not 'may meet'
    # With a record of how long they take here.
    commit_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    expect 0 deploy production
    says_not 'may meet'
    rm "$RIG/crontab"
}

rig_open
own_programs
rig_postgres
rig_start 2
run_cases "$@"
