#!/bin/bash
# Deploys that a scheduler starts, with nobody there to decide.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)

# A build that fails: the next commit is deployed as if nothing had happened.
case_failed_build_is_replaced() {
    site_new failed_build_is_replaced 2
    recipe_write <<<"build: ['test -e public/fixed']"
    expect_status 1 deploy production
    local dead
    dead=$(basename "$SITE"/app1/.crelease/runs/*)
    expect_status 6 deploy --on-unfinished stop production
    expect_output "failed at stage 'build' and was never finished"
    assert_equal "the lock is the dead run's" "$(sed -n 's/^run //p' "$SITE/app1/.crelease/lock")" "$dead"
    expect_status 0 plan production
    expect_output "run $dead .* failed at stage 'build'; deploy would abort it first"
    expect_no_output "already|done\)"
    assert_exists "$SITE/app1/.crelease/lock"
    commit_file public/fixed yes
    expect_status 0 deploy production
    expect_output "run $dead .* failed at stage 'build', before its migration; it was aborted, and this deploy replaces it"
    assert_equal "lines about it" "$(grep -c "$dead" "$OUT")" 1
    expect_no_output 'rolled back'
    assert_deployed "$(revision)" 1
    assert_equal "releases" "$(releases app1)" "$(release)"
    grep -q "^$dead [0-9]* aborted " "$SITE/app2/.crelease/history" || fail "no record of the run that was aborted"
}

# Killed, as when a runner's machine goes: the owner is gone, but a command of the run may still run.
case_living_job_is_left_alone() {
    site_new living_job 2
    touch "$SITE/block"
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while test -e $SITE_Q/block; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill_crelease
    wait_for 30 no_lock_is_alive app1
    expect_status 6 deploy production
    expect_output "a person has to decide .*: its job 'build.0' is still running on app1"
    expect_output "crelease resume production"
    expect_output "crelease abort production"
    # The same of a command whose supervisor was killed.
    local pid
    read -r pid _ <"$(echo "$SITE"/app1/.crelease/runs/*/jobs/build.0/1/supervisor)"
    on_host app1 kill -9 "$pid"
    wait_for 10 supervisor_is_gone
    expect_status 6 deploy production
    expect_output "its job 'build.0' is still running on app1"
    rm "$SITE/block"
    wait_for 60 run_ends_well deploy production
    assert_deployed "$(revision)" 1
}
supervisor_is_gone() { on_host app1 "! kill -0 $pid"; }
run_ends_well() { run_crelease "$@" && [ "$STATUS" = 0 ]; }

# From the migration on, a person decides.
case_failed_migration_stops() {
    site_new failed_migration 2
    commit_migration 20260102000000 AddWrong 'select nothing from nowhere'
    expect_status 1 deploy production
    expect_output "commit a fix, then run '.*crelease abort production && .*crelease deploy production'"
    commit_file public/index.html later
    expect_status 6 deploy production
    expect_output "a person has to decide .*: it had reached stage 'migrate' on app"
    assert_exists "$SITE/app1/.crelease/lock"
    expect_status 6 plan production
    # abort goes as far as the command would.
    rm "$REPO"/db/migrate/*add_wrong.sql
    commit_all fixed
    expect_status 0 deploy --on-unfinished abort production
    assert_deployed "$(revision)" 1
}

case_health_failed_stops() {
    site_new health_failed 2
    recipe_write <<<'health: {run: "test -e public/healthy", attempts: 1, on_failure: stop}'
    expect_status 1 deploy production
    commit_file public/healthy yes
    expect_status 6 deploy production
    expect_output "it had reached stage 'health'"
}

# The fix of a build is often in the recipe.
case_another_recipe() {
    site_new another_recipe 2
    recipe_write <<<"build: ['false']"
    expect_status 1 deploy production
    recipe_write <<<"build: ['true']"
    expect_status 6 deploy --on-unfinished abort production
    expect_output 'started with another recipe'
    expect_output "if you have the recipe of the run \(git show COMMIT:crelease.yml >FILE\), '.*crelease abort production -f FILE' gives it up with that"
    expect_output "crelease abort --new-recipe production"
    assert_exists "$SITE/app1/.crelease/lock"
    expect_status 0 deploy production
    expect_output "aborted, and this deploy replaces it"
    assert_deployed "$(revision)" 1
    # After the migration began, it is a person's decision as before.
    commit_file public/index.html later
    recipe_write <<<"migrate: {run: 'false'}
database: none"
    expect_status 1 deploy production
    recipe_write <<<"migrate: {run: 'true'}
database: none"
    expect_status 6 deploy production
    expect_output "it had reached stage 'migrate'"
    assert_exists "$SITE/app1/.crelease/lock"
}

case_resumed_first() {
    site_new resumed_first 2
    recipe_write <<<"unfinished: resume
build: ['test -e $SITE_Q/fixed']"
    local first
    first=$(revision)
    expect_status 1 deploy production
    # Its build failed and the branch moved: as resume would.
    commit_file public/index.html later
    expect_status 6 deploy production
    expect_output "has moved since run"
    git -C "$REPO" reset -q --hard "$first"
    touch "$SITE/fixed"
    expect_status 0 deploy --json production
    assert_equal "how it ended" "$(jq -r 'select(.event == "end") | .message' "$OUT" | grep -c 'nothing to do')" 1
    assert_deployed "$first" 1
    expect_status 0 resume --if-any production
}

# A scheduled resume continues what a backup has stopped, and nothing that is for a person to decide.
case_only_waiting() {
    local dead
    site_new only_waiting 2
    recipe_write <<<"build: ['echo x >>$SITE_Q/built; test -e $SITE_Q/fixed']
backup: {policy: abort}"
    expect_status 0 resume --if-waiting production
    expect_output 'nothing to do: production has no unfinished run'
    expect_status 1 deploy production
    touch "$SITE/fixed"
    dead=$(basename "$SITE"/app1/.crelease/runs/*)
    expect_status 0 resume --if-waiting production
    expect_output "nothing to do: run $dead .* failed at stage 'build', but not because of a backup; a person has to run '.*crelease resume production' or '.*crelease abort production'"
    assert_equal "builds" "$(wc -l <"$SITE/built")" 2
    assert_equal "the lock is the dead run's" "$(sed -n 's/^run //p' "$SITE/app2/.crelease/lock")" "$dead"
    expect_status 0 deploy production
    # A backup blocked it.
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    make_big_table
    start_dump
    expect_status 4 deploy production
    expect_output '^[0-9:]* backup-clear app.: gave up: pg_dump'
    expect_status 0 status production
    expect_output "run .*: stopped at stage 'backup-clear'"
    expect_status 4 resume --if-waiting production
    expect_output 'users see no change: current is'
    # Whoever continued it was killed, so that the backup is no longer how it ended.
    sed -i 's/^backup .*/uncertain: the connection was lost/' "$SITE"/app2/.crelease/runs/*/error
    end_dump
    expect_status 0 resume --if-waiting production
    expect_output 'but not because of a backup'
    sed -i 's/^uncertain.*/backup: pg_dump/; s/^backup:/backup/' "$SITE"/app2/.crelease/runs/*/error
    expect_status 0 freeze --reason 'the database moves' production
    expect_status 9 resume --if-waiting production
    expect_output "run '.*crelease resume production' to continue nevertheless"
    assert_exists "$SITE/app1/.crelease/lock"
    expect_status 0 resume --if-waiting --force production
    expect_output 'warning: deploys are frozen'
    assert_deployed "$(revision)" 2
    expect_status 0 thaw production
    # One that is alive needs nobody.
    commit_file public/index.html later
    rm "$SITE/fixed"
    recipe_write <<<"build: ['touch $SITE_Q/begun; while ! test -e $SITE_Q/fixed; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/begun"
    expect_status 0 resume --if-waiting production
    expect_output "nothing to do: run .* is alive at stage 'build'"
    touch "$SITE/fixed"
    finish_crelease 0
}

# Two jobs overtake each other: the older commit comes last.
case_older() {
    site_new older 2
    local old
    old=$(revision)
    commit_file public/index.html later
    expect_status 0 deploy --older skip production
    expect_no_output 'is older'
    local live
    live=$(release)
    CRELEASE_OLDER=skip expect_status 0 deploy --ref "$old" production
    expect_output "skipped: ${old:0:7} is older than $(revision | cut -c1-7), which is live on app1"
    assert_equal "lines" "$(wc -l <"$OUT")" 1
    assert_equal "live" "$(release)" "$live"
    assert_equal "releases" "$(releases app1)" "$live"
    # A branch of its own is not older.
    git -C "$REPO" checkout -q -b other "$old"
    commit_file public/other.html other
    expect_status 0 deploy --older skip --ref other production
    expect_no_output 'is older'
    git -C "$REPO" checkout -q main
    expect_status 0 deploy production
    expect_status 0 plan --ref "$old" production
    expect_output "warning: ${old:0:7} is older than"
    expect_status 0 deploy --ref "$old" production
    expect_output "warning: ${old:0:7} is older than"
    assert_deployed "$old"
    expect_status 0 deploy production
    # A shallow clone cannot tell.
    git clone -q --depth 1 "file://$REPO" "$SITE/shallow"
    commit_file public/index.html 'not fetched'
    expect_status 0 deploy --force production
    sed -i "s|^repository: .*|repository: '$SITE/shallow'|" "$RECIPE"
    expect_status 0 deploy --older skip production
    expect_output 'warning: unknown whether .* is older than .*; fetch the branch with its history'
}

# Frozen by one, seen by everyone.
case_freeze() {
    site_new freeze 2
    expect_status 2 freeze production
    expect_output 'reason is missing'
    expect_status 2 freeze --reason x --until yesterday production
    expect_output "until is 'yesterday', expected a time"
    expect_status 0 freeze --reason 'the database moves' --until 2h production
    expect_output 'deploys to production are frozen on 2 hosts until .* UTC: the database moves$'
    # The second one replaces the first one, and says so; the time is never read as today's.
    TZ=Asia/Kathmandu expect_status 0 freeze --reason 'the database moves' --until "$(TZ=Asia/Kathmandu date -d tomorrow +'%Y-%m-%d 11:00')" production
    expect_output "until tomorrow, .* 11:00 UTC\\+05:45: the database moves; this replaces the freeze by $USER@.* until .*: the database moves"
    USER=bob expect_status 9 deploy production
    expect_output "deploys are frozen by $USER@.* since .* UTC until .* 05:15 UTC: the database moves"
    expect_output "crelease deploy --force production"
    assert_gone "$SITE/app1/releases"
    assert_gone "$SITE/app1/.crelease/lock"
    expect_status 9 deploy --json production
    assert_equal "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 9 frozen"
    local command
    for command in plan status check; do
        expect_status 0 $command production
        expect_output 'deploys are frozen by .*: the database moves'
    done
    expect_status 0 status --json production
    assert_equal "reason" "$(json .freeze.reason)" 'the database moves'
    expect_status 0 deploy --force production
    expect_output 'warning: deploys are frozen .* deploying nevertheless'
    commit_file public/index.html two
    expect_status 0 thaw production
    expect_output 'allowed again'
    expect_status 0 thaw production
    expect_output 'was not frozen'
    expect_status 0 deploy production
    # It repairs, so it is possible.
    expect_status 0 freeze --reason again production
    expect_status 0 rollback production
    expect_output "warning: deploys are frozen .*: again; 'rollback' is possible nevertheless"
    # A freeze whose time has passed, and one that is damaged.
    commit_file public/index.html three
    sed -i 's/^until .*/until 1763900000/' "$SITE"/app?/.crelease/freeze
    expect_status 0 deploy production
    commit_file public/index.html four
    : >"$SITE/app2/.crelease/freeze"
    expect_status 9 deploy production
    expect_output "frozen on app2: '.crelease/freeze' is damaged"
}

# A dead run is not touched while deploys are frozen.
case_freeze_and_dead_run() {
    site_new freeze_and_dead_run 2
    recipe_write <<<"build: ['test -e public/fixed']"
    expect_status 1 deploy production
    expect_status 0 freeze --reason x production
    expect_status 9 deploy production
    assert_exists "$SITE/app1/.crelease/lock"
    expect_status 0 abort production
    expect_output "warning: deploys are frozen"
    assert_gone "$SITE/app1/.crelease/lock"
    CI_DEPLOY_FREEZE=true expect_status 9 deploy production
    expect_output CI_DEPLOY_FREEZE
}

case_windows() {
    site_new windows 2
    recipe_write <<<'windows: [{days: mon, from: "00:00", to: "00:01", zone: Pacific/Kiritimati}, {from: "25:00"}]'
    expect_status 2 deploy production
    expect_output "'from' is '25:00', expected a time"
    local today yesterday
    today=$(date -u +%a | tr '[:upper:]' '[:lower:]') yesterday=$(date -u -d yesterday +%a | tr '[:upper:]' '[:lower:]')
    recipe_write <<<"windows: [{days: $yesterday, from: '00:00', to: '00:01'}]"
    expect_status 9 deploy production
    expect_output "only allowed in the recipe's windows; the next one opens at .* 00:00 UTC"
    assert_gone "$SITE/app1/releases"
    expect_status 0 plan production
    expect_output "warning: .*recipe's windows"
    expect_status 0 status production
    expect_output "recipe's windows"
    recipe_write <<<"windows: [{days: $yesterday, from: '00:00', to: '00:01'}, {days: '$yesterday,$today'}]"
    expect_status 0 deploy production
    recipe_write <<<'windows: [{zone: Europe/Atlantis}]'
    commit_file public/index.html two
    expect_status 2 deploy production
    expect_output "windows.zone is 'Europe/Atlantis'"
}

# The name is that of the person who started the job, and the address leads to its log.
case_who() {
    site_new who 2
    export GITHUB_ACTOR=octocat GITHUB_SERVER_URL=https://github.example GITHUB_REPOSITORY=o/r GITHUB_RUN_ID=77
    expect_status 0 deploy production
    grep -q "deployed as release $(release) by octocat$" "$SITE/app1/revisions.log" || fail "revisions.log: $(cat "$SITE/app1/revisions.log")"
    expect_status 0 history production
    expect_output 'by octocat@.*, https://github.example/o/r/actions/runs/77'
    commit_file public/index.html two
    recipe_write <<<"build: ['false']"
    expect_status 1 deploy production
    grep -q '^by octocat@.*, https://github.example/o/r/actions/runs/77$' "$SITE/app1/.crelease/lock" || fail "lock: $(cat "$SITE/app1/.crelease/lock")"
    expect_status 0 status production
    expect_output 'https://github.example/o/r/actions/runs/77'
    unset GITHUB_ACTOR GITHUB_SERVER_URL
    GITLAB_USER_NAME='Ann Smith' expect_status 0 abort production
    # A blank in the name is recorded as %20, and shown as a blank.  A commit does not move, and is not shown twice.
    export GITLAB_USER_NAME='Ann Smith'
    expect_status 1 deploy --ref "$(revision)" production
    grep -q '^by Ann%20Smith@' "$SITE/app1/.crelease/lock" || fail "lock: $(cat "$SITE/app1/.crelease/lock")"
    expect_status 0 status production
    expect_output 'run .* \(Ann Smith@'
    mv "$REPO" "$REPO.away"
    expect_status 1 resume production
    expect_no_output 'could not check whether'
    mv "$REPO.away" "$REPO"
    expect_status 0 abort production
    expect_status 0 history production
    expect_output "  $(revision | cut -c1-7)  by Ann Smith@"
}

# On GitHub secrets are masked before anything else is printed, and mistakes stand beside their line.
case_github() {
    site_new github 1
    # shellcheck disable=SC2016 # for the recipe
    recipe_write <<<'env: {TOKEN: "${TOKEN}"}'
    export TOKEN='very%secret' GITHUB_ACTIONS=true
    expect_status 0 plan production
    assert_equal "the first line" "$(head -n 1 "$ERR")" '::add-mask::very%25secret'
    GITHUB_ACTIONS='' expect_status 0 plan production
    expect_no_output add-mask
    export GITHUB_OUTPUT=$SITE/output GITHUB_STEP_SUMMARY=$SITE/summary
    recipe_write <<<"build: ['echo building; test -e $SITE_Q/fixed']"
    expect_status 1 deploy production
    grep -q "^::error title=deploy production%3A failed::stage 'build'.*%0A.*crelease resume production" "$ERR" || fail "no annotation: $(cat "$ERR")"
    grep -q '^[0-9:]* app1 | building$' "$OUT" || fail "no output"
    expect_no_output '^::group::.* build'
    if ! grep -qx 'status=1' "$SITE/output" || ! grep -q '^### deploy production: failed$' "$SITE/summary"; then
        fail "$(cat "$SITE/output" "$SITE/summary")"
    fi
    grep -q "^    .*crelease resume production" "$SITE/summary" || fail "$(cat "$SITE/summary")"
    touch "$SITE/fixed"
    expect_status 0 resume production
    sed -n '/^::group::.* build app1: done/,/^::endgroup::/p' "$OUT" | grep -q 'app1 | building' || fail "the output is not folded: $(cat "$OUT")"
    if ! grep -qx "release=$(release)" "$SITE/output" || ! grep -qx "revision=$(revision)" "$SITE/output"; then
        fail "$(cat "$SITE/output")"
    fi
    # All five also if there was nothing to do.
    : >"$SITE/output"
    expect_status 0 deploy production
    assert_equal "outputs" "$(cat "$SITE/output")" "$(printf '%s\n' status=0 word=done run= "release=$(release)" "revision=$(revision)")"
    recipe_write <<<'oldr: warn'
    expect_status 2 plan production
    grep -q "^::error file=crelease.yml,line=1,col=1::unknown key 'oldr'; did you mean 'older'?$" "$ERR" || fail "$(cat "$ERR")"
}

# On GitLab the output of a stage is a section that is closed to begin with.
case_gitlab() {
    site_new gitlab 1
    recipe_write <<<"build: ['echo building']"
    GITLAB_CI=true expect_status 0 deploy production
    grep -q $'^\e\\[0Ksection_start:[0-9]*:crelease_[0-9]*_build\\[collapsed=true\\]\r\e\\[0K[0-9:]* build app1: done' "$OUT" || fail "no section"
    grep -q $'^\e\\[0Ksection_end:[0-9]*:crelease_[0-9]*_build\r\e\\[0K$' "$OUT" || fail "the section has no end"
    assert_equal "sections" "$(grep -c section_start: "$OUT")" "$(grep -c section_end: "$OUT")"
}

# example FILE JOB: the commands of an example file that begin with "crelease JOB", as a runner runs them.
example() {
    /usr/bin/python3 - "$ROOT/config/$1" "$2" <<'PYTHON'
import sys, yaml
def commands(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "run" and isinstance(value, str): yield value
            elif key == "script": yield from value
            else: yield from commands(value)
    elif isinstance(node, list):
        for value in node: yield from commands(value)
found = [c for c in commands(yaml.safe_load(open(sys.argv[1]))) if c.startswith("crelease " + sys.argv[2])]
assert len(found) == 1, found
print(found[0])
PYTHON
}

# runner NAME=VALUE... -- SCRIPT: a container of a runner: only these variables, no terminal, and a user who has no
# name and no home.
runner() {
    local variables=() as=()
    while [ "$1" != -- ]; do variables+=("$1"); shift; done
    if root; then as=(setpriv --reuid 64711 --regid 64711 --clear-groups); fi
    OUT=$SITE/out ERR=$SITE/err STATUS=0
    (cd checkout && "${as[@]}" env -i PATH="$SITE/bin:$PATH" CI=true CRELEASE_RECIPE=crelease.yml \
        CRELEASE_SSH_KEY="$(cat "$RIG/home/.ssh/id_ed25519")" CRELEASE_KNOWN_HOSTS="$(cat "$RIG/home/.ssh/known_hosts")" \
        CRELEASE_REPORT=$'html:../reports/deploy.html\njunit:../reports/deploy.xml' \
        "${variables[@]}" setsid sh -e -c "$2" </dev/null >"$OUT" 2>"$ERR") || STATUS=$?
    sed 's/^/  | /' "$OUT" "$ERR"
}

# The examples in config/, which clone the branch with its history.
case_examples() {
    local system variables sha
    assert_equal "clones of depth 0" "$(grep -c 'fetch-depth: 0' "$ROOT/config/github.yml") $(grep -c 'GIT_DEPTH: 0' "$ROOT/config/gitlab.yml")" '2 1'
    site_new examples 2
    sed -i "s/name: app/user: $(id -un), &/" "$RECIPE"
    sed -i '/^repository:/d' "$RECIPE"
    mkdir bin reports
    cp "$CRELEASE" bin/crelease
    chmod 777 reports
    if root; then for dir in "$RIG" "$RIG/sites" "$SITE"; do chmod a+x "$dir"; done; fi
    cp "$RECIPE" "$REPO/crelease.yml"
    for system in github gitlab; do
        commit_file public/index.html "$system"
        sha=$(revision)
        rm -rf checkout reports/*
        git clone -q "file://$REPO" checkout
        if root; then chown -R 64712:64712 checkout; fi # as in a container of GitHub
        case $system in
        github) variables=(GITHUB_ACTIONS=true GITHUB_ACTOR=octocat GITHUB_SHA="$sha" GITHUB_SERVER_URL=https://github.example GITHUB_REPOSITORY=o/r
            GITHUB_RUN_ID=77 GITHUB_STEP_SUMMARY="$SITE/reports/summary" GITHUB_OUTPUT="$SITE/reports/output") ;;
        gitlab) variables=(GITLAB_CI=true GITLAB_USER_NAME=octocat CI_COMMIT_SHA="$sha" CI_JOB_TIMEOUT=3600 CI_JOB_STARTED_AT="$(date -u +%FT%TZ)"
            CI_JOB_URL=https://gitlab.example/o/r/-/jobs/77) ;;
        esac
        runner "${variables[@]}" -- "$(example $system.yml deploy)"
        assert_equal "status on $system" "$STATUS" 0
        expect_no_output 'unknown whether'
        assert_equal "live on $system" "$(live_revision app1) $(live_revision app2)" "$sha $sha"
        grep -q "deployed as release .* by octocat$" "$SITE/app1/revisions.log" || fail "revisions.log: $(cat "$SITE/app1/revisions.log")"
        xmllint --noout --schema "$ROOT/tests/lib/junit.xsd" reports/deploy.xml || fail "the junit report is not valid"
        grep -q '<span class="word">done</span>' reports/deploy.html || fail "no html report"
        runner "${variables[@]}" -- "$(example $system.yml resume)"
        assert_equal "status of resume on $system" "$STATUS" 0
        expect_output 'nothing to do: production has no unfinished run'
        if [ $system = github ]; then
            grep -q '^### deploy production: done$' reports/summary || fail "no summary"
            grep -qx "revision=$sha" reports/output || fail "no outputs"
            expect_no_output 'PRIVATE KEY'
        fi
    done
}

# The units of systemd are valid, and do what they say.
case_units() {
    local command unit
    site_new units 1
    expect_status 0 deploy production
    command=$(sed -n 's|^ExecStart=/usr/local/bin/crelease ||p' "$ROOT/config/crelease-resume@.service")
    # shellcheck disable=SC2086 # words
    expect_status 0 $command
    assert_equal "output" "$(cat "$OUT" "$ERR")" ''
    # A host that refuses the login does so until a person acts.
    grep -qx 'SuccessExitStatus=3 4 9' "$ROOT/config/crelease-resume@.service" || fail "status 5 is no failure"
    if [ -n "$(type -P systemd-analyze)" ]; then
        for unit in service timer; do
            sed "s|/usr/local/bin/crelease|$CRELEASE|; s/^User=.*//" "$ROOT/config/crelease-resume@.$unit" >"crelease-resume@.$unit"
            sed -n 's/^OnCalendar=//p' "crelease-resume@.$unit" | xargs -r systemd-analyze calendar >/dev/null || fail "the time of the timer is not valid"
        done
        cp crelease-resume@.service crelease-resume@shop.service
        cp crelease-resume@.timer crelease-resume@shop.timer
        ! systemd-analyze verify "$PWD/crelease-resume@shop.service" "$PWD/crelease-resume@shop.timer" 2>&1 | grep crelease-resume || fail "a unit is not valid"
    fi
}

# A runner that is cancelled: INT, TERM after 7.5 s, KILL after 2.5 s more.  The migration goes on, and
# another job takes it up.
case_cancelled_runner() {
    site_new cancelled_runner 2
    expect_status 0 deploy production
    commit_migration 20260102000000 AddSlow "select pg_sleep(45)"
    start_crelease deploy production
    wait_for 60 migration_sleeps
    kill -INT "$CR_PID"
    finish_crelease 130
    migration_sleeps || fail "the migration was ended, too"
    grep -q ' migrate app.: stopped (' "$CR_OUT" || fail "says that it failed"
    tail -n 1 "$CR_ERR" | grep -q "crelease resume production" || fail "the last line: $(tail -n 1 "$CR_ERR")"
    expect_status 6 deploy production
    start_crelease resume --json production
    wait_for 60 migration_is_followed
    kill -TERM "$CR_PID"
    finish_crelease 143
    start_crelease resume --json production
    wait_for 60 migration_is_followed
    kill_crelease
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
}
migration_sleeps() { [ -n "$(sql "select 1 from pg_stat_activity where query like '%pg_sleep(45)%' and pid <> pg_backend_pid()" | head -n 1)" ]; }
migration_is_followed() { grep -q '"stage":"migrate".*"state":"begun"' "$CR_OUT"; }

# Of two that find the dead run at once, one replaces it.
case_two_replace() {
    site_new two_replace 2
    recipe_write <<<"build: ['test -e public/fixed']"
    local i status won=0 pids=()
    expect_status 1 deploy production
    commit_file public/fixed yes
    for i in 1 2 3; do
        "$CRELEASE" deploy production </dev/null >"$SITE/out.$i" 2>&1 &
        pids+=($!)
    done
    for i in 0 1 2; do
        status=0
        wait "${pids[$i]}" || status=$?
        case $status in 0) won=$((won + 1)) ;; 3) ;; *) cat "$SITE/out.$((i + 1))"; fail "status $status" ;; esac
    done
    [ $won -ge 1 ] || fail "nobody came through"
    assert_deployed "$(revision)" 1
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
