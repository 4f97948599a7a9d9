#!/bin/bash
# make static: the program without shared libraries.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# It compiles everything once more.
LONG='chroot'

# In a root folder that holds nothing but the program, a recipe, a repository, a key, known_hosts and an empty /tmp.
case_chroot() {
    unset MAKEFLAGS MFLAGS MAKELEVEL
    local bare=$RIG/bare inside=("$(type -P chroot)") host_key
    root || inside=("$(type -P unshare)" -r "${inside[@]}")
    "${inside[@]}" / true || skip "chroot is forbidden here"
    make -s -C "$TOP" static >&2
    ! readelf -dW "$TOP/build/static/crelease" | grep NEEDED || fail "it needs a shared library"
    bash "$TOP/tests/lib/hardening.sh" "$TOP/build/static/crelease"
    site_new static 1
    read -r _ host_key _ < <(ssh-keygen -lf "$RIG/app1/key.pub")
    mkdir -p "$bare/.ssh" "$bare/tmp"
    cp "$TOP/build/static/crelease" "$RIG/home/.ssh/id_ed25519" "$bare"
    cp "$RIG/home/.ssh/known_hosts" "$bare/.ssh"
    git clone -q --bare "$REPO" "$bare/repo"
    sed "s|^repository:.*|repository: /repo|; s|name: app1,|&  identity: /id_ed25519, user: $(id -un),|" "$RECIPE" >"$bare/crelease.yml"
    echo 'notify: [{url: "http://127.0.0.1:1/", on: [live]}]' >>"$bare/crelease.yml"
    in_bare() { env -i HOME=/ "${inside[@]}" "$bare" /crelease "$@" </dev/null >"$RIG/said" 2>&1; }
    in_bare check production || fail "check: $(cat "$RIG/said")"
    # Live, but the notification, which it cannot send, is reported.
    local status=0
    in_bare deploy production || status=$?
    cat "$RIG/said" >&2
    assert_equal status "$status" 8
    grep -q 'static crelease sends no notifications' "$RIG/said" || fail "nothing said about the notification"
    assert_deployed "$(revision)"
    in_bare --version -v
    grep -q '^lacks: ' "$RIG/said" || fail "no list of what it lacks"
    in_bare status production --json || fail "status: $(cat "$RIG/said")"
    # A name that only the files of the machine know, and none that anybody knows.
    mkdir -p "$bare/etc"
    printf '127.0.1.1 web.test\n' >"$bare/etc/hosts"
    sed -i "s|host: 127.0.1.1,|host: web.test, host_key: '$host_key',|" "$bare/crelease.yml"
    in_bare check production || fail "by name: $(cat "$RIG/said")"
}

rig_open
start_hosts 1
run_cases "$@"
