#!/bin/bash
# Deploys as they should go, on three hosts with a database.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='failed_do_not_count exec_words_and_input quiet_and_json ref_with_blanks'

case_first() {
    site_new first 3
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    local host name
    name=$(release)
    [[ $name =~ ^[0-9]{14}$ ]] || fail "a release is called $name"
    for host in "${SITE_HOSTS[@]}"; do
        assert_equal "$host: log" "$(cat "$SITE/$host/revisions.log")" "Branch main (at $(revision)) deployed as release $name by $USER"
        assert_equal "$host: time" "$(cat "$SITE/$host/current/REVISION_TIME")" "$(git -C "$REPO" log -1 --format=%ct)"
        assert_equal "$host: linked file" "$(readlink "$SITE/$host/current/config/database.yml")" "$SITE/$host/shared/config/database.yml"
        assert_equal "$host: linked folder" "$(readlink "$SITE/$host/current/log")" "$SITE/$host/shared/log"
        assert_equal "$host: linked folder below" "$(readlink "$SITE/$host/current/tmp/pids")" "$SITE/$host/shared/tmp/pids"
        assert_exists "$SITE/$host/shared/tmp/pids"
        assert_exists "$SITE/$host/current/tmp/restart.txt"
    done
    assert_equal "runs of the migration" "$(sql 'select count(*) from migration_runs' "$DB")" 1
    assert_equal "where it ran" "$(wc -l <"$SITE/app3/shared/log/migrations.log")" 1
    assert_gone "$SITE/app1/shared/log/migrations.log"
}

case_again() {
    site_new again 3
    expect_status 0 deploy production
    local first before
    first=$(release)
    before=$(tree_of "$SITE/app2/releases/$first")
    expect_status 0 deploy production
    expect_output 'nothing|already|live'
    assert_equal "a deploy of what is live makes no release" "$(release)" "$first"
    assert_equal "lines" "$(wc -l <"$SITE/app1/revisions.log")" 1
    expect_status 0 deploy --force production
    [ "$(release)" != "$first" ] || fail "--force made no release"
    assert_deployed "$(revision)" 2
    commit_file public/index.html '<h1>News</h1>'
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    git -C "$REPO" rm -q config/application.yml
    commit_all 'Remove a file'
    expect_status 0 deploy production
    assert_deployed "$(revision)" 3
    assert_gone "$SITE/app1/current/config/application.yml"
    assert_equal "migrations" "$(sql "select string_agg(version, ' ' order by id) from migration_runs" "$DB")" '20260101000000 20260102000000'
    assert_equal "the first release is as it was" "$(tree_of "$SITE/app2/releases/$first")" "$before"
}

case_ref() {
    site_new ref 1
    expect_status 0 deploy production
    git -C "$REPO" checkout -q -b 'feature/x y' 2>/dev/null || git -C "$REPO" checkout -q -b feature/xy
    commit_file public/index.html other
    git -C "$REPO" tag -a -m v1 v1.0
    local sha
    sha=$(revision)
    git -C "$REPO" checkout -q main
    expect_status 0 deploy --ref v1.0 production
    assert_deployed "$sha" 2
    tail -n 1 "$SITE/app1/revisions.log" | grep -q '^Branch v1.0 (at ' || fail "$(tail -n 1 "$SITE/app1/revisions.log")"
    expect_status 0 deploy --ref "${sha:0:10}" --force production
    assert_deployed "$sha" 3
    expect_status 2 deploy --ref nosuchbranch production
    expect_output nosuchbranch
}

case_rollback() {
    site_new rollback 2
    expect_status 0 deploy production
    local first second
    first=$(release)
    commit_file public/index.html two
    expect_status 0 deploy production
    second=$(release)
    commit_file public/index.html three
    expect_status 0 deploy production
    expect_status 0 rollback production
    assert_equal "back" "$(release app1) $(release app2)" "$second $second"
    assert_equal "log" "$(tail -n 1 "$SITE/app1/revisions.log")" "$USER rolled back to release $second"
    assert_gone "$SITE/app1/.crelease/lock"
    expect_status 0 rollback --to "$first" production
    assert_equal "back further" "$(release app1) $(release app2)" "$first $first"
    expect_status 0 deploy production
    assert_equal "forward" "$(live_revision)" "$(revision)"
}

# What Capistrano gets wrong: a failed release is neither gone back to nor counted.
case_failed_do_not_count() {
    site_new failed_do_not_count 1
    recipe_write <<<'build: ["test ! -e broken"]'
    expect_status 0 deploy production
    local good
    good=$(release)
    commit_file broken yes
    expect_status 1 deploy production
    assert_equal "live" "$(release)" "$good"
    expect_status 0 abort production
    expect_status 1 deploy production
    expect_status 0 abort production
    git -C "$REPO" rm -q broken
    commit_all 'Mend it'
    expect_status 0 deploy production
    assert_deployed "$(revision)"
    expect_status 0 rollback production
    assert_equal "back to the good one" "$(release)" "$good"
}

case_cleanup() {
    site_new cleanup 1
    mkdir -p "$SITE/app1/releases/not-a-release"
    local i names=()
    for i in 1 2 3 4 5; do
        commit_file public/index.html "$i"
        expect_status 0 deploy --json production
        names+=("$(release)")
    done
    # On one host, what comes after switch is sent together with it.
    assert_equal "usual time of switch" "$(json 'select(.event == "end").stages[] | select(.stage == "switch").usual_ms | type')" number
    assert_equal "releases" "$(releases app1 | tr '\n' ' ')" "${names[2]} ${names[3]} ${names[4]} not-a-release "
}

case_status() {
    site_new status 2
    expect_status 0 status production
    expect_status 0 deploy production
    local sha
    sha=$(revision)
    expect_status 0 status production
    expect_output "$(release)"
    expect_status 0 status --json production
    assert_equal "application" "$(json .application)" shop
    assert_equal "environment" "$(json .environment)" production
    assert_equal "hosts" "$(json '[.hosts[].host] | join(" ")')" 'app1 app2'
    assert_equal "current" "$(json '[.hosts[].current] | unique | join(" ")' | sed 's|.*/||')" "$(release)"
    assert_equal "revision" "$(json '[.hosts[].revision] | unique | join(" ")')" "$sha"
    assert_equal "run" "$(json .run)" null
    assert_equal "backups" "$(json '.backups | length')" 0
    assert_equal "reachable" "$(json '[.hosts[].reachable] | unique | join(" ")')" true
}

case_history() {
    site_new history 1
    expect_status 0 deploy production
    commit_file public/index.html two
    expect_status 0 deploy production
    expect_status 0 rollback production
    expect_status 0 history production
    expect_output "$USER"
    expect_output rollback
    expect_status 0 history --json production
    jq -e . "$OUT" >/dev/null || fail "no JSON"
}

case_plan_changes_nothing() {
    site_new plan_changes_nothing 2
    expect_status 0 deploy production
    commit_file public/index.html two
    commit_migration 20260102000000 AddPlaceToEvents 'alter table events add column place text'
    wait_for 20 hosts_are_quiet app1 app2
    local before
    before=$(tree_of "$SITE/app1" && tree_of "$SITE/app2")
    expect_status 0 plan production
    expect_output "2 commits since $(live_revision | cut -c1-7), by .*; [0-9]+ files changed"
    expect_output "^    $(revision | cut -c1-7) "
    expect_output checkout
    expect_output switch
    expect_status 0 deploy -n production
    expect_status 0 plan --json production
    jq -e . "$OUT" >/dev/null || fail "no JSON"
    expect_status 0 check production
    expect_status 0 status production
    expect_status 0 backups production
    assert_equal "the hosts after plan, check, status" "$(tree_of "$SITE/app1" && tree_of "$SITE/app2")" "$before"
    assert_equal "migrations" "$(sql 'select count(*) from migration_runs' "$DB")" 1
    local was
    was=$(live_revision)
    expect_status 0 deploy production
    expect_output "2 commits since ${was::7}, by .*; [0-9]+ files changed$"
    expect_output "$(revision | cut -c1-7) on app1 app2: 2 commits since ${was::7}; [0-9]+ files changed$"
}

case_plan_on_an_empty_host() {
    site_new plan_on_an_empty_host 1
    local before
    before=$(tree_of "$SITE/app1")
    expect_status 0 plan production
    expect_status 0 check production
    assert_equal "the host" "$(tree_of "$SITE/app1")" "$before"
}

case_check_finds_what_is_missing() {
    site_new check_finds_what_is_missing 2
    rm "$SITE/app2/shared/config/database.yml"
    run_crelease check production
    [ "$STATUS" -ne 0 ] || fail "check says that all is well"
    expect_output 'database.yml'
    expect_output app2
}

case_exec_and_run() {
    site_new exec_and_run 2
    recipe_write <<<'tasks: {about: {run: bin/about, roles: [db]}}'
    expect_status 1 exec production -- true
    expect_output '^app1 \| there is no live release at'
    expect_status 0 deploy production
    # shellcheck disable=SC2016 # for the host
    expect_status 0 exec production -- 'pwd; echo "$0 it'\''s"'
    expect_output "it's"
    expect_output app1
    expect_output app2
    expect_status 0 run production about
    expect_output "$(revision)"
    expect_no_output app1
    run_crelease exec production -- 'exit 3'
    [ "$STATUS" -ne 0 ] || fail "a command that failed is taken for a success"
    expect_status 2 run production abuot
    expect_output about
}

# Words are kept, whatever is in them; one alone is a line for the shell.  Every host has all of the input.
case_exec_words_and_input() {
    site_new exec_words_and_input 2
    expect_status 0 deploy production
    # shellcheck disable=SC2016 # not for any shell
    expect_status 0 exec production -- printf '<%s>\n' 'a  b' "it's" '$HOME;|*' ''
    # shellcheck disable=SC2016
    assert_equal "words" "$(grep '^app1 | ' "$OUT")" "$(printf 'app1 | <%s>\n' 'a  b' "it's" '$HOME;|*' '')"
    expect_status 0 exec production -- 'echo a | tr a b; echo "  c"'
    assert_equal "shell" "$(grep '^app2 | ' "$OUT")" "$(printf 'app2 | %s\n' b '  c')"
    # Much more than is held at a time.
    seq -f '%.0f some line of some length for the hosts' 1 60000 >"$SITE/input"
    local sum
    sum=$(cksum <"$SITE/input")
    "$CRELEASE" exec production -- cksum <"$SITE/input" >"$OUT" 2>"$ERR" || fail "cksum: $(cat "$ERR")"
    assert_equal "of a file" "$(sort "$OUT")" "$(printf 'app1 | %s\napp2 | %s' "$sum" "$sum")"
    # shellcheck disable=SC2002 # a pipe it is to be
    cat "$SITE/input" | "$CRELEASE" exec --hosts app1 production -- cksum >"$OUT" 2>"$ERR" || fail "cksum: $(cat "$ERR")"
    assert_equal "of a pipe" "$(cat "$OUT")" "$sum"
    # One that reads only some of it, or nothing, holds up nobody; nor does input that never ends.
    # shellcheck disable=SC2016
    "$CRELEASE" exec production -- 'if [ "$CRELEASE_HOST" = app1 ]; then head -n 1; else cksum; fi' <"$SITE/input" >"$OUT" 2>"$ERR" || fail "head: $(cat "$ERR")"
    grep -qxF "app2 | $sum" "$OUT" || fail "not all of it: $(cat "$OUT")"
    mkfifo "$SITE/open"
    exec 6<>"$SITE/open"
    "$CRELEASE" exec production -- pwd <&6 >"$OUT" 2>"$ERR" || fail "pwd: $(cat "$ERR")"
    exec 6>&-
    grep -q '^app2 | ' "$OUT" || fail "nothing from app2"
    expect_status 0 exec production -- cat
    assert_equal "without input" "$(cat "$OUT")" ''
}

case_quiet_and_json() {
    site_new quiet_and_json 2
    expect_status 0 deploy -q production
    assert_equal "said" "$(cat "$OUT" "$ERR")" ''
    commit_file public/index.html two
    expect_status 0 deploy --json production
    jq -es 'all(.[]; .time and .event)' "$OUT" >/dev/null || fail "a line without time or event"
    tail -n 1 "$OUT" >"$OUT.last"
    assert_equal "end" "$(jq -r '[.event, .status, .word, .revision] | join(" ")' "$OUT.last")" "end 0 done $(revision)"
    assert_equal "release" "$(jq -r .release "$OUT.last")" "$(release)"
    recipe_write <<<'build: ["false"]'
    expect_status 1 deploy -q --force production
    assert_equal "lines of an error with -q" "$(cat "$OUT" "$ERR" | wc -l)" 1
    expect_status 1 resume --json production
    assert_equal "end" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" 'end 1 failed'
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
    expect_status 0 deploy production
    assert_equal "environment" "$(cat "$SITE/app1/current/made/env")" "production it's \$HOME; \`date\` \"x\""
    assert_exists "$SITE/app1/current/made/web"
    assert_gone "$SITE/app1/current/made/db"
    assert_exists "$SITE/app3/current/made/db"
    assert_equal "once" "$(cat "$SITE"/app?/current/made/hook | wc -l)" 1
    assert_deployed "$(revision)" 1
}

case_no_migrate() {
    site_new no_migrate 1
    expect_status 0 deploy --no-migrate production
    assert_equal "tables" "$(sql "select count(*) from pg_tables where schemaname = 'public'" "$DB")" 0
    assert_deployed "$(revision)" 1
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
    expect_status 0 deploy production
    assert_equal "with crelease.yml" "$(served)" "$rest ./deploy [1]/my \\recipe.yml $pages"
    expect_status 0 status --verify production
    expect_no_output 'differ'
    expect_status 0 deploy --force production -f "deploy [1]/my \\recipe.yml"
    assert_equal "with another" "$(served)" "$rest $pages"
    expect_status 0 status --verify production
    expect_no_output 'differ'
    # Of a URL the recipe is in somebody's clone.
    git clone -q "file://$REPO" "$SITE/clone"
    sed -i "s|^repository: .*|repository: 'file://$REPO'|" "$SITE/clone/deploy [1]/my \\recipe.yml"
    cd "$SITE/clone/docs"
    expect_status 0 deploy --force production -f "../deploy [1]/my \\recipe.yml"
    assert_equal "from a URL" "$(served)" "$rest $pages"
    # Who wants it there says so.
    cd "$REPO"
    commit_file .gitattributes '/crelease.yml -export-ignore'
    expect_status 0 deploy production
    assert_exists "$SITE/here/current/crelease.yml"
    assert_gone "$SITE/here/current/config/crelease.yml"
}

# A ref may have blanks in it, and history has fields between blanks.
case_ref_with_blanks() {
    site_new ref_with_blanks 0
    expect_status 0 deploy --ref 'HEAD@{1 minute ago}' production
    expect_status 0 history --json production
    assert_equal "run" "$(json '.runs[0] | [.ref, .outcome, .by] | join("|")')" "HEAD@{1 minute ago}|done|$USER@$(hostname -s)"
    assert_equal "words" "$(awk '{ print NF }' "$SITE/here/.crelease/history")" 9
    # A line of the version before.
    sed -i 's/ HEAD@{1%20minute%20ago} / main /' "$SITE/here/.crelease/history"
    expect_status 0 history --json production
    assert_equal "ref" "$(json '.runs[0].ref')" main
}

# The recipe that is made from a Capistrano configuration passes check, and deploys.
case_from_capistrano() {
    local address port
    site_new from_capistrano 1
    read -r address <"$RIG/${HOSTS[0]}/address"
    read -r port <"$RIG/${HOSTS[0]}/port"
    rm "$RECIPE"
    mkdir -p config/deploy
    cat >config/deploy.rb <<END
set :application, 'shop'
set :repo_url, '$SITE/repo'
set :deploy_to, '$SITE/${HOSTS[0]}'
set :branch, ENV['BRANCH'] || 'main'
append :linked_files, 'config/database.yml'
append :linked_dirs, 'log', 'tmp/pids'
namespace :deploy do
  task :restart do
    on(roles(:app)) { execute :touch, release_path.join('tmp/restart.txt') }
  end
end
END
    echo "server '$address', user: '$(id -un)', port: $port, roles: %w[app db web]" >config/deploy/production.rb
    expect_status 0 init --from-capistrano
    expect_output 'converted 7 settings; look at these 2'
    expect_status 0 check production
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    assert_exists "$SITE/${HOSTS[0]}/current/tmp/restart.txt"
}

rig_open
start_postgres
start_hosts 3
run_cases "$@"
