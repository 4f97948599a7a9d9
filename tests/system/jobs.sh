#!/bin/bash
# Commands of the user's: their ends, their limits, and what they may not do to a deploy.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

builds_with() { # SHELL TEXT [MORE OF THE JOB]
    recipe_write <<END
build:
  - {run: '$1'${2:+, $2}}
END
}

marked() { [ -s "$SITE/$1" ]; }
process_has_gone() { ! kill -0 "$1" 2>/dev/null; }

case_time_limit() {
    site_new time_limit 0
    builds_with "echo \$\$ >$SITE/pid; sleep 300; echo never" 'timeout: 1s'
    expect 1 deploy production
    says 'time limit of 1.0 s'
    wait_for 10 process_has_gone "$(cat "$SITE/pid")"
    expect 0 abort production
}

# TERM is not heeded: after the grace the whole group gets KILL.
case_time_limit_of_a_stubborn_one() {
    site_new time_limit_of_a_stubborn_one 0
    builds_with "trap : TERM; echo \$\$ >$SITE/pid; while :; do sleep 1; done" 'timeout: 1s'
    expect 1 deploy production
    says 'time limit'
    wait_for 10 process_has_gone "$(cat "$SITE/pid")"
}

case_abort_ends_it() {
    site_new abort_ends_it 0
    builds_with "echo \$\$ >$SITE/pid; sleep 300"
    cr_begin deploy production
    wait_for 60 marked pid
    cr_kill9
    kill -0 "$(cat "$SITE/pid")" || fail 'the job died with crelease'
    expect 0 abort production
    wait_for 10 process_has_gone "$(cat "$SITE/pid")"
}

case_end_of_file() {
    site_new end_of_file 0
    builds_with 'read -r answer || echo nobody there'
    expect 0 deploy production
    says 'nobody there'
}

case_background_child() {
    site_new background_child 0
    builds_with "sleep 300 & echo \$! >$SITE/pid; echo started"
    expect 0 deploy production
    says started
    kill "$(cat "$SITE/pid")"
}

case_much_output() {
    site_new much_output 0
    builds_with 'yes 0123456789012345678901234567890123456789 | head -n 500000; echo last'
    expect 0 deploy --json production
    same lines "$(grep -c '"event":"output"' "$OUT")" 500001
    same last "$(grep '"event":"output"' "$OUT" | tail -n 1 | jq -r .data)" last
}

case_signal() {
    site_new signal 0
    builds_with 'kill -SEGV $$'
    expect 1 deploy production
    says 'signal SEGV'
    expect 0 abort production
    builds_with 'no-such-command-anywhere'
    expect 1 deploy production
    says 'command not found'
}

rig_open
run_cases "$@"
