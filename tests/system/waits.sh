#!/bin/bash
# What is said while something takes long, and how soon Ctrl-C is answered then.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

said() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }
# Still under way, having said that.
says_going_on() { said "$1" && kill -0 "$CR_PID"; }

# site_far NAME BYTES [HOSTS]: the first host is behind a slow line, and the revision is not small.
site_far() {
    local host
    for host in app1 ${3:+app2}; do link_start "$host"; done
    # shellcheck disable=SC2034 # for the recipe
    PORT_FILE=link.port
    site_new "$1" "${3-1}"
    head -c "$2" /dev/urandom >"$REPO/public/large"
    commit_all 'Something large'
    set_link app1 slow
}

# answered SIGNAL PATTERN: it says so at once, not when the wait has come to its end.
answered() {
    kill -s "$1" "$CR_PID"
    wait_for 10 says_going_on "$2"
}

case_upload() {
    site_far upload 4000000
    start_crelease deploy production
    wait_for 60 says_going_on '[0-9.]+ (kB|MB) of 4.0 MB sent'
    finish_crelease 0
    # One line a minute of it.
    [ "$(grep -c 'checkout app1: .* of 4.0 MB sent' "$CR_OUT")" -lt 4 ] || fail "it is told too often"
    assert_deployed "$(revision)" 1
    link_mend app1
}

# On a terminal it stands in the live line: at first for all hosts, later for the one that is slower than the other.
case_upload_on_a_terminal() {
    site_far upload_on_a_terminal 4000000 2
    start_on_terminal deploy production
    wait_for 60 grep -qaE 'slowest app1, [0-9.]+ (kB|MB)/s, about [0-9]+(\.[0-9])? s left' "$SITE/typed"
    finish_on_terminal 0
    assert_deployed "$(revision)" 1
    link_mend app1
}

case_upload_interrupted() {
    site_far upload_interrupted 5000000
    start_crelease deploy production
    wait_for 60 said 'of 5.0 MB sent'
    answered INT 'warning: interrupted; stopping after the current step \(Ctrl-C again stops at once\)'
    finish_crelease 130
    assert_gone "$SITE/app1/current"
    link_mend app1
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
}

case_upload_stopped() {
    site_far upload_stopped 12000000
    start_crelease deploy production
    wait_for 60 said 'of 12 MB sent'
    answered TERM 'warning: interrupted; .* \(a second signal stops at once\)'
    link_mend app1
    kill -s TERM "$CR_PID"
    finish_crelease 143
    assert_gone "$SITE/app1/current"
    expect_status 0 resume production
    assert_deployed "$(revision)" 1
}

# A server that takes connections and never says a word; "came" appears with each.
silent_server() {
    perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die;
        open(my $f, ">", "port.new") or die; print $f $s->sockport; close($f); rename("port.new", "port");
        while (my $c = $s->accept) { push(@all, $c); open($f, ">", "came"); close($f) }' </dev/null >/dev/null 2>&1 &
    SILENT=$!
    wait_for 30 test -s port
}

case_fetch_interrupted() {
    site_new fetch_interrupted 1
    silent_server
    local url began
    for url in git http ssh; do
        recipe_write <<<"repository: '$url://127.0.0.1:$(cat port)/shop.git'"
        rm -f came
        start_crelease deploy production
        wait_for 60 test -e came
        began=$SECONDS
        kill -s INT "$CR_PID"
        finish_crelease 130
        [ $((SECONDS - began)) -lt 25 ] || fail "$url: ended after $((SECONDS - began)) s"
        grep -q interrupted "$CR_ERR" || fail "$url: does not say so"
    done
    kill "$SILENT"
}

rig_open
start_hosts 2
run_cases "$@"
