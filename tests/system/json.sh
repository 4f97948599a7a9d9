#!/bin/bash
# What --json prints, held against the schemas in config/.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)

# Every line, or the whole, of the last output.
fits() { # NAME [lines]
    /usr/bin/python3 - "$ROOT/config/$1.schema.json" "$OUT" "${2-}" <<'PYTHON' || fail "the output of $1 is not as its schema says"
import json, jsonschema, sys
schema = json.load(open(sys.argv[1]))
text = open(sys.argv[2]).read()
for one in (text.splitlines() if sys.argv[3] else [text]):
    jsonschema.validate(json.loads(one), schema)
PYTHON
}

case_schemas() {
    site_new schemas 2
    recipe_write <<<'tasks: {hello: {run: echo hello}}'
    expect 0 plan --json production
    fits plan
    expect 0 deploy --json production
    fits event lines
    same "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 0 done"
    expect 0 deploy --json production
    fits event lines
    expect 0 status --json --verify production
    fits status
    same pending "$(json '.migrations.pending')" 0
    expect 0 check --json production
    fits check
    expect 0 backups --json production
    fits backups
    expect 0 history --json production
    fits history
    expect 0 exec --json production -- pwd
    fits exec
    expect 0 run --json production hello
    fits exec
}

case_while_a_backup_runs() {
    site_new while_a_backup_runs 2
    expect 0 deploy production
    big_table
    commit_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    start_dump
    expect 4 deploy --json --on-backup=abort production
    fits event lines
    same "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 4 backup"
    expect 0 status --json production
    fits status
    same pending "$(json '.migrations.pending')" 1
    same state "$(json '.run.state')" failed
    same kind "$(json '.backups[0].kind')" pg_dump
    expect 0 backups --json production
    fits backups
    expect 0 abort --json production
    fits event lines
    end_dump
}

case_failures() {
    site_new failures 1
    expect 2 deploy --json --ref nosuchbranch production
    fits event lines
    same "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 2 usage"
    expect 2 deploy --json nosuchenvironment
    same "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 2 usage"
}

rig_open
rig_postgres
rig_start 2
run_cases "$@"
