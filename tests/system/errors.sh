#!/bin/bash
# What goes wrong before or in a deploy, and what is left then.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='links_with_blanks planted_links foreign_files hints_can_be_pasted host_lost_in_a_job disk_too_small own_files'

case_recipe_mistakes() {
    site_new recipe_mistakes 1
    local before
    before=$(connections_to app1)
    recipe_write <<<$'lnked_dirs: [log]\nkeep_releases: many\nbackup: {policy: perhaps}'
    expect_status 2 deploy production
    expect_output 'crelease\.yml:[0-9]+:[0-9]+.*lnked_dirs'
    expect_output linked_dirs
    expect_output 'keep_releases|many'
    expect_output 'perhaps'
    recipe_write <<<'build: [{run: make, roles: [nobody]}]'
    expect_status 2 deploy production
    expect_output nobody
    # shellcheck disable=SC2016 # for crelease
    recipe_write <<<'env: {A: "${NO_SUCH_VARIABLE}"}'
    expect_status 2 deploy production
    expect_output NO_SUCH_VARIABLE
    echo 'application: twice' >>"$RECIPE"
    recipe_write <<<$'application: a\napplication: b'
    expect_status 2 deploy production
    printf 'a: [b\n  c: }' >"$RECIPE"
    expect_status 2 deploy production
    : >"$RECIPE"
    expect_status 2 deploy production
    rm "$RECIPE"
    expect_status 2 deploy production
    recipe_write </dev/null
    expect_status 2 deploy prodution
    expect_output production
    assert_equal "connections" "$(connections_to app1)" "$before"
}
connections_to() { grep -c '^Connection from ' "$RIG/$1/sshd.log" || true; }

# One of the two hosts is not known: nothing happens on the other either.
nothing_changed() {
    assert_equal "app1" "$(tree_of "$SITE/app1")" "$BEFORE1"
    assert_equal "app2" "$(tree_of "$SITE/app2")" "$BEFORE2"
}

site_watched() {
    site_new "$1" 2
    BEFORE1=$(tree_of "$SITE/app1")
    BEFORE2=$(tree_of "$SITE/app2")
    # The cases share the hosts, not the file of known keys.
    cp -R "$RIG/home" "$SITE/home"
    export HOME=$SITE/home
}

case_unknown_host_key() {
    site_watched unknown_host_key
    sed -i '/127\.0\.1\.2/d' "$HOME/.ssh/known_hosts"
    expect_status 5 deploy production
    expect_output app2
    expect_output 'host key|known'
    nothing_changed
    assert_equal "the file of known keys" "$(grep -c '127\.0\.1\.2' "$HOME/.ssh/known_hosts" || true)" 0
}

case_changed_host_key() {
    site_watched changed_host_key
    ssh-keygen -q -t ed25519 -N '' -f "$SITE/other"
    sed -i "s|^\(\[127\.0\.1\.2\][^ ]*\) .*|\1 $(cut -d' ' -f1,2 "$SITE/other.pub")|" "$HOME/.ssh/known_hosts"
    expect_status 5 deploy production
    expect_output app2
    expect_output 'chang|differ|other key|does not match'
    nothing_changed
}

case_pinned_host_key() {
    site_watched pinned_host_key
    : >"$HOME/.ssh/known_hosts"
    local fingerprint
    fingerprint=$(ssh-keygen -lf "$RIG/app2/key.pub" | cut -d' ' -f2)
    sed -i "s|name: app1,|name: app1, host_key: \"$(cut -d' ' -f1,2 "$RIG/app1/key.pub")\",|; s|name: app2,|name: app2, host_key: \"$fingerprint\",|" "$RECIPE"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    sed -i "s|$fingerprint|SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA|" "$RECIPE"
    expect_status 5 deploy --force production
}

case_host_refuses() {
    site_watched host_refuses
    # Of the free ports any may be given to somebody else.
    sed -i "s|port: $(host_port app2)|port: 1|" "$RECIPE"
    expect_status 5 deploy production
    expect_output app2
    expect_output 'refused'
    nothing_changed
    expect_status 5 deploy -q production
    expect_status 5 status production
    expect_status 5 deploy --json production
    assert_equal "end" "$(tail -n 1 "$OUT" | jq -r '[.event, .status, .word] | join(" ")')" 'end 5 unreachable'
}

case_login_refused() {
    site_watched login_refused
    rm "$HOME/.ssh/id_ed25519" "$HOME/.ssh/id_ed25519.pub"
    ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519"
    expect_status 5 deploy production
    expect_output 'app1|app2'
    expect_output 'key|login|log in|refused|denied'
    nothing_changed
    sed -i "s|name: app|identity: '$RIG/home/.ssh/id_ed25519', &|" "$RECIPE"
    expect_status 0 deploy production
}

case_build_fails() {
    site_new build_fails 2
    expect_status 0 deploy production
    local live
    live=$(release)
    commit_file public/index.html two
    recipe_write <<<'build: ["echo first line; echo the last line; exit 7"]'
    expect_status 1 deploy production
    expect_output 'the last line'
    expect_output 'build'
    expect_output '\b7\b'
    expect_output 'resume'
    assert_equal "live" "$(release app1) $(release app2)" "$live $live"
    assert_equal "lines" "$(wc -l <"$SITE/app1/revisions.log")" 1
    run_crelease status --json production
    assert_equal "state" "$(json '[.run.state, .run.stage] | join(" ")')" 'failed build'
    # Killed is not the same as done.
    expect_status 0 abort production
    recipe_write <<<'build: ["kill -9 $$"]'
    expect_status 1 deploy production
    expect_output 'kill|signal|137'
    expect_status 0 abort production
    assert_gone "$SITE/app1/.crelease/lock"
    # Nothing of the failed ones stays but the live one.
    assert_equal "releases" "$(releases app1)" "$live"
    # Else it would outlast the case.
    recipe_write <<<'build: [{run: "sleep 1000", timeout: 1s}]'
    expect_status 1 deploy production
    expect_output 'time'
}

case_build_fails_then_resume() {
    site_new build_fails_then_resume 2
    recipe_write <<<"build: ['test -e $SITE_Q/mended']"
    expect_status 1 deploy production
    expect_status 6 deploy --on-unfinished stop production
    expect_output resume
    touch "$SITE/mended"
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
    expect_status 0 resume production || true
}

# hinted COMMAND: what the last failure said to type, for that command, as a shell reads it.
hinted() {
    local said
    said=$(cat "$OUT" "$ERR" | sed -n "s/.*'\([^']*crelease $1 [^']*\)'.*/\1/p" | head -n 1)
    [ -n "$said" ] || fail "no hint names '$1': $(tail -n 3 "$ERR")"
    printf '%s\n' "$said"
}

# A hint works as it stands: it names this program, and repeats what it was called with.
case_hints_can_be_pasted() {
    site_new hints_can_be_pasted 2
    recipe_write <<<"build: ['test -e $SITE_Q/fixed']"
    mv "$RECIPE" "$SITE/my \$HOME recipe.yml"
    expect_status 1 deploy production -f "my \$HOME recipe.yml" --hosts app1
    expect_output "crelease abort production -f .* --hosts app1 && .*crelease deploy production -f .* --hosts app1'"
    local abort resume
    resume=$(hinted resume)
    touch "$SITE/fixed"
    (eval "$resume") >"$OUT" 2>"$ERR" || fail "'$resume': $(tail -n 3 "$ERR")"
    assert_equal "live" "$(live_revision app1)" "$(revision)"
    assert_gone "$SITE/app2/current"
    # What looks at the hosts says the same.
    rm "$SITE/fixed"
    commit_file public/index.html two
    expect_status 1 deploy production -f "my \$HOME recipe.yml" --hosts app1
    expect_status 0 status production -f "my \$HOME recipe.yml"
    abort=$(hinted abort)
    (eval "$abort") >"$OUT" 2>"$ERR" || fail "'$abort': $(tail -n 3 "$ERR")"
    assert_gone "$SITE/app1/.crelease/lock"
}

# Whatever step meets the full disk, of blocks or of inodes, says in the system's own words why it failed; and
# the run can be given up all the same.
full_disk() { # OPTIONS ROOM...
    local options=$1
    shift
    cat >"$SITE/full.sh" <<'END'
set -eu
room() { df -P"$1" "$SITE/here" | awk 'NR == 2 { print $4 }'; }
fill() { # ROOM
    mkdir "$SITE/here/fill"
    case $OPTIONS in
    *nr_inodes*) for i in $(seq $(($(room i) - $1))); do : >"$SITE/here/fill/$i"; done ;;
    *) head -c $((($(room k) - $1) * 1024)) /dev/zero >"$SITE/here/fill/1" ;;
    esac
}
mkdir "$SITE/here/shared"
"$CRELEASE" deploy production
for room; do
    fill "$room"
    echo "== $room: $OPTIONS"
    if "$CRELEASE" deploy --force production >"$SITE/said" 2>&1; then cat "$SITE/said"; exit 1; fi
    cat "$SITE/said"
    grep '^crelease: .*No space left on device' "$SITE/said" || { echo "no reason with room $room, $OPTIONS" >"$RIG/why"; exit 1; }
    "$CRELEASE" abort production
    rm -r "$SITE/here/fill"
done
END
    export SITE RIG CRELEASE OPTIONS=$options
    own_disk "$options" "$SITE/here" "$BASH" "$SITE/full.sh" "$@"
}

case_full_disk() {
    site_new full_disk 0
    commit_file big "$(head -c 30000 /dev/urandom | base64)"
    recipe_write <<<$'linked_files: []\nbuild: [ls, "true"]\nhooks: {after switch: [ls]}'
    full_disk size=3m 0 8 32 60
    full_disk size=3m,nr_inodes=600 0 4 9 12 15 18 20 26 40
}

# The disk gets full after the migration, before the host notes for which release it was: resume notes it.
case_full_disk_after_the_migration() {
    site_new full_disk_after_the_migration 0
    # Asked again afterwards, the command that tells what is pending leaves no block.
    cat >status <<END
cat $SITE_Q/migrations
if grep -q up $SITE_Q/migrations; then cat /dev/zero >$SITE_Q/here/fill 2>/dev/null; fi
exit 0
END
    echo 'down 20260101000000 First' >migrations
    recipe_write <<END
linked_files: []
migrate: {run: 'echo up 20260101000000 First >$SITE_Q/migrations', status: 'sh $SITE_Q/status'}
END
    cat >full.sh <<'END'
set -eu
mkdir "$SITE/here/shared"
why() { echo "$1" >"$RIG/why"; exit 1; }
if "$CRELEASE" deploy production >said 2>&1; then cat said; why 'the deploy ended well'; fi
cat said
grep "^crelease: .*cannot write '$SITE/here/.crelease/migrated.new': No space left on device" said || why 'no reason'
[ ! -e here/.crelease/migrated.new ] || why 'migrated.new is left'
rm here/fill
echo >status
"$CRELEASE" resume production
grep "^release $(basename "$(readlink here/current)")" here/.crelease/migrated || why 'the release is not noted'
[ -z "$(find here/.crelease -name '*.new')" ] || why 'a new file is left'
END
    export SITE RIG CRELEASE
    own_disk size=3m "$SITE/here" "$BASH" "$SITE/full.sh"
}

# A host that has nothing to go back to is named, and so is the way for the others.
case_rollback_without_one() {
    site_new rollback_without_one 2
    expect_status 0 deploy production --hosts app1
    expect_status 1 rollback production --hosts app1
    expect_output 'there is no finished release before the live one$'
    commit_file public/index.html two
    expect_status 0 deploy production
    expect_status 1 rollback production
    expect_output 'no finished release before the live one on app2; .*crelease rollback production --hosts app1. rolls back the other'
    local command
    command=$(hinted rollback)
    (eval "$command") >"$OUT" 2>"$ERR" || fail "'$command': $(cat "$ERR")"
    assert_equal "app1" "$(live_revision app1)" "$(git -C "$REPO" rev-parse HEAD~1)"
    assert_equal "app2" "$(live_revision app2)" "$(revision)"
}

case_missing_linked_file() {
    site_new missing_linked_file 2
    expect_status 0 deploy production
    rm "$SITE/app2/shared/config/database.yml"
    commit_file public/index.html two
    run_crelease deploy production
    [ "$STATUS" = 1 ] || [ "$STATUS" = 2 ] || fail "status $STATUS"
    expect_output 'shared/config/database\.yml'
    expect_output app2
    assert_equal "live" "$(wc -l <"$SITE/app1/revisions.log")" 1
}

# refused WORDS: check, plan and deploy say it, and nothing has happened on the host; then it is put right.
refused() {
    local before command
    before=$(tree_of "$SITE/here")
    for command in check plan deploy; do
        expect_status 1 "$command" production
        expect_output "$1"
    done
    assert_equal "the host" "$(tree_of "$SITE/here")" "$before"
    rm -rf "$SITE/here"
    cp -R "$SITE/good" "$SITE/here"
}

# What the stage link would fail at, with the lock held, is said before there is a lock.
case_links_refused() {
    site_new links_refused 0
    recipe_write <<<$'linked_files: [.env, config/database.yml]\nlinked_dirs: [log, tmp/pids]'
    echo A=1 >"$SITE/here/shared/.env"
    cp -R "$SITE/here" "$SITE/good"
    local shared=$SITE/here/shared

    rm "$shared/.env" && mkdir "$shared/.env"
    refused "shared/\.env' is a folder"
    ln -sfn "$SITE/nowhere" "$shared/.env"
    refused "shared/\.env' is a symbolic link to '.*nowhere', which does not exist"
    rm "$shared/.env" && mkfifo "$shared/.env"
    refused "shared/\.env' is not a regular file"
    rm "$shared/.env"
    refused "shared/\.env' is missing"
    echo >"$shared/log"
    refused "shared/log' is not a folder"
    ln -s nowhere "$shared/log"
    refused "shared/log' is a symbolic link to 'nowhere'"
    echo >"$shared/tmp"
    refused "shared/tmp/pids' cannot be created: '.*tmp' is not a folder"
    ln -s nowhere "$shared/tmp"
    refused "shared/tmp/pids' cannot be created: '.*tmp' is a symbolic link to 'nowhere'"
    echo >"$SITE/here/releases"
    refused "here/releases' is not a folder"
    mkdir "$SITE/here/revisions.log"
    refused "revisions\.log' is not a file"

    ln -s elsewhere "$REPO/tmp" && commit_all "A link"
    refused "'tmp' is a symbolic link in the repository, so 'tmp/pids' cannot be linked"
    git -C "$REPO" rm -q tmp && echo >"$REPO/tmp" && commit_all "A file"
    refused "'tmp' is a file in the repository, so 'tmp/pids' cannot be linked"
    git -C "$REPO" rm -q tmp && mkdir "$REPO/REVISION" && commit_file REVISION/x one
    refused "'REVISION' is a folder in the repository"
    git -C "$REPO" rm -rq REVISION && commit_file tmp-file/x one
    commit_file tmp.txt one

    # What links resolve to counts.
    mv "$shared/.env" "$SITE/env" && ln -s "$SITE/env" "$shared/.env"
    mkdir "$SITE/logs" && ln -s "$SITE/logs" "$shared/log"
    expect_status 0 check production
    expect_status 0 deploy production
    assert_equal "live" "$(live_revision)" "$(revision)"
}

# Names that a shell would take apart.
case_links_with_blanks() {
    site_new links_with_blanks 0
    recipe_write <<<$'linked_files: [" of *.yml ", config/database.yml]\nlinked_dirs: [" a  b ", "*"]'
    echo one >"$SITE/here/shared/ of *.yml "
    expect_status 0 deploy production
    assert_equal "file" "$(readlink "$SITE/here/current/ of *.yml ")" "$SITE/here/shared/ of *.yml "
    assert_equal "folder" "$(readlink "$SITE/here/current/ a  b ")" "$SITE/here/shared/ a  b "
    assert_equal "star" "$(readlink "$SITE/here/current/*")" "$SITE/here/shared/*"
}

# --- crelease's own files ------------------------------------------------------------------------

others_may_write() { find "$@" ! -type l -perm /022; }

# With a umask that lets the group write, the group may write the site, but nothing that crelease relies on.
case_own_files() {
    site_new own_files 0
    umask 002
    recipe_write <<<"build: ['umask >made']
hooks: {before switch: ['test ! -e $SITE_Q/broken']}"
    local file own=$SITE/here/.crelease
    expect_status 0 deploy production
    assert_equal "what others may write" "$(others_may_write "$own")" ''
    assert_equal "mode of .crelease" "$(stat -c %a "$own")" 750
    for file in releases shared/log current/made current/REVISION current/tmp current/tmp/restart.txt revisions.log; do
        [ -n "$(others_may_write "$SITE/here/$file/" -maxdepth 0 2>/dev/null || others_may_write "$SITE/here/$file")" ] ||
            fail "the group may not write $file"
    done
    assert_equal "umask of a job" "$(sed 's/^0*//' "$SITE/here/current/made")" 2 # mksh writes fewer zeros
    expect_status 0 exec production -- umask
    expect_output '^0*2$'
    # As an earlier version left it: the login user's files are closed, and the run goes on.
    touch "$SITE/broken"
    commit_file public/index.html two
    expect_status 1 deploy production
    chmod -R g+w "$own"
    # An earlier version was killed before it renamed this to current.
    ln -s nowhere "$own/link.$(sed -n 's/^run //p' "$own/lock").1"
    rm "$SITE/broken"
    expect_status 0 resume production
    assert_equal "what others may write" "$(others_may_write "$own")" ''
    assert_deployed "$(revision)" 2
    # A stricter umask stays as it is.
    umask 077
    expect_status 0 deploy --force production
    assert_equal "what others may read" "$(find "$own/manifests/$(release here)" -perm /077)" ''
}

# planted COMMAND FILE: while FILE is a link COMMAND fails and names it, and what the link points to stays as it is.
planted() {
    local was
    rm -rf "$SITE/target" "$SITE/kept"
    if [ -d "$2" ]; then cp -a "$2" "$SITE/target"; else echo precious >"$SITE/target"; fi
    was=$(target)
    if [ -e "$2" ]; then mv "$2" "$SITE/kept"; fi
    ln -s "$SITE/target" "$2"
    run_crelease "$1" production
    assert_equal "status of $1 with a link at $2" "$STATUS" 1
    expect_output "'$2' is a symbolic link"
    assert_equal "what the link at $2 points to" "$(target)" "$was"
    rm "$2"
    if [ -e "$SITE/kept" ]; then mv "$SITE/kept" "$2"; fi
}
target() { find "$SITE/target" -printf '%P|%y|%m|%s|%T@\n' | sort; }

case_planted_links() {
    site_new planted_links 0
    recipe_write <<<"hooks: {before switch: ['test ! -e $SITE_Q/broken']}"
    local file job run before own=$SITE/here/.crelease
    expect_status 0 deploy production
    commit_file public/index.html two
    before=$(releases here)
    for file in beat reserve reserve.1 history history.probe migrated lock manifests runs rerun stopped backups; do
        planted deploy "$own/$file"
    done
    planted deploy "$SITE/here/revisions.log"
    assert_equal "releases" "$(releases here)" "$before"
    assert_gone "$own/lock"
    touch "$SITE/broken"
    expect_status 1 deploy production
    run=$own/runs/$(sed -n 's/^run //p' "$own/lock")
    job=$(echo "$run"/jobs/*)
    for file in "$own"/{lock,beat,reserve,history,manifests,runs} "$SITE/here/revisions.log" \
        "$run" "$run"/{plan,recipe,marks,marks.new,error,pending,previous,found,acting.1,acting.2,jobs,leftovers} \
        "$job" "$job/1" "$job"/1/{log,status,seen,told} "$job/2"; do
        planted resume "$file"
    done
    for file in "$own"/{lock,beat} "$run"/{plan,error} "$SITE/here/revisions.log"; do planted abort "$file"; done
    rm "$SITE/broken"
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
    # Planted while the run is under way.
    # shellcheck disable=SC2016 # for the job's shell
    for file in beat 'runs/$CRELEASE_RUN/error' 'runs/$CRELEASE_RUN/previous' 'runs/$CRELEASE_RUN/marks.new'; do
        recipe_write <<<"build: ['ln -sf $SITE_Q/target \"$own/$file\"']"
        commit_file public/index.html "$file"
        rm -rf "$SITE/target"
        echo precious >"$SITE/target"
        expect_status 1 deploy production
        expect_output "'$own/(runs/[0-9a-z]+/)?${file##*/}' is a symbolic link"
        assert_equal "what the link at $file points to" "$(cat "$SITE/target")" precious
        find "$own" -name "${file##*/}" -type l -delete
        expect_status 0 abort production
    done
}

# What belongs to another user is not relied on.
case_foreign_files() {
    site_new foreign_files 0
    expect_status 0 deploy production
    commit_file public/index.html two
    if ! root; then return; fi # only root can give a file away
    local file own=$SITE/here/.crelease before
    before=$(releases here)
    for file in "$own" "$own"/{runs,manifests,history}; do
        chown 65531 "$file"
        expect_status 1 deploy production
        expect_output "'$file' belongs to another user \(uid 65531\)"
        run_crelease check production
        expect_output "BAD.*'$file' belongs to .*65531"
        expect_status 1 rollback production
        expect_status 0 status production
        chown 0 "$file"
    done
    # A link to another disk is followed, but not when another user has made it.
    mv "$own" "$SITE/disk"
    ln -s "$SITE/disk" "$own"
    chown -h 65531 "$own"
    expect_status 1 deploy production
    expect_output "'$own' is a symbolic link"
    assert_equal "releases" "$(releases here)" "$before"
    chown -h 0 "$own"
    expect_status 0 deploy production
    assert_equal "live" "$(live_revision)" "$(revision)"
}

# A disk without room for a release, of blocks or of inodes, is named before anything is sent.
case_disk_too_small() {
    site_new disk_too_small 0
    local i
    for i in $(seq 60); do echo "$i" >"$REPO/file$i"; done
    head -c 300000 /dev/urandom >"$REPO/big"
    commit_all "Many files"
    recipe_write <<<'linked_files: []'
    cat >"$SITE/look.sh" <<'END'
"$CRELEASE" check production >"$SITE/check" 2>&1
echo "$?" >>"$SITE/check"
"$CRELEASE" plan production >"$SITE/plan" 2>&1
END
    export CRELEASE SITE
    look() { # OPTIONS: whether the disk will do
        own_disk "$1" "$SITE/here" "$BASH" "$SITE/look.sh" || fail "plan: $(cat "$SITE/plan")"
        cat "$SITE/check" "$SITE/plan"
        grep -q "^  $2 .* disk " "$SITE/check" || fail "$1: $(grep disk "$SITE/check")"
    }
    look size=500k BAD
    grep -q 'warning: here: disk: .* free, a release takes' "$SITE/plan" || fail "plan is silent of blocks"
    look size=50m,nr_inodes=90 BAD
    grep -q 'warning: here: disk: .* inodes free, a release takes' "$SITE/plan" || fail "plan is silent of inodes"
    look size=50m,nr_inodes=2000 ok
    ! grep disk "$SITE/plan" || fail "plan warns of a disk that will do"
}

case_current_is_a_folder() {
    site_new current_is_a_folder 2
    mkdir "$SITE/app2/current"
    touch "$SITE/app2/current/precious"
    run_crelease deploy production
    [ "$STATUS" = 1 ] || fail "status $STATUS"
    expect_output 'current'
    assert_exists "$SITE/app2/current/precious"
    assert_gone "$SITE/app1/current"
}

case_deploy_to_cannot_be_written() {
    site_new deploy_to_cannot_be_written 2
    rm -rf "$SITE/app2"
    echo 'a file' >"$SITE/app2"
    run_crelease deploy production
    [ "$STATUS" -ne 0 ] || fail "status 0"
    expect_output app2
    assert_gone "$SITE/app1/current"
}

# The job lives on without the connection; it is followed again, and never begun again.
site_with_long_job() {
    site_new "$1" 2
    touch "$SITE/block"
    recipe_write <<<"build: ['echo \$\$ >>$SITE_Q/begun; h=\${PWD%/releases*}; h=\${h##*/}; while test -e $SITE_Q/block -o -e $SITE_Q/block.\$h; do sleep 0.1; done; echo x >>$SITE_Q/ended']"
    start_crelease deploy production
    wait_for 60 begun_on_both
}
begun_on_both() { [ "$(wc -l <"$SITE/begun")" = 2 ]; }
ran_once() { assert_equal "how often the job ran" "$(wc -l <"$SITE/begun") $(wc -l <"$SITE/ended")" '2 2'; }

case_connection_lost_in_a_job() {
    site_with_long_job connection_lost_in_a_job
    cut_connections app2
    rm "$SITE/block"
    finish_crelease ''
    case $STATUS in 0) ;; 7) expect_status 0 resume production ;; *) fail "status $STATUS" ;; esac
    assert_deployed "$(revision)" 1
    ran_once
}

# Here it does not come back in time: the other host's job ends, this one's end is not known.
case_host_lost_in_a_job() {
    site_with_long_job host_lost_in_a_job
    mv "$SITE/block" "$SITE/block.app2"
    host_stop app2
    wait_for 120 cr_has_ended
    finish_crelease 7
    rm "$SITE/block.app2"
    host_restart app2
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
    ran_once
}

# And here nothing is left of the job: what is not known is said, and the next resume begins it again.
case_host_crashed_in_a_job() {
    site_with_long_job host_crashed_in_a_job
    mv "$SITE/block" "$SITE/block.app2"
    host_crash app2
    wait_for 120 cr_has_ended
    finish_crelease 7
    rm "$SITE/block.app2"
    host_restart app2
    run_crelease resume production
    case $STATUS in 0) ;; 7) expect_status 0 resume production ;; *) fail "resume: status $STATUS" ;; esac
    assert_deployed "$(revision)" 1
}
cr_has_ended() { ! kill -0 "$CR_PID"; }

rig_open
start_hosts 2
run_cases "$@"
