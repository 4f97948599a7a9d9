#!/bin/bash
# A repository behind ssh: its host's key is checked as every host's is.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

KNOWN=

# The repository of the site, through the sshd of app2; the site itself is on app1.
site_over_ssh() {
    site_new "$1" 1
    recipe_write <<<"repository: 'ssh://$(id -un)@$(host_address app2):$(host_port app2)$REPO'"
    KNOWN=$HOME/.ssh/known_hosts
    cp "$KNOWN" "$SITE/known_hosts"
}
line_of_app2() { grep -F "$(host_address app2)" "$SITE/known_hosts"; }
put_back() { cp "$SITE/known_hosts" "$KNOWN"; }

case_known() {
    site_over_ssh known
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    commit_file new.txt new
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
}

case_unknown() {
    site_over_ssh unknown
    grep -vF "$(host_address app2)" "$SITE/known_hosts" >"$KNOWN"
    run_crelease deploy production
    put_back
    assert_equal status "$STATUS" 5
    expect_output 'No ED25519 host key is known for'
    assert_gone "$SITE/app1/current"
}

case_changed() {
    site_over_ssh changed
    ssh-keygen -q -t ed25519 -N '' -f "$SITE/other"
    { grep -vF "$(host_address app2)" "$SITE/known_hosts"
        printf '[%s]:%s %s\n' "$(host_address app2)" "$(host_port app2)" "$(cut -d' ' -f1,2 "$SITE/other.pub")"
    } >"$KNOWN"
    run_crelease deploy production
    put_back
    assert_equal status "$STATUS" 5
    expect_output 'CHANGED'
    assert_gone "$SITE/app1/current"
}

case_revoked() {
    site_over_ssh revoked
    { cat "$SITE/known_hosts"; line_of_app2 | sed 's/^/@revoked /'; } >"$KNOWN"
    run_crelease deploy production
    put_back
    assert_equal status "$STATUS" 5
    expect_output 'REVOKED'
}

# On a machine without files, as in CI, where the ssh program would find no key.
case_key_in_variable() {
    site_over_ssh key_in_variable
    local key
    key=$(cat "$HOME/.ssh/id_ed25519")
    cp -R "$HOME" "$SITE/home"
    rm "$SITE/home/.ssh/id_ed25519"
    HOME=$SITE/home expect_status 5 plan production
    HOME=$SITE/home CRELEASE_SSH_KEY=${key//$'\n'/ } expect_status 5 plan production
    expect_output 'CRELEASE_SSH_KEY has lost its line breaks: store the key as a file or in base64'
    CI=true HOME=$SITE/nobody CRELEASE_SSH_KEY=$key expect_status 5 plan production
    expect_output "add the line that 'ssh-keyscan .*' prints to CRELEASE_KNOWN_HOSTS"
    HOME=$SITE/home CRELEASE_SSH_KEY=$key expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    # Containers and services may have no HOME.
    commit_file new.txt new
    (unset HOME && CRELEASE_SSH_KEY=$key CRELEASE_KNOWN_HOSTS=$(cat "$KNOWN") expect_status 0 deploy production)
    assert_deployed "$(revision)" 2
}

rig_open
start_postgres
start_hosts 2
run_cases "$@"
