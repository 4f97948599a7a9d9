#!/bin/bash
# What stands between sshd and a script: start-up files that print, read or start other things, logins
# that run no commands, and sshds that give few sessions.
# shellcheck disable=SC2016 # for the hosts' shells
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='one_session two_sessions no_commands slow later'

# login_of HOST <<END: what is run there at each login, with the command in $SSH_ORIGINAL_COMMAND.
login_of() {
    {
        echo '#!/bin/sh'
        cat
    } >"$RIG/$1/login.new"
    chmod +x "$RIG/$1/login.new"
    mv "$RIG/$1/login.new" "$RIG/$1/login"
}
plain_login() { login_of app1 <<<'exec sh -c "$SSH_ORIGINAL_COMMAND"'; }

# sshd_with LINES...: app1's, with these settings in front of all others.
sshd_with() {
    local config=$RIG/app1/sshd_config
    host_stop app1
    {
        printf '%s\n' "$@"
        cat "$RIG/app1/sshd_config.kept"
    } >"$config"
    host_restart app1
}

noise_site() {
    site_new "$1" 1
    recipe_write <<<'build: ["echo built | tee made; echo lock 1"]'
}

# deploys_and_fails: both work as without noise, to the last byte of what is shown.
deploys_and_fails() {
    expect_status 0 check production
    expect_status 0 deploy --force production
    assert_deployed "$(revision)"
    expect_output 'app1 \| built'
    expect_no_output '(noise|[0-9a-f]{16})'
    expect_status 0 exec production -- 'echo "out"; echo "err" >&2'
    assert_equal "what exec shows" "$(cat "$OUT")" $'out\nerr'
}

case_greetings() {
    noise_site greetings
    login_of app1 <<'END'
echo 'noise: lock your screen when you leave'
printf '%s\n' 'lock run 1' 'lock_is there' 'held k7f2' 'ended 0' 'error noise' 'fenced noise' end 'is noise' 'exit 9' 'out 9999' 'current /noise'
printf '%s\n' 'noise on the other stream' >&2
printf '\033]0;noise\007'
exec sh -c "$SSH_ORIGINAL_COMMAND"
END
    deploys_and_fails
    # The words of the script count where it fails, not those of the login.
    recipe_write <<<'build: ["echo why >&2; exit 7"]'
    expect_status 1 deploy --force production
    expect_output 'why'
    expect_no_output noise
    expect_status 0 abort production
    # -v tells of it, once.
    expect_status 0 check -v production
    assert_equal "told" "$(grep -c 'app1: the login shell prints' "$ERR")" 1
}

case_bytes() {
    noise_site bytes
    login_of app1 <<'END'
head -c 3000000 /dev/urandom
yes noise | head -c 4000000
printf 'noise without an end \000'
head -c 100000 /dev/urandom >&2
exec sh -c "$SSH_ORIGINAL_COMMAND"
END
    deploys_and_fails
}

# A login that shows the command, or what it reads, does not answer in the script's place.
case_echoes() {
    noise_site echoes
    login_of app1 <<'END'
set -x
echo "noise: $SSH_ORIGINAL_COMMAND"
logger() { echo "noise: $*" >&2; }
logger "$SSH_ORIGINAL_COMMAND"
exec sh -c "$SSH_ORIGINAL_COMMAND"
END
    deploys_and_fails
}

case_reads_a_line() {
    noise_site reads_a_line
    login_of app1 <<'END'
printf 'noise: your name? '
read -r name
read -r name
exec sh -c "$SSH_ORIGINAL_COMMAND"
END
    deploys_and_fails
}

case_another_shell() {
    noise_site another_shell
    login_of app1 <<'END'
printf 'noise '
exec bash
END
    deploys_and_fails
}

case_slow() {
    noise_site slow
    login_of app1 <<'END'
(sleep 1; echo 'noise, late') >&2 &
sleep 2
exec sh -c "$SSH_ORIGINAL_COMMAND"
END
    expect_status 0 deploy --force production
    assert_deployed "$(revision)"
}

# What the wrapper does behind the script is not the script's: its status least of all.
case_words_behind() {
    noise_site words_behind
    login_of app1 <<'END'
sh -c "$SSH_ORIGINAL_COMMAND"
echo 'noise: bye'
END
    expect_status 0 deploy --force production
    assert_deployed "$(revision)"
    recipe_write <<<'build: ["exit 7"]'
    expect_status 1 deploy --force production
    expect_output 'exit status 7'
    expect_status 0 abort production
}

# refused PATTERN: status 5, with the host's words, and nothing is changed.
refused() {
    local before command
    before=$(tree_of "$SITE/app1")
    for command in deploy check; do
        expect_status 5 "$command" production
        expect_output "$1"
    done
    assert_equal "app1" "$(tree_of "$SITE/app1")" "$before"
}

case_no_commands() {
    site_new no_commands 1
    login_of app1 <<<'echo "This account is currently not available."; exit 1'
    refused "cannot run commands on 127.0.1.1 port [0-9]+.*'This account is currently not available.'.*exit status 1"
    login_of app1 <<<'exec false'
    refused 'printed nothing and ended with exit status 1'
    login_of app1 <<<'exit 0'
    refused 'printed nothing and ended with exit status 0'
    login_of app1 <<<'echo no'
    refused "'no'"
    login_of app1 <<<'printf "\033]0;host\007\033[31mWelcome\033[0m\r\n"; echo "error: maintenance until 9" >&2; exit 3'
    refused "'Welcome; error: maintenance until 9' and ended with exit status 3"
    login_of app1 <<<'exec git-shell -c "$SSH_ORIGINAL_COMMAND"'
    refused 'unrecognized command'
    login_of app1 <<<'exec bash -r -c "$SSH_ORIGINAL_COMMAND"'
    refused 'restricted'
    login_of app1 <<<'kill -KILL $$'
    refused 'was ended by signal KILL'
    login_of app1 <<<'cat >/dev/null; exec sh -c "$SSH_ORIGINAL_COMMAND"'
    refused 'start-up file.*reads standard input'
    login_of app1 <<<'exec cat'
    refused 'ended with exit status 0'
    plain_login
    expect_status 0 deploy production
}

# One that goes on for ever is not waited for.
case_no_end() {
    site_new no_end 1
    login_of app1 <<<'echo "one moment"; exec sleep 1000'
    local began=$SECONDS
    expect_status 5 check production
    expect_output "printed 'one moment' and did not start the script within 20 s"
    [ $((SECONDS - began)) -lt 50 ] || fail "took $((SECONDS - began)) s"
}

# In the middle of a run: not sent, and so resumed.
case_later() {
    plain_login
    site_new later 1
    recipe_write <<<"build: ['touch $SITE_Q/came; until [ -e $SITE_Q/go ]; do sleep 0.05; done']"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/came"
    login_of app1 <<<'echo "This account is currently not available."; exit 1'
    touch "$SITE/go"
    finish_crelease 7
    grep -q 'not available' "$CR_ERR" || fail "the host's words are not shown"
    plain_login
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
}

# with_sessions N: whole deploys with a sshd that gives so many sessions in a connection.
with_sessions() {
    local try
    plain_login
    sshd_with "MaxSessions $1"
    site_new "sessions_$1" 1
    recipe_write <<END
build: ['echo one; echo two >&2', 'until [ -e $SITE_Q/go ]; do sleep 0.05; done; echo three']
hooks: {before switch: [echo four], after restart: [echo five]}
END
    expect_status 0 check production
    touch "$SITE/go"
    for try in 1 2 3; do
        expect_status 0 deploy --force production
        assert_deployed "$(revision)"
        assert_equal "output $try" "$(sed -n 's/.* app1 | //p' "$OUT" | sort | tr '\n' ' ')" 'five four one three two '
    done
    # One that is killed in a job, and taken up again.
    rm "$SITE/go"
    commit_file public/index.html two
    start_crelease deploy production
    wait_for 60 grep -q '| two' "$CR_OUT"
    kill_crelease
    touch "$SITE/go"
    expect_status 0 resume production
    assert_deployed "$(revision)"
    expect_status 0 rollback production
    expect_status 0 exec production -- 'echo six'
    expect_output six
    sshd_with ''
}

case_one_session() {
    with_sessions 1
    # The lock is kept in a connection of its own.
    sshd_with 'MaxSessions 1'
    expect_status 0 deploy -v --force production
    expect_output 'allows no more sessions on this connection: opening another connection'
    sshd_with ''
}
case_two_sessions() { with_sessions 2; }

case_no_session() {
    plain_login
    sshd_with 'MaxSessions 0'
    site_new no_session 1
    refused 'did not open a session for a command \(MaxSessions'
    sshd_with ''
}

rig_open
start_hosts 1
cp "$RIG/app1/sshd_config" "$RIG/app1/sshd_config.kept"
sed -i "1i ForceCommand $RIG/app1/login" "$RIG/app1/sshd_config.kept"
plain_login
sshd_with ''
run_cases "$@"
