#!/bin/bash
# The files of --report: what is in them, and that they are there however a command ends.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
ALL=(--report html:r.html --report junit:r.xml --report markdown:r.md --report json:r.json)

# All four are there and valid, and nothing else was left beside them.
reports_are_valid() { # WORD
    xmllint --noout --schema "$ROOT/tests/lib/junit.xsd" r.xml || fail "the junit report is not valid"
    /usr/bin/python3 - "$ROOT/config" r.json <<'PYTHON' || fail "the json report is not as its schema says"
import json, jsonschema, sys
path = sys.argv[1] + "/report.schema.json"
schema = json.load(open(path))
resolver = jsonschema.RefResolver("file://" + path, schema)
jsonschema.Draft202012Validator(schema, resolver=resolver).validate(json.load(open(sys.argv[2])))
PYTHON
    /usr/bin/python3 - r.html <<'PYTHON' || fail "the html report is not well-formed"
import html.parser, sys
class Parser(html.parser.HTMLParser):
    void = {"meta"}
    open = []
    def handle_starttag(self, tag, attrs):
        assert tag != "script", tag
        for name, value in attrs:
            assert name not in ("src", "onload", "onerror", "onclick"), name
            assert name != "href" or value.startswith(("https://", "http://")), value
        if tag not in self.void: self.open.append(tag)
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
    def handle_startendtag(self, tag, attrs): pass
p = Parser()
text = open(sys.argv[1], encoding="utf-8").read()
p.feed(text)
assert not p.open, p.open
assert not any(ord(c) < 32 and c != "\n" or 127 <= ord(c) < 160 for c in text)
PYTHON
    assert_equal "word" "$(jq -r .word r.json)" "$1"
    grep -q "<span class=\"word\">$1</span>" r.html || fail "the html report does not say $1"
    head -n 1 r.md | grep -q "^### .*: $1$" || fail "the markdown report begins with $(head -n 1 r.md)"
    assert_equal "files" "$(echo r.*)" "r.html r.json r.md r.xml"
}
report() { jq -r "$@" r.json; }

case_success() {
    site_new success 2
    # shellcheck disable=SC2016 # for the recipe
    recipe_write <<<'env: {TOKEN: "${TOKEN}"}
build: ["echo the token is $TOKEN; printf '"'"'\\033[31mred\\033[0m </pre><script>alert(1)</script>\\n'"'"'"]'
    export TOKEN='very<secret>'
    expect_status 0 deploy "${ALL[@]}" production
    reports_are_valid 'done'
    assert_equal "hosts of build" "$(report '.stages[] | select(.stage == "build") | [.hosts[] | .host + "=" + .state] | join(" ")')" 'app1=done app2=done'
    assert_equal "status" "$(report '[.status, .run.release] | join(" ")')" "0 $(release)"
    assert_equal "nothing was live" "$(report '.changes.from')" null
    ! grep -q 'very' r.* || fail "a secret is in a report"
    grep -q 'the token is \[secret\]' r.html || fail "the output is not in the html report"
    grep -q 'red &lt;/pre&gt;&lt;script&gt;' r.html || fail "the output is not escaped"
    # A second deploy, with commits in between; one of them means harm.
    commit_file public/index.html two
    git -C "$REPO" commit -q --allow-empty -m $'</style><script>alert(1)</script>\e]0;x\a `code` | @someone' --author 'Eve &lt; <eve@example.com>'
    expect_status 0 deploy "${ALL[@]}" --json production
    reports_are_valid 'done'
    assert_equal "commits" "$(report '.changes.added | length')" 2
    assert_equal "known" "$(report '.changes.known')" true
    assert_equal "as in the stream" "$(jq -c 'select(.event == "run") | .changes' "$OUT")" "$(jq -c .changes r.json)"
    # shellcheck disable=SC2016 # backticks of Markdown
    grep -qF '`` </style><script>alert(1)</script>\x1b]0;x\x07 `code` | @someone ``' r.md || fail "not code in the markdown report: $(grep style r.md)"
    assert_equal "cases" "$(xmllint --xpath 'count(//testcase)' r.xml)" "$(xmllint --xpath 'string(/testsuites/@tests)' r.xml)"
    # Nothing to do.
    expect_status 0 deploy "${ALL[@]}" production
    reports_are_valid 'done'
    # Of a rollback the repository is not read.
    expect_status 0 rollback "${ALL[@]}" production
    reports_are_valid 'done'
    # A command without a run.
    CRELEASE_REPORT=$'json:r.json\njunit:r.xml' expect_status 0 status --report html:r.html --report markdown:r.md --report junit:r.xml --report json:r.json production
    reports_are_valid 'done'
    # Deployed from a clone without history.
    git clone -q --depth 1 "file://$REPO" shallow
    recipe_write <<<"repository: '$SITE/shallow'"
    commit_file public/index.html three
    git -C shallow fetch -q --depth 1 origin main
    expect_status 0 deploy --ref "$(revision)" "${ALL[@]}" production
    reports_are_valid 'done'
    expect_output 'the commits since .*, which is live, are not known'
    assert_equal "known" "$(report '.changes.known')" false
    grep -q 'A shallow clone lacks it' r.html || fail "does not say that the history is unknown"
}

case_failure() {
    site_new failure 2
    recipe_write <<<"build: ['case \$PWD in */app2/*) echo out of memory >&2; exit 7 ;; esac']"
    expect_status 1 deploy "${ALL[@]}" production
    reports_are_valid failed
    assert_equal "hosts" "$(report '.stages[-1].hosts | map(.host + "=" + .state) | join(" ")')" 'app1=done app2=failed'
    assert_equal "failed cases" "$(xmllint --xpath 'string(//testcase[failure]/@name)' r.xml)" 'build on app2'
    grep -q '<details class="failed" open><summary>app2' r.html || fail "the log of the failed job is folded"
    grep -q 'then run .*crelease deploy production' r.html || fail "does not say what to type next"
    grep -q 'next: .*crelease deploy production' r.md || fail "does not say what to type next"
    # What another run holds, and what cannot be written, or not be understood.
    expect_status 6 deploy "${ALL[@]}" --on-unfinished stop production
    reports_are_valid unfinished
    expect_status 2 deploy --report html:nowhere/r.html production
    expect_output "cannot write report 'nowhere/r.html': No such file"
    expect_status 2 deploy --report html:. production
    expect_output "cannot write report '.': it is a folder"
    expect_status 2 deploy --report htm:r.html production
    expect_output "did you mean 'html:"
    expect_status 2 deploy --report html production
    recipe_write <<<'oldr: warn'
    expect_status 2 deploy "${ALL[@]}" production
    reports_are_valid usage
    assert_equal "mistakes" "$(report '.warnings[].detail' | grep -c "unknown key 'oldr'")" 1
    # A file that is no regular one is not replaced.
    : >target
    ln -s target link
    expect_status 2 deploy --report json:link production
    [ -L link ] || fail "a link was replaced"
    assert_equal "word" "$(jq -r .word target)" usage
    mkfifo pipe
    jq -r .word <pipe >word &
    expect_status 2 deploy --report json:pipe production
    wait $!
    assert_equal "word" "$(cat word)" usage
}

# By a signal to crelease, by the end of a command, and without any chance to write it.
case_interrupted() {
    site_new interrupted 2
    touch "$SITE/block"
    recipe_write <<<"build: ['case \$PWD in */app1/*) echo \$\$ >$SITE_Q/pid ;; esac; while test -e $SITE_Q/block; do sleep 0.05; done']"
    local signal
    for signal in INT TERM KILL; do
        rm -f pid
        start_crelease deploy "${ALL[@]}" production
        wait_for 60 test -s pid
        case $signal in
        KILL)
            kill_crelease
            reports_are_valid running
            grep -q 'crelease resume production' r.html || fail "does not say how to continue"
            ;;
        *)
            kill -s "$signal" "$CR_PID"
            finish_crelease
            [ "$STATUS" = 130 ] || [ "$STATUS" = 143 ] || fail "status $STATUS"
            reports_are_valid interrupted
            assert_equal "status" "$(report .status)" "$STATUS"
            grep -q '<b>stopped</b>' r.html || fail "the html report says that the build failed"
            grep -q '| \*\*stopped\*\* |' r.md || fail "the markdown report says that the build failed"
            ;;
        esac
        expect_status 0 abort "${ALL[@]}" production
        reports_are_valid 'done'
    done
    # The command is killed on the host.
    rm -f pid
    start_crelease deploy "${ALL[@]}" production
    wait_for 60 test -s pid
    on_host app1 kill -KILL "$(cat pid)"
    rm "$SITE/block"
    finish_crelease 1
    reports_are_valid failed
    grep -q 'signal' r.md || fail "does not say that it was killed"
}

# The wait with its estimates, what was migrated and what blocked it.
case_wait() {
    site_new wait 1
    expect_status 0 deploy production
    make_big_table
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    start_dump
    start_crelease deploy "${ALL[@]}" production
    wait_for 60 grep -q 'backup app1: pg_dump' "$CR_OUT"
    end_dump
    finish_crelease 0
    reports_are_valid 'done'
    assert_equal "waits" "$(report '.waits | length')" 1
    assert_equal "kind" "$(report '.waits[0] | [.kind, .state] | join(" ")')" 'pg_dump done'
    [ "$(report '.waits[0].estimates | length')" -ge 1 ] || fail "there are no estimates"
    assert_equal "migrations" "$(report '.migrations | length')" 1
    report '.migrations[0].name' | grep -q 20260102000000 || fail "$(report .migrations)"
    grep -q '<h2>Wait for the backup</h2>' r.html || fail "the wait is not in the html report"
    grep -q '^- waited .* `pg_dump of wait' r.md || fail "the wait is not in the markdown report"
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
