#!/bin/bash
# The same story with systemd: a deploy just before the second at which a timer of its starts a pg_dump;
# and what its own systemctl says, read by the real script.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='shapes'

systemd_program() {
    local dir
    for dir in /lib/systemd /usr/bin /bin "$SERVERS"/lib/systemd "$SERVERS"/usr/lib/systemd "$SERVERS"/bin "$SERVERS"/usr/bin; do
        [ -f "$dir/$1" ] && [ -x "$dir/$1" ] && { echo "$dir/$1"; return; }
    done
    fail "there is no $1: sh tests/lib/need.sh servers"
}

# A user's manager on app1, which knows no units but those in $UNITS.  Where a host has its own processes
# it is one of them; it needs neither that nor root.
systemd_begin() {
    local dir=$RIG/systemd program libraries='' stage=()
    UNITS=$dir/units XDG=$RIG/xdg # a short one: there are sockets in it
    mkdir -p "$UNITS/service.d" "$dir/cgroups/rig" "$RIG/bin"
    mkdir -m 700 "$XDG"
    echo 0::/rig >"$dir/cgroups/of-processes"
    : >"$dir/cgroups/rig/cgroup.controllers"
    cc -shared -fPIC -O2 -o "$dir/no-cgroups.so" "$TOP/tests/lib/no-cgroups.c" -ldl
    echo '[Unit]' >"$UNITS/basic.target"
    # What is not of the manager but of the rig does not reach the services.
    printf '[Service]\nUnsetEnvironment=LD_PRELOAD LD_LIBRARY_PATH NO_CGROUPS SYSTEMD_EXECUTOR\nStandardOutput=append:%s\nStandardError=inherit\n' \
        "${dir//%/%%}/services.out" >"$UNITS/service.d/rig.conf"
    program=$(systemd_program systemctl)
    case $program in "$SERVERS"/*) libraries=$(library_path) ;; esac
    # The machine's own manager, where it has one, is not asked.
    cat >"$RIG/bin/systemctl" <<END2
#!/bin/sh
case " \$* " in
*" --user "*) ;;
*) echo "System has not been booted with systemd as init system (PID 1). Can't operate." >&2; exit 1 ;;
esac
export TZ="\${TZ-Europe/Berlin}"
[ -n "\${RIG_XDG-}" ] || export XDG_RUNTIME_DIR=$(printf %q "$XDG")
${libraries:+export LD_LIBRARY_PATH=$(printf %q "$libraries")}
exec $(printf %q "$program") "\$@"
END2
    chmod +x "$RIG/bin/systemctl"
    ! hosts_are_isolated || stage=(nsenter -t "$(first_pid app1)" -m -p --)
    # The machine may have only one of the two.
    program=$(systemd_program systemd) libraries=''
    case $program in "$SERVERS"/*) libraries=$(library_path) ;; esac
    # No generators: what they make is of the machine.
    setsid "${stage[@]}" env -i "CRELEASE_RIG=$RIG" "CRELEASE_RIG_HOST=$RIG/app1" LANG=C.UTF-8 TZ=Europe/Berlin "PATH=$PATH" "HOME=$RIG/login" \
        "XDG_RUNTIME_DIR=$XDG" "XDG_CONFIG_HOME=$dir" "SYSTEMD_UNIT_PATH=$UNITS" SYSTEMD_GENERATOR_PATH= \
        SYSTEMD_ENVIRONMENT_GENERATOR_PATH= SYSTEMD_LOG_TARGET=console "NO_CGROUPS=$dir/cgroups" \
        "SYSTEMD_EXECUTOR=${program%/*}/systemd-executor" "LD_PRELOAD=$dir/no-cgroups.so" ${libraries:+"LD_LIBRARY_PATH=$libraries"} "$program" --user --unit=basic.target \
        </dev/null >"$dir/out" 2>&1 9>&- &
    disown
    if ! (wait_for 60 on_host app1 systemctl --user is-active basic.target) 2>/dev/null; then
        cat "$dir/out" >&2
        fail "systemd does not start"
    fi
}

# unit NAME.KIND: the text on standard input.
unit() { cat >"$UNITS/$1"; }

# service NAME COMMAND...: each an ExecStart= of it, run where the site is.
service() {
    local name=$1
    shift
    {
        printf '[Service]\nType=oneshot\nWorkingDirectory=%s\n' "${SITE//%/%%}"
        printf 'Environment="%s"\n' "PGHOST=$PGHOST" "PGPORT=$PGPORT" "PGUSER=$PGUSER" "PGPASSFILE=${PGPASSFILE//%/%%}"
        printf 'ExecStart=%s\n' "$@"
    } | unit "$name.service"
}

# timer NAME SETTING...: it is started.
timer() {
    local name=$1
    shift
    { printf '[Timer]\n' && printf '%s\n' "$@"; } | unit "$name.timer"
    on_host app1 "systemctl --user start '$name.timer'"
}

said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
migrations() { sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB"; }
dump_of_timer() { sql "select pid from pg_stat_activity where application_name = 'pg_dump' and datname = '$DB'"; }
rfc3339() { date -u -d "@$1" +%Y-%m-%dT%H:%M:%SZ; }
of_timers() { json '.next_backups[] | select(.source == "the user'\''s systemd timers") | [.at, .command] | join(" ")'; }

# The time is in another zone than the host's, and its own.
case_s46_timer_starts_a_dump() {
    local command="pg_dump s46 | (until [ -e go ]; do sleep 0.1; done; cat) | gzip >nightly.gz"
    site_new s46 1
    expect_status 0 deploy production
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    service nightly "/bin/sh -c '$command'"
    service other '/bin/true'
    timer other 'OnCalendar=hourly'
    # Late enough to be foreseen on a slow machine.
    AT=$(($(date +%s) + 40))
    timer nightly "OnCalendar=$(TZ=Asia/Kolkata date -d "@$AT" '+*-*-* %T Asia/Kolkata')" AccuracySec=1s
    expect_status 0 backups --json production
    assert_equal "next" "$(of_timers)" "$(rfc3339 "$AT") /bin/sh -c $command"
    expect_status 0 backups production
    expect_output "a backup \(/bin/sh -c pg_dump s46 .*\) starts at $(env -u TZ date -d "@$AT" +%H:%M), in .*, from the user's systemd timers"
    recipe_write <<<'backup: {clearance: 10m}'
    start_crelease deploy production
    wait_for 60 said 'backup app1: a backup of s46, not started yet, .*: it starts at [0-9:]+ \(/bin/sh -c pg_dump s46 .*the migration waits for it'
    assert_equal "it has not begun" "$(dump_of_timer)" ''
    wait_for 100 said 'backup app1: pg_dump of s46 by rig, pid [0-9]+, .*, waited'
    [ -n "$(dump_of_timer)" ] || fail "the timer has started none"
    [ "$(date +%s)" -ge "$AT" ] || fail "it was there before its time"
    assert_equal migrations "$(migrations)" 20260101000000
    touch "$SITE/go"
    finish_crelease 0
    assert_deployed "$(revision)" 2
    assert_equal migrations "$(migrations)" '20260101000000 20260102000000'
    wait_for 60 nightly_has_ended
    gzip -dc "$SITE/nightly.gz" | tail -n 5 | grep -q 'PostgreSQL database dump complete' || fail "the dump is not whole"
    expect_status 0 backups --json production
    assert_equal "and again" "$(of_timers)" "$(rfc3339 $((AT + 86400))) /bin/sh -c $command"
    on_host app1 systemctl --user stop nightly.timer other.timer
}
nightly_has_ended() { [ "$(on_host app1 systemctl --user show -P ActiveState -P Result nightly.service)" = $'success\ninactive' ]; }

# Whose time has come a moment ago, and whose pg_dump is not there yet.
case_just_begun() {
    site_new just_begun 1
    expect_status 0 deploy production
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    service early "/bin/sh -c 'until [ -e begin ]; do sleep 0.1; done; pg_dump just_begun | (until [ -e go ]; do sleep 0.1; done; cat) >early.sql'"
    # It is a moment ago for twenty seconds only.
    recipe_write <<END
backup: {clearance: 10m}
hooks: {before backup-clear: ['touch $SITE_Q/hook; until test -e $SITE_Q/look; do sleep 0.05; done']}
END
    make_big_table
    start_crelease deploy production
    wait_for 60 test -e "$SITE/hook"
    timer early OnActiveSec=0 AccuracySec=1s
    wait_for 60 has_begun
    touch "$SITE/look"
    wait_for 60 said 'backup app1: a backup of just_begun, not started yet, .*the migration waits for it'
    touch "$SITE/begin"
    wait_for 60 said 'backup app1: pg_dump of just_begun by rig, pid [0-9]+, .*, waited'
    assert_equal migrations "$(migrations)" 20260101000000
    touch "$SITE/go"
    finish_crelease 0
    assert_deployed "$(revision)" 2
    wait_for 60 early_is_whole
    on_host app1 systemctl --user stop early.timer
}
early_is_whole() { tail -n 5 "$SITE/early.sql" | grep -q 'PostgreSQL database dump complete'; }
has_begun() { [ "$(on_host app1 systemctl --user show -P ActiveState early.service)" = activating ]; }

timer_of() { # NAME SETTING COMMAND...
    local name=$1 setting=$2
    shift 2
    service "$name" "$@"
    timer "$name" "$setting"
}

# In systemctl's own words: what the script makes of them, in each of the shells of a host.
case_shapes() {
    local now soon
    site_new shapes 1
    timer_of zone 'OnCalendar=2096-11-01..05 03:30:00 Asia/Kolkata' '/usr/bin/pg_dump -Fc zone'
    # As systemd-escape names it.
    timer_of 'back\x2dup@my\x2ddb' 'OnCalendar=2096-12-24' '/bin/true' '-/usr/bin/pg_dump escaped'
    timer_of semicolon 'OnCalendar=2097-01-01 00:00:00 UTC' "/bin/sh -c 'cd / ; sleep 1 ; pg_dump semicolon'"
    timer_of lines 'OnCalendar=2097-01-02 00:00:00 UTC' "/bin/sh -c 'set -e\\n\\npg_dump lines\\n\\ntrue'"
    timer_of a-very-long-name-of-a-backup-whose-line-does-not-fit-into-eighty-columns 'OnCalendar=2097-01-03 00:00:00 UTC' \
        '/usr/bin/pg_basebackup -D /b'
    printf '#!/bin/sh\npg_dump script >/dev/null\n' >"$SITE/nightly.sh"
    chmod +x "$SITE/nightly.sh"
    timer_of script 'OnCalendar=2097-01-04 00:00:00 UTC' "\"${SITE//%/%%}/nightly.sh\" --all"
    # Not these: no backup, one whose time is over, one that was stopped.
    timer_of true 'OnCalendar=2097-01-05 00:00:00 UTC' '/bin/true'
    timer_of over 'OnCalendar=2020-01-01' '/usr/bin/pg_dump over'
    timer_of stopped 'OnCalendar=2097-01-06 00:00:00 UTC' '/usr/bin/pg_dump stopped'
    on_host app1 systemctl --user stop stopped.timer
    now=$(date +%s)
    timer_of soon OnActiveSec=10min '/usr/bin/pg_dump soon'
    on_host app1 TZ=UTC0 systemctl --user list-timers --all --no-pager
    expect_status 0 backups --json production
    of_timers >"$SITE/said"
    assert_equal "those that are far" "$(grep -v 'pg_dump soon$' "$SITE/said")" "2096-10-31T22:00:00Z /usr/bin/pg_dump -Fc zone
2096-12-23T23:00:00Z /usr/bin/pg_dump escaped
2097-01-01T00:00:00Z /bin/sh -c cd / ; sleep 1 ; pg_dump semicolon
2097-01-02T00:00:00Z /bin/sh -c set -e ; pg_dump lines ; true
2097-01-03T00:00:00Z /usr/bin/pg_basebackup -D /b
2097-01-04T00:00:00Z $SITE/nightly.sh --all"
    soon=$(($(date -d "$(sed -n 's| /usr/bin/pg_dump soon$||p' "$SITE/said")" +%s) - now))
    if [ $soon -lt 599 ] || [ $soon -gt 660 ]; then fail "in $soon s instead of ten minutes"; fi
    in_each_shell
}

# A login that did not come through pam_systemd has no XDG_RUNTIME_DIR.
in_each_shell() {
    local shell
    mkdir "$SITE/user"
    ln -s "$XDG" "$SITE/user/$(id -u)"
    {
        host_script "deploy_to=/nowhere run='' epoch='' release='' step='' verb=look read_all=yes"
        sed "s|/run/user/|$SITE/user/|g" "$TOP/src/stages/backup/upcoming.sh"
    } >"$SITE/script"
    for shell in dash 'bash --posix' 'busybox ash' mksh; do
        on_host app1 "RIG_XDG=own $shell" <"$SITE/script" >"$SITE/said" || fail "$shell: status $?"
        cat "$SITE/said"
        grep -qx "source read timers the user's systemd timers" "$SITE/said" || fail "$shell: source"
        assert_equal "$shell: commands" "$(sed -n 's/^unit ExecStart=.*argv\[\]=\(.*pg_[a-z]* .*\) ; ignore_errors=.*/\1/p' "$SITE/said" | LC_ALL=C sort)" \
            "$(printf '%s\n' "/bin/sh -c cd / ; sleep 1 ; pg_dump semicolon" "/bin/sh -c set -e ; pg_dump lines ; true" \
                "/usr/bin/pg_basebackup -D /b" "/usr/bin/pg_dump -Fc zone" "/usr/bin/pg_dump escaped" "/usr/bin/pg_dump over" \
                "/usr/bin/pg_dump soon")"
        grep -qx 'unit Id=back\\x2dup@my\\x2ddb.service' "$SITE/said" || fail "$shell: an escaped name"
        grep -qx "script pg_dump $SITE/nightly.sh" "$SITE/said" || fail "$shell: script"
        grep -qx 'end schedule' "$SITE/said" || fail "$shell: end"
    done
}

rig_open
start_postgres
start_hosts 1
systemd_begin
run_cases "$@"
