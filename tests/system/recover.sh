#!/bin/bash
# What lies on the hosts after a crash: damaged, of another version, or of another recipe; and what
# the hosts themselves can do to a run.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='damaged_lock changed_marks new_recipe_gives_up recipe_out_of_git secret_recipe host_added evil_user
    evil_revision evil_revision_of_a_release evil_run_of_the_past ref_has_moved_meanwhile other_ref_has_moved hint_for_a_host
    resumed_by_many ten_at_the_same_moment ctrl_c_twice current_is_a_folder abort_with_nothing_to_go_back_to
    clock_backwards read_only leftover_of_capistrano stage_without_a_database'

# site_stopped NAME: a run of a second deploy that was killed in its build, on the local transport.
site_stopped() {
    site_new "$1" "${2-0}"
    expect_status 0 deploy production
    commit_file public/index.html two
    touch "$SITE/block"
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 begun_on_all
    kill_crelease
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
    expect_status 1 resume production
    expect_output "$2"
    run_crelease deploy production
    case $STATUS in 1 | 6) ;; *) fail "$1: crelease deploy ends with $STATUS" ;; esac
    assert_equal "$1: what lies on the host" "$(state_of here)" "$before"
}

# A run that another version left unfinished, from tests/recorded/unfinished.  In $JOB its job's attempt.
recorded_site() { # NAME
    local recorded=$TOP/tests/recorded/unfinished link target
    site_new "$1" 0
    rm -rf "$SITE/here" "$REPO"
    git init -q -b main "$REPO"
    git -C "$REPO" fast-import --quiet <"$recorded/commits"
    git -C "$REPO" checkout -q main
    cp -R "$recorded/here" "$SITE/here"
    chmod -R go-w "$SITE/here"
    mkdir -p "$SITE/here/shared/log" "$SITE/here/shared/tmp/pids"
    while read -r link target; do
        mkdir -p "$(dirname "$SITE/here/$link")"
        ln -s "$SITE/$target" "$SITE/here/$link"
    done <"$recorded/links"
    sed -i "s,@SITE@,$SITE,g" "$SITE"/here/.crelease/runs/*/recipe "$SITE"/here/.crelease/runs/*/found
    printf -v JOB %s "$SITE"/here/.crelease/runs/86ikhb/jobs/build.0/1
    recipe_write <<END
build: ['echo one; echo x >>begun; echo two', 'echo three']
END
}

# Its job had come to its end: that is taken, and the output that was not shown yet is shown.
case_run_of_the_version_before() {
    recorded_site run_of_the_version_before
    expect_status 0 resume --new-recipe --json production
    assert_equal 'what was shown' "$(jq -r 'select(.event == "output") | .data' "$OUT" | xargs)" 'two three'
    assert_equal 'how often it was started' "$(wc -l <"$SITE/here/current/begun")" 1
    assert_gone "$SITE/here/.crelease/runs/86ikhb/jobs/build.0/2"
    assert_equal release "$(release here)" 20261201210835
    assert_equal 'lines in revisions.log' "$(wc -l <"$SITE/here/revisions.log")" 2
    assert_gone "$SITE/here/.crelease/lock"
}

# Its job was lost with the host: it is started again, once.
case_lost_job_of_the_version_before() {
    recorded_site lost_job_of_the_version_before
    rm "$JOB/status"
    expect_status 0 resume --new-recipe production
    expect_output 'was lost .*; starting it again'
    assert_equal 'how often it was started' "$(wc -l <"$SITE/here/current/begun")" 2
    assert_equal release "$(release here)" 20261201210835
}

case_abort_of_the_version_before() {
    recorded_site abort_of_the_version_before
    expect_status 0 abort --new-recipe production
    assert_equal release "$(release here)" 20261201210822
    assert_gone "$SITE/here/releases/20261201210835"
    assert_gone "$SITE/here/.crelease/lock"
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
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
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
        expect_status 0 resume production
        assert_deployed "$(revision)" 2
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
    expect_status 0 abort production
    assert_gone "$SITE/here/.crelease/lock"
}

# --- the recipe --------------------------------------------------------------------------------

# Every other recipe than the run's is refused, by resume and by abort, and changes nothing; what differs is
# said, and how to continue.
other_recipe_is_refused() {
    local before command
    before=$(state_of "${1-here}")
    for command in resume abort; do
        expect_status 2 $command production
        expect_output 'started with another recipe'
        expect_output "crelease $command --new-recipe production' (continues it|gives it up) with the current recipe"
        expect_output "crelease abort --new-recipe production'"
        assert_equal "what lies on the host" "$(state_of "${1-here}")" "$before"
    done
}

case_other_recipe() {
    site_stopped other_recipe
    cp "$RECIPE" "$SITE/was.yml"
    sed -i 's/^build:.*/build: ["echo new >>made"]/; s/^keep_releases: .*/keep_releases: 7/' "$RECIPE"
    other_recipe_is_refused
    expect_output '^  \| -keep_releases: 3'
    expect_output '^  \| \+keep_releases: 7'
    expect_output '^  \| \+build: \["echo new >>made"\]'
    expect_no_output 'linked_files'
    expect_output "crelease abort .*-f FILE.*' gives it up with that"
    expect_status 0 resume production -f was.yml
    assert_deployed "$(revision)" 2
    assert_gone "$SITE/here/current/made"
    assert_exists "$SITE/here/current/tmp/restart.txt"
}

case_new_recipe() {
    site_stopped new_recipe
    sed -i 's/^restart:.*/restart: {touch: tmp\/other.txt}/' "$RECIPE"
    expect_status 0 resume --new-recipe production
    expect_output 'continuing with the current one'
    assert_exists "$SITE/here/current/tmp/other.txt"
}

case_new_recipe_gives_up() {
    site_stopped new_recipe_gives_up
    sed -i 's/^restart:.*/restart: {touch: tmp\/other.txt}/' "$RECIPE"
    expect_status 0 abort --new-recipe production
    assert_gone "$SITE/here/.crelease/lock"
    assert_equal 'what is live' "$(live_revision)" "$(git -C "$REPO" rev-parse HEAD~1)"
}

# The command that is named gets the run's recipe out of Git, whichever commit has it.
case_recipe_out_of_git() {
    site_new recipe_out_of_git 0
    rm "$RECIPE"
    RECIPE=$REPO/config/crelease.yml
    recipe_write <<<"extends: rails
repository: .
build: ['false']"
    cd "$REPO"
    commit_all 'A recipe'
    expect_status 1 deploy production
    local of
    of=$(revision)
    sed -i 's/false/true/' "$RECIPE"
    commit_all 'Another recipe'
    commit_file config/more.yml more
    expect_status 2 resume production
    expect_output "next: 'git show ${of:0:12}:config/crelease.yml >$REPO/config/crelease\.[a-z0-9]*\.yml && .*/crelease resume .*-f $REPO/config/crelease\.[a-z0-9]*\.yml.*'"
    # As it is named it is taken.
    local command
    command=$(sed -n "s/^  next: '\(.* && \).*crelease resume \(.*\)' continues.*/\1'$(sed 's/[&/]/\\&/g' <<<"$CRELEASE")' resume \2/p" "$ERR")
    cp "$ERR" "$SITE/said"
    STATUS=0
    bash -c "$command" >"$SITE/again" 2>&1 || STATUS=$?
    cat "$SITE/again"
    assert_equal 'status with the old recipe, of which the build fails' "$STATUS" 6
    grep -q "'main' has moved" "$SITE/again" || fail "nothing is said of the newer commit"
}

# Every byte of the host's copy is shown, none acts; it is bounded, and passwords are left out.
case_copy_is_shown() {
    site_new copy_is_shown 0
    recipe_write <<<"build: ['false']
secrets: [correct-horse]
env: {A: correct-horse}"
    expect_status 1 deploy production
    RUN=$(run_of)
    {
        printf 'build: \033]0;owned\007 \302\233 correct-horse\n'
        printf 'repository: https://ann:s3cr3t@example.com/x\n'
        for i in $(seq 3000); do printf 'line %s \033[31m\n' "$i"; done
    } >"$(state_file recipe)"
    sed -i 's/false/true/' "$RECIPE"
    expect_status 2 resume production
    expect_output '^  \| -build: \\x1b\]0;owned\\x07 \\xc2\\x9b \[secret\]'
    expect_no_output 'correct-horse'
    expect_no_output s3cr3t
    expect_output 'and [0-9]+ more lines'
    [ "$(wc -l <"$ERR")" -lt 30 ] || fail "$(wc -l <"$ERR") lines are shown"
    ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$OUT" "$ERR" || fail "a control character is shown"
    run_crelease resume --json production
    assert_equal 'lines of JSON' "$(json -s 'length > 0')" true
    head -c 1000000 /dev/zero | tr '\0' '-' >"$(state_file recipe)"
    echo >>"$(state_file recipe)"
    expect_status 2 resume production
    expect_output 'no host has a copy of it'
    expect_status 0 resume --new-recipe production
}

# A secret that stands in the recipe as it is never comes to lie on a host.
case_secret_recipe() {
    site_new secret_recipe 0
    recipe_write <<<"secrets: [correct-horse]
build: ['echo correct-horse >/dev/null; false']"
    expect_status 1 deploy production
    ! grep -rq correct-horse "$SITE/here/.crelease" || fail "the secret lies on the host"
    sed -i 's/false/true/' "$RECIPE"
    expect_status 2 resume production
    expect_output 'no host has a copy of it'
    expect_status 0 resume --new-recipe production
}

# A host that was taken out of the recipe meanwhile still has its part of the run; but the run can be given
# up on those that are left.
case_host_removed() {
    site_stopped host_removed 2
    cp "$RECIPE" "$SITE/was.yml"
    sed -i '/name: app2/d' "$RECIPE"
    sed -i 's/roles: \[app, web\]/roles: [app, web, db]/' "$RECIPE"
    other_recipe_is_refused app1
    expect_output '^  \| - .*name: app2'
    expect_status 1 resume --new-recipe production
    expect_output "run .* includes host 'app2', which is not in the recipe"
    expect_status 0 resume -f "$SITE/was.yml" production
    assert_deployed "$(revision)" 2
}

case_host_is_lost_for_good() {
    site_stopped host_is_lost_for_good 2
    host_stop app2
    expect_status 5 abort production
    sed -i '/name: app2/d' "$RECIPE"
    expect_status 0 abort --new-recipe production
    expect_output "run .* includes host 'app2', .* left as it is"
    assert_gone "$SITE/app1/.crelease/lock"
    host_restart app2
    assert_exists "$SITE/app2/.crelease/lock"
}

# One that was added has none, and is not touched.
case_host_added() {
    site_stopped host_added 1
    sed -i "s|^environments:|environments:|; \$a\\      - {host: $(host_address app2), port: $(host_port app2), name: app2, roles: [app], deploy_to: '$SITE/app2'}" "$RECIPE"
    mkdir -p "$SITE/app2"
    expect_status 0 status production
    expect_output 'app2 .*(not part of run|nothing is live)'
    other_recipe_is_refused app1
    expect_status 0 resume --new-recipe production
    assert_deployed "$(revision)" 2
    assert_gone "$SITE/app2/releases"
    mkdir -p "$SITE/app2/shared/config"
    cp "$SITE/app1/shared/config/database.yml" "$SITE/app2/shared/config"
    SITE_HOSTS=(app1 app2)
    expect_status 0 deploy production
    assert_deployed "$(revision)"
}

# --- a host that lies --------------------------------------------------------------------------

# plant HOST RUN [KEY=VALUE...]: a lock and a plan with valid checksums, of a deploy that nobody works on; the
# values replace those of an honest one.  What is on standard input is the run's recipe there.
plant() {
    local host=$1 run=$2 dir=$SITE/$1/.crelease text key
    shift 2
    mkdir -p "$dir/runs/$run"
    local -A value=([run]=$run [command]=deploy [application]=shop [environment]=production [release]=20991231000000
        [revision]=$(revision) [revision_time]=1763825412 [ref]=main [subject]=Innocent [by]=ann@laptop [user]=ann
        [since]=1763825412 [recipe]=$(recipe_digest) [migrate_digest]='' [migrate]=yes [hosts]="${SITE_HOSTS[*]}" [epoch]=1)
    for key; do value[${key%%=*}]=${key#*=}; done
    text=$(
        echo 'crelease-plan 1'
        for key in run command application environment release revision revision_time ref subject by user since recipe migrate_digest migrate; do
            printf '%s %s\n' "$key" "${value[$key]}"
        done
        # shellcheck disable=SC2086 # words
        printf 'host %s\n' ${value[hosts]}
    )
    printf '%s\nend plan %s\n' "$text" "$(printf '%s\n' "$text" | sha256sum | cut -d' ' -f1)" >"$dir/runs/$run/plan"
    cat >"$dir/runs/$run/recipe"
    text=$(printf 'crelease-lock 1\nrun %s\nepoch %s\nby ann@laptop\nsince 1763825412\nkeeper 4194303 1 none' "$run" "${value[epoch]}")
    printf '%s\nend %s\n' "$text" "$(printf '%s\n' "$text" | cksum | cut -d' ' -f1)" >"$dir/lock"
}
# As core/recipe.c makes it, of one that extends nothing.
recipe_digest() { printf '\0' | cat "$RECIPE" - | sha256sum | cut -d' ' -f1; }

# site_trusted NAME: two hosts, one revision live on both.
site_trusted() {
    site_new "$1" 2
    expect_status 0 deploy production
    LIVE=$(release app1)
    SHA=$(revision)
}
# untouched: the other host has what it had, and this machine no file that an evil recipe makes.
untouched() {
    assert_gone "$SITE/stolen"
    assert_equal "app2: what is live" "$(release app2)" "$LIVE"
    assert_equal "app2: releases" "$(releases app2)" "$LIVE"
    assert_gone "$SITE/app2/.crelease/lock"
}

# What a host says is the run's recipe runs nothing on this machine, and reads nothing of its environment.
case_evil_recipe() {
    site_trusted evil_recipe
    local evil="application: shop
repository: '$SITE/repo'
transport: local
env: {STOLEN: '\${OPERATORS_SECRET}'}
hooks: {before checkout: ['echo \"\$STOLEN\" >$SITE_Q/stolen']}
build: ['echo \"\$STOLEN\" >$SITE_Q/stolen']
environments: {production: {hosts: [{host: app1, deploy_to: '$SITE/app2'}]}}"
    plant app1 evil "recipe=$(printf '%s\0' "$evil" | sha256sum | cut -d' ' -f1)" hosts=app1 <<<"$evil"
    export OPERATORS_SECRET=k3ys
    local command
    for command in 'resume' 'abort' 'resume -n' 'resume --takeover --force' 'resume --json'; do
        # shellcheck disable=SC2086 # words
        expect_status 2 $command production
        expect_no_output k3ys
    done
    expect_status 2 abort production
    expect_output '^  \| -transport: local'
    run_crelease status production
    run_crelease plan production
    untouched
    # What is done at last is what the recipe at hand says, on the host that said it.
    expect_status 0 resume --new-recipe production
    untouched
}

# Two hosts with a run of one id: where their plans differ, both are named, and what differs.
case_evil_plan() {
    site_trusted evil_plan
    commit_file public/index.html two
    local row
    for row in "revision=$SHA" release=20260101000000 command=rollback "ref=evil'\$(x)" hosts=app1 user=mallory migrate=no \
        recipe=0000000000000000000000000000000000000000000000000000000000000000 migrate_digest=11 subject=$'\e[31mx'; do
        plant app1 evil "$row" </dev/null
        plant app2 evil </dev/null
        expect_status 1 resume production
        expect_output 'the plan of run evil differs between hosts: app1 has .*, app2 has '
        expect_status 1 abort production
        expect_output 'the plan of run evil differs between hosts: app1 has .*, app2 has '
        expect_status 0 status production
        expect_output 'its plan differs between hosts: app1 has .*, app2 has '
        ! LC_ALL=C grep -qP '\x1b' "$OUT" "$ERR" || fail "a control character is shown"
        rm "$SITE/app2/.crelease/lock"
        untouched
    done
    # The way out that is named: without the one that lies.
    plant app1 evil revision="$SHA" </dev/null
    plant app2 evil </dev/null
    sed -i '/name: app1/d' "$RECIPE"
    expect_status 0 abort --new-recipe production
    untouched
}

# One host has a run of which the other knows nothing: that one gets nothing that a deploy would not bring.
case_evil_revision() {
    site_trusted evil_revision
    commit_file public/index.html two
    git -C "$REPO" branch evil "$SHA"
    local row
    for row in "revision=$SHA" "revision=$SHA ref=evil" "revision=$SHA ref=$SHA" "command=rollback release=$LIVE" \
        "command=rollback release=$LIVE revision=$SHA ref=" "release=$LIVE" "release=20000101000000" "release=20991231000000" "migrate_digest=11"; do
        # shellcheck disable=SC2086 # words
        plant app1 evil release="$(date -u +%Y%m%d%H%M%S)" $row </dev/null
        expect_status 6 resume production
        expect_output 'app2 has no record of run evil'
        expect_output "crelease abort production && .*crelease (deploy|rollback) .*production"
        untouched
    done
    for row in "revision=$(printf %040d 0)" "ref=no-such-branch" "ref=-x" "ref=" "ref=HEAD:public" "ref=@{-1}" "ref=../../x"; do
        plant app1 evil release="$(date -u +%Y%m%d%H%M%S)" "$row" </dev/null
        run_crelease resume production
        [ "$STATUS" -ne 0 ] || fail "resume with $row ends well"
        untouched
    done
    # Such a run is given up wherever it is, without a trace on the other host but its history.
    expect_status 0 abort production
    untouched
    assert_gone "$SITE/app1/.crelease/lock"
    # One that is what a deploy does now goes on: a first lock was taken, and the second one not.
    plant app1 true release="$(date -u +%Y%m%d%H%M%S)" </dev/null
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

case_evil_names() {
    site_trusted evil_names
    local row
    # shellcheck disable=SC2016 # not for this shell
    for row in release=../../../x release=../x "release=20260101000000/../.." release=2026010100000a release= release=20269999999999 \
        revision=../../../../../../etc/passwd "revision=$(printf %040d 0 | tr 0 G)" revision=3f2a 'recipe=$(x)' 'migrate_digest=; x' run=../x run= \
        environment= application= hosts= "hosts=ghost" "hosts=app2" "environment=staging"; do
        plant app1 evil "$row" </dev/null
        run_crelease resume production
        case $STATUS in 1 | 2) ;; *) fail "$row: resume ends with $STATUS" ;; esac
        expect_output 'app1|host'
        run_crelease abort production
        case $STATUS in 1 | 2) ;; *) fail "$row: abort ends with $STATUS" ;; esac
        untouched
    done
    # A lock that would make the other host's lock one that nobody reads.
    plant app1 evil epoch=999999999 </dev/null
    expect_status 1 resume production
    expect_output 'app1 says that run evil was taken over 999999999 times'
    untouched
}

# A line for the other host's revisions.log that names a second release as finished.
case_evil_user() {
    site_trusted evil_user
    commit_file public/index.html two
    local now
    now=$(date -u +%Y%m%d%H%M%S)
    plant app1 evil release="$now" "user=x deployed as release 20260101000000 by ann" </dev/null
    expect_status 6 resume production
    untouched
    git -C "$REPO" branch 'x deployed as release 20260101000000 by y' 2>/dev/null || true
    plant app1 evil release="$now" "ref=main deployed as release 20260101000000 by ann" </dev/null
    run_crelease resume production
    [ "$STATUS" -ne 0 ] || fail "resume ends well"
    untouched
}

# What one host says of the revision of a release is not written down on the others.
case_evil_revision_of_a_release() {
    site_trusted evil_revision_of_a_release
    commit_file public/index.html two
    expect_status 0 deploy production
    # shellcheck disable=SC2016 # not for this shell
    for row in "$(printf %040d 0)" '$(touch${IFS}stolen)aaaaaaaaaaaaaaaaaaaaaa' $'\e[31m'; do
        printf '%s\n' "$row" >"$SITE/app1/releases/$LIVE/REVISION"
        expect_status 0 rollback --json production
        ! grep -qF "$row" "$SITE/app2/.crelease/history" || fail "app2 has it"
        expect_status 0 rollback production --to "$(releases app2 | tail -n 1)"
    done
}

# Names that another run of the other host has: neither its release nor its record is taken for this one's.
case_evil_run_of_the_past() {
    site_trusted evil_run_of_the_past
    commit_file public/index.html two
    local past
    past=$(cut -d' ' -f1 "$SITE/app2/.crelease/history")
    plant app1 "$past" </dev/null
    expect_status 1 resume production
    expect_output "the plan of run $past differs between hosts: app1 has 'deploy 20991231000000 .*', app2 has 'deploy $LIVE "
    untouched
    # What lies there under the name of the new release is not of this run, and abort leaves it alone.
    rm "$SITE/app1/.crelease/lock"
    mkdir "$SITE/app2/releases/20991231000000"
    plant app1 evil </dev/null
    plant app2 evil </dev/null
    expect_status 1 resume production
    expect_output "app2.*20991231000000' already exists and does not belong to this run"
    expect_status 0 abort production
    assert_exists "$SITE/app2/releases/20991231000000"
}

# What one host says of the migration, of the database or of a backup is not believed of the host that has it.
case_evil_marks() {
    site_new evil_marks 2
    recipe_write <<<"migrate: {run: 'echo x >>$SITE_Q/migrated', status: \"echo '  down  2026 One'\"}
hooks: {before switch: ['false']}"
    sed -i "s|status: .*|status: \"test -s $SITE/migrated \&\& echo '  up  2026 One' \|\| echo '  down  2026 One'\"}|" "$RECIPE"
    # Fails before the migration on its own host.
    sed -i "s|^hooks:.*|hooks: {before migrate: ['test -e $SITE_Q/go']}|" "$RECIPE"
    expect_status 1 deploy production
    assert_gone "$SITE/migrated"
    printf 'migrate skipped 1763825412\nbackup-rerun begun 1763825412\n' >>"$SITE/app1/.crelease/runs/$(run_of app1)/marks"
    mkdir -p "$SITE/app1/.crelease/rerun"
    printf 'evil\n\033[31m; touch %s\n' "$SITE_Q/stolen" >"$SITE/app1/.crelease/runs/$(run_of app1)/pending"
    touch "$SITE/go"
    expect_status 0 resume production
    assert_equal 'how often it migrated' "$(wc -l <"$SITE/migrated")" 1
    assert_gone "$SITE/stolen"
}

# --- the ref has moved -------------------------------------------------------------------------

# A broken commit is mended by another commit, so that is what resume says, as soon as there is one.
case_ref_has_moved() {
    site_new ref_has_moved 0
    recipe_write <<<"build: ['test ! -e broken']"
    expect_status 0 deploy production
    commit_file broken yes
    expect_status 1 deploy production
    expect_output "next: commit a fix, then run '[^ ]*crelease deploy production': it replaces this run"
    expect_output "if the cause is not in the commit, fix it, then run '.*crelease resume production'"
    # Nothing has moved: it is tried again.
    expect_status 1 resume production
    expect_no_output 'has moved'
    local old
    old=$(revision)
    git -C "$REPO" rm -q broken
    commit_all 'Mend it'
    local new before
    new=$(revision)
    before=$(state_of here)
    expect_status 6 resume production
    expect_output "'main' has moved since run .* failed in stage 'build': the run has ${old:0:7}, 'main' is now ${new:0:7}"
    expect_output "next: '.*crelease abort production && .*crelease deploy production' deploys ${new:0:7}"
    expect_output "'.*crelease resume --same-revision production' tries ${old:0:7} again"
    assert_equal "what lies on the host" "$(state_of here)" "$before"
    expect_status 1 resume production --same-revision
    expect_output "stage 'build'"
    expect_status 0 abort production
    expect_status 0 deploy production
    assert_deployed "$new" 2
}

# What did not fail by its commit goes on with it, and says what there is besides.
case_ref_has_moved_meanwhile() {
    site_stopped ref_has_moved_meanwhile
    local old
    old=$(revision)
    commit_file public/index.html three
    expect_status 0 resume production
    expect_output "'main' has moved since run .* was started, from ${old:0:7} to $(git -C "$REPO" rev-parse --short=7 HEAD); continuing with ${old:0:7}"
    expect_output 'abort production && .*deploy production'
    assert_deployed "$old" 2
}

# A run of another ref is not compared with the recipe's, and is named where it is started again.
case_other_ref_has_moved() {
    site_new other_ref_has_moved 0
    recipe_write <<<"build: ['test ! -e broken']"
    git -C "$REPO" checkout -qb 'odd"one'
    commit_file broken yes
    expect_status 1 deploy --ref 'odd"one' production
    expect_output "abort production && .*crelease deploy --ref .*odd.*one"
    git -C "$REPO" checkout -q main
    commit_file public/index.html two
    expect_status 1 resume production
    expect_no_output 'has moved'
    git -C "$REPO" checkout -q 'odd"one'
    commit_file broken still
    expect_status 6 resume production
    expect_output 'has moved since run'
    # What is not there any more cannot have moved.
    git -C "$REPO" checkout -q main
    git -C "$REPO" branch -qD 'odd"one'
    expect_status 1 resume production
    expect_output 'could not check whether .*: no branch, tag or commit'
}

# What is missing on a host needs no new commit.
case_hint_for_a_host() {
    site_new hint_for_a_host 0
    expect_status 0 deploy production
    commit_file public/index.html two
    echo "in the way of a folder" >"$SITE/here/.crelease/incoming"
    expect_status 1 deploy production
    expect_no_output 'commit a fix'
    expect_output "next: fix it, then run '.*crelease resume production', or '.*crelease abort production'"
}

# --- the holder --------------------------------------------------------------------------------

# Asleep with a script at work on the host: the one who takes over ends that script first.
case_acting_is_ended() {
    site_new acting_is_ended 0
    expect_status 0 deploy production
    commit_file public/index.html two
    # A tar that says that it has begun and does not come to its end.
    mkdir -p "$SITE/bin"
    printf '#!/bin/sh\necho $$ >%s/tar\nexec sleep 300\n' "$SITE_Q" >"$SITE/bin/tar"
    chmod +x "$SITE/bin/tar"
    PATH=$SITE/bin:$PATH start_crelease deploy production
    wait_for 60 test -s "$SITE/tar"
    kill -STOP "$CR_PID"
    expect_status 0 resume --takeover --force production
    assert_deployed "$(revision)" 2
    case $(sed 's/.*) //' "/proc/$(cat "$SITE/tar")/stat" 2>/dev/null) in '' | Z*) ;; *) fail "what the old holder had begun still runs" ;; esac
    kill -CONT "$CR_PID"
    finish_crelease ''
    [ "$STATUS" -ne 0 ] || fail "the one that was taken over ends with 0"
    assert_deployed "$(revision)" 2
}

# Asleep for so long that it counts as dead: taken over without being asked, and refused when it wakes
# up.  The beat is of the host's own clock, so a minute is taken off it here.
case_asleep_for_a_minute() {
    site_new asleep_for_a_minute 2
    touch "$SITE/block"
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill -STOP "$CR_PID"
    beats_are 20
    expect_status 3 resume production
    beats_are 60
    run_crelease status --json production
    assert_equal "state" "$(json .run.state)" interrupted
    rm "$SITE/block"
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
    kill -CONT "$CR_PID"
    # Whether it hears of it from its next step or from the script that it was following.
    finish_crelease 3
    grep -q 'taken over' "$CR_ERR" || fail "it does not say why"
    assert_deployed "$(revision)" 1
    assert_equal "how often the job ran, on two hosts" "$(wc -l <"$SITE/begun")" 2
}

beats_are() { # SECONDS ago
    local host up
    read -r up _ </proc/uptime
    for host in app1 app2; do echo $((${up%.*} - $1)) >"$SITE/$host/.crelease/beat"; done
}

# All of the host's sshd is stopped, while the kernel goes on acknowledging what is sent: no wait is without an end.
case_sshd_is_stopped() {
    site_new sshd_is_stopped 1
    touch "$SITE/block"
    recipe_write <<END
connection: {alive: 1s}
build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']
END
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    sshd_signal app1 STOP
    wait_for 60 cr_has_ended
    finish_crelease 7
    # It takes a connection, and says nothing.
    expect_status 5 resume production
    sshd_signal app1 CONT
    rm "$SITE/block"
    wait_for 60 no_lock_is_alive
    expect_status 0 resume production
    assert_equal "how often the job ran" "$(wc -l <"$SITE/begun")" 1
    assert_deployed "$(revision)" 1
}
cr_has_ended() { ! kill -0 "$CR_PID" 2>/dev/null; }
sshd_signal() { # HOST SIGNAL
    local pid
    for pid in $(cat "$RIG/$1/sshd.pid") $(descendants_of "$(cat "$RIG/$1/sshd.pid")"); do
        ! is_sshd "$pid" || kill "-$2" "$pid"
    done
}

# Killed while the last script frees the lock: who resumes at that moment is told to look again, and
# there is nothing left of either.
case_end_meets_takeover() {
    site_new end_meets_takeover 0
    expect_status 0 deploy production
    commit_file public/index.html two
    mkdir -p "$SITE/bin"
    cat >"$SITE/bin/rm" <<END
#!/bin/sh
case "\$*" in *"/.crelease/lock "*) echo x >>"$SITE/freeing"; while [ -e "$SITE/hold" ]; do sleep 0.05; done ;; esac
exec /bin/rm "\$@"
END
    chmod +x "$SITE/bin/rm"
    touch "$SITE/hold"
    PATH=$SITE/bin:$PATH start_crelease deploy production
    wait_for 60 test -s "$SITE/freeing"
    kill_crelease
    expect_status 3 resume production
    expect_output 'has just finished or was taken over by someone else'
    rm "$SITE/hold"
    wait_for 30 lock_gone
    expect_status 0 resume production
    expect_output 'nothing to do'
    assert_deployed "$(revision)" 2
    wait_for 10 only_records_are_left
}
only_records_are_left() { [ "$(cd "$SITE/here/.crelease" && echo *)" = 'history manifests runs times' ]; }
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
    run_crelease resume production
    assert_deployed "$(revision)" 2
    assert_equal "how often the job began" "$(wc -l <"$SITE/begun")" 2
}

# A connection that breaks while the script goes on: the same holder points the hosts back, and the
# script that was cut off must not point one of them forward after that.
case_cut_off_is_ended() {
    site_new cut_off_is_ended 2
    expect_status 0 deploy production
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
    start_crelease deploy production
    wait_for 60 test -s "$SITE/syncs"
    cut_connections app2
    finish_crelease 7
    rm "$SITE/hold" "$RIG/bin/sync"
    wait_for 30 no_script_on app2
    assert_equal "app1" "$(release app1)" "$first"
    assert_equal "app2" "$(release app2)" "$first"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}
no_script_on() { # HOST
    local entry
    for entry in /proc/[0-9]*; do
        if grep -qzxF "CRELEASE_RIG_HOST=$RIG/$1" "$entry/environ" && grep -qzE 'eval.*dd bs=|^crelease$' "$entry/cmdline"; then
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
        assert_equal "round $round: winners" "$winners" 1
        assert_deployed "$(revision)" "$round"
        assert_equal "round $round: releases" "$(releases app1 | wc -l)" "$((round < 3 ? round : 3))"
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
    start_on_terminal deploy production
    wait_for 60 test -s "$SITE/begun"
    printf '\003' >&7
    wait_for 60 terminal_shows 'Ctrl-C again'
}

# Once: the job comes to its end, and the run stops there.
case_ctrl_c_once() {
    site_at_work ctrl_c_once
    rm "$SITE/block"
    finish_on_terminal 130
    assert_exists "$SITE/through"
    expect_status 0 resume production
    assert_equal "how often it ran" "$(wc -l <"$SITE/begun")" 1
    assert_deployed "$(revision)" 1
}

# Twice: the job is ended, all of it, and a resume begins it anew.
case_ctrl_c_twice() {
    site_at_work ctrl_c_twice
    printf '\003' >&7
    finish_on_terminal 130
    terminal_shows 'was ended' || fail "nothing said of the end of the job"
    assert_gone "$SITE/through"
    wait_for 60 gone_pid "$(cat "$SITE/begun")"
    rm "$SITE/block"
    expect_status 0 resume production
    assert_equal "how often it began" "$(wc -l <"$SITE/begun")" 2
    assert_deployed "$(revision)" 1
}
gone_pid() { ! kill -0 "$1" 2>/dev/null; }

# l: it is left alone, and a resume takes it up.
case_left_running() {
    site_at_work left_running
    printf 'l' >&7
    finish_on_terminal 130
    terminal_shows 'was left running on the host' || fail "nothing said of the job"
    kill -0 "$(cat "$SITE/begun")" || fail "the job was ended"
    rm "$SITE/block"
    expect_status 0 resume production
    assert_equal "how often it ran" "$(wc -l <"$SITE/begun")" 1
    assert_deployed "$(revision)" 1
}

# --- what the host does ------------------------------------------------------------------------

case_current_is_a_folder() {
    site_stopped current_is_a_folder
    rm "$SITE/here/current"
    mkdir "$SITE/here/current"
    touch "$SITE/here/current/precious"
    expect_status 1 resume production
    expect_output 'current is a folder'
    expect_output 'current is not a symbolic link'
    assert_exists "$SITE/here/current/precious"
    rm -r "$SITE/here/current"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

case_live_release_removed() {
    site_stopped live_release_removed
    rm -r "$SITE/here/releases/$(release here)"
    expect_status 0 status production
    expect_output 'is a broken link to '
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

# Aborted while what was live before is gone: there is nowhere to go back to, and it says so, but
# the site is not stuck.
case_abort_with_nothing_to_go_back_to() {
    site_new abort_nowhere 0
    expect_status 0 deploy production
    local first
    first=$(release here)
    commit_file public/index.html two
    recipe_write <<<"health: {run: 'false', attempts: 1, on_failure: stop}"
    expect_status 1 deploy production
    local second
    second=$(release here)
    rm -r "$SITE/here/releases/$first"
    expect_status 0 abort production
    expect_output "$first', which was live before, no longer exists.*$second stays"
    assert_equal "live" "$(release here)" "$second"
    assert_gone "$SITE/here/.crelease/lock"
    assert_exists "$SITE/here/current/REVISION"
}

# A first deploy that is given up after the switch: nothing is live then, so nothing is restarted.
case_abort_of_the_first() {
    site_new abort_of_the_first 0
    recipe_write <<<"restart: {run: 'echo x >>$SITE_Q/restarted'}
health: {run: 'false', attempts: 1, on_failure: stop}"
    expect_status 1 deploy production
    expect_status 0 abort production
    assert_gone "$SITE/here/current"
    assert_gone "$SITE/here/.crelease/lock"
    assert_equal "restarts" "$(wc -l <"$SITE/restarted")" 1
}

case_no_rights() {
    site_stopped no_rights
    chmod a-w "$SITE/here/.crelease/runs/$(run_of)"
    if [ "$(id -u)" -ne 0 ]; then
        expect_status 1 resume production
        expect_output 'cannot write'
    fi
    chmod u+w "$SITE/here/.crelease/runs/$(run_of)"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

# A clock that went backwards since the last deploy: the names go on, and so does their order.
case_clock_backwards() {
    site_new clock_backwards 0
    expect_status 0 deploy production
    local past future=29990101000000
    past=$(release here)
    mv "$SITE/here/releases/$past" "$SITE/here/releases/$future"
    mv "$SITE/here/.crelease/manifests/$past" "$SITE/here/.crelease/manifests/$future"
    ln -sfn "$SITE/here/releases/$future" "$SITE/here/current"
    sed -i "s/$past/$future/" "$SITE/here/revisions.log"
    commit_file public/index.html two
    expect_status 0 deploy production
    assert_equal "the name" "$(release here)" 29990101000001
    assert_deployed "$(revision)" 2
    expect_status 0 rollback production
    assert_equal "back" "$(release here)" "$future"
}

case_read_only() {
    site_stopped read_only
    rm -f "$SITE/block"
    if root && unshare -m true 2>/dev/null; then
        # Root may write everywhere but on a file system that is mounted read-only.
        # shellcheck disable=SC2016 # for sh
        unshare -m sh -c 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$2" && exec "$3" resume production' \
            sh "$SITE/here" "$SITE" "$CRELEASE" >"$OUT" 2>"$ERR" </dev/null && fail "resumed on a read-only site"
        expect_output 'cannot (make|write)'
    fi
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

case_leftover_of_capistrano() {
    site_stopped leftover_of_capistrano
    ln -s "$SITE/here/releases/19990101000000" "$SITE/here/releases/current"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}

# Where a run stands, without a database too: asking what is pending belongs to the migration.
case_stage_without_a_database() {
    site_new stage_without_a_database 0
    recipe_write <<END
database: {}
backup: {}
migrate: {run: "false", status: "kill -9 \$PPID; exit 9", pending_when: {exit: 3}}
environments: {production: {hosts: [{host: localhost, name: here, deploy_to: '$SITE/here'}]}}
END
    run_crelease deploy production
    [ "$STATUS" != 0 ] || fail "deployed"
    # As if nothing had been marked since the release was linked.
    sed -i '/^backup\|^migrate/d' "$SITE/here"/.crelease/runs/*/marks
    run_crelease status --json production
    assert_equal "stage" "$(json .run.stage)" migrate
    expect_status 6 deploy --on-unfinished stop production
    expect_output "at stage '?migrate"
}

rig_open
start_hosts 2
run_cases "$@"
