#!/bin/bash
# `become` with a real sudo: accounts that need a password, and ones that do not (lib/accounts.sh).
PASSWORD='right one'
# shellcheck source=tests/lib/accounts.sh
. "$(dirname "$0")/../lib/accounts.sh"
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# sudo_site NAME HOSTS: the login is deployer, who owns nothing of the site; it belongs to app.
sudo_site() {
    local host
    site_new "$1" "$2"
    chmod 755 "$RIG" "$RIG/sites" "$SITE"
    for host in "${SITE_HOSTS[@]}"; do
        chown -R 65530:65530 "$SITE/$host"
        sed -i "/name: $host,/s|host: |user: deployer, host: |" "$RECIPE"
    done
    sed -i '1i become: app' "$RECIPE"
    sed -i '/^linked_files/d' "$RECIPE"
}
typed_so_far() { [ "$(tr -d '\r' <"$SITE/typed" | grep -cE -- "$2")" -ge "$1" ]; } # TIMES TEXT

# The password is nowhere: not on the hosts, not in what was printed.
no_password() {
    ! grep -rqF -- "$PASSWORD" "$SITE" "$RIG"/*.out* "$RIG"/*.err* 2>/dev/null || fail "the password is in: $(grep -rlF -- "$PASSWORD" "$SITE" "$RIG"/*.out* "$RIG"/*.err*)"
}

# copies_in_memory PID: how often the program has the password in its memory.
copies_in_memory() {
    perl -e '
        open my $maps, "<", "/proc/$ARGV[0]/maps" or die; open my $memory, "<:raw", "/proc/$ARGV[0]/mem" or die;
        my $n = 0;
        while (<$maps>) {
            next unless /^([0-9a-f]+)-([0-9a-f]+) rw/;
            my ($from, $to, $bytes) = (hex $1, hex $2, "");
            sysseek $memory, $from, 0 and sysread $memory, $bytes, $to - $from or next;
            $n++ while $bytes =~ /\Q$ARGV[1]\E/g;
        }
        print $n' "$1" "$PASSWORD"
}
one_copy_in_memory() { [ "$(copies_in_memory "$1")" = 1 ]; }

# Once the job was started, only the one that serves the next job is left.
password_in_memory() { # TRANSPORT
    job_site "password_in_memory_$1"
    sed -i '/^transport:/d' "$RECIPE"
    mkdir -m 777 "$SITE/made"
    cat >>"$RECIPE" <<END
transport: $1
build: [{run: ': >$SITE_Q/made/begun; until [ -e $SITE_Q/made/go ]; do sleep 0.1; done', become: other}]
END
    start_on_terminal deploy production
    wait_for 60 typed_so_far 1 'sudo password of deployer on app1: '
    printf '%s\n' "$PASSWORD" >&7
    wait_for 60 test -e "$SITE/made/begun"
    wait_for 10 one_copy_in_memory "$(pgrep -P "$(children_of "$TYPED")" -x crelease || children_of "$TYPED")"
    : >"$SITE/made/go"
    finish_on_terminal 0
}

case_password_in_memory() {
    needs_root
    password_in_memory libssh2
    password_in_memory openssh
}

case_become_with_a_password() {
    needs_root
    sudo_site become_with_a_password 2
    cat >>"$RECIPE" <<'END'
build: ['id -un >made; cat /proc/$$/environ >../../seen; ps -eo args >>../../seen']
END
    start_on_terminal deploy production
    wait_for 30 typed_so_far 1 '^sudo password of deployer on app1, app2: '
    printf '%s\n' "$PASSWORD" >&7
    finish_on_terminal 0
    assert_deployed "$(revision)" 1
    assert_equal questions "$(grep -c 'sudo password of' "$SITE/typed")" 1
    assert_equal made "$(cat "$SITE/app2/current/made")" app
    assert_equal owner "$(stat -c %U "$SITE/app2/current/")" app
    # In a terminal, too.
    # shellcheck disable=SC2016 # for the host
    start_on_terminal console production -- 'echo "as $(id -un)"; read -r word; echo "$word was read"'
    wait_for 30 typed_so_far 1 '^sudo password of deployer on app1: '
    printf '%s\n' "$PASSWORD" >&7
    wait_for 30 terminal_shows '^as app'
    printf 'this\n' >&7
    finish_on_terminal 0
    terminal_shows '^this was read' || fail "not read: $(cat "$SITE/typed")"
    no_password
}

case_wrong_password() {
    needs_root
    sudo_site wrong_password 1
    start_on_terminal status production
    wait_for 30 typed_so_far 1 '^sudo password of deployer on app1: '
    echo wrong >&7
    wait_for 30 typed_so_far 1 '^wrong password, try again \(2 of 3\)'
    printf '%s\n' "$PASSWORD" >&7
    finish_on_terminal 0
    start_on_terminal status production
    local try
    for try in 1 2 3; do
        wait_for 30 typed_so_far "$try" '^sudo password of deployer on app1: '
        echo wrong >&7
    done
    finish_on_terminal 5
    terminal_shows "'become: app': sudo on app1 rejected the password of 'deployer'"
    # An empty line is no answer.
    start_on_terminal status production
    wait_for 30 typed_so_far 1 '^sudo password of deployer on app1: '
    echo >&7
    finish_on_terminal 5
    terminal_shows 'needs the password .* and none was given'
}

case_no_terminal() {
    needs_root
    sudo_site no_terminal 1
    expect_status 5 deploy production
    expect_output "'become: app': sudo on app1 needs the password of 'deployer', and there is no terminal to type it on"
    # What is not about a password is not asked for one.
    sed -i '1s/.*/become: nobody-there/' "$RECIPE"
    start_on_terminal status production
    finish_on_terminal 5
    terminal_shows 'unknown user'
    ! terminal_shows 'sudo password of' || fail 'asked'
    # A start-up file that prints its command does not get the password out.
    sed -i '1s/.*/become: app/' "$RECIPE"
    mkdir -p "$RIG/login"
    echo 'set -vx' >"$RIG/login/.bashrc"
    chmod 755 "$RIG/login"
    start_on_terminal status production
    wait_for 30 typed_so_far 1 '^sudo password of deployer on app1: '
    printf '%s\n' "$PASSWORD" >&7
    finish_on_terminal 0
    rm "$RIG/login/.bashrc"
    no_password
}

# job_site NAME: the site belongs to the login user; jobs become somebody else.
job_site() {
    sudo_site "$1" 1
    sed -i '1d' "$RECIPE"
    chown -R 65531:65531 "$SITE/app1"
}

case_job_as_another_user() {
    needs_root
    job_site job_as_another_user
    mkdir -m 777 "$SITE/made"
    cat >>"$RECIPE" <<END
env: {WORD: "it's here"}
umask: "0022"
build:
  - {run: 'id -un >$SITE_Q/made/first; pwd >>$SITE_Q/made/first; echo "\$WORD \$CRELEASE_HOST" >>$SITE_Q/made/first; cat >>$SITE_Q/made/first; ps -eo args >$SITE_Q/made/ps; echo said', become: other}
  - 'id -un >$SITE_Q/made/second'
END
    start_on_terminal deploy -v production
    wait_for 60 typed_so_far 1 'sudo password of deployer on app1: '
    echo wrong >&7
    wait_for 30 typed_so_far 1 'wrong password, try again \(2 of 3\)'
    printf '%s\n' "$PASSWORD" >&7
    finish_on_terminal 0
    assert_equal first "$(cat "$SITE/made/first")" $'other\n'"$SITE/app1/releases/$(release app1)"$'\n'"it's here app1"
    assert_equal second "$(cat "$SITE/made/second")" deployer
    terminal_shows 'said'
    ! grep -qF "it's here" "$SITE/made/ps" || fail 'a value is in ps'
    no_password
    # Without a terminal, and without the right to.
    expect_status 1 deploy --force production
    expect_output "cannot become 'other': sudo: a password is required; if sudo needs a password, there is no terminal"
    expect_status 0 abort production
    sed -i 's/become: other/become: nobody-there/' "$RECIPE"
    expect_status 1 deploy --force production
    expect_output "cannot become 'nobody-there': .*unknown user"
    expect_status 0 abort production
}

# As app, who may become other without a password; it fails, is stopped, and reaches its time limit.
case_job_as_another_user_ends() {
    needs_root
    sudo_site job_as_another_user_ends 1
    sed -i '1d' "$RECIPE"
    chown -R 65530:65530 "$SITE/app1"
    sed -i 's/user: deployer/user: app/' "$RECIPE"
    mkdir -m 777 "$SITE/made"
    job() { sed -i '/^build:/d' "$RECIPE"; echo "build: [{become: other, $1}]" >>"$RECIPE"; }
    job "run: 'echo failing; exit 7'"
    expect_status 1 deploy production
    expect_output 'exit status 7'
    expect_output 'failing'
    expect_status 0 abort production
    job "run: 'echo \$\$ >$SITE_Q/made/pid; exec sleep 1000', timeout: 1s"
    expect_status 1 deploy production
    expect_output 'time limit of 1'
    wait_for 20 no_sleep
    expect_status 0 abort production
    # A job that is running is reattached to, and abort ends it.
    job "run: 'echo begun; : >$SITE_Q/made/begun; sleep 1000'"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/made/begun"
    kill_crelease
    expect_status 0 abort production
    wait_for 20 no_sleep
    # What it leaves running on purpose is left.
    job "run: 'sleep 1001 >/dev/null 2>&1 & echo left'"
    expect_status 0 deploy production
    pgrep -u 65529 -f '^sleep 1001$' >/dev/null || fail 'what it left was ended'
    pkill -u 65529 -f '^sleep 1001$'
}
no_sleep() { ! pgrep -u 65529 -f '^sleep 1000$' >/dev/null; }

rig_open
start_hosts 2
run_cases "$@"
