#!/bin/bash
# The ssh program as the way to the hosts.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

export TRANSPORT=openssh

# Nothing of ssh is left behind: no process, and no folder of sockets.
nothing_is_left() {
    [ -z "$(ls "$XDG_RUNTIME_DIR")" ] && ! pgrep -f "ssh.*$XDG_RUNTIME_DIR/crelease-" >/dev/null
}
openssh_site() { # NAME HOSTS
    site_new "$1" "$2"
    cp -R "$RIG/home" "$SITE/home"
    # A short one: there are sockets in it.
    export HOME=$SITE/home XDG_RUNTIME_DIR=$RIG/x
    rm -rf "$XDG_RUNTIME_DIR"
    mkdir -m 700 "$XDG_RUNTIME_DIR"
}
bg_says() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }

case_deploy() {
    openssh_site deploy 2
    expect_status 0 check production
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    commit_file more text
    expect_status 0 deploy -v production
    assert_deployed "$(revision)" 2
    expect_output 'app1: Authenticated to 127.0.1.1'
    expect_status 0 rollback production
    expect_status 0 exec production --hosts app2 -- 'head -c 5000000 /dev/zero | tr "\0" x | fold -w 99'
    assert_equal bytes "$(wc -c <"$OUT")" 5050506
    expect_status 1 exec production --hosts app2 -- 'exit 7'
    expect_output 'exit status 7'
    nothing_is_left || fail "left: $(ls -R "$XDG_RUNTIME_DIR")"
}

# Killed in a job: ssh goes with it, the host notices, and the run is resumed.
case_killed() {
    openssh_site killed 2
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while ! test -e $SITE_Q/go; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill_crelease
    wait_for 30 no_ssh
    : >"$SITE/go"
    expect_status 6 deploy --on-unfinished stop production
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
    wait_for 10 nothing_is_left
}
no_ssh() { ! pgrep -f "ssh.*$XDG_RUNTIME_DIR/crelease-" >/dev/null; }

# Stopped while another run takes over, which ends its shells: it says that, and not just that they were lost.
case_taken_over() {
    openssh_site taken_over 2
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while ! test -e $SITE_Q/go; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill -STOP "$CR_PID"
    : >"$SITE/go"
    expect_status 0 resume --takeover --force production
    kill -CONT "$CR_PID"
    finish_crelease 3
    bg_says 'it was taken over' || fail "it does not say why"
    assert_deployed "$(revision)" 1
}

# A folder of sockets is removed by the next crelease if its process is gone, and in no other case.
case_folders_of_others() {
    local folder=$RIG/x/crelease
    openssh_site folders_of_others 1
    recipe_write <<<"build: ['echo x >$SITE_Q/begun; while ! test -e $SITE_Q/go; do sleep 0.05; done']"
    make_folder() { mkdir -m 700 "$1" && : >"$1/lock" && perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' "$1/0"; }
    make_folder "$folder-aaaaaa" # its process is gone
    make_folder "$SITE/elsewhere"
    ln -s "$SITE/elsewhere" "$folder-bbbbbb"
    make_folder "$folder-cccccc" # it has no lock
    rm "$folder-cccccc/lock"
    make_folder "$folder-dddddd" # it has a file that is not ours
    echo mine >"$folder-dddddd/1"
    make_folder "$folder-eeeeee" # others may write to it
    chmod 777 "$folder-eeeeee"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    assert_gone "$folder-aaaaaa"
    assert_exists "$SITE/elsewhere/0"
    assert_exists "$folder-cccccc/0"
    assert_exists "$folder-dddddd/1"
    assert_exists "$folder-eeeeee/0"
    rm -r "$folder"-[b-e]?????
    # The sockets of one that is alive stay, as it needs them.
    expect_status 0 status production
    : >"$SITE/go"
    finish_crelease 0
    wait_for 10 nothing_is_left
}

case_connection_is_lost() {
    openssh_site connection_is_lost 2
    recipe_write <<<"build: [{run: 'echo begun; while ! test -e $SITE_Q/go; do sleep 0.05; done', name: slow}]"
    start_crelease deploy production
    wait_for 60 bg_says 'app2 . begun'
    host_stop app2
    : >"$SITE/go"
    finish_crelease 7
    bg_says 'connection to 127.0.1.2 was lost' || fail 'not the cause'
    host_restart app2
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
    nothing_is_left || fail "left: $(ls -R "$XDG_RUNTIME_DIR")"
}

case_interrupted() {
    openssh_site interrupted 1
    recipe_write <<<"build: ['echo x >>$SITE_Q/begun; while ! test -e $SITE_Q/go; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -s "$SITE/begun"
    kill -INT "$CR_PID"
    : >"$SITE/go"
    finish_crelease 130
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
}

case_cannot_log_in() {
    openssh_site cannot_log_in 1
    mv "$HOME/.ssh/id_ed25519" "$HOME/.ssh/elsewhere"
    expect_status 5 status production
    expect_output 'the ssh program cannot log in to 127.0.1.1: .*Permission denied \(publickey\)'
    sed -i "s|{host: 127.0.1.1,|{host: 127.0.1.1, identity: ~/.ssh/elsewhere,|" "$RECIPE"
    expect_status 0 status production
    : >"$HOME/.ssh/known_hosts"
    expect_status 5 status production
    expect_output 'No ED25519 host key is known for .*Host key verification failed'
    export CRELEASE_KNOWN_HOSTS
    CRELEASE_KNOWN_HOSTS=$(cat "$RIG/home/.ssh/known_hosts")
    expect_status 0 status production
    unset CRELEASE_KNOWN_HOSTS
    sed -i '/host: 127/s|port: [0-9]*|port: 1|' "$RECIPE"
    expect_status 5 status production
    expect_output 'connect to host 127.0.1.1 port 1: Connection refused'
    # A jump host that refuses the login is not asked again and again.
    sed -i "1i proxy_jump: nobody@127.0.1.1:$(host_port app1)" "$RECIPE"
    printf 'StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\n' >"$HOME/.ssh/config"
    expect_status 5 status production
    expect_output 'Permission denied'
    nothing_is_left || fail "left: $(ls -R "$XDG_RUNTIME_DIR")"
}

# What ssh would ask on a terminal: there and elsewhere the message says what to do instead, and nothing waits.
case_questions() {
    openssh_site questions 1
    local where
    configure app1 'PasswordAuthentication yes'
    ssh-keygen -q -p -P '' -N 'a passphrase' -f "$HOME/.ssh/id_ed25519"
    expect_status 5 status production
    expect_output 'Permission denied .*ssh cannot ask for a passphrase or a password here: load the key with ssh-add'
    start_on_terminal status production
    finish_on_terminal 5
    terminal_shows 'load the key with ssh-add'
    # From an agent it needs no passphrase.
    eval "$(ssh-agent -s -a "$SITE/agent")" >/dev/null
    printf '#!/bin/sh\necho "a passphrase"\n' >"$SITE/askpass"
    chmod +x "$SITE/askpass"
    SSH_ASKPASS=$SITE/askpass SSH_ASKPASS_REQUIRE=force ssh-add -q "$HOME/.ssh/id_ed25519"
    # An askpass program of the user's is not started behind their back.
    printf '#!/bin/sh\n: >"%s"\n' "$SITE/asked" >"$SITE/askpass"
    export SSH_ASKPASS=$SITE/askpass SSH_ASKPASS_REQUIRE=force
    expect_status 0 status production
    ssh-add -q -D
    expect_status 5 status production
    kill "$SSH_AGENT_PID"
    unset SSH_AUTH_SOCK SSH_AGENT_PID
    : >"$HOME/.ssh/known_hosts"
    for where in terminal elsewhere; do
        if [ "$where" = terminal ]; then
            start_on_terminal status production
            finish_on_terminal 5
            terminal_shows "'crelease check --scan' prints the host's key"
        else
            expect_status 5 status production
            expect_output "Host key verification failed; 'crelease check --scan' prints the host's key"
        fi
    done
    assert_gone "$SITE/asked"
    unset SSH_ASKPASS SSH_ASKPASS_REQUIRE
    ssh-keygen -q -t ed25519 -N '' -f "$SITE/other"
    echo "[127.0.1.1]:$(host_port app1) $(cut -d' ' -f1,2 "$SITE/other.pub")" >"$HOME/.ssh/known_hosts"
    expect_status 5 status production
    expect_no_output 'check --scan'
    configure app1
}

# An ssh that cannot end, because the network is gone, is killed.
case_ssh_that_hangs() {
    openssh_site ssh_that_hangs 1
    mkdir "$SITE/bin"
    printf '#!/bin/sh\ncase " $* " in *" -M "*) trap "" TERM HUP; for i in 1 2 3 4 5 6 7 8 9; do sleep 10; done ;; esac\nexec %s "$@"\n' \
        "$(command -v ssh)" >"$SITE/bin/ssh"
    chmod +x "$SITE/bin/ssh"
    printf 'Host *\nConnectTimeout 2\n' >"$HOME/.ssh/config"
    PATH=$SITE/bin:$PATH expect_status 5 status production
    expect_output 'did not log in to 127.0.1.1 within 2.0 s'
}

case_key_in_a_variable() {
    openssh_site key_in_a_variable 1
    mv "$HOME/.ssh/id_ed25519" "$HOME/.ssh/a key with 100%"
    CRELEASE_SSH_KEY="$HOME/.ssh/a key with 100%" expect_status 0 status production
    CRELEASE_SSH_KEY=$(cat "$HOME/.ssh/a key with 100%") expect_status 2 status production
    expect_output 'CRELEASE_SSH_KEY holds a key'
    sed -i "s|{host: 127.0.1.1,|{host: 127.0.1.1, identity: '~/.ssh/a key with 100%',|" "$RECIPE"
    expect_status 0 status production
}

case_host_keys() {
    openssh_site host_keys 1
    local key fingerprint
    key=$(cut -d' ' -f1,2 "$RIG/app1/key.pub")
    fingerprint=$(ssh-keygen -lf "$RIG/app1/key.pub" | cut -d' ' -f2)
    : >"$HOME/.ssh/known_hosts"
    cp "$RECIPE" "$SITE/unpinned"
    pin() { sed "s|{host: 127.0.1.1,|{host: 127.0.1.1, host_key: '$1',|" "$SITE/unpinned" >"$RECIPE"; }
    pin "$fingerprint"
    expect_status 0 status production
    pin "$key"
    expect_status 0 status production
    # What else makes ssh accept a key does not count, and its session type is ours.
    printf 'NoHostAuthenticationForLocalhost yes\nVerifyHostKeyDNS yes\nUpdateHostKeys yes\nSessionType none\n' >"$HOME/.ssh/config"
    expect_status 0 status production
    ssh-keygen -q -t ed25519 -N '' -f "$SITE/other"
    pin "$(ssh-keygen -lf "$SITE/other.pub" | cut -d' ' -f2)"
    expect_status 5 status production
    pin "$(cut -d' ' -f1,2 "$SITE/other.pub")"
    expect_status 5 status production
    expect_output 'Host key verification failed'
    cp "$SITE/unpinned" "$RECIPE"
    expect_status 5 status production
    sed -i '1i host_keys: accept-new' "$RECIPE"
    expect_status 0 status production
    [ -s "$HOME/.ssh/known_hosts" ] || fail 'not added'
}

case_jump() {
    openssh_site jump 3
    sed -i "1i proxy_jump: 127.0.1.1:$(host_port app1)" "$RECIPE"
    # The jump itself is configured by the user's file alone.
    printf 'IdentityFile %s\nUserKnownHostsFile %s\n' "$HOME/.ssh/id_ed25519" "$HOME/.ssh/known_hosts" >"$HOME/.ssh/config"
    expect_status 0 deploy production --hosts app2,app3
    assert_equal live "$(live_revision app3)" "$(revision)"
    # A pin is for its host, not for the jump.
    sed -i "s|{host: 127.0.1.2,|{host: 127.0.1.2, host_key: '$(cut -d' ' -f1,2 "$RIG/app2/key.pub")',|" "$RECIPE"
    expect_status 0 status production --hosts app2
}

# configure HOST LINE...: in front of its configuration, where the first value of an option counts.
configure() {
    local host=$1 line config=$RIG/$1/sshd_config
    shift
    [ -e "$config.kept" ] || cp "$config" "$config.kept"
    { for line; do printf '%s\n' "$line"; done; cat "$config.kept"; } >"$config.new"
    mv "$config.new" "$config"
    host_stop "$host"
    host_restart "$host"
}
# As the recipe of the site says, but over libssh2.
over_libssh2() { sed 's/^transport: .*/transport: libssh2/' "$RECIPE" >"$SITE/libssh2.yml"; }

# What libssh2 cannot do: the message says how to do it.
case_modern_server() {
    openssh_site modern_server 1
    configure app1 'MACs hmac-sha2-256-etm@openssh.com' 'Ciphers aes256-ctr'
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    over_libssh2
    run_crelease status -f "$SITE/libssh2.yml" production
    case $STATUS in
    0) ;; # libssh2 1.11
    5) expect_output "no MAC in common.*'transport: openssh' in the recipe uses the ssh program" ;;
    *) fail "status $STATUS" ;;
    esac
    configure app1
}

case_certificates() {
    openssh_site certificates 1
    ssh-keygen -q -t ed25519 -N '' -f "$SITE/ca"
    configure app1 "TrustedUserCAKeys $SITE/ca.pub" 'AuthorizedKeysFile none'
    expect_status 5 status production
    ssh-keygen -q -s "$SITE/ca" -I ann -n "$(id -un)" "$HOME/.ssh/id_ed25519.pub"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    over_libssh2
    expect_status 5 status -f "$SITE/libssh2.yml" production
    expect_output "set 'transport: openssh' in the recipe"
    ssh-keygen -q -s "$SITE/ca" -I app1 -h -n 127.0.1.1 "$RIG/app1/key.pub"
    # Kerberos, too, is for the ssh program alone.
    mv "$HOME/.ssh/id_ed25519-cert.pub" "$SITE"
    configure app1 'GSSAPIAuthentication yes' 'AuthorizedKeysFile none'
    expect_status 5 status -f "$SITE/libssh2.yml" production
    expect_output "right key; for Kerberos, set 'transport: openssh' in the recipe"
    mv "$SITE/id_ed25519-cert.pub" "$HOME/.ssh"
    # The host's key is known by its authority alone.
    configure app1 "TrustedUserCAKeys $SITE/ca.pub" 'AuthorizedKeysFile none' "HostCertificate $RIG/app1/key-cert.pub"
    echo "@cert-authority * $(cat "$SITE/ca.pub")" >"$HOME/.ssh/known_hosts"
    expect_status 0 status production
    configure app1
}

# ssh opens another connection where the first one may have no further session.
case_few_sessions() {
    openssh_site few_sessions 1
    configure app1 'MaxSessions 1'
    recipe_write <<<"build: ['echo built >made']"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    configure app1
}

# Thirty logins at one address, of which sshd begins to drop some after ten.
case_many_hosts() {
    openssh_site many_hosts 1
    local i
    configure app1 'MaxStartups 10:30:100'
    sed -i '/name: app/d' "$RECIPE"
    for i in $(seq 30); do
        echo "      - {host: 127.0.1.1, port: $(host_port app1), name: h$i, deploy_to: '$SITE/h$i'}" >>"$RECIPE"
    done
    expect_status 0 status production
    configure app1
}

rig_open
start_hosts 3
run_cases "$@"
