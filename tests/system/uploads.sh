#!/bin/bash
# What is sent of a release: compressed if the host can expand it, and continued if it was interrupted.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
# sent: bytes that the last deploy or resume says it has sent; "" for all.
sent() {
    sed -n 's/.* checkout .*; \([0-9.]* [kM]*B\) sent.*/\1/p' "$OUT" |
        awk '{ print $1 * ($2 == "kB" ? 1000 : $2 == "MB" ? 1000000 : 1) }'
}
sent_less() { # BYTES
    local sent
    sent=$(sent)
    if [ -z "$sent" ] || [ "$sent" -ge "$1" ]; then
        cat "$OUT"
        fail "sent: '$sent', not less than $1"
    fi
}

# host_with NAME ADDRESS TOOL...: of gzip and zstd it has only these, and notes in $RIG/used that they run.
host_with() {
    local name=$1 address=$2 tools=$RIG/$1.tools tool path
    shift 2
    mkdir -p "$tools"
    for path in /usr/bin/* /bin/*; do
        case ${path##*/} in gzip | zstd) ;; *) ln -sf "$path" "$tools/" ;; esac
    done
    for tool; do
        printf '#!/bin/sh\necho %s >>"%s"\nexec %s "$@"\n' "$tool" "$RIG/used" "$(command -v "$tool")" >"$tools/$tool"
        chmod +x "$tools/$tool"
    done
    HOST_PATH=$tools host_start "$name" "$address"
    HOSTS+=("$name")
}

case_squeezed() {
    site_new squeezed 3
    SITE_HOSTS=(app1)
    recipe_write </dev/null
    seq 200000 >"$REPO/public/numbers"
    commit_all 'A large text'
    expect_status 0 deploy production
    assert_deployed "$(revision)"
    sent_less 700000
    assert_equal "used" "$(cat "$RIG/used")" zstd
    # One that only has gzip decides for all.  The difference is compressed, too.
    rm "$RIG/used"
    SITE_HOSTS=(app1 app2)
    recipe_write </dev/null
    seq 300000 >"$REPO/public/numbers"
    commit_all 'A larger text'
    expect_status 0 deploy production
    assert_deployed "$(revision)"
    sent_less 1000000
    assert_equal "used" "$(cat "$RIG/used")" $'gzip\ngzip'
    rm "$RIG/used"
    SITE_HOSTS=(app1 app2 app3)
    recipe_write </dev/null
    seq 400000 >"$REPO/public/numbers"
    commit_all 'One more'
    expect_status 0 deploy production
    assert_deployed "$(revision)"
    assert_gone "$RIG/used"
}

# A large file that changed a little, among others; also when it is not what it should be in the base.
case_patched() {
    site_new patched 2
    SITE_HOSTS=(app1)
    recipe_write </dev/null
    mkdir "$REPO/data"
    head -c 1000000 /dev/urandom >"$REPO/data/a \$large one"
    head -c 1000000 /dev/urandom >"$REPO/data/program"
    head -c 1000000 /dev/urandom >"$REPO/data/other"
    chmod +x "$REPO/data/program"
    commit_all 'Large files'
    expect_status 0 deploy production
    local i
    for i in 1 2; do
        [ $i = 1 ] || printf 'edited' | dd of="$SITE/app1/current/data/program" bs=1 seek=70000 conv=notrunc 2>/dev/null
        printf 'changed %s' $i | dd of="$REPO/data/a \$large one" bs=1 seek=500000 conv=notrunc 2>/dev/null
        echo "and more $i" >>"$REPO/data/program"
        head -c 20000 /dev/urandom >>"$REPO/data/program"
        rm -f "$RIG/used"
        commit_all "Changed $i"
        expect_status 0 deploy production
        assert_deployed "$(revision)" "$((i + 1))"
        cmp "$REPO/data/program" "$SITE/app1/current/data/program" || fail "it differs"
        [ -x "$SITE/app1/current/data/program" ] || fail "it is no program"
        assert_equal "used" "$(cat "$RIG/used")" $'zstd\nzstd'
        if [ $i = 1 ]; then sent_less 60000; else sent_less 1200000; fi
    done
    # One that only has gzip gets the files.
    SITE_HOSTS=(app1 app2)
    recipe_write </dev/null
    expect_status 0 deploy production
    printf 'changed again' | dd of="$REPO/data/program" bs=1 seek=300000 conv=notrunc 2>/dev/null
    commit_all "Changed again"
    expect_status 0 deploy production
    assert_deployed "$(revision)"
}

# site_far: its host is behind a slow line.
site_far() {
    link_start app1
    # shellcheck disable=SC2034 # for the recipe
    PORT_FILE=link.port
    site_new "$1" 1
}

# interrupted ACTION: ends a deploy in this way when more than 0.8 MB have arrived.
interrupted() {
    set_link app1 slow
    start_crelease deploy production
    wait_for 60 arrived 800000
    "$@"
    link_mend app1
}
arrived() { # BYTES
    local file
    file=$(echo "$SITE"/app1/.crelease/runs/*/upload.*)
    [ -f "$file" ] && [ "$(wc -c <"$file")" -gt "$1" ]
}
stopped() {
    kill -s INT "$CR_PID"
    wait_for 10 said 'Ctrl-C again stops at once'
    kill -s INT "$CR_PID"
    finish_crelease 130
}

case_continued() {
    site_far continued
    head -c 3000000 /dev/urandom >"$REPO/public/large"
    commit_all 'Something large'
    interrupted stopped
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
    sent_less 2200000
    # The difference to that, by another one who finds it dead.
    head -c 2500000 /dev/urandom >"$REPO/public/larger"
    commit_all 'More'
    interrupted kill_crelease
    expect_status 0 resume production
    assert_deployed "$(revision)" 2
    sent_less 1700000
    # What is there is not what was sent.
    head -c 2000000 /dev/urandom >"$REPO/public/third"
    commit_all 'Still more'
    interrupted kill_crelease
    printf 'something else' | dd of="$(echo "$SITE"/app1/.crelease/runs/*/upload.*)" bs=1 seek=5000 conv=notrunc 2>/dev/null
    expect_status 0 resume production
    assert_deployed "$(revision)" 3
    assert_equal "left" "$(find "$SITE/app1/.crelease" -name 'upload.*')" ''
    # The same with the whole tree, since there is no index.
    rm "$SITE"/app1/.crelease/manifests/*.index
    commit_file public/index.html whole
    interrupted kill_crelease
    printf 'something else' | dd of="$(echo "$SITE"/app1/.crelease/runs/*/upload.*)" bs=1 seek=5000 conv=notrunc 2>/dev/null
    expect_status 0 resume production
    assert_deployed "$(revision)" 4
    # Aborted, nothing of it is left.
    head -c 2000000 /dev/urandom >"$REPO/public/fourth"
    commit_all 'The last one'
    interrupted kill_crelease
    expect_status 0 abort production
    assert_equal "left" "$(find "$SITE/app1/.crelease" -name 'upload.*')" ''
}

rig_open
host_with app1 127.0.1.1 gzip zstd
host_with app2 127.0.1.2 gzip
host_with app3 127.0.1.3
run_cases "$@"
