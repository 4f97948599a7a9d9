#!/bin/bash
# What lies on the hosts after a crash: damaged, of another version, or of another recipe; and what
# the hosts themselves can do to a run.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# site_stopped NAME: a run of a second deploy that was killed in its build, on the local transport.
site_stopped() {
    site_new "$1" "${2-0}"
    expect 0 deploy production
    commit_file public/index.html two
    touch "$SITE/block"
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']"
    cr_begin deploy production
    wait_for 60 begun_on_all
    cr_kill9
    rm "$SITE/block"
    local host
    for host in "${SITE_HOSTS[@]}"; do
        wait_for 60 test -e "$SITE/$host/.crelease/runs/$(run_of "$host")/jobs/build.0/1/status"
    done
}

# What was not begun when it was killed never ends.
begun_on_all() { [ "$(wc -l <"$SITE/begun")" = "${#SITE_HOSTS[@]}" ]; }

# Everything there is on the host but what may change by looking.
state_of() { (cd "$SITE/$1" && find . -type f -not -name beat -exec sha256sum {} + -o -type l -printf '%p -> %l\n' | LC_ALL=C sort); }
run_of() { sed -n 's/^run //p' "$SITE/${1-here}/.crelease/lock"; }
state_file() { case $1 in lock) echo "$SITE/here/.crelease/lock" ;; *) echo "$SITE/here/.crelease/runs/$RUN/$1" ;; esac; }

# refused: neither resume nor deploy does anything, and resume says which file it is.
refused() { # WHAT FILE
    local before
    before=$(state_of here)
    expect 1 resume production
    says "$2"
    cr deploy production
    case $STATUS in 1 | 6) ;; *) fail "$1: crelease deploy ends with $STATUS" ;; esac
    same "$1: what lies on the host" "$(state_of here)" "$before"
}

# damaged FILE STEP: cut at every STEPth length, and every STEPth byte changed.
damaged() {
    local file keep at size
    site_stopped "damaged_$1"
    RUN=$(run_of)
    file=$(state_file "$1")
    keep=$SITE/keep
    cp "$file" "$keep"
    size=$(stat -c %s "$keep")
    for ((at = (size - 1) % $2; at < size; at += $2)); do
        # Without the end of its last line it still says all.
        if [ "$at" -lt $((size - 1)) ]; then
            head -c "$at" "$keep" >"$file"
            refused "$1 cut at $at" "$1.*\.crelease|\.crelease.*$1"
        fi
        # One bit of the byte, so that it stays a text.
        perl -e 'undef $/; $_ = <STDIN>; substr($_, $ARGV[0], 1) ^= chr(1 << $ARGV[0] % 5); print' "$at" <"$keep" >"$file"
        refused "$1 with byte $at changed" "$1.*\.crelease|\.crelease.*$1"
    done
    sed "1s/1$/2/" "$keep" >"$file"
    refused "$1 of another version" "$1.*\.crelease|\.crelease.*$1"
    cp "$keep" "$file"
    expect 0 resume production
    finished "$(revision)" 2
}
case_damaged_lock() { damaged lock 9; }
case_damaged_plan() { damaged plan 41; }

# Marks may be cut by a crash: whatever is left of them, resume ends well, and nothing ran twice that
# must not.  A line that was changed is another matter.
case_cut_marks() {
    site_stopped cut_marks
    local at size keep=$SITE/keep
    RUN=$(run_of)
    cp -a "$SITE/here" "$keep"
    size=$(stat -c %s "$(state_file marks)")
    for ((at = 19; at <= size; at += 7)); do
        rm -rf "$SITE/here"
        cp -a "$keep" "$SITE/here"
        head -c "$at" "$keep/.crelease/runs/$RUN/marks" >"$(state_file marks)"
        expect 0 resume production
        finished "$(revision)" 2
    done
}

case_changed_marks() {
    site_stopped changed_marks
    RUN=$(run_of)
    cp "$(state_file marks)" "$SITE/keep"
    local change
    # shellcheck disable=SC2016 # for sed
    for change in '1s/1$/2/' '1d' '2s/done/doen/' '2s/ /-/g' '2s/$/ more/' '2s/[0-9]*$/soon/' '2s/^/x y/' '$s/.*/:/'; do
        sed "$change" "$SITE/keep" >"$(state_file marks)"
        refused "marks after $change" 'crelease/runs/.*marks'
    done
    cp "$SITE/keep" "$(state_file marks)"
    expect 0 abort production
    gone "$SITE/here/.crelease/lock"
}

# --- the recipe --------------------------------------------------------------------------------

# What the run began with is what it ends with, unless the command line says otherwise.
case_own_recipe() {
    site_stopped own_recipe
    sed -i 's/^build:.*/build: ["echo new >>made"]/; s/^keep_releases: .*/keep_releases: 7/' "$RECIPE"
    echo "restart: {touch: tmp/other.txt}" >"$SITE/more"
    sed -i '/^restart:/d' "$RECIPE"
    cat "$SITE/more" >>"$RECIPE"
    expect 0 resume production
    says 'recipe has changed since run .*build.*keep_releases.*restart'
    says 'own'
    finished "$(revision)" 2
    gone "$SITE/here/current/made"
    there "$SITE/here/current/tmp/restart.txt"
    gone "$SITE/here/current/tmp/other.txt"
}

case_new_recipe() {
    site_stopped new_recipe
    sed -i 's/^restart:.*/restart: {touch: tmp\/other.txt}/' "$RECIPE"
    expect 0 resume --new-recipe production
    says 'recipe as it is now'
    there "$SITE/here/current/tmp/other.txt"
}

case_damaged_recipe() {
    site_stopped damaged_recipe
    sed -i 's/^keep_releases: .*/keep_releases: 7/' "$RECIPE"
    RUN=$(run_of)
    sed -i 's/^keep_releases: 3/keep_releases: 4/' "$(state_file recipe)"
    expect 1 resume production
    says 'recipe of run .*damaged'
    expect 0 resume --new-recipe production
    finished "$(revision)" 2
}

# A secret that stands in the recipe as it is never comes to lie on a host.
case_secret_recipe() {
    site_new secret_recipe 0
    recipe_write <<<"secrets: [correct-horse]
build: ['echo correct-horse >/dev/null; false']"
    expect 1 deploy production
    ! grep -rq correct-horse "$SITE/here/.crelease" || fail "the secret lies on the host"
    sed -i 's/false/true/' "$RECIPE"
    expect 0 resume production
    says 'keeps none of its own'
}

# A host that was taken out of the recipe meanwhile still has its part of the run.
case_host_removed() {
    site_stopped host_removed 2
    sed -i '/name: app2/d' "$RECIPE"
    sed -i 's/roles: \[app, web\]/roles: [app, web, db]/' "$RECIPE"
    expect 0 resume production
    says 'environments.production.hosts'
    finished "$(revision)" 2
}

# One that was added has none, and is not touched.
case_host_added() {
    site_stopped host_added 1
    sed -i "s|^environments:|environments:|; \$a\\      - {host: $(host_address app2), port: $(host_port app2), name: app2, roles: [app], deploy_to: '$SITE/app2'}" "$RECIPE"
    mkdir -p "$SITE/app2"
    expect 0 status production
    says 'app2 .*(no part|nothing is live)'
    expect 0 resume production
    finished "$(revision)" 2
    gone "$SITE/app2/releases"
    mkdir -p "$SITE/app2/shared/config"
    cp "$SITE/app1/shared/config/database.yml" "$SITE/app2/shared/config"
    SITE_HOSTS=(app1 app2)
    expect 0 deploy production
    finished "$(revision)"
}

# --- the holder --------------------------------------------------------------------------------

# Asleep with a script at work on the host: the one who takes over ends that script first.
case_acting_is_ended() {
    site_new acting_is_ended 0
    expect 0 deploy production
    commit_file public/index.html two
    # A tar that says that it has begun and does not come to its end.
    mkdir -p "$SITE/bin"
    printf '#!/bin/sh\necho $$ >%s/tar\nexec sleep 300\n' "$SITE_Q" >"$SITE/bin/tar"
    chmod +x "$SITE/bin/tar"
    PATH=$SITE/bin:$PATH cr_begin deploy production
    wait_for 60 test -s "$SITE/tar"
    kill -STOP "$CR_PID"
    expect 0 resume --takeover --force production
    finished "$(revision)" 2
    case $(sed 's/.*) //' "/proc/$(cat "$SITE/tar")/stat" 2>/dev/null) in '' | Z*) ;; *) fail "what the old holder had begun still runs" ;; esac
    kill -CONT "$CR_PID"
    cr_end ''
    [ "$STATUS" -ne 0 ] || fail "the one that was taken over ends with 0"
    finished "$(revision)" 2
}

# Asleep for so long that it counts as dead: taken over without being asked, and refused when it wakes
# up.  The beat is of the host's own clock, so a minute is taken off it here.
case_asleep_for_a_minute() {
    site_new asleep_for_a_minute 2
    touch "$SITE/block"
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']"
    cr_begin deploy production
    wait_for 60 test -s "$SITE/begun"
    kill -STOP "$CR_PID"
    beats_are 20
    expect 3 resume production
    beats_are 60
    cr status --json production
    same "state" "$(json .run.state)" interrupted
    rm "$SITE/block"
    expect 0 resume production
    finished "$(revision)" 1
    kill -CONT "$CR_PID"
    # Whether it hears of it from its next step or from the script that it was following.
    cr_end 3
    grep -q 'taken over' "$CR_ERR" || fail "it does not say why"
    finished "$(revision)" 1
    same "how often the job ran, on two hosts" "$(wc -l <"$SITE/begun")" 2
}

beats_are() { # SECONDS ago
    local host up
    read -r up _ </proc/uptime
    for host in app1 app2; do echo $((${up%.*} - $1)) >"$SITE/$host/.crelease/beat"; done
}

# Killed while the last script frees the lock: who resumes at that moment is told to look again, and
# there is nothing left of either.
case_end_meets_takeover() {
    site_new end_meets_takeover 0
    expect 0 deploy production
    commit_file public/index.html two
    mkdir -p "$SITE/bin"
    cat >"$SITE/bin/rm" <<END
#!/bin/sh
case "\$*" in *"/.crelease/lock "*) echo x >>"$SITE/freeing"; while [ -e "$SITE/hold" ]; do sleep 0.05; done ;; esac
exec /bin/rm "\$@"
END
    chmod +x "$SITE/bin/rm"
    touch "$SITE/hold"
    PATH=$SITE/bin:$PATH cr_begin deploy production
    wait_for 60 test -s "$SITE/freeing"
    cr_kill9
    expect 3 resume production
    says 'taken over by somebody else, or comes to its end'
    rm "$SITE/hold"
    wait_for 30 lock_gone
    expect 0 resume production
    says 'nothing to do'
    finished "$(revision)" 2
    wait_for 10 only_records_are_left
}
only_records_are_left() { [ "$(cd "$SITE/here/.crelease" && echo *)" = 'history manifests runs' ]; }
lock_gone() { [ ! -e "$SITE/here/.crelease/lock" ]; }

# Several who take up the same dead run at once: one does, the others say so.
case_resumed_by_many() {
    site_stopped resumed_by_many 2
    local i pids=()
    for i in 1 2 3 4; do
        { status=0; "$CRELEASE" resume production </dev/null >"$SITE/out.$i" 2>&1 || status=$?; echo "$status" >"$SITE/status.$i"; } &
        pids+=($!)
    done
    wait "${pids[@]}"
    for i in 1 2 3 4; do
        # 0 also says that there was nothing left to do.
        case $(cat "$SITE/status.$i") in 0 | 3) ;; *) cat "$SITE/out.$i"; fail "status $(cat "$SITE/status.$i")" ;; esac
    done
    cr resume production
    finished "$(revision)" 2
    same "how often the job began" "$(wc -l <"$SITE/begun")" 2
}

# A connection that breaks while the script goes on: the same holder points the hosts back, and the
# script that was cut off must not point one of them forward after that.
case_cut_off_is_ended() {
    site_new cut_off_is_ended 2
    expect 0 deploy production
    local first
    first=$(release)
    commit_file public/index.html two
    # A sync that app2's switch does not get past.
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/sync" <<END
#!/bin/sh
case "\$*" in *"-f $SITE/app2/releases/"*) echo \$\$ >>"$SITE/syncs"; while [ -e "$SITE/hold" ]; do sleep 0.05; done ;; esac
exec /bin/sync "\$@"
END
    chmod +x "$RIG/bin/sync"
    touch "$SITE/hold"
    cr_begin deploy production
    wait_for 60 test -s "$SITE/syncs"
    connections_cut app2
    cr_end 7
    rm "$SITE/hold" "$RIG/bin/sync"
    wait_for 30 no_script_on app2
    same "app1" "$(release app1)" "$first"
    same "app2" "$(release app2)" "$first"
    expect 0 resume production
    finished "$(revision)" 2
}
no_script_on() { # HOST
    local entry
    for entry in /proc/[0-9]*; do
        if grep -qzxF "CRELEASE_RIG_HOST=$RIG/$1" "$entry/environ" && grep -qz 'eval.*dd bs=' "$entry/cmdline"; then
            return 1
        fi
    done 2>/dev/null
}

# Many at the same moment: one wins, the others leave nothing.
race() { # NAME DEPLOYS ROUNDS
    site_new "$1" 2
    local round i pids status winners
    for ((round = 1; round <= $3; round++)); do
        commit_file public/index.html "$round"
        : >"$SITE/begun"
        recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test ! -e $SITE_Q/go.$round; do sleep 0.05; done']"
        pids=()
        rm -f "$SITE"/status.*
        for ((i = 1; i <= $2; i++)); do
            { status=0; "$CRELEASE" deploy production </dev/null >"$SITE/out.$i" 2>&1 || status=$?; echo "$status" >"$SITE/status.$i"; } &
            pids+=($!)
        done
        # All but one have ended before that one may.
        wait_for 120 ended "$(($2 - 1))"
        touch "$SITE/go.$round"
        wait "${pids[@]}"
        winners=0
        for ((i = 1; i <= $2; i++)); do
            case $(cat "$SITE/status.$i") in 0) winners=$((winners + 1)) ;; 3) ;; *) cat "$SITE/out.$i"; fail "round $round: status $(cat "$SITE/status.$i")" ;; esac
        done
        same "round $round: winners" "$winners" 1
        finished "$(revision)" "$round"
        same "round $round: releases" "$(releases app1 | wc -l)" "$((round < 3 ? round : 3))"
    done
}
ended() { [ "$(cat "$SITE"/status.* 2>/dev/null | wc -l)" -ge "$1" ]; }
case_two_at_the_same_moment() { race two_at_the_same_moment 2 "${ROUNDS-4}"; }
case_ten_at_the_same_moment() { race ten_at_the_same_moment 10 "${ROUNDS-2}"; }

# --- a person at a terminal --------------------------------------------------------------------

site_at_work() {
    site_new "$1" 0
    touch "$SITE/block"
    # shellcheck disable=SC2016 # the job's own number
    local self='$$'
    recipe_write <<<"build: ['echo $self >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done; echo x >>$SITE_Q/through']"
    typed deploy production
    wait_for 60 test -s "$SITE/begun"
    printf '\003' >&7
    wait_for 60 typed_says 'Ctrl-C again'
}

# Once: the job comes to its end, and the run stops there.
case_ctrl_c_once() {
    site_at_work ctrl_c_once
    rm "$SITE/block"
    typed_end 130
    there "$SITE/through"
    expect 0 resume production
    same "how often it ran" "$(wc -l <"$SITE/begun")" 1
    finished "$(revision)" 1
}

# Twice: the job is ended, all of it, and a resume begins it anew.
case_ctrl_c_twice() {
    site_at_work ctrl_c_twice
    printf '\003' >&7
    typed_end 130
    typed_says 'was ended' || fail "nothing said of the end of the job"
    gone "$SITE/through"
    wait_for 60 gone_pid "$(cat "$SITE/begun")"
    rm "$SITE/block"
    expect 0 resume production
    same "how often it began" "$(wc -l <"$SITE/begun")" 2
    finished "$(revision)" 1
}
gone_pid() { ! kill -0 "$1" 2>/dev/null; }

# l: it is left alone, and a resume takes it up.
case_left_running() {
    site_at_work left_running
    printf 'l' >&7
    typed_end 130
    typed_says 'goes on on the host' || fail "nothing said of the job"
    kill -0 "$(cat "$SITE/begun")" || fail "the job was ended"
    rm "$SITE/block"
    expect 0 resume production
    same "how often it ran" "$(wc -l <"$SITE/begun")" 1
    finished "$(revision)" 1
}

# --- what the host does ------------------------------------------------------------------------

case_current_is_a_folder() {
    site_stopped current_is_a_folder
    rm "$SITE/here/current"
    mkdir "$SITE/here/current"
    touch "$SITE/here/current/precious"
    expect 1 resume production
    says 'current is a folder'
    says 'current is not a symbolic link'
    there "$SITE/here/current/precious"
    rm -r "$SITE/here/current"
    expect 0 resume production
    finished "$(revision)" 2
}

case_live_release_removed() {
    site_stopped live_release_removed
    rm -r "$SITE/here/releases/$(release here)"
    expect 0 status production
    says 'points nowhere'
    expect 0 resume production
    finished "$(revision)" 2
}

# Aborted while what was live before is gone: there is nowhere to go back to, and it says so, but
# the site is not stuck.
case_abort_with_nothing_to_go_back_to() {
    site_new abort_nowhere 0
    expect 0 deploy production
    local first
    first=$(release here)
    commit_file public/index.html two
    recipe_write <<<"health: {run: 'false', attempts: 1, on_failure: stop}"
    expect 1 deploy production
    local second
    second=$(release here)
    rm -r "$SITE/here/releases/$first"
    expect 0 abort production
    says "$first, which was live before, is gone.*$second stays"
    same "live" "$(release here)" "$second"
    gone "$SITE/here/.crelease/lock"
    there "$SITE/here/current/REVISION"
}

# A first deploy that is given up after the switch: nothing is live then, so nothing is restarted.
case_abort_of_the_first() {
    site_new abort_of_the_first 0
    recipe_write <<<"restart: {run: 'echo x >>$SITE_Q/restarted'}
health: {run: 'false', attempts: 1, on_failure: stop}"
    expect 1 deploy production
    expect 0 abort production
    gone "$SITE/here/current"
    gone "$SITE/here/.crelease/lock"
    same "restarts" "$(wc -l <"$SITE/restarted")" 1
}

case_no_rights() {
    site_stopped no_rights
    chmod a-w "$SITE/here/.crelease/runs/$(run_of)"
    if [ "$(id -u)" -ne 0 ]; then
        expect 1 resume production
        says 'cannot write'
    fi
    chmod u+w "$SITE/here/.crelease/runs/$(run_of)"
    expect 0 resume production
    finished "$(revision)" 2
}

# A clock that went backwards since the last deploy: the names go on, and so does their order.
case_clock_backwards() {
    site_new clock_backwards 0
    expect 0 deploy production
    local past future=29990101000000
    past=$(release here)
    mv "$SITE/here/releases/$past" "$SITE/here/releases/$future"
    mv "$SITE/here/.crelease/manifests/$past" "$SITE/here/.crelease/manifests/$future"
    ln -sfn "$SITE/here/releases/$future" "$SITE/here/current"
    sed -i "s/$past/$future/" "$SITE/here/revisions.log"
    commit_file public/index.html two
    expect 0 deploy production
    same "the name" "$(release here)" 29990101000001
    finished "$(revision)" 2
    expect 0 rollback production
    same "back" "$(release here)" "$future"
}

case_read_only() {
    site_stopped read_only
    rm -f "$SITE/block"
    if root && unshare -m true 2>/dev/null; then
        # Root may write everywhere but on a file system that is mounted read-only.
        # shellcheck disable=SC2016 # for sh
        unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$2" && exec "$3" resume production' \
            sh "$SITE/here" "$SITE" "$CRELEASE" >"$OUT" 2>"$ERR" </dev/null && fail "resumed on a read-only site"
        says 'cannot (make|write)'
    fi
    expect 0 resume production
    finished "$(revision)" 2
}

case_leftover_of_capistrano() {
    site_stopped leftover_of_capistrano
    ln -s "$SITE/here/releases/19990101000000" "$SITE/here/releases/current"
    expect 0 resume production
    finished "$(revision)" 2
}

rig_open
rig_start 2
run_cases "$@"
