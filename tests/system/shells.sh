#!/bin/bash
# What happens on a host is POSIX shell: whole deploys with each of four shells as /bin/sh, in a
# mount namespace of our own (a user namespace, when not root).  Nothing in the program knows of it.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='dash bash jobs_dash jobs_bash jobs_mksh backups_dash backups_bash backups_mksh'

# Whole scripts are run in some cases, each of whose own cases has its limit.
CASE_SECONDS=1200

deploys_with() { # SHELL
    site_new "shell_$1" 0
    # The namespace is around the program and, with that, around its "host".
    cat >"$SITE/crelease" <<END
#!/bin/bash
exec "$TOP/tests/lib/with-sh.sh" $1 "$CRELEASE" "\$@"
END
    chmod +x "$SITE/crelease"
    CRELEASE=$SITE/crelease
    recipe_write <<END
build: ["echo built >made", 'test ! -e $SITE_Q/broken']
hooks: {after switch: ["echo 'it''s' \\"\$0\\" >made.hook"]}
END
    # Files as in names.sh, in short.
    mkdir -p "$REPO/with space"
    echo one >"$REPO/with space/it's \$(here)"
    printf 'two' >"$REPO/"$'new\nline'
    ln -s 'with space' "$REPO/link"
    commit_all 'Awkward names'
    expect_status 0 check production
    expect_status 0 deploy production
    assert_exists "$SITE/here/current/made.hook"
    rm "$SITE/here/current/made.hook"
    assert_deployed "$(revision)" 1
    git -C "$REPO" rm -q "with space/it's \$(here)"
    commit_file public/index.html two
    touch "$SITE/broken"
    expect_status 1 deploy production
    rm "$SITE/broken"
    expect_status 0 resume production
    rm "$SITE/here/current/made.hook"
    assert_deployed "$(revision)" 2
    expect_status 0 deploy --force production
    expect_status 0 deploy --force production
    expect_status 0 rollback production
    expect_status 0 status production
    expect_status 0 history production
    expect_status 0 exec production -- 'cat REVISION'
    expect_output "$(revision)"
    touch "$SITE/broken"
    expect_status 1 deploy --force production
    expect_status 0 abort production
    assert_gone "$SITE/here/.crelease/lock"
    assert_equal "releases" "$(releases here | wc -l)" 3
}

case_dash() { deploys_with dash; }
case_bash() { deploys_with bash; }
case_busybox() { deploys_with busybox; }
case_mksh() { deploys_with mksh; }

# What is done about processes and their output, too; in a rig of its own inside of the namespace.
jobs_with() { # SHELL
    local more=
    [ -z "${ALL-}" ] || more='output_limit background_printer others_with_its_group output_on_its_way s42_lost_migration_forced'
    # shellcheck disable=SC2086 # words
    env -u CRELEASE_RIG -u CRELEASE_RIG_OF CRELEASE="$CRELEASE" CRELEASE_RIG="$RIG" \
        "$TOP/tests/lib/with-sh.sh" "$1" "$BASH" "$TOP/tests/system/jobs.sh" orphans ps_shows_names damaged \
        line_across_a_kill output_of_the_job_before $more || fail "with $1: see above"
}

case_jobs_dash() { jobs_with dash; }
case_jobs_bash() { jobs_with bash; }
case_jobs_busybox() { jobs_with busybox; }
case_jobs_mksh() { jobs_with mksh; }

# What is asked and done about backups: stopped with its file judged, started again by the crontab's line,
# the lock, sessions that were left, what is pending.  Schedules: upcoming.sh.
backups_with() { # SHELL
    local of crontab='rerun_by_crontab' more=
    [ -z "${ALL-}" ] || more='migration_session_lost hold_begins_in_the_gap migration_ends_in_the_gap'
    # Debian's busybox as a shell runs its own crontab, whatever is in the PATH.
    [ "$1" != busybox ] || crontab=
    for of in "stop s20_client_is_told s25_judged_by_its_end s23_another_process $crontab" \
        "hold hold_waits_for_a_migration $more" \
        'harm s30_ghosts'; do
        # shellcheck disable=SC2086 # words
        set -- "$1" $of
        env -u CRELEASE_RIG -u CRELEASE_RIG_OF CRELEASE="$CRELEASE" CRELEASE_RIG="$RIG" \
            "$TOP/tests/lib/with-sh.sh" "$1" "$BASH" "$TOP/tests/system/$2.sh" "${@:3}" || fail "with $1: see above"
    done
}

case_backups_dash() { backups_with dash; }
case_backups_bash() { backups_with bash; }
case_backups_mksh() { backups_with mksh; }
# With its own tools, too, where a host has others in front of them.
case_backups_busybox() {
    local tool
    mkdir -p "$RIG/busybox"
    for tool in $(busybox --list); do
        case $tool in sh | ash | busybox | crontab) ;; *) ln -sf "$(command -v busybox)" "$RIG/busybox/$tool" ;; esac
    done
    export HOST_TOOLS=$RIG/busybox
    backups_with busybox
}

# A login that is not root sees and ends what is its own.
case_backups_of_a_user() {
    local stop='' hold=''
    [ -z "${ALL-}" ] || stop='s10_parallel s22_cancel_does_nothing' hold='hold_is_the_command hold_holds_up_a_deploy'
    # shellcheck disable=SC2086 # words
    "$TOP/tests/lib/as-user.sh" "$RIG/user" stop s20_client_is_told rerun_by_crontab $stop || fail "as a user: see above"
    # shellcheck disable=SC2086 # words
    "$TOP/tests/lib/as-user.sh" "$RIG/user2" hold hold_waits_for_a_migration $hold || fail "as a user: see above"
}

rig_open
run_cases "$@"
