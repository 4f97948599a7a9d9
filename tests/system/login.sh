#!/bin/bash
# Who logs in and with what: the user, the agent, passphrases; what is shown of secrets; and machines that
# have no descriptors, no memory or no names left.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

faults() {
    [ -e "$RIG/faults.so" ] || cc -shared -fPIC -O1 -o "$RIG/faults.so" "$TOP/tests/lib/faults.c" -ldl
    # For a program with the sanitizer, which wants to be first.
    export FAULTS=$RIG/faults.so ASAN_OPTIONS=verify_asan_link_order=0
}
# with_faults NAME=VALUE... STATUS ARGUMENTS
with_faults() {
    local set=()
    while [[ $1 == *=* ]]; do
        set+=("$1")
        shift
    done
    printf '#!/bin/sh\nexec env LD_PRELOAD=%q %s %q "$@"\n' "$FAULTS" "${set[*]}" "$PROGRAM" >"$SITE/with_faults"
    chmod +x "$SITE/with_faults"
    CRELEASE=$SITE/with_faults expect "$@"
}
PROGRAM=$CRELEASE

# As in a container that gives a process a number: no entry in the user database, no home.
case_user_without_entry() {
    site_new user_without_entry 2
    faults
    local before
    before=$(connections_to app1)
    with_faults NO_PASSWD=1 USER=root LOGNAME=root 2 deploy production
    says "user id $(id -u)"
    says "'user:'"
    with_faults NO_PASSWD=1 2 status --json production
    same "connections" "$(connections_to app1)" "$before"
    sed -i "s|name: app|user: '$(id -un)', identity: '$HOME/.ssh/id_ed25519', host_key: 'KEY', &|" "$RECIPE"
    sed -i "/name: app1/s|KEY|$(cut -d' ' -f1,2 "$RIG/app1/key.pub")|; /name: app2/s|KEY|$(cut -d' ' -f1,2 "$RIG/app2/key.pub")|" "$RECIPE"
    sed -i "s|^repository: .*|repository: 'file://$REPO'|" "$RECIPE"
    # With an unwritable home the mirror is made in the temporary folder.
    mkdir "$SITE/tmp"
    with_faults NO_PASSWD=1 HOME=/proc "TMPDIR=$SITE/tmp" USER= LOGNAME= USERNAME= 0 deploy production
    finished "$(revision)" 1
    there "$SITE/tmp/crelease-$(id -u)"
    same "by" "$(sed 's/.* by //' "$SITE/app1/revisions.log")" "$(id -u)"
    # Not one that others can write.
    chmod 777 "$SITE/tmp/crelease-$(id -u)"
    with_faults NO_PASSWD=1 HOME=/proc "TMPDIR=$SITE/tmp" 1 deploy production
    says 'only you can write'
    sed -i 's|^repository: .*|repository: ssh://127.0.0.1/x|' "$RECIPE"
    rm -r "$SITE/tmp/crelease-$(id -u)"
    with_faults NO_PASSWD=1 HOME=/proc "TMPDIR=$SITE/tmp" 5 deploy production
}
connections_to() { grep -c '^Connection from ' "$RIG/$1/sshd.log"; }

case_home_of_a_user() {
    site_new home_of_a_user 1
    mkdir "$SITE/home"
    # Neither the key nor known_hosts are where HOME leads; ~user is the entry of the user database.
    sed -i "s|name: app|identity: '~$(id -un)/no-such-key', &|" "$RECIPE"
    expect 5 status production
    says "$(getent passwd "$(id -un)" | cut -d: -f6 | sed 's|/$||')/no-such-key"
}

case_empty_known_hosts() {
    site_new empty_known_hosts 1
    cp -R "$RIG/home" "$SITE/home"
    export HOME=$SITE/home
    : >"$HOME/.ssh/known_hosts"
    expect 5 status production
    says_not 'success|cannot read'
    says 'is not in ~/.ssh/known_hosts'
    rm "$HOME/.ssh/known_hosts"
    mkdir "$HOME/.ssh/known_hosts"
    expect 5 status production
    says 'cannot read.*directory'
}

# At every place in a line that is cut, in every part of it.
case_secret_across_a_cut() {
    site_new secret_across_a_cut 0
    recipe_write <<<"env: {TOKEN: 'hunter2-hunter3-hunter4'}"$'\nsecrets: [TOKEN]'
    expect 0 deploy production
    local at
    for at in 65512 65513 65520 65530 65534 65535 65536; do
        expect 0 exec production -- "head -c $at /dev/zero | tr '\\0' x; printf '%s' \"\$TOKEN\"; head -c 70000 /dev/zero | tr '\\0' y"
        tr -d '\n' <"$OUT" >"$SITE/joined"
        ! grep -qE 'hunter|unter' "$SITE/joined" || fail "shown at byte $at"
        same "all of it at $at" "$(sed 's/\[secret\]/S/' "$SITE/joined" | tr -s xy)" xSy
        expect 0 exec --json production -- "head -c $at /dev/zero | tr '\\0' x; printf '%s' \"\$TOKEN\""
        ! jq -j '.hosts[].output[]' "$OUT" | grep -qE 'hunter|unter' || fail "shown in JSON at byte $at"
    done
    # A job's, whose last output is repeated when it has failed: one line without an end.
    recipe_write <<<"env: {TOKEN: 'hunter2-hunter3-hunter4'}"$'\nsecrets: [TOKEN]\nbuild: [\'i=0; while [ $i -lt 12000 ]; do printf "%s" "$TOKEN"; i=$((i+1)); done; exit 7\']'
    expect 1 deploy --force production
    says_not 'hunter|unter'
}

case_password_of_the_repository() {
    site_new password_of_the_repository 1
    local user
    user=$(id -un)
    commit_file public/large "$(head -c 300000 /dev/urandom | base64)"
    recipe_write <<<"repository: 'ssh://$user:s3cr3t@$(host_address app1):$(host_port app1)$REPO'"
    typed -v deploy production
    typed_end 0
    typed_says 'fetching ssh://[^ ]*:\*\*\*@'
    ! typed_says 's3cr3t' || fail "the password is on the screen"
    ! grep -rq s3cr3t "$SITE/app1" "$RIG/home/.cache" || fail "the password is on the host or in the mirror"
    local form
    for form in 'u:s3cr3t@[::1]:x' "u:s3cr3t@127.0.0.1:x/y" 'http://ann:s3cr3t@127.0.0.1:1/x' 'https://ann:s3c/r3t@127.0.0.1/x' 'ftp://ann:s3cr3t@h/x'; do
        recipe_write <<<"repository: '$form'"
        cr plan production
        [ "$STATUS" -ne 0 ] || fail "there is no such repository: $form"
        says_not 's3c|r3t'
        cr deploy --json production
        says_not 's3c|r3t'
    done
}

rig_open
rig_start 2
run_cases "$@"
