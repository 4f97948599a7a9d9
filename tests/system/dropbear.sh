#!/bin/bash
# Dropbear as the server of a host.
# shellcheck source=tests/lib/as-root.sh
. "$(dirname "$0")/../lib/as-root.sh"
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# start_dropbear TYPE...: a Dropbear with these host keys on $DROPBEAR_PORT.  Root's own authorized_keys would count,
# so it has another home there.
start_dropbear() {
    local type keys=() dir=$SITE/dropbear
    mkdir -p "$dir" "$RIG/login/.ssh"
    for type; do
        [ -e "$dir/$type" ] || dropbearkey -t "$type" -f "$dir/$type" | grep '^ssh-' >"$dir/$type.pub"
        keys+=(-r "$dir/$type")
    done
    sed "s|^\($(id -un):.*:\)[^:]*:\([^:]*\)\$|\1$RIG/login:\2|" /etc/passwd >"$dir/passwd"
    cp "$RIG/authorized_keys" "$RIG/login/.ssh/authorized_keys"
    chmod 700 "$RIG/login" "$RIG/login/.ssh"
    chmod 600 "$RIG/login/.ssh/authorized_keys"
    DROPBEAR_PORT=$(free_port 127.0.0.1)
    # shellcheck disable=SC2016 # for sh
    unshare -m sh -c 'mount --bind "$1" /etc/passwd; shift; exec "$@"' sh "$dir/passwd" \
        dropbear -F -E -s -p "127.0.0.1:$DROPBEAR_PORT" "${keys[@]}" -P "$dir/pid" >"$dir/log" 2>&1 9>&- &
    DROPBEAR=$!
    disown
    wait_for 20 port_answers 127.0.0.1 "$DROPBEAR_PORT"
    sed "s|^|[127.0.0.1]:$DROPBEAR_PORT |" "$dir/$1.pub" >"$HOME/.ssh/known_hosts"
    sed -i "s|{host: [^,]*, port: [0-9]*|{host: 127.0.0.1, port: $DROPBEAR_PORT|" "$RECIPE"
}
# A small device, or a container: Dropbear instead of OpenSSH.
case_dropbear() {
    needs_root
    site_new dropbear 1
    local transport
    start_dropbear ed25519 rsa
    for transport in libssh2 openssh; do
        over "$transport"
        commit_file "public/$transport" text
        expect_status 0 deploy -v production
        assert_deployed "$(revision)"
    done
    expect_status 0 rollback production
    kill "$DROPBEAR"
    # Its only key is an RSA key, which libssh2 1.10 cannot verify.
    start_dropbear rsa
    expect_status 0 status production
    over libssh2
    run_crelease status production
    kill "$DROPBEAR"
    case $STATUS in
    0) ;; # libssh2 1.11
    5) expect_output "no host key algorithm in common.*'transport: openssh' in the recipe uses the ssh program" ;;
    *) fail "status $STATUS" ;;
    esac
}

rig_open
start_hosts 1
run_cases "$@"
