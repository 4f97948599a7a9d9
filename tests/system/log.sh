#!/bin/bash
# crelease log: the output of jobs from the hosts, whoever began the run.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
bg_says() { grep -qE -- "$1" "$CR_OUT"; }

case_of_another_run() {
    local esc run
    esc=$(printf '\033')
    site_new another 2
    # shellcheck disable=SC2016 # for the host
    TOKEN_OF_IT=hidden-value recipe_write <<END
env: {TOKEN: '\${TOKEN_OF_IT}'}
database: none
migrate: {run: null, status: null}
build:
  - 'printf "\\033]0;evil\\007\\033[31mred\\n"; echo "\$TOKEN"; until [ -e $SITE/go ]; do sleep 0.05; done; echo late'
  - {run: 'echo second; exit 3', once: true}
END
    export TOKEN_OF_IT=hidden-value
    expect_status 0 log production
    expect_output 'no run is known yet'
    # Somebody else's deploy.
    "$CRELEASE" deploy production </dev/null >"$SITE/deploy.out" 2>&1 &
    DEPLOY=$!
    wait_for 60 grep -qE 'app1 \| .secret' "$SITE/deploy.out"
    wait_for 60 grep -qE 'app2 \| .secret' "$SITE/deploy.out"
    expect_status 0 log production build
    expect_output 'app1 build.0 \| .*red'
    expect_output 'app2 build.0 \| \[secret\]'
    expect_output 'app1 build.0: is still running'
    expect_no_output "$esc"
    expect_no_output hidden-value
    # Followed from another terminal, to the end of the run, which fails.
    start_crelease log --follow --json production
    wait_for 30 bg_says '"text": ?"\[secret\]"'
    : >"$SITE/go"
    finish_crelease 0
    wait "$DEPLOY" || true
    grep -qF '"late"' "$CR_OUT" || fail 'the late line is missing'
    /usr/bin/python3 - "$ROOT/config/log.schema.json" "$CR_OUT" <<'PYTHON' || fail 'not as its schema says'
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
lines = [json.loads(line) for line in open(sys.argv[2])]
for one in lines:
    jsonschema.validate(one, schema)
ends = sorted((l["host"], l["job"], l["status"]) for l in lines if l["event"] == "job")
assert ends == [("app1", "build.0", 0), ("app1", "build.1", 3), ("app2", "build.0", 0)], ends
PYTHON
    run=$(jq -rs '.[0].run' "$CR_OUT")
    # The run is dead and unfinished: there is nothing to wait for.
    expect_status 0 log --follow --run "$run" production build.1
    expect_output 'app1 build.1 \| second'
    expect_no_output 'build.0'
    expect_status 1 log production migrate
    expect_output "no job 'migrate'; it has: build.0, build.1"
    expect_status 1 log --run nosuchrun production
    expect_status 2 log --run '../x' production
    expect_status 0 abort production
    expect_status 0 log --run "$run" production build.1
    expect_output 'app1 build.1: ended with exit status 3'
}

rig_open
start_hosts 2
run_cases "$@"
