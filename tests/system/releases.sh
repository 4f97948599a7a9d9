#!/bin/bash
# What lies in releases/ and what current points to: however it is spelled, whoever made it, and on whichever
# file system it lies.  On the local transport: it is all about one host.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='deploy_to_is_a_link releases_is_a_link inside elsewhere odd_names clock_was_wrong half_a_copy read_only_folders
    undeletable'

# deploys N [OPTIONS]: so many new commits, each deployed; the names of their releases in $NAMES.
deploys() {
    local i n=$1
    shift
    for ((i = 0; i < n; i++)); do
        commit_file public/index.html "$((++COMMITS))"
        expect_status 0 deploy production "$@"
        NAMES+=("$(release here)")
    done
}
site_small() { # NAME KEEP
    site_new "$1" 0
    recipe_write <<<"keep_releases: $2"
    COMMITS=0 NAMES=()
}
point_current() { ln -sfn "$1" "$SITE/here/current"; }
live_is() { assert_equal "what is live" "$(readlink -f "$SITE/here/current")" "$(readlink -f "$SITE/here/releases")/$1"; }
nothing_left() {
    assert_equal "what is left in releases" "$(find "$(readlink -f "$SITE/here/releases")" -mindepth 1 -maxdepth 1 -name '.*')" ''
    assert_gone "$SITE/here/.crelease/incoming"
    assert_gone "$SITE/here/.crelease/lock"
}

# --- what is live --------------------------------------------------------------------------------

# spelled SPELLING: N is the release.  Status knows it, and a deploy keeps it.
spelled() {
    local live=${NAMES[-1]} old=${NAMES[-2]}
    point_current "${1//N/$live}"
    expect_status 0 status --json production
    assert_equal "status: $1" "$(json '.hosts[0].current')" "$live"
    deploys 1
    assert_exists "$SITE/here/releases/$live"
    assert_gone "$SITE/here/releases/$old"
    assert_equal "how current is written" "$(current here)" "$SITE/here/releases/${NAMES[-1]}"
}

# As Capistrano's documentation draws it: also the other commands know it, and it is gone back to.
case_slash_at_the_end() {
    site_small slash_at_the_end 1
    deploys 2
    local live=${NAMES[-1]}
    point_current "$SITE/here/releases/$live/"
    expect_status 0 check production
    expect_output "current +$live"
    expect_status 0 deploy production
    expect_output "nothing to do: .* is live"
    expect_status 0 deploy --dry-run --force production
    deploys 1
    point_current "$SITE/here/releases/${NAMES[-1]}/"
    expect_status 0 rollback production
    live_is "$live"
    assert_equal "how current is written" "$(current here)" "$SITE/here/releases/$live"
}

case_spellings() {
    local spelling
    site_small spellings 1
    ln -s "$SITE/here" "$SITE/link"
    deploys 2
    for spelling in "$SITE/here/releases/N/" releases/N releases/N/ ./releases/N releases//N/// "$SITE/link/releases/N" \
        "$SITE/here/../here/releases/./N" "$SITE/here/releases/N/."; do
        spelled "$spelling"
    done
}

case_link_to_link() {
    site_small link_to_link 1
    deploys 2
    local live=${NAMES[-1]}
    ln -sfn "releases/$live/" "$SITE/here/latest"
    point_current latest
    deploys 1
    assert_exists "$SITE/here/releases/$live"
    expect_status 0 rollback production
    live_is "$live"
}

case_deploy_to_is_a_link() {
    site_small deploy_to_link 1
    mv "$SITE/here" "$SITE/disk"
    ln -s disk "$SITE/here"
    deploys 2
    local live=${NAMES[-1]}
    point_current "$SITE/disk/releases/$live"
    deploys 1
    assert_exists "$SITE/here/releases/$live"
    point_current "$(readlink -f "$SITE/here/current")"
    expect_status 0 rollback production
    live_is "$live"
}

case_releases_is_a_link() {
    site_small releases_link 1
    mkdir -p "$SITE/disk/of releases"
    ln -s "$SITE/disk/of releases" "$SITE/here/releases"
    deploys 2
    local live=${NAMES[-1]}
    point_current "$SITE/disk/of releases/$live/"
    deploys 1
    assert_exists "$SITE/here/releases/$live"
    nothing_left
    expect_status 0 rollback production
    live_is "$live"
}

# Into a folder of a release: that release is what is live.
case_inside() {
    site_small inside 1
    deploys 2
    local live=${NAMES[-1]}
    point_current "releases/$live/public"
    expect_status 0 status --json production
    assert_equal "status" "$(json '.hosts[0].current')" "$live"
    deploys 1
    assert_exists "$SITE/here/releases/$live"
}

# Elsewhere: nothing of releases is live, and what is there is nobody's to remove.
case_elsewhere() {
    site_small elsewhere 1
    deploys 1
    cp -R "$SITE/here/releases/${NAMES[0]}" "$SITE/elsewhere"
    mkdir -p "$SITE/20200101000000"
    for at in "$SITE/elsewhere" "$SITE/20200101000000" ../elsewhere/; do
        point_current "$at"
        expect_status 0 status --json production
        assert_equal "status" "$(json '.hosts[0].current')" null
        expect_status 1 rollback production
        deploys 1
        assert_exists "$SITE/elsewhere/REVISION"
        assert_exists "$SITE/20200101000000"
    done
}

# A run that goes back after the switch finds its own release live, however current is written by then, and
# an abort goes back to what was live before.
case_abort_after_switch() {
    site_small abort_after 1
    deploys 2
    local live=${NAMES[-1]}
    point_current "releases/$live/"
    commit_file public/index.html other
    recipe_write <<<$'keep_releases: 1\nhooks: {after switch: [\'exit 3\']}'
    expect_status 1 deploy production
    expect_output "users see: current is [0-9]{14}"
    point_current "releases/$(release here)/"
    expect_status 0 abort production
    live_is "$live"
    assert_equal "releases" "$(releases here | tr '\n' ' ')" "${NAMES[0]} $live "
    nothing_left
}

# --- names ---------------------------------------------------------------------------------------

# Made by hand: never removed, never live, and no deploy minds them.
case_odd_names() {
    site_small odd_names 1
    deploys 1
    local dir=$SITE/here/releases name odd=(99991231235959 20991231235959 20260230000000 00000000000000 20261399999999 \
        202601010000001 2026010100000 20260101 'a b' 20260101000000.bak '20260101000000 ' -rf current.old)
    for name in "${odd[@]}"; do
        mkdir -p "$dir/./$name"
        echo kept >"$dir/./$name/file"
    done
    mkdir -p "$dir/"$'20260101\n000000' "$SITE/mine"
    echo kept >"$dir/"$'20260101\n000000/file'
    echo kept >"$SITE/mine/file"
    echo kept >"$dir/20260102000000"
    ln -s "$SITE/mine" "$dir/20260103000000"
    ln -s nowhere "$dir/20260104000000"
    mkfifo "$dir/20260105000000"
    deploys 3
    [[ ${NAMES[-1]} =~ ^20[0-8][0-9]{11}$ ]] || fail "a release is called ${NAMES[-1]}"
    for name in "${odd[@]}" $'20260101\n000000'; do
        assert_equal "releases/$name" "$(cat "$dir/./$name/file")" kept
    done
    assert_equal "a file" "$(cat "$dir/20260102000000")" kept
    assert_equal "a link" "$(readlink "$dir/20260103000000") $(cat "$SITE/mine/file")" "$SITE/mine kept"
    assert_exists "$dir/20260104000000"
    assert_exists "$dir/20260105000000"
    assert_gone "$dir/${NAMES[0]}"
    expect_status 0 status production
    expect_status 0 check production
    expect_status 0 rollback production
    live_is "${NAMES[-2]}"
    expect_status 1 rollback --to 20991231235959 production
    expect_status 1 rollback --to 20260103000000 production
    expect_status 2 rollback --to 202601010000001 production
    # Also when a run was stopped, and on the way back.
    commit_file public/index.html more
    recipe_write <<<"build: ['test ! -e $SITE_Q/block']"
    touch "$SITE/block"
    expect_status 1 deploy production
    rm "$SITE/block"
    expect_status 0 resume production
    commit_file public/index.html most
    touch "$SITE/block"
    expect_status 1 deploy production
    expect_status 0 abort production
    assert_equal "what was made by hand" "$(cat "$dir"/*/file | sort | uniq -c | tr -s ' ')" " $((${#odd[@]} + 2)) kept"
}

# The newest name there can be: no deploy is begun whose release would have none.
case_last_name() {
    site_small last_name 3
    deploys 1
    mv "$SITE/here/releases/${NAMES[0]}" "$SITE/here/releases/99991231235959"
    point_current "$SITE/here/releases/99991231235959"
    commit_file public/index.html two
    expect_status 1 deploy production
    expect_output "no name is left for a release newer than '99991231235959'"
    assert_gone "$SITE/here/.crelease/lock"
    assert_equal "releases" "$(releases here)" 99991231235959
}

# A clock that was wrong once: the next names come after what was deployed then.
case_clock_was_wrong() {
    site_small clock 3
    deploys 1
    mv "$SITE/here/releases/${NAMES[0]}" "$SITE/here/releases/20991231235959"
    point_current "$SITE/here/releases/20991231235959"
    sed -i "s/${NAMES[0]}/20991231235959/" "$SITE/here/revisions.log"
    deploys 2
    assert_equal "the next names" "${NAMES[*]:1}" '21000101000000 21000101000001'
    expect_status 0 rollback production
    expect_status 0 rollback production
    live_is 20991231235959
}

# --- rollback ------------------------------------------------------------------------------------

back_to() {
    expect_status 0 rollback production
    live_is "$1"
}
case_rollback_after_rollback() {
    site_small after_rollback 9
    deploys 2
    back_to "${NAMES[0]}"
    deploys 1
    back_to "${NAMES[0]}" # not to the one that was bad
    expect_status 1 rollback production
    deploys 1
    back_to "${NAMES[0]}"
    deploys 2
    back_to "${NAMES[4]}"
    # Whoever goes to one again by name has found it good.
    expect_status 0 rollback --to "${NAMES[1]}" production
    deploys 1
    back_to "${NAMES[1]}" # NAMES[4] was rolled back from, too
    back_to "${NAMES[0]}"
    expect_status 1 rollback production
    expect_output 'no finished release before the live one'
    deploys 1
    expect_status 0 rollback --to "${NAMES[2]}" production
    live_is "${NAMES[2]}"
}

# Capistrano went back, and deployed; what it says of that is all there is.
case_capistrano_rolled_back() {
    site_small capistrano 9
    deploys 3
    point_current "$SITE/here/releases/${NAMES[0]}"
    sed -i '3d' "$SITE/here/revisions.log"
    printf '%s\n' "bob rolled back to release ${NAMES[0]}" 'Something else was said here' \
        "Branch x rolled back to release ${NAMES[1]} (at 3f2a91c) deployed as release ${NAMES[2]} by bob" >>"$SITE/here/revisions.log"
    point_current "$SITE/here/releases/${NAMES[2]}"
    expect_status 0 rollback --json production
    live_is "${NAMES[0]}"
    # A log that begins in the middle says nothing of what was before.
    deploys 1
    sed -i "1,/rolled back to release ${NAMES[0]}/d" "$SITE/here/revisions.log"
    sed -i "1i Branch main (at 3f2a91c) deployed as release ${NAMES[1]} by bob" "$SITE/here/revisions.log"
    expect_status 0 rollback production
}

# --- two file systems ----------------------------------------------------------------------------

other_disk() {
    OTHER=$(mktemp -d "/dev/shm/crelease.XXXXXX")
    trap 'rm -rf "$OTHER"' EXIT
    [ "$(stat -c %d "$OTHER")" != "$(stat -c %d "$SITE")" ] || OTHER=
}
on_other_disk() {
    mkdir -p "$OTHER/releases"
    mkdir -p "$SITE/here"
    ln -s "$OTHER/releases" "$SITE/here/releases"
}

# Whatever has the name of a release is the whole of it, at every moment.
case_other_disk() {
    site_small other_disk 1
    other_disk
    [ -n "$OTHER" ] || OTHER=$SITE/disk
    on_other_disk
    head -c 30000000 /dev/zero >"$REPO/public/big"
    commit_all big
    watch_names &
    local watch=$!
    deploys 3
    touch "$SITE/end"
    wait "$watch" || fail "$(cat "$SITE/partial")"
    assert_equal "releases" "$(releases here | tr '\n' ' ')" "${NAMES[1]} ${NAMES[2]} "
    nothing_left
    expect_status 0 rollback production
    live_is "${NAMES[1]}"
}
watch_names() {
    local dir size
    until [ -e "$SITE/end" ]; do
        for dir in "$OTHER"/releases/2*; do
            [ -d "$dir" ] || continue
            # It may have lost its name since: then it has no size either.
            size=$(stat -c %s "$dir/public/big" 2>/dev/null || echo none)
            if [ "$size" != 30000000 ] && [ -d "$dir" ]; then
                echo "$dir/public/big: $size" >"$SITE/partial"
                return 1
            fi
        done
    done
}

# Nothing is moved from one file system to another, which would copy it; whichever of the folders lies elsewhere.
case_no_copies() {
    local of
    for of in releases .crelease; do
        site_small "no_copies$of" 1
        other_disk
        [ -n "$OTHER" ] || OTHER=$SITE/disk
        mkdir -p "$OTHER/$of" "$SITE/bin"
        ln -s "$OTHER/$of" "$SITE/here/$of"
        cat >"$SITE/bin/mv" <<'END'
#!/bin/sh
for last; do :; done
for file; do
    case $file in -*) continue ;; esac
    [ "$(stat -c %d "$(dirname "$file")/.")" = "$(stat -c %d "$(dirname "$last")/.")" ] || echo "mv $*" >>"$0.said"
done
exec /bin/mv "$@"
END
        chmod +x "$SITE/bin/mv"
        PATH=$SITE/bin:$HOST_PATH
        deploys 3
        expect_status 0 rollback production
        live_is "${NAMES[1]}"
        recipe_write <<<"hooks: {after switch: ['exit 3']}"
        commit_file public/index.html bad
        expect_status 1 deploy production
        expect_status 0 abort production
        live_is "${NAMES[1]}"
        nothing_left
        assert_equal "what is left beside current" "$(find "$SITE/here" -maxdepth 1 -name '.current*')" ''
        [ ! -e "$SITE/bin/mv.said" ] || fail "$of: $(cat "$SITE/bin/mv.said")"
        rm -rf "$OTHER"
    done
}

# What a version before left there: it moved across the file systems, and the disk was full.
case_half_a_copy() {
    site_small half_a_copy 3
    deploys 1
    commit_file public/index.html two
    touch "$SITE/block"
    recipe_write <<<"hooks: {after checkout: ['test ! -e $SITE_Q/block']}"
    expect_status 1 deploy production
    rm "$SITE/block"
    local run name=''
    run=$(sed -n 's/^run //p' "$SITE/here/.crelease/lock")
    name=$(sed -n 's/^release //p' "$SITE/here/.crelease/runs/$run/plan")
    sed -i '/^checkout done/d; /after-checkout/d' "$SITE/here/.crelease/runs/$run/marks"
    # As large as it was, and with its REVISION.
    perl -e 'open my $f, "+<", $ARGV[0] or die; print $f "X"' "$SITE/here/releases/$name/Rakefile"
    rm "$SITE/here/releases/$name/README"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
    nothing_left
    # Whole, and only its mark was lost: it is not fetched again.
    commit_file public/index.html three
    touch "$SITE/block"
    expect_status 1 deploy production
    rm "$SITE/block"
    run=$(sed -n 's/^run //p' "$SITE/here/.crelease/lock")
    name=$(sed -n 's/^release //p' "$SITE/here/.crelease/runs/$run/plan")
    sed -i '/^checkout done/d; /after-checkout/d' "$SITE/here/.crelease/runs/$run/marks"
    local inode
    inode=$(stat -c %i "$SITE/here/releases/$name")
    expect_status 0 resume production
    assert_equal "the folder" "$(stat -c %i "$SITE/here/releases/$name")" "$inode"
    assert_deployed "$(revision)" 3
    nothing_left
}

# A folder of the run's own name that is not of the run is left alone, by abort too.
case_name_is_taken() {
    site_small name_taken 3
    deploys 1
    commit_file public/index.html two
    # Between the look and the checkout.
    recipe_write <<<"hooks: {before checkout: ['mkdir -p releases/\$CRELEASE_RELEASE && echo mine >releases/\$CRELEASE_RELEASE/file']}"
    expect_status 1 deploy production
    expect_output 'already exists and does not belong to this run'
    expect_status 0 abort production
    assert_equal "what was made by hand" "$(cat "$SITE"/here/releases/*/file)" mine
    nothing_left
}

# --- what cannot be deleted ----------------------------------------------------------------------

LOCKED="build: ['mkdir -p cache/a/b cache/none; : >cache/a/b/f; : >cache/none/f; chmod 0 cache/none; chmod 555 cache/a/b cache/a cache']"

as_user() { # root deletes everything
    if root; then
        chown -R 65531:65531 "$SITE"
        for dir in "$SITE" "$RIG" "$RIG/sites"; do chmod a+x "$dir"; done
        cp "$CRELEASE" "$SITE/crelease"
        git config --global safe.directory '*' # the repository has another owner than before
        chmod -R a+rX "$RIG/home"
        # shellcheck disable=SC2016 # for sh
        printf '#!/bin/sh\ncd "%s" && exec setpriv --reuid 65531 --regid 65531 --clear-groups "%s" "$@"\n' "$SITE" "$SITE/crelease" >"$SITE/as_user"
        chmod +x "$SITE/as_user"
        CRELEASE=$SITE/as_user
    fi
}
own_again() { if root; then chown -R 65531:65531 "$REPO"; fi; }
deploy_as_user() { # STATUS
    commit_file public/index.html "$((++COMMITS))"
    own_again
    expect_status "$1" deploy production
    NAMES+=("$(release here)")
}

# A folder that nobody may write in is opened where it is ours: Go's module cache, for one.
case_read_only_folders() {
    site_small read_only 1
    recipe_write <<<$'keep_releases: 1\n'"$LOCKED"
    as_user
    for _ in 1 2 3; do deploy_as_user 0; done
    assert_equal "releases" "$(releases here | tr '\n' ' ')" "${NAMES[1]} ${NAMES[2]} "
    nothing_left
    recipe_write <<<$'keep_releases: 1\nhooks: {before switch: [\'exit 3\']}\n'"$LOCKED"
    commit_file public/index.html bad
    own_again
    expect_status 1 deploy production
    expect_status 0 abort production
    nothing_left
}

# A worker of an older release still has its folder, until it ends.
deploy_next() {
    commit_file public/index.html "$((++COMMITS))"
    expect_status 0 deploy production
    NAMES+=("$(release here)")
}
case_used() {
    site_small used 1
    recipe_write <<<'keep_releases: 1'
    NAMES=()
    deploy_next
    (cd "$SITE/here/releases/${NAMES[0]}" && exec sleep 300) &
    local cwd=$!
    deploy_next
    sleep 301 9<"$SITE/here/releases/${NAMES[1]}/REVISION" &
    local file=$!
    deploy_next
    expect_output "here: kept because processes are still running in them: ${NAMES[0]} \(process $cwd, sleep\)"
    deploy_next
    expect_output "${NAMES[1]} \(process $file, sleep\), ${NAMES[0]} "
    assert_equal "releases" "$(releases here | tr '\n' ' ')" "${NAMES[*]} "
    kill "$cwd" "$file"
    wait "$cwd" "$file" || true
    deploy_next
    expect_no_output 'kept because'
    assert_equal "releases" "$(releases here | tr '\n' ' ')" "${NAMES[3]} ${NAMES[4]} "
}

# What is somebody else's is named, with its size, until somebody deletes it.
case_undeletable() {
    site_small undeletable 1
    as_user
    for _ in 1 2; do deploy_as_user 0; done
    undeletable "$SITE/here/releases/${NAMES[0]}/cache"
    deploy_as_user 8
    expect_output "stage 'cleanup'.*cannot be deleted: cannot remove '.*/cache/(deep/)?f'.*"
    expect_output '[0-9]+ kB are left in .*/releases/\.trash\.'"${NAMES[0]}"
    assert_equal "the releases" "$(releases here | tr '\n' ' ')" "${NAMES[1]} ${NAMES[2]} "
    expect_status 0 status production
    expect_output "of removed releases could not be deleted: .*/\.trash\.${NAMES[0]}"
    expect_status 0 status --json production
    [ "$(json '.hosts[0].trash_bytes')" -ge 200000 ] || fail "its size: $(json '.hosts[0].trash_bytes')"
    expect_status 0 check production
    expect_output "trash .*of removed releases could not be deleted: .*/\.trash\.${NAMES[0]}"
    deploy_as_user 8
    deletable "$SITE/here/releases/.trash.${NAMES[0]}".*/cache
    deploy_as_user 0
    nothing_left
    expect_status 0 status production
    expect_no_output 'be deleted'
}
# Somebody else's, or, where nobody can be somebody else, what rm refuses.
undeletable() {
    mkdir -p "$1/deep"
    head -c 200000 /dev/zero >"$1/deep/f"
    if root; then
        chown -R 0:0 "$1/deep"
        return
    fi
    mkdir -p "$SITE/bin"
    cat >"$SITE/bin/rm" <<'END'
#!/bin/sh
for f; do
    [ ! -e "$f/cache/deep/f" ] || { echo "rm: cannot remove '$f/cache/deep/f': Operation not permitted" >&2; exit 1; }
done
exec /bin/rm "$@"
END
    chmod +x "$SITE/bin/rm"
    PATH=$SITE/bin:$PATH
}
deletable() { if root; then chown -R 65531:65531 "$@"; else rm "$SITE/bin/rm"; fi; }

rig_open
run_cases "$@"
