#!/bin/bash
# The way to the hosts: what the ssh configuration says, jump hosts, ProxyCommand, new host keys.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# A home of its own for the case, with the text of ~/.ssh/config on standard input.
ssh_config() {
    [ -d "$SITE/home" ] || cp -R "$RIG/home" "$SITE/home"
    export HOME=$SITE/home
    cat >"$HOME/.ssh/config"
    chmod 600 "$HOME/.ssh/config"
}
# Replaces an address of the recipe by a name: alias app1 web.
alias_in_recipe() { sed -i "/name: $1,/s|host: [^,]*, port: [0-9]*|host: $2|" "$RECIPE"; }
bg_says() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
# How many connections each host has had so far.
connections() {
    local host
    for host; do grep -c '^Connection from ' "$RIG/$host/sshd.log" || true; done | tr '\n' ' '
}
# new_connections BEFORE HOST...
new_connections() {
    local before=$1 now
    shift
    now=$(connections "$@")
    # shellcheck disable=SC2086 # a list of numbers
    paste -d' ' <(printf '%s\n' $before) <(printf '%s\n' $now) | while read -r old new; do printf '%s ' $((new - old)); done
}

# Everything that a person may have said in ~/.ssh/config, and nothing of it in the recipe.
case_alias() {
    site_new alias 1
    alias_in_recipe app1 web
    ssh_config <<END
Include parts/*
Match originalhost web exec "test -e '$SITE/matched'"
    HostName 127.0.1.1
END
    mkdir "$HOME/.ssh/parts"
    mv "$HOME/.ssh/id_ed25519" "$HOME/.ssh/deploy key"
    mv "$HOME/.ssh/known_hosts" "$SITE/hosts"
    sed -i 's/^[^ ]*/web-key/' "$SITE/hosts"
    cat >"$HOME/.ssh/parts/web" <<END
Host web
    Port $(host_port app1)
    User $(id -un)
    IdentityFile "~/.ssh/deploy key"
    IdentitiesOnly yes
    UserKnownHostsFile $SITE/hosts
    HostKeyAlias web-key
    ConnectTimeout 20
END
    expect_status 5 status production
    expect_output "host name not found"
    : >"$SITE/matched"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    # The recipe wins.
    sed -i "s|host: web|host: web, port: 1|" "$RECIPE"
    expect_status 5 status production
    expect_output 'port 1: Connection refused'
}

case_which_configuration() {
    site_new which_configuration 1
    alias_in_recipe app1 web
    ssh_config <<<"Host web"$'\n'"    HostName 127.0.1.1"$'\n'"    Port $(host_port app1)"
    expect_status 0 status production
    sed -i '1i ssh_config: none' "$RECIPE"
    expect_status 5 status production
    expect_output 'web port 22: host name not found'
    mv "$HOME/.ssh/config" "$(dirname "$RECIPE")/ssh config"
    sed -i '1s|.*|ssh_config: ssh config|' "$RECIPE"
    expect_status 0 status production
    sed -i '1s|.*|ssh_config: no-such-file|' "$RECIPE"
    expect_status 2 status production
    expect_output "cannot read the ssh configuration '.*/no-such-file': No such file"
    echo 'Host web oops' >"$SITE/broken"
    echo '    Prot 22' >>"$SITE/broken"
    sed -i "1s|.*|ssh_config: $SITE/broken|" "$RECIPE"
    expect_status 2 status production
    expect_output "cannot be used for 'web': $SITE/broken: line 2: Bad configuration option: prot"
}

# A Match exec that hangs does not keep anybody from stopping.
case_interrupted() {
    site_new interrupted 1
    ssh_config <<<"Match exec \"touch '$SITE/asked'; sleep 600\""
    start_crelease deploy production
    wait_for 30 test -e "$SITE/asked"
    kill -INT "$CR_PID"
    finish_crelease 130
    bg_says 'stopped by Ctrl-C while reading the ssh configuration' || fail 'not said by what'
}

# configured [LINES]: app1 is reached with these lines of ~/.ssh/config.
configured() {
    ssh_config < <(printf '%s\n' "HostName 127.0.1.1" "Port $(host_port app1)" "$@")
}

# Programs that the configuration starts: in the background, without end, printing without end, or with "exec" in front.
case_programs_of_the_configuration() {
    site_new programs_of_the_configuration 1
    alias_in_recipe app1 web
    configured "Match exec \"sleep 300 & echo \\$! >$SITE/background\"" "Match exec \"head -c 5000000 /dev/zero >&2\""
    expect_status 0 status production
    kill "$(cat "$SITE/background")" || true
    configured "ProxyCommand exec perl -MIO::Socket -e 'exit !\$0' %h %C && exit 3"
    expect_status 5 status production
    expect_output "the ssh configuration of 'app1' sets %C in ProxyCommand, which crelease ignores"
    expect_no_output 'not found'
    # Too long for the system.
    configured "ProxyCommand echo $(printf '%150000s' x)"
    expect_status 5 status production
    expect_output 'ProxyCommand: .*argument list too long'
    # What hangs is ended with all that it has started.
    configured "Match exec \"echo \\$\\$ >$SITE/hangs; sleep 300; true\""
    start_crelease status production
    wait_for 30 test -s "$SITE/hangs"
    kill -INT "$CR_PID"
    finish_crelease 130
    wait_for 10 process_gone "$(cat "$SITE/hangs")"
}

# Values that are not what one expects: each has its meaning, or a message.
case_values_of_the_configuration() {
    local lines=() i
    site_new values_of_the_configuration 1
    alias_in_recipe app1 web
    # A variable must not become a line of its own in what ssh prints.
    # shellcheck disable=SC2016 # for ssh
    configured 'UserKnownHostsFile ${KNOWN}'
    KNOWN="$HOME/.ssh/known_hosts"$'\n'"proxycommand touch '$SITE/made'"$'\n' run_crelease status production
    assert_gone "$SITE/made"
    expect_output 'KNOWN'
    KNOWN=$HOME/.ssh/known_hosts expect_status 0 status production
    mkfifo "$SITE/fifo"
    configured "IdentityFile $SITE/fifo" "IdentityFile $SITE/"$'\e[31mred'
    expect_status 5 status production
    expect_output "fifo: not a regular file; .*/\\\\x1b\\[31mred: no such file"
    configured 'IdentityFile none'
    expect_status 5 status production
    expect_output 'no key in the agent, and IdentityFile of the ssh configuration is none'
    configured "UserKnownHostsFile $SITE/"$'\e[31mred'
    expect_status 5 status production
    ! grep -q $'\e' "$OUT" "$ERR" || fail 'an escape sequence is printed'
    configured 'BindAddress localhost'
    expect_status 5 status production
    expect_output 'BindAddress of the ssh configuration is not a numeric address'
    configured 'HostKeyAlgorithms sk-ssh-ed25519-cert-v01@openssh.com'
    expect_status 5 status production
    expect_output 'supports none of HostKeyAlgorithms'
    for i in {1..9000}; do lines+=("LocalForward $i a-name-that-is-long-$i:80"); done
    configured "${lines[@]}"
    expect_status 1 status production
    expect_output "cannot run 'ssh -G web': it printed more than 256 kB"
    echo "Include $SITE/loop" >"$SITE/loop"
    configured "Include $SITE/loop"
    expect_status 2 status production
    expect_output 'too many recursive configuration includes'
    configured 'KnownHostsCommand /bin/true'
    expect_status 0 status production
    expect_output 'sets KnownHostsCommand, which crelease ignores'
}

case_without_ssh() {
    site_new without_ssh 1
    ssh_config </dev/null
    mkdir "$SITE/bin"
    local tool
    for tool in git sh; do ln -s "$(command -v $tool)" "$SITE/bin/$tool"; done
    # The program alone gets that PATH.
    printf '#!/bin/sh\nPATH=%q exec %q "$@"\n' "$SITE/bin" "$CRELEASE" >"$SITE/without_ssh"
    chmod +x "$SITE/without_ssh"
    CRELEASE=$SITE/without_ssh expect_status 0 status production
    expect_output 'warning: ~/.ssh/config is not read: there is no ssh program here'
    rm "$HOME/.ssh/config"
    CRELEASE=$SITE/without_ssh expect_status 0 status production
    expect_no_output 'warning'
}

case_ignored_options() {
    site_new ignored_options 1
    ssh_config <<END
StrictHostKeyChecking no
Host 127.0.1.*
    Ciphers aes256-ctr
    SetEnv A=B
END
    expect_status 0 status production
    expect_output "sets StrictHostKeyChecking no, Ciphers, SetEnv, which crelease ignores"
}

case_jump() {
    site_new jump 3
    ssh_config <<END
Host first
    HostName 127.0.1.1
    Port $(host_port app1)
Host 127.0.1.2
    ProxyJump first
Host 127.0.1.3
    ProxyJump first,127.0.1.2:$(host_port app2)
END
    local before
    before=$(connections app1 app2 app3)
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    # app1 for itself and as the way to both others, app2 for itself and as the way to app3.
    assert_equal connections "$(new_connections "$before" app1 app2 app3)" '2 2 1 '
    # A change later, and much output on the way.
    commit_file more text
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
    expect_status 0 exec production --hosts app3 -- 'head -c 5000000 /dev/zero | tr "\0" x | fold -w 99'
    assert_equal bytes "$(wc -c <"$OUT")" 5050506
    # The recipe wins, and can say that there is none.
    sed -i '1i proxy_jump: none' "$RECIPE"
    before=$(connections app1 app2 app3)
    expect_status 0 status production
    assert_equal connections "$(new_connections "$before" app1 app2 app3)" '1 1 1 '
    sed -i "1s|.*|proxy_jump: 127.0.1.1:$(host_port app1)|" "$RECIPE"
    before=$(connections app1 app2 app3)
    expect_status 0 status production --hosts app3
    assert_equal connections "$(new_connections "$before" app1 app2 app3)" '1 0 1 '
}

case_jump_fails() {
    site_new jump_fails 2
    ssh_config <<END
Host 127.0.1.2
    ProxyJump bastion
Host bastion
    HostName 127.0.1.1
    Port $(host_port app1)
    IdentityFile ~/.ssh/no-such-key
    IdentitiesOnly yes
END
    expect_status 5 status production --hosts app2
    expect_output "cannot log in to 127.0.1.1 port $(host_port app1).*no-such-key: no such file"
    sed -i '/Identit/d' "$HOME/.ssh/config"
    sed -i '/name: app2/s|port: [0-9]*|port: 1|' "$RECIPE"
    expect_status 5 status production --hosts app2
    expect_output "cannot connect to 127.0.1.2 port 1 through bastion: the jump host 127.0.1.1 port $(host_port app1) could not connect"
    sed -i "/bastion/,\$s|Port .*|Port 1|" "$HOME/.ssh/config"
    expect_status 5 status production --hosts app2
    expect_output "through bastion: cannot connect to 127.0.1.1 port 1: Connection refused"
    printf 'Host *\n    ProxyJump bastion\n' >"$HOME/.ssh/config"
    expect_status 2 status production
    expect_output "cannot be used for 'bastion': jumphost loop via bastion"
    printf 'Host bastion\n    ProxyJump other\nHost *\n    ProxyJump bastion\n' >"$HOME/.ssh/config"
    expect_status 2 status production
    expect_output 'behind more than 7 jump hosts; does a ProxyJump lead back to itself'
}

# The jump host is lost while a job runs: the run can be resumed.
case_jump_is_lost() {
    site_new jump_is_lost 2
    recipe_write <<END
build: [{name: slow, run: 'echo begun; while [ ! -e "$SITE/go" ]; do sleep 0.1; done', roles: db}]
proxy_jump: 127.0.1.1:$(host_port app1)
END
    sed -i '/name: app1/d' "$RECIPE"
    start_crelease deploy production
    wait_for 60 bg_says 'app2 . begun'
    host_stop app1
    finish_crelease 7
    bg_says 'through 127.0.1.1 was lost: the connection to 127.0.1.1 port .* was lost' || fail 'not the cause'
    host_restart app1
    : >"$SITE/go"
    expect_status 0 resume production
    assert_equal live "$(live_revision app2)" "$(revision)"
}

case_proxy_command() {
    site_new proxy_command 1
    cat >"$SITE/relay" <<'END'
#!/bin/bash
echo "relay to $1 port $2" >&2
exec 3<>"/dev/tcp/$1/$2" || exit 1
cat <&3 &
cat >&3
END
    chmod +x "$SITE/relay"
    alias_in_recipe app1 web
    ssh_config <<END
Host web
    HostName 127.0.1.1
    Port $(host_port app1)
    ProxyCommand '$SITE/relay' %h %p
END
    expect_status 0 deploy -v production
    expect_output "ProxyCommand: relay to 127.0.1.1 port $(host_port app1)"
    assert_deployed "$(revision)" 1
    wait_for 10 no_relay
    sed -i 's|Port .*|Port 1|' "$HOME/.ssh/config"
    expect_status 5 status production
    expect_output "cannot connect to 127.0.1.1 port 1 through its ProxyCommand: .*the ProxyCommand said '.*Connection refused"
}
no_relay() { ! pgrep -f "^[^ ]*bash $SITE/relay" >/dev/null; }

case_accept_new() {
    site_new accept_new 1
    ssh_config <<<'HashKnownHosts yes'
    : >"$HOME/.ssh/known_hosts"
    sed -i '1i host_keys: accept-new' "$RECIPE"
    expect_status 0 status production
    expect_output "added the ED25519 key of 127.0.1.1 port $(host_port app1), SHA256:[^ ]*, to ~/.ssh/known_hosts"
    grep -q '^|1|[^ ]* ssh-ed25519 ' "$HOME/.ssh/known_hosts" || fail 'no hashed line'
    sed -i '1s/.*/host_keys: strict/' "$RECIPE"
    expect_status 0 status production
    expect_no_output added
    # A key that has changed is refused in any case.
    ssh-keygen -q -t ed25519 -N '' -f "$SITE/other"
    echo "[127.0.1.1]:$(host_port app1) $(cut -d' ' -f1,2 "$SITE/other.pub")" >"$HOME/.ssh/known_hosts"
    sed -i '1s/.*/host_keys: accept-new/' "$RECIPE"
    expect_status 5 status production
    expect_output 'CHANGED'
    assert_equal lines "$(wc -l <"$HOME/.ssh/known_hosts")" 1
}

# Many hosts behind one: one connection to it, and no more at a time to each than sshd allows.
case_many_behind_one() {
    site_new many_behind_one 2
    local i
    sed -i '/name: app/d' "$RECIPE"
    for i in $(seq 20); do
        echo "      - {host: 127.0.1.2, port: $(host_port app2), name: h$i, deploy_to: '$SITE/h$i'}" >>"$RECIPE"
    done
    sed -i "1i proxy_jump: 127.0.1.1:$(host_port app1)" "$RECIPE"
    local before
    before=$(connections app1)
    expect_status 0 status production
    assert_equal connections "$(new_connections "$before" app1)" '1 '
}

# RSA with SHA-2, in every format of a key file and from the agent.
case_rsa_keys() {
    site_new rsa_keys 1
    ssh_config <<<'IdentitiesOnly yes'
    rm "$HOME"/.ssh/id_*
    local format
    for format in RFC4716 PKCS8 PEM; do
        ssh-keygen -q -t rsa -b 2048 -m $format -N '' -f "$HOME/.ssh/id_rsa"
        cat "$HOME/.ssh/id_rsa.pub" >>"$RIG/authorized_keys"
        expect_status 0 status -v production
        expect_output 'logged in as .* with key ~/.ssh/id_rsa'
        # The file of the public key is not needed.
        rm "$HOME/.ssh/id_rsa.pub"
        expect_status 0 status production
        rm "$HOME/.ssh/id_rsa"
    done
    ssh-keygen -q -t rsa -b 3072 -N 'a passphrase' -f "$HOME/.ssh/id_rsa"
    expect_status 5 status production
    expect_output 'id_rsa: is (encrypted|an encrypted RSA key)'
    ssh-keygen -q -p -P 'a passphrase' -N '' -f "$HOME/.ssh/id_rsa"
    cat "$HOME/.ssh/id_rsa.pub" >>"$RIG/authorized_keys"
    : >"$HOME/.ssh/config"
    eval "$(ssh-agent -s -a "$SITE/agent")" >/dev/null
    ssh-add -q "$HOME/.ssh/id_rsa"
    rm "$HOME"/.ssh/id_rsa*
    run_crelease status -v production
    kill "$SSH_AGENT_PID"
    unset SSH_AUTH_SOCK SSH_AGENT_PID
    assert_equal status "$STATUS" 0
    expect_output "with agent key '.*' \(RSA\)"
}

# Each host has the agent that the configuration names; one of them is not there.
case_identity_agent() {
    site_new identity_agent 2
    ssh_config <<END
Host 127.0.1.1
    IdentityAgent "$SITE/home/agent-two"
END
    local first second
    eval "$(ssh-agent -s -a "$SITE/first")" >/dev/null
    first=$SSH_AGENT_PID
    eval "$(ssh-agent -s -a "$HOME/agent-two")" >/dev/null
    second=$SSH_AGENT_PID
    unset SSH_AGENT_PID
    ssh-add -q "$HOME/.ssh/id_ed25519"
    rm "$HOME"/.ssh/id_*
    export SSH_AUTH_SOCK=$SITE/first
    run_crelease status -v production
    kill "$second"
    [ "$STATUS" = 5 ] || fail "status $STATUS"
    expect_output 'app1: logged in as .* with agent key'
    expect_output 'cannot log in to 127.0.1.2'
    expect_no_output 'IdentityAgent'
    run_crelease status production --hosts app1
    kill "$first"
    assert_equal status "$STATUS" 5
    expect_output "the agent at '$HOME/agent-two' cannot be reached"
    unset SSH_AUTH_SOCK
}

# A machine without files: the key and the host's key are in variables.
case_variables() {
    site_new variables 1
    ssh_config </dev/null
    local key hosts
    key=$(cat "$HOME/.ssh/id_ed25519") hosts=$(cat "$HOME/.ssh/known_hosts")
    rm "$HOME"/.ssh/*
    CI=true expect_status 5 status production
    expect_output "add the line that 'crelease check ENV --scan' prints to CRELEASE_KNOWN_HOSTS \(or set host_key:"
    export CRELEASE_KNOWN_HOSTS=$hosts
    CI=true expect_status 5 status production
    expect_output 'no key.* set CRELEASE_SSH_KEY to a private key'
    expect_status 5 status production
    expect_output 'no key.* load a key with ssh-add'
    export CRELEASE_SSH_KEY=$key
    expect_status 0 deploy -v production
    expect_output 'with key CRELEASE_SSH_KEY'
    assert_deployed "$(revision)" 1
    CRELEASE_SSH_KEY=${key//$'\n'/$'\r\n'}
    expect_status 0 status production
    CRELEASE_SSH_KEY=$(base64 -w 0 <<<"$key")
    expect_status 0 status production
    CRELEASE_SSH_KEY=${key//$'\n'/ }
    expect_status 5 status production
    expect_output 'CRELEASE_SSH_KEY: has lost its line breaks'
    CRELEASE_SSH_KEY='not a key: hunter2'
    expect_status 5 status -v production
    expect_output 'CRELEASE_SSH_KEY: is neither a private key'
    expect_no_output hunter2
    unset CRELEASE_SSH_KEY CRELEASE_KNOWN_HOSTS
    ! grep -rqF -- "$(sed -n 2p <<<"$key")" "$SITE" || fail 'the key was written to disk'
}

# check --scan prints what makes the next check pass, in both forms.
case_scan() {
    site_new scan 2
    ssh_config </dev/null
    : >"$HOME/.ssh/known_hosts"
    expect_status 0 check --scan production
    grep -qF "app1, $(ssh-keygen -lf "$RIG/app1/key.pub" | cut -d' ' -f2)" "$OUT" || fail 'no fingerprint'
    cp "$OUT" "$SITE/scan"
    grep "^\[127" "$SITE/scan" >"$HOME/.ssh/known_hosts"
    assert_equal lines "$(wc -l <"$HOME/.ssh/known_hosts")" 2
    expect_status 0 status production
    : >"$HOME/.ssh/known_hosts"
    sed -i "s|name: app1,|name: app1, $(grep -m 1 '^host_key:' "$SITE/scan"),|" "$RECIPE"
    expect_status 0 status production --hosts app1
    expect_status 0 check --scan --json production
    assert_equal key "host_key: \"$(json '.host_keys[0].host_key')\"" "$(grep -m 1 '^host_key:' "$SITE/scan")"
    sed -i '/name: app2/s|port: [0-9]*|port: 1|' "$RECIPE"
    expect_status 5 check --scan production
    expect_output 'app2: cannot connect'
}

# The same through a jump host, over both transports.
case_scan_behind_a_jump_host() {
    site_new scan_behind_a_jump_host 3
    local transport
    # ssh takes its own files from the home directory in passwd.
    ssh_config <<END
IdentityFile $RIG/home/.ssh/id_ed25519
UserKnownHostsFile $RIG/home/.ssh/known_hosts
END
    sed -i '/name: app1/d' "$RECIPE"
    sed -i "1i proxy_jump: 127.0.1.1:$(host_port app1)" "$RECIPE"
    for transport in libssh2 openssh; do
        over "$transport"
        expect_status 0 check --scan production
        cp "$OUT" "$SITE/scan"
        grep -qF "app3, $(ssh-keygen -lf "$RIG/app3/key.pub" | cut -d' ' -f2)" "$SITE/scan" || fail 'no fingerprint'
        assert_equal lines "$(grep -c "^\[127.0.1.[23]\]:" "$SITE/scan")" 2
        expect_status 0 status production
    done
    # A pinned key and a host that is not there make no difference.
    sed -i "s|{host: 127.0.1.2,|{host: 127.0.1.2, host_key: '$(cut -d' ' -f1,2 "$RIG/app1/key.pub")',|" "$RECIPE"
    sed -i '/name: app3/s|port: [0-9]*|port: 1|' "$RECIPE"
    expect_status 5 check --scan --json production
    assert_equal key "$(json '.host_keys[0].host_key')" "$(cut -d' ' -f1,2 "$RIG/app2/key.pub")"
    assert_equal key "$(json '.host_keys[1].host_key')" null
    assert_equal error "$(json '.host_keys[1].error | test("closed|failed|refused")')" true
}

# configure HOST LINE...: in front of its configuration, where the first value of an option counts.
configure() {
    local host=$1 line config=$RIG/$1/sshd_config
    shift
    [ -e "$config.kept" ] || cp "$config" "$config.kept"
    { for line; do printf '%s\n' "$line"; done; cat "$config.kept"; } >"$config.new"
    mv "$config.new" "$config"
    host_stop "$host"
    start_sshd "$RIG/$host"
    sshd_ready "$RIG/$host" "$(host_address "$host")" "$(host_port "$host")" || fail "sshd of $host does not come back"
}

# A server that drops the connection at the second key that it rejects.
case_few_tries() {
    site_new few_tries 1
    ssh_config </dev/null
    configure app1 'MaxAuthTries 2'
    mv "$HOME/.ssh/id_ed25519" "$HOME/.ssh/right"
    ssh-keygen -q -t ed25519 -N '' -f "$HOME/.ssh/id_ed25519"
    ssh-keygen -q -t ecdsa -N '' -f "$HOME/.ssh/id_ecdsa"
    expect_status 5 status production
    expect_output "cannot log in to 127.0.1.1 .*id_ed25519: rejected.*the server closed the connection: .*Too many authentication failures"
    sed -i "s|name: app1,|name: app1, identity: ~/.ssh/right,|" "$RECIPE"
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    configure app1
}

rig_open
start_hosts 3
run_cases "$@"
