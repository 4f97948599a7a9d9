#!/bin/bash
# Files that Git LFS keeps outside of the repository, with the real git-lfs.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# lfs_site NAME: two files in LFS and a remote that has their objects; $ONE and $TWO are these.
lfs_site() {
    site_new "$1" 0
    git init -q --bare "$SITE/shop.git"
    git -C "$REPO" remote add origin "file://$SITE/shop.git"
    git -C "$REPO" lfs install --local >/dev/null
    printf '*.bin filter=lfs diff=lfs merge=lfs -text\n' >"$REPO/.gitattributes"
    mkdir -p "$REPO/media/a b"
    head -c 300000 /dev/urandom >"$REPO/media/one.bin"
    printf 'two\n' >"$REPO/media/a b/two.bin"
    chmod +x "$REPO/media/a b/two.bin"
    commit_all 'large files'
    git -C "$REPO" push -q origin HEAD 2>/dev/null
    find_objects
}

find_objects() {
    ONE=$(object_of media/one.bin) TWO=$(object_of 'media/a b/two.bin')
}

# object_of FILE: its object, from lfs/objects on.
object_of() {
    local oid
    oid=$(git -C "$REPO" show "HEAD:$1" | sed -n 's/^oid sha256://p')
    echo "lfs/objects/${oid:0:2}/${oid:2:2}/$oid"
}

# same_content: the live release has what the work tree has.
same_content() {
    local file
    for file in media/one.bin 'media/a b/two.bin'; do
        cmp "$REPO/$file" "$SITE/here/current/$file" || fail "$file differs"
    done
    [ -x "$SITE/here/current/media/a b/two.bin" ] || fail 'it is not executable'
    [ ! -x "$SITE/here/current/media/one.bin" ] || fail 'it is executable'
    expect_status 0 status --verify production
    expect_output unchanged
}

same_pointers() {
    git -C "$REPO" archive HEAD media >/dev/null # would say what cannot be read
    git -C "$REPO" show HEAD:media/one.bin | cmp - "$SITE/here/current/media/one.bin" || fail 'no pointer'
    expect_status 0 status --verify production
    expect_output unchanged
}

# refused PATTERN: of plan, check and deploy, before anything was changed.
refused() {
    expect_status 1 plan --force production
    expect_output "$1"
    expect_status 1 check production
    expect_output "BAD.*$1"
    expect_status 1 deploy --force production
    expect_output "$1"
    assert_gone "$SITE/here/.crelease/lock"
}

# Each value of the key after each other one: what is live is never a mixture.
case_values() {
    local value
    lfs_site values
    rm -rf "$SITE/shop.git" # not needed
    for value in warn fetch ignore fetch warn fetch; do
        recipe_write <<<"lfs: $value"
        expect_status 0 plan --force production
        case $value in
        warn) expect_output '2 files will be on the hosts as Git LFS pointers.*two.bin, media/one.bin' ;;
        fetch) expect_output 'checkout .*2 from Git LFS' ;;
        ignore) expect_no_output 'git lfs' ;;
        esac
        expect_status 0 check production
        case $value in
        warn) expect_output 'note .*2 files will be on the hosts as Git LFS pointers' ;;
        fetch) expect_output 'repository .*2 from Git LFS' ;;
        ignore) expect_no_output 'git lfs' ;;
        esac
        expect_status 0 deploy --force production
        case $value in
        warn) expect_output 'warning: 2 files will be on the hosts as Git LFS pointers' ;;
        fetch) expect_output 'checkout .*2 from Git LFS' ;;
        ignore) expect_no_output 'git lfs' ;;
        esac
        if [ "$value" = fetch ]; then same_content; else same_pointers; fi
    done
    # Only the difference, with content on both sides.
    printf 'changed\n' >"$REPO/media/a b/two.bin"
    commit_all changed
    expect_status 0 deploy production
    expect_output 'checkout .*; [0-9.]* kB sent'
    same_content
    # The base's object is not needed any more.
    git -C "$REPO" mv media/one.bin media/three.bin
    head -c 1000 /dev/urandom >"$REPO/media/one.bin"
    rm -f "$REPO/.git/$TWO"
    commit_all moved
    expect_status 0 deploy production
    same_content
}

# Into a mirror, and on another machine again, which resumes.
case_mirror() {
    lfs_site mirror
    mv "$REPO/.git/lfs" "$SITE/lfs"
    recipe_write <<END
repository: 'file://$SITE/shop.git'
lfs: fetch
hooks: {before checkout: [{run: test -e '$SITE/go'}]}
END
    expect_status 1 deploy production
    assert_exists "$(echo "$HOME"/.cache/crelease/shop-*.git)/$ONE"
    assert_gone "$REPO/.git/lfs"
    rm -rf "$HOME/.cache"
    touch "$SITE/go"
    expect_status 0 resume production
    same_content
    # The objects are there: neither the server nor the program is needed.
    rm -rf "$SITE/shop.git/lfs"
    without_program expect_status 0 deploy --force production
    same_content
    rm -rf "$HOME/.cache"
    refused "'media/a b/two.bin': .*git lfs objects of 'file://.*shop.git': .*remote missing object"
}

# without_program COMMAND...
without_program() {
    if [ ! -d "$RIG/no-lfs" ]; then
        mkdir "$RIG/no-lfs"
        ln -s /usr/bin/* "$RIG/no-lfs/"
        rm "$RIG/no-lfs/git-lfs"
    fi
    local PATH=$RIG/no-lfs
    "$@"
}

# part_of FILE: the server may have a hard link to it.
part_of() {
    head -c 1000 "$1" >"$SITE/part"
    rm "$1"
    mv "$SITE/part" "$1"
}

case_missing() {
    lfs_site missing
    recipe_write <<<'lfs: fetch'
    # A part of it, as after a full disk: fetched again.
    part_of "$REPO/.git/$ONE"
    without_program refused "'media/one.bin': .*'git-lfs', which 'lfs: fetch' needs .* is not installed"
    expect_status 0 deploy production
    same_content
    rm -r "$REPO/.git/lfs"
    expect_status 0 deploy --force production
    same_content
    rm "$REPO/.git/$TWO"
    rm -r "$SITE/shop.git/lfs"
    refused "'media/a b/two.bin': cannot fetch the git lfs objects of '.*': .*remote missing object"
    git -C "$REPO" remote remove origin
    refused "'media/a b/two.bin': cannot fetch the git lfs objects of '.*': .*origin"
}

# Right size, wrong content: here, and on the server.
case_damaged() {
    lfs_site damaged
    recipe_write <<<'lfs: fetch'
    rm "$REPO/.git/$TWO"
    printf 'TWO\n' >"$REPO/.git/$TWO"
    refused "object of 'media/a b/two.bin' is damaged: remove '.*/$TWO'"
    rm "$REPO/.git/$TWO"
    printf 'TWO\n' >"$SITE/shop.git/$TWO"
    refused "'media/a b/two.bin'"
    cp "$REPO/media/a b/two.bin" "$SITE/shop.git/$TWO"
    expect_status 0 deploy production
    same_content
}

# A pointer that names no object is a file like any other, with a note.
case_broken_pointers() {
    site_new broken_pointers 0
    recipe_write <<<'lfs: fetch'
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 1\n' >"$REPO/a"
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize -1\n' 0 >"$REPO/b"
    printf 'version https://git-lfs.github.com/spec/v1\next-0-x sha256:%064d\noid sha256:%064d\nsize 1\n' 0 0 >"$REPO/c"
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 99999999999999999999\n' 0 >"$REPO/d"
    commit_all pointers
    expect_status 0 deploy production
    expect_output 'warning: 4 files will be on the hosts as Git LFS pointers.*a, b, c.*these pointers name no object'
    cmp "$REPO/c" "$SITE/here/current/c"
}

rig_open
run_cases "$@"
