#!/bin/bash
# What --json prints, held against the schemas in config/.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='while_a_backup_runs one_document'

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
    expect_status 0 plan --json production
    fits plan
    expect_status 0 deploy --json production
    fits event lines
    assert_equal "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 0 done"
    expect_status 0 deploy --json production
    fits event lines
    commit_file public/index.html two
    expect_status 0 plan --json production
    fits plan
    assert_equal "what goes live" "$(json '[.changes.added[0].revision, .changes.files] | join(" ")')" "$(revision) 1"
    expect_status 0 status --json --verify production
    fits status
    assert_equal pending "$(json '.migrations.pending')" 0
    expect_status 0 check --json production
    fits check
    expect_status 0 backups --json production
    fits backups
    expect_status 0 history --json production
    fits history
    expect_status 0 exec --json production -- pwd
    fits exec
    expect_status 0 run --json production hello
    fits exec
    printf 'content-of-it' >"$SITE/the.file"
    sed -i "s|^linked_files:.*|linked_files: [config/database.yml, {path: the.file, from: '$SITE/the.file'}]|" "$RECIPE"
    expect_status 0 upload --json production
    fits upload
    expect_status 0 freeze --json --reason 'a reason' --until 2h production
    fits freeze
    assert_equal "frozen" "$(json .frozen)" true
    expect_status 0 thaw --json production
    fits freeze
    assert_equal "frozen" "$(json .frozen)" false
    expect_status 0 thaw --json production
    fits freeze
}

# With several databases, which a host need not have.
case_several_databases() {
    site_new several_databases 1
    sql 'create database several_orders'
    mkdir -p "$SITE/todo"
    recipe_write <<END
migrate: {pending_when: {output: '^todo (.*)'}}
database:
databases:
  main: {database: {name: $DB}, migrate: {run: 'rm -f $SITE/todo/*; echo migrated', status: 'ls $SITE/todo'}}
  orders: {database: {name: several_orders}, migrate: {run: 'rm -f $SITE/todo/*', status: 'ls $SITE/todo'}}
END
    sed -i '/^database:$/d' "$RECIPE"
    touch "$SITE/todo/todo 1"
    local command
    for command in plan check backups; do
        expect_status 0 "$command" --json production
        fits "$command"
    done
    expect_status 0 deploy --json production
    fits event lines
    assert_equal "jobs of" "$(json -s '[.[] | select(.event == "job") | .database] | unique | join(" ")')" 'main orders'
    expect_status 0 status --json production
    fits status
}

case_version() {
    expect_status 0 --version --json
    fits version
}

case_while_a_backup_runs() {
    site_new while_a_backup_runs 2
    expect_status 0 deploy production
    make_big_table
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    start_dump
    expect_status 4 deploy --json --on-backup=abort production
    fits event lines
    assert_equal "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 4 backup"
    expect_status 0 status --json production
    fits status
    assert_equal pending "$(json '.migrations.pending')" 1
    assert_equal state "$(json '.run.state')" failed
    assert_equal kind "$(json '.backups[0].kind')" pg_dump
    expect_status 0 backups --json production
    fits backups
    expect_status 0 abort --json production
    fits event lines
    end_dump
}

case_failures() {
    site_new failures 1
    expect_status 2 deploy --json --ref nosuchbranch production
    fits event lines
    assert_equal "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 2 usage"
    expect_status 2 deploy --json nosuchenvironment
    assert_equal "last event" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" "end 2 usage"
}

# one_document STATUS ARGS: whatever happens, standard output is one document.
one_document() {
    expect_status "$1" "${@:2}"
    assert_equal "documents of '${*:2}'" "$(jq -cs length "$OUT")" 1
}

# With hosts that cannot be reached there are warnings, and an end; none of them is a second document.
case_one_document() {
    site_new one_document 1
    expect_status 0 deploy production
    sed -n '/^  production:/,$p' "$RECIPE" | sed "s/^  production:/  gone:/; s/port: [0-9]*, name: app1/port: 9, name: lost1/p; s/port: 9, name: lost1/port: 10, name: lost2/" >"$SITE/gone"
    cat "$SITE/gone" >>"$RECIPE"
    one_document 5 status --json gone
    fits status
    one_document 5 check --json gone
    fits check
    one_document 5 history --json gone
    fits history
    one_document 5 backups --json gone
    one_document 5 plan --json gone
    one_document 5 exec --json gone -- pwd
    fits exec
    one_document 5 deploy --json --dry-run gone
    one_document 0 deploy --json --dry-run production
    one_document 0 plan --json --force production
    fits plan
    local command
    for command in status plan check backups history; do
        one_document 2 "$command" --json
        one_document 2 "$command" --json nowhere
        one_document 2 "$command" --json --bogus production
        one_document 2 "$command" --json -f nowhere.yml production
        fits event
        assert_equal "word" "$(json '[.event, .word] | join(" ")')" 'end usage'
    done
    # What tells events ends with one.
    for command in deploy resume abort rollback; do
        expect_status 2 "$command" --json --bogus production
        fits event lines
        assert_equal "end of $command" "$(tail -n 1 "$OUT" | jq -r '[.event, .status] | join(" ")')" 'end 2'
        run_crelease "$command" --json gone
        fits event lines
        assert_equal "end of $command" "$(tail -n 1 "$OUT" | jq -r '[.event, .status] | join(" ")')" 'end 5'
    done
    # It is not known whether there is a run to resume where nobody could look.
    expect_status 5 resume --json
    assert_equal "end" "$(tail -n 1 "$OUT" | jq -r '[.event, .status] | join(" ")')" 'end 5'
}

# A file that was changed by hand is a failure of the look, for whoever reads the status only.
case_verify_finds() {
    site_new verify_finds 2
    expect_status 0 deploy production
    expect_status 0 status --verify production
    expect_status 0 status --verify --json production
    echo changed >>"$SITE/app2/current/public/index.html"
    expect_status 1 status --verify production
    expect_output 'app2 +was changed since it was deployed: public/index.html'
    expect_output '^crelease: app2: changed since it was deployed: public/index.html'
    expect_status 1 status --verify --json production
    fits status
    assert_equal "documents" "$(jq -cs length "$OUT")" 1
    assert_equal "differs" "$(json '[.verify[] | .differs | length] | join(" ")')" '0 1'
    expect_status 0 status production
    rm "$SITE/app2/.crelease/manifests/"*
    expect_status 1 status --verify production
    expect_output 'app2: cannot be verified'
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
