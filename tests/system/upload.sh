#!/bin/bash
# Linked files that come from this machine: the first deploy of a new site, without logging in anywhere.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# The content of the source is in no output, and in no file of the hosts but the linked one.
content_is_nowhere_else() {
    local files
    expect_no_output "$SECRET"
    files=$(grep -rlF -- "$SECRET" "$SITE/app1" "$SITE/app2" 2>/dev/null | grep -v '/shared/config/master.key$') || true
    assert_equal "files with the content" "$files" ''
}

key_on() { cat "$SITE/$1/shared/config/master.key"; }

case_first_deploy() {
    site_new first 2
    rm -rf "$SITE/app1" "$SITE/app2"
    SECRET="key-of-this'site"
    mkdir -p "$SITE/sources"
    printf %s "$SECRET" >"$SITE/sources/key"
    printf 'adapter: x\n' >"$SITE/sources/settings"
    recipe_write <<END
linked_files:
  - config/database.yml
  - {path: config/master.key, from: '$SITE/sources/key'}
database: none
migrate: {run: null, status: null}
END
    expect_status 1 check production
    for host in app1 app2; do
        expect_output "BAD +$host .*config/master.key' is missing; '[^']*upload[^']*production' copies it"
        expect_output "BAD +$host .*config/database.yml' is missing; '[^']*upload[^']*production config/database.yml' copies it there from .*, where it does not exist yet"
    done
    # A linked file without a source has to be named.
    mkdir -p "$(dirname "$RECIPE")/config"
    printf 'adapter: x\n' >"$(dirname "$RECIPE")/config/database.yml"
    expect_status 0 upload production config/database.yml
    # What is still missing and has a source is uploaded by the deploy itself.
    expect_status 0 plan production
    expect_output "config/master.key' is missing on app1, app2: deploy uploads it"
    assert_gone "$SITE/app1/shared/config/master.key"
    expect_status 0 deploy -v --json production
    content_is_nowhere_else
    for host in app1 app2; do
        assert_equal "the key on $host" "$(cat "$SITE/$host/current/config/master.key")" "$SECRET"
        assert_equal "its mode" "$(stat -c %a "$SITE/$host/shared/config/master.key")" 600
    done
    rm -r "$(dirname "$RECIPE")/config"
}

case_never_overwrites() {
    site_new overwrites 2
    SECRET=a-secret-value
    printf %s "$SECRET" >"$SITE/key"
    recipe_write <<<"linked_files: [config/database.yml, {path: config/master.key, from: '$SITE/key'}]"
    expect_status 0 upload production
    expect_output 'app2 +uploaded +config/master.key'
    printf other >"$SITE/app2/shared/config/master.key"
    chmod 640 "$SITE/app2/shared/config/master.key"
    # As an upload that was killed leaves it; the process of the other one is alive.
    echo half >"$SITE/app2/shared/config/.master.key.upload.999999999"
    echo half >"$SITE/app2/shared/config/.master.key.upload.1"
    expect_status 1 upload production
    expect_output 'app1 +same'
    expect_output "app2 +differs +config/master.key: SHA-256 $(printf other | sha256sum | cut -c1-12) there, $(printf %s "$SECRET" | sha256sum | cut -c1-12) here"
    expect_output "config/master.key differs .*upload --force production config/master.key' replaces it"
    assert_equal "the other" "$(key_on app2)" other
    expect_status 0 upload --force production
    content_is_nowhere_else
    assert_equal "the key" "$(key_on app2)" "$SECRET"
    assert_equal "its mode" "$(stat -c %a "$SITE/app2/shared/config/master.key")" 640
    assert_gone "$SITE/app2/shared/config/.master.key.upload.999999999"
    rm "$SITE/app2/shared/config/master.key"
    ln -s "$SITE/elsewhere" "$SITE/app2/shared/config/master.key"
    expect_status 1 upload --force production
    expect_output 'app2 +failed .*not a regular file'
    expect_output '^crelease: .*not a regular file'
    assert_gone "$SITE/elsewhere"
    # A FIFO in place of the source, and a source that is missing.
    rm "$SITE/key"
    mkfifo "$SITE/key"
    expect_status 1 upload production
    expect_output 'not a regular file'
    rm "$SITE/key" "$SITE/app2/shared/config/master.key"
    expect_status 1 deploy production
    expect_output "'$SITE/key' of the linked file 'config/master.key': No such file"
}

# Killed while the host stores it: the file is there whole or not at all, and nothing else stays.
case_killed() {
    site_new killed 0
    head -c 3000000 /dev/zero | tr '\0' x >"$SITE/key"
    recipe_write <<<"linked_files: [{path: config/master.key, from: '$SITE/key'}]"
    mkdir -p "$SITE/bin"
    local step at=$SITE/here/shared/config/master.key
    for step in sha256sum ln; do
        rm -f "$at" "$SITE/go" "$SITE/reached"
        printf '#!/bin/sh\n: >"%s/reached"\nwhile [ ! -e "%s/go" ]; do sleep 0.05; done\nexec /usr/bin/%s "$@"\n' \
            "$SITE" "$SITE" "$step" >"$SITE/bin/$step"
        chmod +x "$SITE/bin/$step"
        PATH=$SITE/bin:$PATH start_crelease upload production
        wait_for 30 test -e "$SITE/reached"
        kill_crelease
        assert_gone "$at"
        : >"$SITE/go"
        rm "$SITE/bin/$step"
        wait_for 30 nothing_half_stored
        if [ -e "$at" ]; then cmp "$SITE/key" "$at" || fail "$step: it is not whole"; fi
        expect_status 0 upload production
        cmp "$SITE/key" "$at" || fail "$step: it is not whole afterwards"
        expect_status 0 upload production
        expect_output 'here +same'
    done
}
nothing_half_stored() { [ -z "$(find "$SITE/here" -name '.*.upload.*')" ]; }

rig_open
start_hosts 2
run_cases "$@"
