#!/bin/bash
# crelease console: a terminal on a host, over each transport.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

ROOT=$(cd "$(dirname "$0")/../.." && pwd)

console_site() { # NAME HOSTS
    local host
    site_new "$1" "$2"
    export HOME=$SITE/home XDG_RUNTIME_DIR=$RIG/x
    cp -R "$RIG/home" "$HOME"
    rm -rf "$XDG_RUNTIME_DIR"
    mkdir -m 700 "$XDG_RUNTIME_DIR"
    for host in "${SITE_HOSTS[@]}"; do
        mkdir -p "$SITE/$host/releases/20260101000000"
        ln -s releases/20260101000000 "$SITE/$host/current"
    done
    recipe_write <<'END'
env: {GREETING: hello there}
path: [/opt/of-the-recipe]
database: none
migrate: {run: null, status: null}
END
}

# on_console COLUMNS STATUS ARGS <STEPS
on_console() {
    local columns=$1 wanted=$2 status=0
    shift 2
    OUT=$SITE/shown ERR=$SITE/said
    "$ROOT/tests/lib/console.py" "$columns" "$CRELEASE" console production "$@" >"$OUT" 2>"$ERR" || status=$?
    [ "$status" = "$wanted" ] || fail "status $status instead of $wanted: $(tail -n 5 "$OUT" "$ERR")"
}

# Resized and interrupted as a terminal is; the status is that of the shell.
use_console() {
    local columns nap=100.$BASHPID # of nobody else: the transports run side by side
    for columns in 80 200; do
        on_console "$columns" 7 --hosts "${SITE_HOSTS[-1]}" -- "PS1='ready> '; export PS1; exec sh" <<END
? ready> 
> echo "\$(stty size) in \$PWD: \$GREETING, \${PATH%%%%:*}"\\n
? 24 $columns in $(printf %q "$SITE")/${SITE_HOSTS[-1]}/current: hello there, /opt/of-the-recipe
? ready> 
= 123
> until [ "\$(stty size)" = '24 123' ]; do sleep 0.05; done; echo re''sized; sleep $nap\\n
? resized
$ while ! pgrep -fx 'sleep $nap' >/dev/null; do sleep 0.05; done
> \\x03
? ready> 
> echo st=\$?; stty -a | grep -o 'isig[ ]icanon'; exit 7\\n
? st=130
? isig icanon
END
    done
    # The command is interrupted, and not the console.
    on_console 80 130 -- "echo up; exec sleep $nap" <<END
? up
$ while ! pgrep -fx 'sleep $nap' >/dev/null; do sleep 0.05; done
> \\x03
END
    # shellcheck disable=SC2016 # no shell expands it
    on_console 80 0 -- printf '%s|\n' 'a  b' '$HOME' <<<'? $HOME|'
    # Without a command, a shell.
    on_console 80 4 <<END
? $(if root; then echo '#'; else echo '$'; fi) 
> echo of-the-''shell; exit 4\\n
? of-the-shell
END
    # Ended from outside.
    on_console 80 143 -- 'echo up; exec sleep 100' <<'END'
? up
! TERM
END
}

case_libssh2() {
    console_site libssh2 2
    use_console
}
case_openssh() {
    TRANSPORT=openssh
    console_site openssh 2
    use_console
}
case_local() {
    console_site local 0
    use_console
}

case_lost() {
    console_site lost 1
    on_console 80 7 -- "touch $SITE_Q/up; exec sleep 100" </dev/null &
    wait_for 30 test -e "$SITE/up"
    cut_connections app1
    wait "$!" || fail 'not as expected'
    OUT=$SITE/shown ERR=$SITE/said
    expect_output 'app1: .*the command may have run'
}

case_refused() {
    console_site refused 2
    expect_status 2 console production
    expect_output "needs a terminal on standard input; without one, use 'crelease exec production -- CMD'"
    expect_status 2 console --json production
    on_console 80 2 --hosts app1,app2 <<<'? console is a terminal on one host, and --hosts names 2; name one of them'
    on_console 80 0 -- true <<<'? app1, the first of 2 hosts; --hosts names another one'
    rm "$SITE/app1/current"
    on_console 80 1 <<<'? there is no live release at'
}

# What is typed before the host's terminal has its modes is not lost.
case_typed_ahead() {
    console_site typed_ahead 1
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/stty" <<END
#!/bin/sh
case \$* in
-g | raw* | size | -a) ;;
*)
    : >"$SITE/restoring"
    until [ -e "$SITE/typed" ]; do sleep 0.05; done
    ;;
esac
exec $(command -v stty) "\$@"
END
    chmod +x "$RIG/bin/stty"
    on_console 80 5 -- "PS1='ready> '; export PS1; exec sh" <<END
$ until [ -e $(printf %q "$SITE/restoring") ]; do sleep 0.05; done
> echo typed''-ahead; exit 5\\r
$ touch $(printf %q "$SITE/typed")
? typed-ahead
END
    rm "$RIG/bin/stty"
}

rig_open
start_hosts 2
run_cases "$@"
