#!/bin/bash
# Deploys that a scheduler starts, with nobody there to decide.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# A build that fails: the next commit is deployed as if nothing had happened.
case_failed_build_is_replaced() {
    site_new failed_build_is_replaced 2
    recipe_write <<<"build: ['test -e public/fixed']"
    expect_status 1 deploy production
    local dead
    dead=$(basename "$SITE"/app1/.crelease/runs/*)
    expect_status 6 deploy --on-unfinished stop production
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

case_another_recipe_stops() {
    site_new another_recipe 2
    recipe_write <<<"build: ['false']"
    expect_status 1 deploy production
    recipe_write <<<"build: ['true']"
    expect_status 6 deploy production
    expect_output 'started with another recipe'
    expect_output "crelease abort --new-recipe production"
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
