#!/bin/bash
# A folder of this machine as the release.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# source_site NAME HOSTS: a site whose folder "dist" beside the recipe is the release.
source_site() {
    site_new "$1" "$2"
    mkdir -p "$SITE/dist/assets/a b" "$SITE/dist/.git"
    printf 'one\n' >"$SITE/dist/index.html"
    head -c 100000 /dev/urandom >"$SITE/dist/assets/a b/one.js"
    printf '#!/bin/sh\n' >"$SITE/dist/run"
    chmod +x "$SITE/dist/run"
    printf 'odd\n' >"$SITE/dist/"$'a new\nline'
    ln -s 'a b/one.js' "$SITE/dist/assets/link"
    echo secret >"$SITE/dist/.git/config"
    echo secret >"$SITE/dist/crelease.yml"
    recipe_write <<<'source: dist'
}

# same_files: each host has what is in dist, and nothing else.
same_files() {
    local host name
    for host in "${SITE_HOSTS[@]}"; do
        diff -r --no-dereference -x .git -x crelease.yml -x log -x tmp -x config -x REVISION -x REVISION_TIME \
            "$SITE/dist" "$SITE/$host/current/" || fail "$host: the release is another one"
        for name in .git crelease.yml; do assert_gone "$SITE/$host/current/$name"; done
        [ -x "$SITE/$host/current/run" ] || fail "$host: it is not executable"
        assert_equal "$host: revision" "$(live_revision "$host")" "$(revision)"
    done
    assert_gone "$SITE/${SITE_HOSTS[0]}/.crelease/lock"
    expect_status 0 status --verify production
    expect_output unchanged
    expect_no_output ' differs'
}

case_deploys() {
    source_site deploys 2
    expect_status 0 plan production
    expect_output "checkout .*the folder 'dist' into"
    expect_status 0 check production
    expect_output "HEAD is .*5 files"
    expect_status 0 deploy production
    same_files
    # The same commit with other files is another release.
    printf 'two\n' >"$SITE/dist/index.html"
    rm "$SITE/dist/assets/link"
    chmod -x "$SITE/dist/a new"*
    expect_status 0 deploy production
    expect_no_output 'nothing to do'
    same_files
    expect_status 0 rollback production
    assert_equal index "$(cat "$SITE/app1/current/index.html")" one
    # From the revision's files and back, with the same commit.
    recipe_write </dev/null
    expect_status 0 deploy --force production
    assert_deployed "$(revision)"
    recipe_write <<<'source: dist'
    expect_status 0 deploy production
    same_files
}

case_refused() {
    source_site refused 0
    expect_status 2 deploy --ref main production
    expect_output "ref cannot be used with 'source'"
    ln -s /etc/passwd "$SITE/dist/link"
    expect_status 1 plan production
    expect_output "source '.*dist': the folder contains a path that cannot be deployed: 'link' .a symbolic link to a place"
    expect_status 1 check production
    expect_output "BAD.*'link' .a symbolic link to a place outside"
    expect_status 1 deploy production
    assert_gone "$SITE/here/.crelease/lock"
    rm -r "$SITE/dist"
    expect_status 1 deploy production
    expect_output "source '.*dist': cannot read the folder: no such file"
    recipe_write <<<$'source: dist\nsubtree: public'
    expect_status 2 deploy production
    expect_output "crelease.yml:2:.*'subtree' is given with 'source'"
    recipe_write <<<$'source: dist\nbuild: [{run: make dist, where: local}]'
    expect_status 2 deploy production
    expect_output "crelease.yml:2:.*the folder of 'source' is read before any job runs"
}

# The files of a run are those that it was started with, on all hosts.
case_resume() {
    source_site resume 2
    recipe_write <<END
source: dist
hooks: {before link: [{run: test -e $SITE_Q/go}]}
END
    expect_status 1 deploy production
    touch "$SITE/go"
    printf 'two\n' >"$SITE/dist/index.html"
    cp -a "$SITE/dist" "$SITE/kept"
    expect_status 0 resume production
    assert_equal index "$(cat "$SITE/app1/current/index.html" "$SITE/app2/current/index.html")" $'one\none'
    # Before any host has them.
    recipe_write <<END
source: dist
hooks: {before checkout: [{run: test -e $SITE_Q/come}]}
END
    expect_status 1 deploy production
    touch "$SITE/come"
    printf 'three\n' >"$SITE/dist/index.html"
    expect_status 1 resume production
    expect_output "'dist' has changed since run .* was started"
    printf 'two\n' >"$SITE/dist/index.html"
    expect_status 0 resume production
    same_files
}

# What the commit says of migrations does not tell what the folder has.
case_migrations() {
    source_site migrations 1
    mkdir -p "$SITE/dist/bin" "$SITE/dist/db"
    cp -a "$REPO/bin/." "$SITE/dist/bin/"
    cp -a "$REPO/db/." "$SITE/dist/db/"
    recipe_write <<END
source: dist
migrate: {paths: [db/migrate], run: 'echo x >>$SITE/migrated'}
END
    expect_status 0 deploy production
    expect_status 0 deploy production
    assert_equal 'runs of the migration' "$(wc -l <"$SITE/migrated")" 2
}

rig_open
start_hosts 2
run_cases "$@"
