#!/bin/bash
# How commands are run in the account on the host: its shell, PATH and umask.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# A login that defines a function, as rbenv and nvm do.
account_site() {
    site_new "$1" 0
    mkdir -p "$SITE/home/bin"
    export HOME=$SITE/home
    cat >"$HOME/.bash_profile" <<'END'
PATH=$PATH:/from/profile
manager() { echo "manager says $1"; }
cd /
umask 077
END
}
in_release() { cat "$SITE/here/current/$1"; }

case_login_shell() {
    account_site login_shell
    recipe_write <<'END'
shell: login
umask: 0022
env: {WORD: hello}
build: ['echo "$PATH" >path; echo "$#" >arguments; manager "$WORD" >made']
END
    expect_status 0 deploy production
    assert_equal made "$(in_release made)" 'manager says hello'
    assert_equal arguments "$(in_release arguments)" 0
    [[ $(in_release path) == */from/profile* ]] || fail "PATH $(in_release path)"
    assert_equal umask "$(stat -c %a "$SITE/here/current/made")" 644
    expect_status 0 exec production -- 'manager exec; umask; pwd'
    expect_output 'manager says exec'
    expect_output '0022'
    expect_output "$SITE/here/current"
    expect_status 1 exec production -- 'manager x; exit 3'
    expect_output 'status 3'
    # Without it the profile is not read.
    sed -i 's/^shell: .*/shell: plain/' "$RECIPE"
    expect_status 1 deploy --force production
    expect_output 'manager: not found'
    expect_status 0 abort production
}

case_other_shell() {
    account_site other_shell
    recipe_write <<'END'
shell: bash -O extglob -c
build: ['case abc in @(x|abc)) echo yes >made ;; esac']
END
    expect_status 0 deploy production
    assert_equal made "$(in_release made)" yes
    sed -i 's/^shell: .*/shell: bash -O extglob/' "$RECIPE"
    expect_status 0 deploy --force production
    assert_equal made "$(in_release made)" yes
    sed -i 's/^shell: .*/shell: no-such-shell/' "$RECIPE"
    expect_status 1 deploy --force production
    expect_output 'no-such-shell: not found'
    expect_status 0 abort production
}

case_path() {
    account_site path
    printf '#!/bin/sh\necho "own tool"\n' >"$HOME/bin/tool"
    mkdir "$SITE/second one"
    printf '#!/bin/sh\necho "second tool"\n' | tee "$SITE/second one/tool" >"$SITE/second one/other"
    chmod +x "$HOME/bin/tool" "$SITE/second one/"*
    recipe_write <<END
path: [~/bin, '$SITE/second one']
env: {PATH: "/first:\$PATH"}
build: ['tool >made; other >>made']
END
    expect_status 0 deploy production
    assert_equal made "$(in_release made)" $'own tool\nsecond tool'
    expect_status 0 exec production -- tool
    expect_output 'own tool'
}

case_umask() {
    account_site umask
    recipe_write <<'END'
umask: 0002
build: ['touch made; mkdir folder']
END
    (umask 077 && expect_status 0 deploy production) || fail 'deploy'
    assert_equal file "$(stat -c %a "$SITE/here/current/made")" 664
    assert_equal folder "$(stat -c %a "$SITE/here/current/folder")" 775
    assert_equal release "$(stat -L -c %a "$SITE/here/current")" 775
    assert_equal "open to others" "$(find "$SITE/here/.crelease" -perm /027 ! -type l)" ''
}

# Everything on the host is made and run by another user, through sudo.
case_become() {
    account_site become
    local user=root
    if [ "$(id -u)" -eq 0 ]; then
        user=nobody
        # The rig's folders may be closed to that user.
        SITE=$(mktemp -d)
        sed -i "s|'[^']*/here'|'$SITE/here'|" "$RECIPE"
        mkdir -p "$SITE/here/shared"
        chmod 755 "$SITE"
        chown -R nobody "$SITE/here"
    fi
    sed -i "1i become: $user" "$RECIPE"
    echo content >"$(dirname "$RECIPE")/source"
    sed -i 's/^linked_files.*/linked_files: [{path: the.file, from: source}]/' "$RECIPE"
    echo "build: ['id -un >made; touch begun; while test -e block; do sleep 0.05; done']" >>"$RECIPE"
    expect_status 0 deploy production
    assert_equal made "$(sudo cat "$SITE/here/current/made")" "$user"
    assert_equal owner "$(sudo stat -c %U "$SITE/here/current")" "$user"
    assert_equal "owner and mode of an uploaded file" "$(sudo stat -c '%U %a' "$SITE/here/shared/the.file")" "$user 600"
    expect_status 0 exec production -- 'id -un'
    expect_output "$user"
    sed -i '1s/.*/become: no-such-user/' "$RECIPE"
    expect_status 5 deploy --force production
    expect_output "unknown user.*'become: no-such-user' needs sudo"
    sudo rm -rf "$SITE/here"
    [ "$(id -u)" -ne 0 ] || rm -rf "$SITE"
}

rig_open
run_cases "$@"
