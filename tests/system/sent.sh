#!/bin/bash
# What is sent beyond a plain tree: a subtree, submodules.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

git_() { git -c protocol.file.allow=always "$@"; }

# new_repo NAME FILE...: a repository in $SITE with these files, each with its own name as content.
new_repo() {
    local dir=$SITE/$1 file
    shift
    git init -q -b main "$dir"
    for file; do
        mkdir -p "$dir/$(dirname "$file")"
        echo "$file" >"$dir/$file"
    done
    git -C "$dir" add -A
    git -C "$dir" commit -qm first
}

# All files of the live release, without those that crelease makes, one a line.
live_files() {
    (cd "$SITE/here/current/" && find . ! -type d ! -path ./REVISION ! -path ./REVISION_TIME ! -path ./log ! -path './tmp/*' ! -path ./config/database.yml | sed 's/^..//' | LC_ALL=C sort)
}

# expect_files LINES
expect_files() {
    assert_equal 'files' "$(live_files | tr '\n' ' ')" "$(tr '\n' ' ' <<<"$1")"
}

# The same complaint of plan, check and deploy, before anything was changed.
refused() { # STATUS PATTERN
    expect_status "$1" plan production
    expect_output "$2"
    expect_status 1 check production
    expect_output "BAD.*$2"
    expect_status "$1" deploy production
    expect_output "$2"
    assert_gone "$SITE/here/current"
    assert_gone "$SITE/here/.crelease/lock"
}

case_subtree() {
    site_new subtree 0
    mkdir -p "$REPO/apps/web/config" "$REPO/apps/web/doc" "$REPO/apps/web-admin"
    echo 'doc export-ignore' >"$REPO/apps/.gitattributes"
    echo '/apps/web/*.tmp export-ignore' >>"$REPO/.gitattributes"
    for file in index.html a.tmp config/x doc/y crelease.yml; do echo "$file" >"$REPO/apps/web/$file"; done
    ln -s ../x "$REPO/apps/web/config/link"
    echo admin >"$REPO/apps/web-admin/index.html"
    commit_all apps
    recipe_write <<<'subtree: apps/web/'
    expect_status 0 deploy production
    expect_files $'config/link\nconfig/x\nindex.html'
    assert_equal revision "$(live_revision here)" "$(revision)"
    expect_status 0 status --verify production
    expect_output unchanged
    git -C "$REPO" archive "HEAD:apps/web" | tar -xO index.html | cmp - "$SITE/here/current/index.html"
}

case_subtree_missing() {
    site_new subtree_missing 0
    recipe_write <<<'subtree: apps/nowhere'
    refused 2 "revision .* has no folder 'apps/nowhere'"
    recipe_write <<<'subtree: public/index.html'
    refused 2 "'public/index.html', which 'subtree' names, is a file"
    recipe_write <<<'subtree: ../elsewhere'
    expect_status 2 plan production
    expect_output "crelease.yml:1:.*'subtree' is '../elsewhere'"
}

case_submodules() {
    site_new submodules 0
    new_repo inner.git deep/a.txt .gitattributes
    new_repo lib.git lib.c lib-data/x tools/run.sh
    chmod +x "$SITE/lib.git/tools/run.sh"
    git_ -C "$SITE/lib.git" submodule add -q ../inner.git vendor/inner
    echo '*.secret export-ignore' >"$SITE/lib.git/.gitattributes"
    touch "$SITE/lib.git/a.secret"
    git -C "$SITE/lib.git" add -A
    git -C "$SITE/lib.git" commit -qm 'with inner'
    git_ -C "$REPO" submodule add -q "$SITE/lib.git" mod
    # Sorted before "mod/", unlike "mod".
    echo x >"$REPO/mod-a"
    commit_all 'with lib'
    # What is sent is the commit that is recorded, not the newest one.
    echo new >"$SITE/lib.git/lib.c"
    git -C "$SITE/lib.git" commit -qam newer

    expect_status 0 plan production
    expect_output '1 submodule will be empty on the hosts: mod'
    recipe_write <<<'submodules: true'
    expect_status 0 deploy production
    expect_no_output 'submodule'
    git_ -C "$REPO" submodule -q update --init --recursive
    rm "$REPO/mod/a.secret"
    find "$REPO/mod" -name .git -delete
    diff -r --no-dereference "$REPO/mod" "$SITE/here/current/mod" || fail 'the submodule differs'
    [ -x "$SITE/here/current/mod/tools/run.sh" ] || fail 'it is not executable'
    assert_exists "$SITE/here/current/mod/vendor/inner/deep/a.txt"
    grep -q ' mod/vendor/inner/deep/a.txt$' "$SITE/here/.crelease/manifests/$(release)" || fail 'the manifest lacks a file'
    expect_status 0 status --verify production
    expect_output unchanged
}

# The submodule's commit lies in no branch of its server.
case_submodule_lost_commit() {
    local lost
    site_new submodule_lost_commit 0
    new_repo lib.git a
    git_ -C "$REPO" submodule add -q "file://$SITE/lib.git" vendor/lib
    echo b >"$REPO/vendor/lib/b"
    git -C "$REPO/vendor/lib" add -A
    git -C "$REPO/vendor/lib" commit -qm unpushed
    commit_all 'with an unpushed commit'
    lost=$(git -C "$REPO/vendor/lib" rev-parse HEAD)
    recipe_write <<<'submodules: true'
    refused 1 "submodule 'vendor/lib': commit $lost is not in 'file://$SITE/lib.git'"
    git -C "$REPO/vendor/lib" push -q origin HEAD:refs/heads/b
    expect_status 0 deploy production
    assert_exists "$SITE/here/current/vendor/lib/b"
    # Its mirror has the commit, so its server is not needed any more.
    rm -rf "$SITE/lib.git"
    expect_status 0 deploy --force production
    assert_exists "$SITE/here/current/vendor/lib/b"
}

# gitmodules TEXT: the submodule "mod" of the revision, which is a commit of a real repository.
gitmodules() {
    printf '%s\n' "$1" >"$REPO/.gitmodules"
    git -C "$REPO" add .gitmodules
    git -C "$REPO" update-index --add --cacheinfo "160000,$(git -C "$SITE/lib.git" rev-parse HEAD),mod"
    git -C "$REPO" commit -q --allow-empty -m gitmodules
}

case_submodules_hostile() {
    local url
    site_new submodules_hostile 0
    new_repo lib.git a
    recipe_write <<<'submodules: true'
    for url in '-u./payload' "--upload-pack=touch $SITE/made" "ext::sh -c 'touch $SITE/made'" 'fd::17' "http::$SITE/lib.git" \
        'ssh://-oProxyCommand=x/y' "gopher://127.0.0.1/$SITE"; do
        gitmodules "[submodule \"mod\"]
	path = mod
	url = \"$url\""
        refused 1 "submodule 'mod'"
    done
    assert_gone "$SITE/made"
    for path in ../lib /lib a/../../lib -lib; do
        gitmodules "[submodule \"mod\"]
	path = mod
	url = ../lib.git
[submodule \"other\"]
	path = $path
	url = ../lib.git"
        refused 1 "submodule 'other' of .gitmodules has the path '.*', which is refused"
    done
    gitmodules '[submodule "mod"'
    refused 1 'line 1 of .gitmodules'
    gitmodules '[include]
	path = ../evil'
    refused 1 "submodule 'mod': commit .* .gitmodules has no URL"
    gitmodules "[submodule \"mod\"]
	path = mod
	url = ../lib.git"
    expect_status 0 deploy production
    assert_exists "$SITE/here/current/mod/a"
}

# A repository from another machine must not name a folder of this one.
case_submodule_of_this_machine() {
    site_new submodule_of_this_machine 0
    new_repo lib.git a
    gitmodules "[submodule \"mod\"]
	path = mod
	url = $SITE/lib.git"
    git -C "$REPO" remote add origin https://git.invalid/shop.git
    recipe_write <<<'submodules: true'
    refused 1 "submodule 'mod': '.*lib.git' is a path of this machine"
}

# Another machine resumes: it has neither the mirror nor the clone.
case_submodules_resume() {
    site_new submodules_resume 0
    new_repo lib.git a
    git_ -C "$REPO" submodule add -q ../lib.git apps/web/lib
    commit_all 'with lib'
    git clone -q --bare "$REPO" "$SITE/shop.git"
    recipe_write <<END
repository: 'file://$SITE/shop.git'
subtree: apps/web
submodules: true
hooks: {before checkout: [{run: test -e '$SITE/go'}]}
END
    expect_status 1 deploy production
    rm -rf "$HOME/.cache" "$REPO"
    touch "$SITE/go"
    expect_status 0 resume production
    expect_files lib/a
}

rig_open
run_cases "$@"
