#!/bin/bash
# make install, uninstall: where things go, and that nothing else changes.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

make_there() { make -s -C "$TOP" "$@" DESTDIR="$RIG/destination" PREFIX=/opt/x >&2; }

case_install() {
    # Not this test's run of make, whose variables would be handed on.
    unset MAKEFLAGS MFLAGS MAKELEVEL
    local built
    built=$(stat -L -c %Y "$CRELEASE")
    make_there install
    assert_equal "built again" "$(stat -L -c %Y "$CRELEASE")" "$built"
    assert_exists "$RIG/destination/opt/x/bin/crelease"
    assert_exists "$RIG/destination/opt/x/share/crelease/config"
    assert_exists "$RIG/destination/opt/x/share/bash-completion/completions/crelease"
    assert_exists "$RIG/destination/opt/x/share/zsh/site-functions/_crelease"
    assert_exists "$RIG/destination/opt/x/share/fish/vendor_completions.d/crelease.fish"
    assert_exists "$RIG/destination/opt/x/share/doc/crelease/LICENSE"
    assert_exists "$RIG/destination/opt/x/share/crelease/recipes/rails/recipe.yml"
    # cron and systemd find the program.
    grep -q '^ExecStart=/opt/x/bin/crelease ' "$RIG/destination/opt/x/share/crelease/config/crelease-resume@.service"
    grep -q '^PATH=/opt/x/bin:' "$RIG/destination/opt/x/share/crelease/config/crontab.example"
    # The manuals are found where man looks for them, and can be shown.
    local page
    for page in 1/crelease.1 5/crelease-recipe.5; do
        mandoc -T utf8 "$RIG/destination/opt/x/share/man/man$page" >"$RIG/page"
        [ -s "$RIG/page" ] || fail "man$page is empty"
        assert_equal "mode of $page" "$(stat -c %a "$RIG/destination/opt/x/share/man/man$page")" 644
    done
    # It needs nothing of the source tree.
    (cd / && "$RIG/destination/opt/x/bin/crelease" --version)
    printf '%s\n' 'application: shop' 'extends: django' 'environments: {production: {hosts: [a]}}' >"$RIG/extends.yml"
    (cd / && ! "$RIG/destination/opt/x/bin/crelease" exec -f "$RIG/extends.yml" production --hosts b -- true 2>"$RIG/said")
    grep -q "has no host 'b'" "$RIG/said" || fail "extends: $(cat "$RIG/said")"
    # An editor finds the schema of a new recipe.
    mkdir "$RIG/new"
    (cd "$RIG/new" && "$RIG/destination/opt/x/bin/crelease" init)
    assert_equal "first line" "$(head -n 1 "$RIG/new/crelease.yml")" \
        "# yaml-language-server: \$schema=$RIG/destination/opt/x/share/crelease/config/recipe.schema.json"
    make_there uninstall
    assert_equal "left over" "$(find "$RIG/destination" ! -type d)" ''
}

# The same commit gives the same files, and the archive has what the build needs.
case_dist() {
    local top=$TOP
    git init -q "$RIG/one"
    (cd "$RIG/one" && cp -R "$top"/{.ci,src,recipes,config,Makefile,README.md,LICENSE} . && git add . && git commit -qm 'All of it')
    git clone -q "$RIG/one" "$RIG/another"
    (cd "$RIG/one" && .ci/dist 1.2.3 libuv)
    (cd "$RIG/another" && umask 077 && TZ=Asia/Tokyo .ci/dist 1.2.3 libuv)
    diff -r "$RIG/one/build/dist" "$RIG/another/build/dist"
    (cd "$RIG/one/build/dist" && sha256sum --quiet -c SHA256SUMS)
    assert_equal library "$(python3 -c 'import json, sys; print(json.load(sys.stdin)["packages"][1]["versionInfo"])' \
        <"$RIG/one/build/dist/crelease-1.2.3.spdx.json")" "$(pkg-config --modversion libuv)"
    tar -C "$RIG" -xzf "$RIG/one/build/dist/crelease-1.2.3.tar.gz"
    diff -r -x .git -x build "$RIG/one" "$RIG/crelease-1.2.3"
}

rig_open
run_cases "$@"
