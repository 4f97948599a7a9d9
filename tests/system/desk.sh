#!/bin/bash
# What a deploy does on the machine that deploys: jobs with `where: local`, notifications.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# shellcheck disable=SC2016 # for the shell of the job
bundle='{run: "echo bundling $CRELEASE_REVISION; pwd >>ran; test ! -e fails", where: local, name: bundle}'

process_has_gone() { ! kill -0 "$1" 2>/dev/null; }
ran() { wc -l <"${1-$SITE}/ran"; }

# Once for all hosts, between the jobs of the hosts, and after the switch; a resume by another person,
# whose machine has nothing but the recipe, runs what its step has not finished.
case_local_job() {
    site_new local_job 2
    recipe_write <<END
repository: $SITE/repo
build:
  - echo first >$SITE/order
  - $bundle
  - cp $SITE/ran on-host
hooks:
  after switch: [{run: 'readlink $SITE/app2/current >live; exit 3', where: local}]
END
    expect_status 0 plan production
    expect_output 'this machine +bundle'
    expect_output 'after-switch .*\(on this machine\)'
    touch fails
    expect_status 1 deploy production
    expect_output "local *\| *bundling $(revision)"
    expect_output "stage 'build': 'bundle' on this machine ended with exit status 1"
    assert_equal "live" "$(release app1)" ''
    mkdir other
    cp crelease.yml other
    cd other
    expect_status 1 resume --json production
    assert_equal "host of the output" "$(jq -r 'select(.event == "output").host' "$OUT" | sort -u)" local
    expect_output "'readlink .*' on this machine ended with exit status 3"
    assert_equal "runs here" "$(ran .)" 1
    assert_equal "runs there" "$(ran "$SITE")" 1
    assert_equal "seen after the switch" "$(cat "$PWD/live")" "$(readlink "$SITE/app2/current")"
    assert_exists "$SITE/app1/current/on-host"
    expect_status 1 resume production
    assert_equal "runs after the resume" "$(ran .)" 1
    expect_status 0 abort production
}

# It ends with crelease: nothing is left running that nobody knows of.
case_local_job_is_killed() {
    site_new local_job_is_killed 0
    recipe_write <<END
build:
  - {run: 'echo \$\$ >pid; sleep 300 & echo \$! >child; test -e goes-on || wait', where: local}
END
    start_crelease deploy production
    wait_for 60 test -s child
    kill_crelease
    wait_for 15 process_has_gone "$(cat child)"
    wait_for 15 process_has_gone "$(cat pid)"
    rm child
    start_crelease resume production
    wait_for 60 test -s child
    kill -INT "$CR_PID"
    finish_crelease 130
    expect_in_background "stopped, and 'echo .*' was ended"
    wait_for 15 process_has_gone "$(cat child)"
    touch goes-on
    expect_status 0 resume production
    assert_deployed "$(revision)"
    kill "$(cat child)" 2>/dev/null || true
}
expect_in_background() { grep -qE -- "$1" "$CR_ERR" "$CR_OUT" || fail "nothing said about '$1'"; }

case_local_job_time_limit() {
    site_new local_job_time_limit 0
    recipe_write <<END
build: [{run: 'echo \$\$ >pid; sleep 300', where: local, timeout: 1s}]
END
    expect_status 1 deploy production
    expect_output 'was stopped after its time limit of 1.0 s'
    wait_for 10 process_has_gone "$(cat pid)"
    expect_status 0 abort production
}

# What is told about the end, with the status; it never changes how the run ended.
case_hooks_of_the_end() {
    site_new hooks_of_the_end 0
    cat >"$SITE/hooks" <<END
hooks:
  on failure: [{run: 'echo failure \$CRELEASE_STATUS \$CRELEASE_WORD "\$CRELEASE_MESSAGE" >>told; echo heard', where: local}]
  on success: [{run: 'echo success \$CRELEASE_STATUS \$CRELEASE_RELEASE >>told; env >variables; exit 3', where: local}]
  on abort: [{run: 'echo abort \$CRELEASE_STATUS >>told', where: local}]
build: [test ! -e $SITE/fails]
END
    recipe_write <"$SITE/hooks"
    : >"$SITE/fails"
    expect_status 0 plan production
    expect_output 'on abort +this machine +echo abort'
    expect_status 1 deploy production
    assert_equal told "$(tail -n 1 told)" "failure 1 failed here: 'test ! -e $SITE/fails' ended with exit status 1"
    expect_status 0 abort production
    assert_equal told "$(tail -n 1 told)" 'abort 0'
    rm "$SITE/fails"
    CRELEASE_SSH_KEY=a-key CRELEASE_KNOWN_HOSTS='a line' expect_status 0 deploy production
    assert_equal told "$(tail -n 1 told)" "success 0 $(release here)"
    expect_output "hook 'on success': .* exit status 3"
    # The key is not the hook's business.
    if grep -E '^CRELEASE_(SSH_KEY|KNOWN_HOSTS)=' variables; then fail "it is in the hook's environment"; fi
    grep -q '^CRELEASE_RUN=' variables || fail "no variables of the run"
    # Nothing happened.
    expect_status 0 deploy production
    assert_equal told "$(wc -l <told)" 3
    recipe_write <<<'hooks: {on failure: [date]}'
    expect_status 2 deploy production
    expect_output "expected 'where: local' in each"
}

# The bodies that were posted there, one line each, against the schema.
notifications_fit() { # PATH
    posted "$1" >"$OUT.posted"
    /usr/bin/python3 -c 'import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
for line in open(sys.argv[2]): jsonschema.validate(json.loads(line), schema)' "$TOP/config/notification.schema.json" "$OUT.posted" ||
        fail "a notification is not as its schema says"
}

case_notify() {
    site_new notify 0
    start_receiver
    export HOOK=$at/services/T0/B0/a-token
    # shellcheck disable=SC2016 # for the recipe
    recipe_write <<END
notify:
  - {url: '\${HOOK}', format: slack, on: [begun, live, failed, aborted]}
  - {url: '$at/json-for-the-chat', on: [live, failed]}
build: ['echo \$HOOK; test ! -e $SITE/fails || { echo "<no> & no"; exit 3; }']
END
    expect_status 0 deploy production
    assert_deployed "$(revision)"
    assert_equal "live" "$(posted /json-for-the-chat | jq -r '[.event, .on, .application, .environment, .command, .release, .revision, .status, .word] | join(" ")')" \
        "end live shop production deploy $(release) $(revision) 0 done"
    posted /services/T0/B0/a-token | tail -n 1 | grep -qF "shop production: release $(release) is live (run " || fail "Slack: $(cat posted)"
    # Nothing to do, and nothing to tell.
    expect_status 0 deploy production
    assert_equal "told" "$(wc -l <posted)" 3
    touch fails
    expect_status 1 deploy -v --force --json production
    assert_equal "failed" "$(posted /json-for-the-chat | tail -n 1 | jq -r '[.on, .stage, .status, .word] | join(" ")')" "failed build 1 failed"
    posted /services/T0/B0/a-token | tail -n 1 | jq -r .text | grep -qF '"&lt;no&gt; &amp; no"' || fail "Slack: $(tail -n 1 posted)"
    expect_no_output 'a-token'
    expect_no_output 'json-for-the-chat'
    # The job has printed the URL itself, into its own log.
    ! grep -rlE --exclude=log "a-token|json-for-the-chat" here || fail "a URL is on the host"
    expect_status 0 abort production
    posted /services/T0/B0/a-token | tail -n 1 | grep -q 'aborted: undid' || fail "Slack: $(tail -n 1 posted)"
    notifications_fit /json-for-the-chat
    kill "$RECEIVER"
}

# What is told while a run waits; and no failure of a notification changes more than 0 to 8.
case_notify_fails() {
    local began
    site_new notify_fails 0
    start_receiver
    recipe_write <<END
notify:
  - {url: '$at/silent/for-ever-and-ever', on: [live]}
  - {url: '$at/moved/to-another-place', on: [live]}
  - {url: '$at/broken-for-ever-and-ever', format: slack, on: [live, failed]}
  - {url: 'http://127.0.0.1:1/nobody-is-there', on: [begun, live]}
build: ['test ! -e $SITE/fails']
END
    began=$SECONDS
    start_crelease deploy --json production
    wait_for 30 grep -q silent posted
    tr '\0' '\n' 2>/dev/null <"/proc/$CR_PID/cmdline" >cmdline || true
    ! grep -q silent cmdline || fail "the URL is an argument"
    finish_crelease 8
    [ $((SECONDS - began)) -lt 25 ] || fail "took $((SECONDS - began)) s"
    assert_deployed "$(revision)"
    # Newer versions of libcurl write "could not".
    assert_equal "warnings" "$(jq -r 'select(.event == "warning").detail' "$CR_OUT" | sed "s/.* (\(.*\)) was not delivered/\1/; s/Could not/Couldn't/" | sort)" \
        "$(printf '%s\n' "json, 'begun': Couldn't connect to server" "json, 'live': Couldn't connect to server" "json, 'live': no answer within 10 s" \
            "json, 'live': the server answered with HTTP status 302" "slack, 'live': the server answered with HTTP status 500" | sort)"
    assert_equal "end" "$(tail -n 1 "$CR_OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 8 untidy"
    ! grep -q elsewhere posted || fail "a redirect was followed"
    ! grep -qE 'for-ever|another-place|nobody-is' "$CR_OUT" "$CR_ERR" || fail "a URL was printed"
    touch fails
    expect_status 1 deploy --force production
    expect_output "not delivered: the server answered with HTTP status 500"
    expect_status 0 abort production
    sed -i "s|url: '$at/silent[^']*'|url: 'ftp://a/secret-of-mine'|" "$RECIPE"
    expect_status 2 deploy production
    expect_output "'url' of 'notify' is not a URL"
    expect_no_output secret-of-mine
    kill "$RECEIVER"
}

rig_open
start_hosts 2
run_cases "$@"
