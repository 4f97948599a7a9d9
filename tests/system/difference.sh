#!/bin/bash
# What a host gets of a new revision when it has an earlier one: the difference, whatever was done to the release
# that it has.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# site_of_files NAME HOSTS: one revision live, of files large enough for their number to show in what is sent.
site_of_files() {
    site_new "$1" "$2"
    local i
    mkdir -p "$REPO/large/a b" "$REPO/log"
    for i in 1 2 3 4 5 6 7 8; do head -c 40000 /dev/urandom >"$REPO/large/a b/file $i.txt"; done
    cp "$REPO/large/a b/file 1.txt" "$REPO/large/twin 1.txt"
    cp "$REPO/large/a b/file 1.txt" "$REPO/large/twin 2.txt"
    printf '#!/bin/sh\n' >"$REPO/large/run"
    chmod +x "$REPO/large/run"
    ln -s 'a b/file 1.txt' "$REPO/large/link to it"
    printf 'odd\n' >"$REPO/large/"$'a new\nline'
    printf 'odd\n' >"$REPO/large/back\\slash"
    printf 'replaced by the link to shared\n' >"$REPO/log/.keep"
    commit_all "large files"
    deploy_it
}

deploy_it() {
    expect_status 0 deploy production
    assert_deployed "$(revision)"
}

# sent LESS: the last deploy sent fewer bytes than that, or "all".
sent() {
    local sent
    sent=$(sed -n 's/.* checkout .*; \([0-9.]*\) \([kM]*B\) sent.*/\1 \2/p' "$OUT")
    case $1:$sent in
    all:) return ;;
    all:* | *:) fail "sent: '$sent' instead of $1" ;;
    esac
    LC_ALL=C awk -v most="$1" '{ n = $1 * ($2 == "kB" ? 1000 : $2 == "MB" ? 1000000 : 1) } n >= most { exit 1 }' <<<"$sent" ||
        fail "sent: $sent, which is not below $1 bytes"
}

modes() { (cd "$1" && find . \( -path ./log -o -path ./tmp -o -path ./config \) -prune -o -printf '%p %m %y\n' | LC_ALL=C sort); }

case_only_the_difference() {
    site_of_files only_the_difference 2
    sent all
    local modes
    modes=$(modes "$SITE/app1/current/")
    commit_file large/small.txt 'new'
    deploy_it
    sent 20000
    printf 'changed\n' >"$REPO/large/a b/file 3.txt"
    chmod +x "$REPO/large/a b/file 4.txt"
    git -C "$REPO" rm -q 'large/small.txt'
    commit_all "changed, made executable, removed"
    deploy_it
    sent 80000
    assert_equal "modes" "$(modes "$SITE/app1/current/" | sed '/file 4.txt/s/755/644/')" "$modes"
    git -C "$REPO" mv large/run large/run2
    rm "$REPO/large/link to it"
    mkdir "$REPO/large/link to it"
    mv "$REPO/large/a b/file 1.txt" "$REPO/large/link to it/"
    commit_all "a folder in place of a link"
    deploy_it
    sent 80000
    unchanged
}

# Everything that a person or a job may do to the live release, in one: nothing of it is in the next one.
case_changed_base() {
    site_of_files changed_base 1
    local live=$SITE/app1/current/large wanted
    wanted=$(modes "$SITE/app1/current/")
    echo edited >>"$live/a b/file 1.txt"
    rm "$live/a b/file 2.txt" "$live/a b/file 3.txt" "$live/a b/file 4.txt" "$live/a b/file 6.txt"
    mkdir "$live/a b/file 3.txt"
    echo inside >"$live/a b/file 3.txt/inside"
    mkfifo "$live/a b/file 4.txt"
    chmod 600 "$live/a b/file 5.txt"
    ln -s 'file 7.txt' "$live/a b/file 6.txt"
    touch "$live/a b/file 7.txt"
    tr '[:lower:]' '[:upper:]' <"$live/a b/file 8.txt" >"$SITE/other"
    touch -r "$live/a b/file 8.txt" "$SITE/other"
    cat "$SITE/other" >"$live/a b/file 8.txt"
    touch -r "$SITE/other" "$live/a b/file 8.txt"
    ln -f "$live/twin 1.txt" "$live/twin 2.txt"
    mkdir "$live/more"
    echo more >"$live/more/file"
    chmod -x "$live/run"
    commit_file public/index.html 'new'
    deploy_it
    expect_output 'checkout .*; .* sent'
    assert_equal "modes" "$(modes "$SITE/app1/current/" | grep -v index.html)" "$(grep -v index.html <<<"$wanted")"
    assert_equal "names of a file" "$(stat -c %h "$SITE/app1/current/large/twin 1.txt")" 1
    # And that one is a base like any other.
    commit_file public/index.html 'newer'
    deploy_it
    sent 20000
}

# A folder of the live release that is a link to somewhere else.
case_linked_folder() {
    site_of_files linked_folder 1
    mv "$SITE/app1/current/large" "$SITE/elsewhere"
    ln -s "$SITE/elsewhere" "$SITE/app1/current/large"
    echo edited >"$SITE/elsewhere/a b/file 1.txt"
    commit_file public/index.html 'new'
    deploy_it
    [ ! -L "$SITE/app1/current/large" ] || fail "the link was copied"
    assert_equal "what the link points to" "$(cat "$SITE/elsewhere/a b/file 1.txt")" edited
}

unchanged() {
    expect_status 0 status --verify production
    expect_output 'app1 +is unchanged'
}

# What a host remembers of its release is damaged, or from another place.
case_damaged_records() {
    site_of_files damaged_records 1
    local records=$SITE/app1/.crelease/manifests
    sed -i 's/^f [0-9a-f]*\( .*file 1.txt\)$/f 0000000000000000000000000000000000000000000000000000000000000000\1/' "$records/$(release app1)"
    commit_file public/index.html 'one'
    deploy_it
    unchanged
    sed -i '$d' "$records/$(release app1)"
    commit_file public/index.html 'two'
    deploy_it
    unchanged
    # As for a file that was changed in the instant in which the index was made: it is read, and not sent again.
    sed -i '/file 1.txt$/d' "$records/$(release app1).index"
    commit_file public/index.html 'two and a half'
    deploy_it
    sent 20000
    echo nonsense >"$records/$(release app1).index"
    commit_file public/index.html 'three'
    deploy_it
    unchanged
    rm "$records/$(release app1).index"
    commit_file public/index.html 'four'
    deploy_it
    sent all
    commit_file public/index.html 'five'
    deploy_it
    sent 20000
}

inode() { stat -c %i "$SITE/app1/releases/$1/large/a b/file $2.txt"; }

# Unchanged files are the same in both releases; what was replaced, or changed in the release before, is not taken.
case_hardlink() {
    site_of_files hardlink 1
    recipe_write <<<'checkout: hardlink'
    local first second third live
    first=$(release app1)
    chmod 700 "$SITE/app1/current/large/a b"
    commit_file 'large/a b/file 2.txt' 'new'
    deploy_it
    sent 20000
    second=$(release app1)
    assert_equal "inode" "$(inode "$second" 1)" "$(inode "$first" 1)"
    [ "$(inode "$second" 2)" != "$(inode "$first" 2)" ] || fail "a changed file is linked"
    assert_equal "mode of a folder" "$(stat -c %a "$SITE/app1/releases/$second/large/a b")" 755
    commit_file public/index.html 'new'
    deploy_it
    sent 20000
    third=$(release app1)
    assert_equal "inode" "$(inode "$third" 1)" "$(inode "$first" 1)"
    # What writes to one of them, and what replaces it.
    live=$SITE/app1/current/large
    echo edited >>"$live/a b/file 1.txt"
    rm "$live/a b/file 3.txt"
    echo other >"$live/a b/file 3.txt"
    mv "$live" "$SITE/elsewhere2"
    mkdir "$live"
    mv "$SITE/elsewhere2/a b" "$live/"
    ln -s "$live/a b" "$live/z"
    commit_file public/index.html 'newer'
    deploy_it
    unchanged
    # Back to copies: no two releases share a file.
    recipe_write </dev/null
    commit_file public/index.html 'newest'
    deploy_it
    sent 20000
    [ "$(inode "$(release app1)" 4)" != "$(inode "$third" 4)" ] || fail "a file is shared"
}

# Another umask makes other modes.
case_other_umask() {
    site_of_files other_umask 1
    recipe_write <<<'umask: "027"'
    commit_file public/index.html 'one'
    deploy_it
    assert_equal "mode" "$(stat -c %a "$SITE/app1/current/large/run" "$SITE/app1/current/large/a b/file 1.txt" | tr '\n' ' ')" '750 640 '
    commit_file public/index.html 'two'
    deploy_it
    sent 20000
    assert_equal "mode" "$(stat -c %a "$SITE/app1/current/large/run" "$SITE/app1/current/large/a b/file 1.txt" | tr '\n' ' ')" '750 640 '
}

# A clone of depth 1, as a CI runner has, does not know what is live.
case_unknown_base() {
    site_of_files unknown_base 1
    commit_file public/index.html 'new'
    mv "$REPO" "$SITE/whole"
    git clone -q --depth 1 "file://$SITE/whole" "$REPO"
    cp "$SITE/whole/.git/config" "$SITE/config"
    deploy_it
    sent all
}

# Each host has another release.
case_hosts_differ() {
    site_of_files hosts_differ 2
    commit_file large/small.txt 'new'
    local hosts=("${SITE_HOSTS[@]}")
    SITE_HOSTS=(app1)
    recipe_write </dev/null
    deploy_it
    SITE_HOSTS=("${hosts[@]}")
    recipe_write </dev/null
    commit_file large/small.txt 'newer'
    deploy_it
    expect_output "the hosts do not have the same revision live: app2 has $(git -C "$REPO" rev-parse --short=7 HEAD~2); the changes are those since .* on app1"
    sent 20000
    rm -rf "$SITE/app2/.crelease" "$SITE/app2/releases" "$SITE/app2/current"
    commit_file large/small.txt 'newest'
    deploy_it
    expect_output 'the hosts do not have the same revision live: app2 has none'
    sent all
}

# On the host, the N-th tar of a script waits while $RIG/hold exists.
own_tar() {
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/tar" <<END
#!/bin/sh
echo "\$*" >>"$RIG/tars"
if [ -e "$RIG/hold" ] && [ "\$(grep -c . "$RIG/tars")" -eq "\$(cat "$RIG/hold")" ]; then
    touch "$RIG/held"
    while [ -e "$RIG/hold" ]; do sleep 0.05; done
fi
exec $(command -v tar) "\$@"
END
    chmod +x "$RIG/bin/tar"
}

# crelease is killed while a host unpacks the difference (its second tar), or what it has asked for then.
case_interrupted() {
    site_of_files interrupted 1
    own_tar
    local at
    for at in 2 3; do
        echo edited >>"$SITE/app1/current/large/a b/file 1.txt"
        commit_file public/index.html "$at"
        rm -f "$RIG/tars" "$RIG/held"
        echo $at >"$RIG/hold"
        start_crelease deploy production
        wait_for 60 test -e "$RIG/held"
        kill_crelease
        rm "$RIG/hold"
        expect_status 0 resume production
        assert_deployed "$(revision)"
    done
    # Aborted, nothing of it is left.
    local live
    live=$(release app1)
    commit_file public/index.html 5
    rm -f "$RIG/tars" "$RIG/held"
    echo 2 >"$RIG/hold"
    start_crelease deploy production
    wait_for 60 test -e "$RIG/held"
    kill_crelease
    rm "$RIG/hold"
    expect_status 0 abort production
    assert_equal "releases" "$(find "$SITE/app1/releases" -mindepth 1 -maxdepth 1 -newer "$SITE/app1/releases/$live")" ''
    assert_equal "manifests" "$(cd "$SITE/app1/.crelease/manifests" && printf '%s\n' * | sed 's/[.]index$//' | sort -u)" \
        "$(cd "$SITE/app1/releases" && printf '%s\n' *)"
    rm "$RIG/bin/tar"
}

# Tools that list no times: everything is sent, as always.
case_busybox() {
    local tool
    mkdir -p "$RIG/bin"
    for tool in find awk tar; do ln -sf "$(command -v busybox)" "$RIG/bin/$tool"; done
    site_of_files busybox 1
    commit_file public/index.html new
    deploy_it
    sent all
    rm "$RIG/bin/find" "$RIG/bin/awk" "$RIG/bin/tar"
}

# What a redeploy that changes only code starts on a host: 40, and on a loaded machine some more, because a clean-up
# that takes long is waited for.  src/host/README.md says why each of them is there.
case_few_processes() {
    command -v strace >/dev/null || skip 'there is no strace'
    site_new few_processes 0
    recipe_write <<<$'keep_releases: 1\nmigrate: {run: echo migrated, status: echo none, paths: [db/migrate]}'
    expect_status 0 deploy production
    commit_file public/index.html two
    expect_status 0 deploy production
    commit_file public/index.html three
    strace -f -qq -s 200 -e trace=process,write -o "$SITE/trace" "$CRELEASE" deploy production </dev/null >"$OUT" 2>"$ERR" || {
        ! grep -qi ptrace "$ERR" || skip "strace cannot trace here: $(tail -n 1 "$ERR")"
        fail "the deploy failed: $(tail -n 2 "$ERR")"
    }
    assert_deployed "$(revision)"
    assert_equal 'releases' "$(releases here | wc -l)" 2
    perl "$TOP/tests/lib/processes.pl" "$SITE/trace" >"$SITE/processes"
    cat "$SITE/processes"
    [ "$(sed -n 's/^total \([0-9]*\) .*/\1/p' "$SITE/processes")" -le 46 ] ||
        fail "more than 46 processes: $(perl "$TOP/tests/lib/processes.pl" -v "$SITE/trace" | cut -c1-120)"
}

rig_open
start_hosts 2
run_cases "$@"
