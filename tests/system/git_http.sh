#!/bin/bash
# A Git server over HTTP (lib/git-http.pl), and one that lies.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# git_server [LIE]: sets $at.
git_server() {
    rm -f "$SITE/git/port"
    perl "$TOP/tests/lib/git-http.pl" "$SITE/git" "$@" </dev/null >/dev/null 2>&1 9>&- &
    disown
    wait_for 30 test -s "$SITE/git/port"
    at=127.0.0.1:$(cat "$SITE/git/port")
}
from_server() { sed -i "s|^repository:.*|repository: 'http://$1$at/served.git'|" "$RECIPE"; }

# Whatever it says, crelease ends by itself, says why, and changes nothing.
case_lies() {
    site_new lies 0
    git clone -q --bare "$REPO" "$SITE/git/served.git"
    local lie limit
    for lie in truncated flipped missing escape elsewhere endless; do
        git_server "$lie"
        from_server ''
        rm -rf "$HOME/.cache/crelease"
        limit=$((SECONDS + 120))
        # What an endless answer may take is bounded.
        (ulimit -v 1000000; run_crelease deploy production; echo "$STATUS" >"$SITE/status"; cp "$ERR" "$OUT" "$SITE")
        [ $SECONDS -le $limit ] || fail "$lie: took too long"
        case $(cat "$SITE/status") in 1 | 2 | 5) ;; *) fail "$lie: status $(cat "$SITE/status")" ;; esac
        ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$SITE"/out.* "$SITE"/err.* || fail "$lie: a control character"
        assert_gone "$SITE/here/current"
        assert_gone "$SITE/here/.crelease/lock"
        [ -z "$(ls "$SITE/here/releases" 2>/dev/null)" ] || fail "$lie: a release was made"
    done
    # After that an honest one with a login; the wrong password is not shown.
    echo 'ann:right-token' >"$SITE/git/login"
    git_server
    from_server 'ann:wrong-token@'
    expect_status 5 deploy production
    expect_no_output wrong-token
    from_server 'ann:right-token@'
    expect_status 0 deploy production
    expect_no_output right-token
    assert_deployed "$(revision)" 1
}

rig_open
run_cases "$@"
