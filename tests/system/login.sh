#!/bin/bash
# Who logs in and with what: the user, the agent, passphrases; what is shown of secrets; and machines that
# have no descriptors, no memory or no names left.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='calls_that_fail out_of_memory names_that_are_slow agent_that_is_full agent_that_never_signs'

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
    CRELEASE=$SITE/with_faults expect_status "$@"
}
PROGRAM=$CRELEASE

# As in a container that gives a process a number: no entry in the user database, no home.
case_user_without_entry() {
    site_new user_without_entry 2
    faults
    local before
    before=$(connections_to app1)
    with_faults NO_PASSWD=1 USER=root LOGNAME=root 2 deploy production
    expect_output "user id $(id -u)"
    expect_output "'user:'"
    with_faults NO_PASSWD=1 2 status --json production
    assert_equal "connections" "$(connections_to app1)" "$before"
    sed -i "s|name: app|user: '$(id -un)', identity: '$HOME/.ssh/id_ed25519', host_key: 'KEY', &|" "$RECIPE"
    sed -i "/name: app1/s|KEY|$(cut -d' ' -f1,2 "$RIG/app1/key.pub")|; /name: app2/s|KEY|$(cut -d' ' -f1,2 "$RIG/app2/key.pub")|" "$RECIPE"
    sed -i "s|^repository: .*|repository: 'file://$REPO'|" "$RECIPE"
    # With an unwritable home the mirror is made in the temporary folder.
    mkdir "$SITE/tmp"
    with_faults NO_PASSWD=1 HOME=/proc "TMPDIR=$SITE/tmp" USER= LOGNAME= USERNAME= 0 deploy production
    assert_deployed "$(revision)" 1
    assert_exists "$SITE/tmp/crelease-$(id -u)"
    assert_equal "by" "$(sed 's/.* by //' "$SITE/app1/revisions.log")" "$(id -u)"
    # Not one that others can write.
    chmod 777 "$SITE/tmp/crelease-$(id -u)"
    with_faults NO_PASSWD=1 HOME=/proc "TMPDIR=$SITE/tmp" 1 deploy production
    expect_output 'only you can write'
    sed -i 's|^repository: .*|repository: ssh://127.0.0.1/x|' "$RECIPE"
    rm -r "$SITE/tmp/crelease-$(id -u)"
    with_faults NO_PASSWD=1 HOME=/proc "TMPDIR=$SITE/tmp" 5 deploy production
}
connections_to() { grep -c '^Connection from ' "$RIG/$1/sshd.log" || true; }

case_home_of_a_user() {
    site_new home_of_a_user 1
    mkdir "$SITE/home"
    # Neither the key nor known_hosts are where HOME leads; ~user is the entry of the user database.
    sed -i "s|name: app|identity: '~$(id -un)/no-such-key', &|" "$RECIPE"
    expect_status 5 status production
    expect_output "$(getent passwd "$(id -un)" | cut -d: -f6 | sed 's|/$||')/no-such-key"
}

case_empty_known_hosts() {
    site_new empty_known_hosts 1
    cp -R "$RIG/home" "$SITE/home"
    export HOME=$SITE/home
    : >"$HOME/.ssh/known_hosts"
    expect_status 5 status production
    expect_no_output 'success|cannot read'
    expect_output 'is not in ~/.ssh/known_hosts'
    rm "$HOME/.ssh/known_hosts"
    mkdir "$HOME/.ssh/known_hosts"
    expect_status 5 status production
    expect_output 'cannot read.*directory'
}

# At every place in a line that is cut, in every part of it.
case_secret_across_a_cut() {
    site_new secret_across_a_cut 0
    recipe_write <<<"env: {TOKEN: 'hunter2-hunter3-hunter4'}"$'\nsecrets: [TOKEN]'
    expect_status 0 deploy production
    local at
    for at in 65512 65513 65520 65530 65534 65535 65536; do
        expect_status 0 exec production -- "head -c $at /dev/zero | tr '\\0' x; printf '%s' \"\$TOKEN\"; head -c 70000 /dev/zero | tr '\\0' y"
        tr -d '\n' <"$OUT" >"$SITE/joined"
        ! grep -qE 'hunter|unter' "$SITE/joined" || fail "shown at byte $at"
        assert_equal "all of it at $at" "$(sed 's/\[secret\]/S/' "$SITE/joined" | tr -s xy)" xSy
        expect_status 0 exec --json production -- "head -c $at /dev/zero | tr '\\0' x; printf '%s' \"\$TOKEN\""
        ! jq -j '.hosts[].output[]' "$OUT" | grep -qE 'hunter|unter' || fail "shown in JSON at byte $at"
    done
    # A job's, whose last output is repeated when it has failed: one line without an end.
    recipe_write <<<"env: {TOKEN: 'hunter2-hunter3-hunter4'}"$'\nsecrets: [TOKEN]\nbuild: [\'i=0; while [ $i -lt 12000 ]; do printf "%s" "$TOKEN"; i=$((i+1)); done; exit 7\']'
    expect_status 1 deploy --force production
    expect_no_output 'hunter|unter'
}

case_password_of_the_repository() {
    site_new password_of_the_repository 1
    local user
    user=$(id -un)
    commit_file public/large "$(head -c 300000 /dev/urandom | base64)"
    recipe_write <<<"repository: 'ssh://$user:s3cr3t@$(host_address app1):$(host_port app1)$REPO'"
    start_on_terminal -v deploy production
    finish_on_terminal 0
    terminal_shows 'fetching ssh://[^ ]*:\*\*\*@'
    ! terminal_shows 's3cr3t' || fail "the password is on the screen"
    ! grep -rq s3cr3t "$SITE/app1" "$RIG/home/.cache" || fail "the password is on the host or in the mirror"
    local form
    for form in 'u:s3cr3t@[::1]:x' "u:s3cr3t@127.0.0.1:x/y" 'http://ann:s3cr3t@127.0.0.1:1/x' 'https://ann:s3c/r3t@127.0.0.1/x' 'ftp://ann:s3cr3t@h/x'; do
        recipe_write <<<"repository: '$form'"
        run_crelease plan production
        [ "$STATUS" -ne 0 ] || fail "there is no such repository: $form"
        expect_no_output 's3c|r3t'
        run_crelease deploy --json production
        expect_no_output 's3c|r3t'
    done
}

# --- the agent ---------------------------------------------------------------------------------

# agent_fake WORD: at $SSH_AUTH_SOCK. mute: takes what comes and says nothing; full: does not even take
# connections; lists: has the rig's key, and never signs; the others say what no agent says.
agent_fake() {
    export SSH_AUTH_SOCK=$SITE/agent.$1
    perl "$TOP/tests/lib/agent.pl" "$SSH_AUTH_SOCK" "$1" "$RIG/home/.ssh/id_ed25519.pub" 9>&- &
    disown
    wait_for 10 test -e "$SSH_AUTH_SOCK.ready"
}
# took_at_most SECONDS COMMAND...
took_at_most() {
    local began=$SECONDS limit=$1
    shift
    "$@"
    [ $((SECONDS - began)) -le "$limit" ] || fail "took $((SECONDS - began)) s: $*"
}

# Asked once for all hosts, and the key file is tried then.
case_agent_that_is_mute() {
    site_new agent_that_is_mute 2
    agent_fake mute
    took_at_most 40 expect_status 0 check production
    expect_output 'the agent at .* did not answer within 5 s; continuing without it'
    assert_equal "connections" "$(cat "$SSH_AUTH_SOCK.connections")" 1
    # When there is nothing else, it is the agent that is named.
    mkdir -p "$SITE/home/.ssh"
    cp "$HOME/.ssh/known_hosts" "$SITE/home/.ssh"
    HOME=$SITE/home expect_status 5 check production
    expect_output 'cannot log in .*the agent at .* did not answer within 5 s.*restart the agent'
    # The signals are heard meanwhile.
    local signal began
    for signal in INT:130 TERM:143; do
        rm -f "$SSH_AUTH_SOCK.connections"
        start_crelease deploy production
        wait_for 20 test -e "$SSH_AUTH_SOCK.connections"
        began=$SECONDS
        kill "-${signal%:*}" "$CR_PID"
        finish_crelease "${signal#*:}"
        [ $((SECONDS - began)) -le 20 ] || fail "$signal was heard after $((SECONDS - began)) s"
        assert_gone "$SITE/app1/revisions.log"
    done
}

case_agent_that_is_full() {
    site_new agent_that_is_full 1
    agent_fake full
    took_at_most 40 expect_status 0 check production
}

case_agent_that_never_signs() {
    site_new agent_that_never_signs 2
    agent_fake lists
    took_at_most 40 expect_status 0 check production
    expect_output 'waiting for the agent to sign: confirm the request or touch the key'
    expect_output 'did not sign within 15 s; continuing without it'
    start_crelease deploy production
    wait_for 30 grep -q 'waiting for the agent' "$CR_ERR"
    kill -TERM "$CR_PID"
    took_at_most 12 finish_crelease 143
}

# Whatever comes out of the socket, the login goes on with the file.
case_agent_that_is_hostile() {
    site_new agent_that_is_hostile 1
    local word
    for word in huge zero short many lies wrong refuses hangs_up talks; do
        agent_fake "$word"
        took_at_most 40 expect_status 0 status production
    done
    export SSH_AUTH_SOCK=$SITE/nothing
    expect_status 0 status production
    expect_no_output agent
    SSH_AUTH_SOCK=$SITE/$(printf 'x%.0s' {1..120}) expect_status 0 status production
}

case_agent_keys() {
    site_new agent_keys 2
    local kind
    mkdir -p "$SITE/home/.ssh"
    cp "$HOME/.ssh/known_hosts" "$SITE/home/.ssh"
    eval "$(ssh-agent -a "$SITE/real" 9>&-)" >/dev/null
    cp "$RIG/authorized_keys" "$SITE/authorized_keys"
    for kind in ed25519 ecdsa; do
        ssh-keygen -q -t "$kind" -N '' -f "$SITE/$kind"
        cat "$SITE/$kind.pub" >>"$RIG/authorized_keys"
        ssh-add -q -D
        ssh-add -q "$SITE/$kind"
        HOME=$SITE/home expect_status 0 status -v production
        expect_output "logged in as $(id -un) with agent key"
    done
    # A key that needs a confirmation which nobody gives.
    ssh-add -q -D
    ssh-add -q -c "$SITE/ed25519"
    HOME=$SITE/home expect_status 5 status production
    expect_output 'the agent refused to sign'
    kill "$SSH_AGENT_PID"
    cp "$SITE/authorized_keys" "$RIG/authorized_keys"
}

# --- passphrases -------------------------------------------------------------------------------

site_with_passphrase() {
    site_new "$1" 2
    mkdir -p "$SITE/home/.ssh"
    cp "$HOME/.ssh/known_hosts" "$SITE/home/.ssh"
    ssh-keygen -q -t ed25519 -N 'right one' -a 1 -f "$SITE/home/.ssh/id_ed25519"
    cp "$RIG/authorized_keys" "$SITE/authorized_keys"
    cat "$SITE/home/.ssh/id_ed25519.pub" >>"$RIG/authorized_keys"
    export HOME=$SITE/home
}
typed_so_far() { [ "$(tr -d '\r' <"$SITE/typed" | grep -cE -- "$2")" -ge "$1" ]; } # TIMES TEXT

case_passphrase() {
    site_with_passphrase passphrase
    start_on_terminal check production
    wait_for 30 typed_so_far 1 "^passphrase for '~/.ssh/id_ed25519': "
    echo wrong >&7
    wait_for 30 typed_so_far 1 "^wrong passphrase for '~/.ssh/id_ed25519', try again \(2 of 3\)"
    wait_for 30 typed_so_far 2 "^passphrase for "
    echo 'right one' >&7
    finish_on_terminal 0
    # Asked once for both hosts.
    assert_equal "questions" "$(grep -c 'passphrase for .*: ' "$SITE/typed")" 2
    start_on_terminal check production
    for try in 1 2 3; do
        wait_for 30 typed_so_far "$try" "^passphrase for "
        echo wrong >&7
    done
    finish_on_terminal 5
    terminal_shows 'try again \(3 of 3\)'
    terminal_shows 'the passphrase was wrong'
    ! terminal_shows '4 of 3' || fail "asked a fourth time"
    ! terminal_shows '^wrong$' || fail "what was typed is on the screen"
    # Nobody is there.
    expect_status 5 check production
    expect_output 'encrypted'
    cp "$SITE/authorized_keys" "$RIG/authorized_keys"
}

# The process with that command line, among those of this rig: other scripts run the same program meanwhile.
own_process() { # PATTERN
    local pid
    for pid in $(pgrep -f -- "$1"); do
        ! tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "CRELEASE_RIG=$RIG" || echo "$pid"
    done
}

# A signal ends the question, and the terminal is as it was.
case_passphrase_and_a_signal() {
    site_with_passphrase passphrase_and_a_signal
    local signal
    printf '#!/bin/sh\n%q "$@"\necho "status $?"\nstty -a | tr ";" "\\n" | grep -wo "[-]*echo"\n' "$CRELEASE" >"$SITE/then_stty"
    chmod +x "$SITE/then_stty"
    for signal in INT:130 TERM:143; do
        CRELEASE=$SITE/then_stty start_on_terminal check production
        wait_for 30 typed_so_far 1 "^passphrase for "
        kill "-${signal%:*}" "$(own_process "^$PROGRAM check production")"
        finish_on_terminal 0
        terminal_shows "^status ${signal#*:}"
        terminal_shows '^echo$'
    done
    cp "$SITE/authorized_keys" "$RIG/authorized_keys"
}

# --- what waits elsewhere ----------------------------------------------------------------------

# A server of the repository that takes the connection and says nothing; a signal ends that at once.
case_git_server_that_is_mute() {
    site_new git_server_that_is_mute 1
    local port url signal
    perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 9, LocalAddr => "127.0.0.1"); open my $f, ">", "$ARGV[0].new"; print $f $s->sockport; close $f; rename "$ARGV[0].new", $ARGV[0]; my @c; my $p = getppid(); $s->timeout(1); while (getppid() == $p) { my $c = $s->accept or next; push @c, $c; open my $n, ">", "$ARGV[0].taken" }' "$SITE/port" 9>&- &
    disown
    wait_for 10 test -e "$SITE/port"
    port=$(cat "$SITE/port")
    for url in "git://127.0.0.1:$port/x" "ssh://git@127.0.0.1:$port/x" "http://127.0.0.1:$port/x"; do
        recipe_write <<<"repository: '$url'"
        for signal in INT:130 TERM:143; do
            rm -f "$SITE/port.taken"
            start_crelease deploy production
            wait_for 20 test -e "$SITE/port.taken"
            kill "-${signal%:*}" "$CR_PID"
            took_at_most 30 finish_crelease "${signal#*:}"
            says_nothing_lives
        done
    done
}
says_nothing_lives() {
    local pid
    for pid in $(pgrep -x crelease); do
        ! tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qxF "CRELEASE_RIG=$RIG" || fail "process $pid is left"
    done
}

# The ssh program asks for the passphrase of the key for the repository.
case_passphrase_of_the_repository() {
    site_with_passphrase passphrase_of_the_repository
    sed -i "s|name: app|identity: '$RIG/home/.ssh/id_ed25519', &|" "$RECIPE"
    sed -i "s|^repository: .*|repository: 'ssh://$(id -un)@$(host_address app1):$(host_port app1)$REPO'|" "$RECIPE"
    start_on_terminal deploy production
    wait_for 30 typed_so_far 1 'Enter passphrase for key'
    echo wrong >&7
    wait_for 30 typed_so_far 2 'Enter passphrase for key'
    echo 'right one' >&7
    finish_on_terminal 0
    assert_deployed "$(revision)" 1
    start_on_terminal deploy production
    for try in 1 2 3; do
        wait_for 30 typed_so_far "$try" 'Enter passphrase for key'
        echo wrong >&7
    done
    finish_on_terminal 5
    terminal_shows 'Permission denied'
    # An agent that is mute is not waited for.
    agent_fake mute
    took_at_most 60 expect_status 5 deploy production
    expect_output 'the agent at .* did not answer'
    cp "$SITE/authorized_keys" "$RIG/authorized_keys"
}

# A name server that does not answer: nobody waits for it who is to end.
case_names_that_are_slow() {
    site_new names_that_are_slow 1
    faults
    sed -i "s|host: $(host_address app1)|host: no-such-host.example|" "$RECIPE"
    printf '#!/bin/sh\nexec env LD_PRELOAD=%q SLOW_NAMES=200 %q "$@"\n' "$FAULTS" "$PROGRAM" >"$SITE/slow"
    chmod +x "$SITE/slow"
    CRELEASE=$SITE/slow took_at_most 60 expect_status 5 status production
    expect_output 'the name lookup did not finish within'
    CRELEASE=$SITE/slow start_crelease status production
    # shellcheck disable=SC2016 # for bash
    wait_for 20 bash -c 'ls /proc/$0/task | grep -q -v "^$0\$"' "$CR_PID"
    kill -TERM "$CR_PID"
    took_at_most 30 finish_crelease 143
}

# --- a machine that has nothing left --------------------------------------------------------------

# ended_well WHAT: with a status of its own and, when it failed, with words.
ended_well() {
    case $STATUS in
    0 | 1 | 2 | 5 | 7) ;;
    *) fail "$1: status $STATUS" ;;
    esac
    [ "$STATUS" = 0 ] || grep -q '^crelease: .' "$ERR" || fail "$1: status $STATUS and no message"
    ! grep -qi 'sanitizer' "$ERR" || fail "$1: $(head -n 3 "$ERR")"
}

case_no_descriptors() {
    site_new no_descriptors 1
    faults
    local n command
    for command in 'status production' 'check production' 'exec production -- true' --version 'plan production'; do
        for n in 3 4 5 6 7 8 9 10 11 12 14 16 20 40; do
            printf '#!/bin/sh\nulimit -n %s\nexec %q "$@"\n' "$n" "$PROGRAM" >"$SITE/limited"
            chmod +x "$SITE/limited"
            # shellcheck disable=SC2086 # words
            CRELEASE=$SITE/limited run_crelease $command
            # The dynamic linker itself says what it cannot open.
            [ "$STATUS" = 127 ] || ended_well "$command with $n descriptors"
        done
        assert_equal "$command with 40 descriptors" "$STATUS" "$(case $command in exec*) echo 1 ;; *) echo 0 ;; esac)"
    done
    # A soft limit is no decision.
    printf '#!/bin/sh\nulimit -Sn 8\nexec %q "$@"\n' "$PROGRAM" >"$SITE/limited"
    CRELEASE=$SITE/limited expect_status 0 status production
}

case_closed_streams() {
    site_new closed_streams 1
    local closed
    expect_status 0 deploy production
    for closed in '<&-' '>&-' '2>&-' '<&- >&-' '<&- >&- 2>&-'; do
        printf '#!/bin/sh\nexec %q "$@" %s\n' "$PROGRAM" "$closed" >"$SITE/closed"
        chmod +x "$SITE/closed"
        commit_file new "without $closed"
        CRELEASE=$SITE/closed run_crelease deploy production
        [ "$STATUS" = 0 ] || fail "with $closed: status $STATUS"
        assert_deployed "$(revision)"
    done
}

# Each call of the set-up that can fail, one after the other.
case_calls_that_fail() {
    site_new calls_that_fail 1
    faults
    local call n
    expect_status 0 deploy production
    for call in pipe2 pipe eventfd epoll_create1 socketpair sigaction pthread_create socket epoll_ctl:12 read:5 open fopen connect:104 send:104 recv:104; do
        n=0
        while n=$((n + 1)) && [ $n -le 60 ]; do
            rm -f "$SITE/hit"
            printf '#!/bin/sh\nexec env LD_PRELOAD=%q FAULT=%s:%s:%s FAULT_HIT=%q %q "$@"\n' "$FAULTS" "${call%:*}" "$n" \
                "$(case $call in *:*) echo "${call#*:}" ;; *) echo 24 ;; esac)" "$SITE/hit" "$PROGRAM" >"$SITE/failing"
            chmod +x "$SITE/failing"
            CRELEASE=$SITE/failing run_crelease status production
            [ "$STATUS" = 127 ] || ended_well "$call number $n"
            [ -e "$SITE/hit" ] || break
        done
    done
}

case_out_of_memory() {
    site_new out_of_memory 1
    faults
    local kb n
    expect_status 0 deploy production
    # Looking up a user would be the C library, which has faults of its own here.
    sed -i "s|name: app|user: '$(id -un)', &|" "$RECIPE"
    for n in $(seq 1 40) $(seq 50 37 800) 1000 1500 2000 3000 5000; do
        printf '#!/bin/sh\nexec env LD_PRELOAD=%q FAULT=malloc:%s:12 %q "$@"\n' "$FAULTS" "$n" "$PROGRAM" >"$SITE/failing"
        chmod +x "$SITE/failing"
        CRELEASE=$SITE/failing run_crelease status production
        [ "$STATUS" = 127 ] || ended_well "malloc number $n"
    done
    # Where the room for addresses is small; the dynamic linker wants some of it.
    if [ "$(ldd "$PROGRAM" | grep -c asan)" = 0 ]; then
        for kb in 20000 30000 40000 45000 50000 55000 60000 70000 100000; do
            printf '#!/bin/sh\nulimit -v %s\nexec %q "$@"\n' "$kb" "$PROGRAM" >"$SITE/failing"
            CRELEASE=$SITE/failing run_crelease status production
            [ "$STATUS" = 127 ] || ended_well "$kb kB"
        done
    fi
}

rig_open
start_hosts 2
run_cases "$@"
