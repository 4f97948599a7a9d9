#!/bin/bash
# Deploys as they should go, on three hosts with a database.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

case_first() {
    site_new first 3
    expect 0 deploy production
    finished "$(revision)" 1
    local host name
    name=$(release)
    [[ $name =~ ^[0-9]{14}$ ]] || fail "a release is called $name"
    for host in "${SITE_HOSTS[@]}"; do
        same "$host: log" "$(cat "$SITE/$host/revisions.log")" "Branch main (at $(revision)) deployed as release $name by $USER"
        same "$host: time" "$(cat "$SITE/$host/current/REVISION_TIME")" "$(git -C "$REPO" log -1 --format=%ct)"
        same "$host: linked file" "$(readlink "$SITE/$host/current/config/database.yml")" "$SITE/$host/shared/config/database.yml"
        same "$host: linked folder" "$(readlink "$SITE/$host/current/log")" "$SITE/$host/shared/log"
        same "$host: linked folder below" "$(readlink "$SITE/$host/current/tmp/pids")" "$SITE/$host/shared/tmp/pids"
        there "$SITE/$host/shared/tmp/pids"
        there "$SITE/$host/current/tmp/restart.txt"
    done
    same "runs of the migration" "$(sql 'select count(*) from migration_runs' "$DB")" 1
    same "where it ran" "$(wc -l <"$SITE/app3/shared/log/migrations.log")" 1
    gone "$SITE/app1/shared/log/migrations.log"
}

case_again() {
    site_new again 3
    expect 0 deploy production
    local first before
    first=$(release)
    before=$(tree_of "$SITE/app2/releases/$first")
    expect 0 deploy production
    says 'nothing|already|live'
    same "a deploy of what is live makes no release" "$(release)" "$first"
    same "lines" "$(wc -l <"$SITE/app1/revisions.log")" 1
    expect 0 deploy --force production
    [ "$(release)" != "$first" ] || fail "--force made no release"
    finished "$(revision)" 2
    commit_file public/index.html '<h1>News</h1>'
    commit_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    git -C "$REPO" rm -q config/application.yml
    commit_all 'Remove a file'
    expect 0 deploy production
    finished "$(revision)" 3
    gone "$SITE/app1/current/config/application.yml"
    same "migrations" "$(sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB")" '20260101000000 20260102000000'
    same "the first release is as it was" "$(tree_of "$SITE/app2/releases/$first")" "$before"
}

case_ref() {
    site_new ref 1
    expect 0 deploy production
    git -C "$REPO" checkout -q -b 'feature/x y' 2>/dev/null || git -C "$REPO" checkout -q -b feature/xy
    commit_file public/index.html other
    git -C "$REPO" tag -a -m v1 v1.0
    local sha
    sha=$(revision)
    git -C "$REPO" checkout -q main
    expect 0 deploy --ref v1.0 production
    finished "$sha" 2
    tail -n 1 "$SITE/app1/revisions.log" | grep -q '^Branch v1.0 (at ' || fail "$(tail -n 1 "$SITE/app1/revisions.log")"
    expect 0 deploy --ref "${sha:0:10}" --force production
    finished "$sha" 3
    expect 2 deploy --ref nosuchbranch production
    says nosuchbranch
}

case_rollback() {
    site_new rollback 2
    expect 0 deploy production
    local first second
    first=$(release)
    commit_file public/index.html two
    expect 0 deploy production
    second=$(release)
    commit_file public/index.html three
    expect 0 deploy production
    expect 0 rollback production
    same "back" "$(release app1) $(release app2)" "$second $second"
    same "log" "$(tail -n 1 "$SITE/app1/revisions.log")" "$USER rolled back to release $second"
    gone "$SITE/app1/.crelease/lock"
    expect 0 rollback --to "$first" production
    same "back further" "$(release app1) $(release app2)" "$first $first"
    expect 0 deploy production
    same "forward" "$(live_revision)" "$(revision)"
}

# What Capistrano gets wrong: a failed release is neither gone back to nor counted.
case_failed_do_not_count() {
    site_new failed_do_not_count 1
    recipe_write <<<'build: ["test ! -e broken"]'
    expect 0 deploy production
    local good
    good=$(release)
    commit_file broken yes
    expect 1 deploy production
    same "live" "$(release)" "$good"
    expect 0 abort production
    expect 1 deploy production
    expect 0 abort production
    git -C "$REPO" rm -q broken
    commit_all 'Mend it'
    expect 0 deploy production
    finished "$(revision)"
    expect 0 rollback production
    same "back to the good one" "$(release)" "$good"
}

case_cleanup() {
    site_new cleanup 1
    mkdir -p "$SITE/app1/releases/not-a-release"
    local i names=()
    for i in 1 2 3 4 5; do
        commit_file public/index.html "$i"
        expect 0 deploy production
        names+=("$(release)")
    done
    same "releases" "$(releases app1 | tr '\n' ' ')" "${names[2]} ${names[3]} ${names[4]} not-a-release "
}

case_status() {
    site_new status 2
    expect 0 status production
    expect 0 deploy production
    local sha
    sha=$(revision)
    expect 0 status production
    says "$(release)"
    expect 0 status --json production
    same "application" "$(json .application)" shop
    same "environment" "$(json .environment)" production
    same "hosts" "$(json '[.hosts[].host] | join(" ")')" 'app1 app2'
    same "current" "$(json '[.hosts[].current] | unique | join(" ")' | sed 's|.*/||')" "$(release)"
    same "revision" "$(json '[.hosts[].revision] | unique | join(" ")')" "$sha"
    same "run" "$(json .run)" null
    same "backups" "$(json '.backups | length')" 0
    same "reachable" "$(json '[.hosts[].reachable] | unique | join(" ")')" true
}

case_history() {
    site_new history 1
    expect 0 deploy production
    commit_file public/index.html two
    expect 0 deploy production
    expect 0 rollback production
    expect 0 history production
    says "$USER"
    says rollback
    expect 0 history --json production
    jq -e . "$OUT" >/dev/null || fail "no JSON"
}

case_plan_changes_nothing() {
    site_new plan_changes_nothing 2
    expect 0 deploy production
    commit_file public/index.html two
    commit_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    wait_for 20 hosts_are_quiet app1 app2
    local before
    before=$(tree_of "$SITE/app1" && tree_of "$SITE/app2")
    expect 0 plan production
    says checkout
    says switch
    expect 0 deploy -n production
    expect 0 plan --json production
    jq -e . "$OUT" >/dev/null || fail "no JSON"
    expect 0 check production
    expect 0 status production
    expect 0 backups production
    same "the hosts after plan, check, status" "$(tree_of "$SITE/app1" && tree_of "$SITE/app2")" "$before"
    same "migrations" "$(sql 'select count(*) from migration_runs' "$DB")" 1
}

case_plan_on_an_empty_host() {
    site_new plan_on_an_empty_host 1
    local before
    before=$(tree_of "$SITE/app1")
    expect 0 plan production
    expect 0 check production
    same "the host" "$(tree_of "$SITE/app1")" "$before"
}

case_check_finds_what_is_missing() {
    site_new check_finds_what_is_missing 2
    rm "$SITE/app2/shared/config/database.yml"
    cr check production
    [ "$STATUS" -ne 0 ] || fail "check says that all is well"
    says 'database.yml'
    says app2
}

case_exec_and_run() {
    site_new exec_and_run 2
    recipe_write <<<'tasks: {about: {run: bin/about, roles: [db]}}'
    expect 1 exec production -- true
    says '^app1 \| there is no live release at'
    expect 0 deploy production
    # shellcheck disable=SC2016 # for the host
    expect 0 exec production -- 'pwd; echo "$0 it'\''s"'
    says "it's"
    says app1
    says app2
    expect 0 run production about
    says "$(revision)"
    says_not app1
    cr exec production -- 'exit 3'
    [ "$STATUS" -ne 0 ] || fail "a command that failed is taken for a success"
    expect 2 run production abuot
    says about
}

# Words are kept, whatever is in them; one alone is a line for the shell.  Every host has all of the input.
case_exec_words_and_input() {
    site_new exec_words_and_input 2
    expect 0 deploy production
    # shellcheck disable=SC2016 # not for any shell
    expect 0 exec production -- printf '<%s>\n' 'a  b' "it's" '$HOME;|*' ''
    # shellcheck disable=SC2016
    same "words" "$(grep '^app1 | ' "$OUT")" "$(printf 'app1 | <%s>\n' 'a  b' "it's" '$HOME;|*' '')"
    expect 0 exec production -- 'echo a | tr a b; echo "  c"'
    same "shell" "$(grep '^app2 | ' "$OUT")" "$(printf 'app2 | %s\n' b '  c')"
    # Much more than is held at a time.
    seq -f '%.0f some line of some length for the hosts' 1 60000 >"$SITE/input"
    local sum
    sum=$(cksum <"$SITE/input")
    "$CRELEASE" exec production -- cksum <"$SITE/input" >"$OUT" 2>"$ERR" || fail "cksum: $(cat "$ERR")"
    same "of a file" "$(sort "$OUT")" "$(printf 'app1 | %s\napp2 | %s' "$sum" "$sum")"
    # shellcheck disable=SC2002 # a pipe it is to be
    cat "$SITE/input" | "$CRELEASE" exec --hosts app1 production -- cksum >"$OUT" 2>"$ERR" || fail "cksum: $(cat "$ERR")"
    same "of a pipe" "$(cat "$OUT")" "$sum"
    # One that reads only some of it, or nothing, holds up nobody; nor does input that never ends.
    # shellcheck disable=SC2016
    "$CRELEASE" exec production -- 'if [ "$CRELEASE_HOST" = app1 ]; then head -n 1; else cksum; fi' <"$SITE/input" >"$OUT" 2>"$ERR" || fail "head: $(cat "$ERR")"
    grep -qxF "app2 | $sum" "$OUT" || fail "not all of it: $(cat "$OUT")"
    mkfifo "$SITE/open"
    exec 6<>"$SITE/open"
    "$CRELEASE" exec production -- pwd <&6 >"$OUT" 2>"$ERR" || fail "pwd: $(cat "$ERR")"
    exec 6>&-
    grep -q '^app2 | ' "$OUT" || fail "nothing from app2"
    expect 0 exec production -- cat
    same "without input" "$(cat "$OUT")" ''
}

case_quiet_and_json() {
    site_new quiet_and_json 2
    expect 0 deploy -q production
    same "said" "$(cat "$OUT" "$ERR")" ''
    commit_file public/index.html two
    expect 0 deploy --json production
    jq -es 'all(.[]; .time and .event)' "$OUT" >/dev/null || fail "a line without time or event"
    tail -n 1 "$OUT" >"$OUT.last"
    same "end" "$(jq -r '[.event, .status, .word, .revision] | join(" ")' "$OUT.last")" "end 0 done $(revision)"
    same "release" "$(jq -r .release "$OUT.last")" "$(release)"
    recipe_write <<<'build: ["false"]'
    expect 1 deploy -q --force production
    same "lines of an error with -q" "$(cat "$OUT" "$ERR" | wc -l)" 1
    expect 1 resume --json production
    same "end" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" 'end 1 failed'
}

case_hooks_and_jobs() {
    site_new hooks_and_jobs 3
    recipe_write <<'END'
build:
  - 'mkdir -p made && echo "$RAILS_ENV $GREETING" >made/env'
  - {run: 'echo web >made/web', roles: [web]}
  - {run: 'echo db >made/db', roles: [db]}
env: {RAILS_ENV: production, GREETING: "it's $HOME; `date` \"x\""}
hooks:
  after switch: [{run: 'readlink ../../current >made/hook', once: true}]
END
    expect 0 deploy production
    same "environment" "$(cat "$SITE/app1/current/made/env")" "production it's \$HOME; \`date\` \"x\""
    there "$SITE/app1/current/made/web"
    gone "$SITE/app1/current/made/db"
    there "$SITE/app3/current/made/db"
    same "once" "$(cat "$SITE"/app?/current/made/hook | wc -l)" 1
    finished "$(revision)" 1
}

case_no_migrate() {
    site_new no_migrate 1
    expect 0 deploy --no-migrate production
    same "tables" "$(sql "select count(*) from pg_tables where schemaname = 'public'" "$DB")" 0
    finished "$(revision)" 1
}

# The recipe names hosts, logins and paths of keys, and with 'extends: static' the release is a web root.
case_recipe_is_left_out() {
    site_new recipe_is_left_out 0
    local text="application: shop
extends: static
repository: .
deploy_to: '$SITE/here'
transport: local
environments: {production: {hosts: [{host: localhost, name: here}]}}"
    git -C "$REPO" rm -rq .
    mkdir -p "$REPO/config" "$REPO/deploy [1]" "$REPO/docs"
    echo page >"$REPO/index.html"
    for file in crelease.yml config/crelease.yml crelease.staging.yml .crelease.yml "deploy [1]/my \\recipe.yml" docs/crelease.yml config/crelease_app.yml; do
        printf '%s\n' "$text" >"$REPO/$file"
    done
    sed -i "s|^repository: .*|repository: ..|" "$REPO/deploy [1]/my \\recipe.yml"
    commit_all "A page"
    cd "$REPO"
    served() { (cd "$SITE/here/current" && find . -type f | sort | tr '\n' ' '); }
    local rest='./REVISION ./REVISION_TIME ./config/crelease_app.yml' pages='./docs/crelease.yml ./index.html '
    expect 0 deploy production
    same "with crelease.yml" "$(served)" "$rest ./deploy [1]/my \\recipe.yml $pages"
    expect 0 status --verify production
    says_not 'differ'
    expect 0 deploy --force production -f "deploy [1]/my \\recipe.yml"
    same "with another" "$(served)" "$rest $pages"
    expect 0 status --verify production
    says_not 'differ'
    # Of a URL the recipe is in somebody's clone.
    git clone -q "file://$REPO" "$SITE/clone"
    sed -i "s|^repository: .*|repository: 'file://$REPO'|" "$SITE/clone/deploy [1]/my \\recipe.yml"
    cd "$SITE/clone/docs"
    expect 0 deploy --force production -f "../deploy [1]/my \\recipe.yml"
    same "from a URL" "$(served)" "$rest $pages"
    # Who wants it there says so.
    cd "$REPO"
    commit_file .gitattributes '/crelease.yml -export-ignore'
    expect 0 deploy production
    there "$SITE/here/current/crelease.yml"
    gone "$SITE/here/current/config/crelease.yml"
}

# A ref may have blanks in it, and history has fields between blanks.
case_ref_with_blanks() {
    site_new ref_with_blanks 0
    expect 0 deploy --ref 'HEAD@{1 minute ago}' production
    expect 0 history --json production
    same "run" "$(json '.runs[0] | [.ref, .outcome, .by] | join("|")')" "HEAD@{1 minute ago}|done|$USER@$(hostname -s)"
    same "words" "$(awk '{ print NF }' "$SITE/here/.crelease/history")" 9
    # A line of the version before.
    sed -i 's/ HEAD@{1%20minute%20ago} / main /' "$SITE/here/.crelease/history"
    expect 0 history --json production
    same "ref" "$(json '.runs[0].ref')" main
}

rig_open
rig_postgres
rig_start 3
run_cases "$@"
