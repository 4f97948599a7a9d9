#!/bin/bash
# Commands of the user's: their ends, their limits, and what they may not do to a deploy.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='time_limit_of_a_stubborn_one abort_ends_the_family time_limit_ends_the_family others_with_its_group
    output_a_little_more long_line variables_of_any_name s42_lost_migration_passed_over s42_lost_migration_pending
    error_is_shown path_of_the_host'

builds_with() { # SHELL TEXT [MORE OF THE JOB]
    recipe_write <<END
build:
  - {run: '$1'${2:+, $2}}
END
}

marked() { [ -s "$SITE/$1" ]; }
process_has_gone() { ! kill -0 "$1" 2>/dev/null; }

case_time_limit() {
    site_new time_limit 0
    builds_with "echo \$\$ >$SITE/pid; sleep 300; echo never" 'timeout: 1s'
    expect_status 1 deploy production
    expect_output 'time limit of 1.0 s'
    wait_for 10 process_has_gone "$(cat "$SITE/pid")"
    expect_status 0 abort production
}

# TERM is not heeded: after the grace the whole group gets KILL.
case_time_limit_of_a_stubborn_one() {
    site_new time_limit_of_a_stubborn_one 0
    builds_with "trap : TERM; echo \$\$ >$SITE/pid; while :; do sleep 1; done" 'timeout: 1s'
    expect_status 1 deploy production
    expect_output 'time limit'
    wait_for 10 process_has_gone "$(cat "$SITE/pid")"
}

case_abort_ends_it() {
    site_new abort_ends_it 0
    builds_with "echo \$\$ >$SITE/pid; sleep 300"
    start_crelease deploy production
    wait_for 60 marked pid
    kill_crelease
    kill -0 "$(cat "$SITE/pid")" || fail 'the job died with crelease'
    expect_status 0 abort production
    wait_for 10 process_has_gone "$(cat "$SITE/pid")"
}

case_end_of_file() {
    site_new end_of_file 0
    builds_with 'read -r answer || echo nobody there'
    expect_status 0 deploy production
    expect_output 'nobody there'
}

case_background_child() {
    site_new background_child 0
    builds_with "sleep 300 & echo \$! >$SITE/pid; echo started"
    expect_status 0 deploy production
    expect_output started
    kill "$(cat "$SITE/pid")"
}

case_much_output() {
    site_new much_output 0
    builds_with 'yes 0123456789012345678901234567890123456789 | head -n 100000; echo last'
    expect_status 0 deploy --json production
    assert_equal lines "$(grep -c '"event":"output"' "$OUT")" 100001
    assert_equal last "$(grep '"event":"output"' "$OUT" | tail -n 1 | jq -r .data)" last
}

case_signal() {
    site_new signal 0
    builds_with 'kill -SEGV $$'
    expect_status 1 deploy production
    expect_output 'signal SEGV'
    expect_status 0 abort production
    builds_with 'no-such-command-anywhere'
    expect_status 1 deploy production
    expect_output 'command not found'
}

# The folder of the job's newest attempt.
attempt() { echo "$SITE"/here/.crelease/runs/*/jobs/"$1"; }
# What ended and has nobody to wait for it is gone, too.
has_gone() {
    local pid stat
    for pid; do
        read -r stat 2>/dev/null <"/proc/$pid/stat" || continue
        case ${stat##*) } in Z*) ;; *) return 1 ;; esac
    done
}
pid_in() { cut -d' ' -f1 "$1"; }

# A job with a child that does not heed TERM, in a process group of its own, and one that leaves its group.
family="sh -c \"trap : TERM; echo \\\$\\\$ >child; while :; do sleep 0.1; done\" & timeout 300 sleep 299 & echo \$! >other; echo \$\$ >leader; wait; wait; wait"

family_begins() {
    wait_for 60 test -s "$1/child"
    wait_for 60 test -s "$1/leader"
    PIDS="$(cat "$1/child") $(cat "$1/other") $(cat "$1/leader")"
}

case_abort_ends_the_family() {
    site_new abort_ends_the_family 0
    builds_with "cd $SITE; $family"
    start_crelease deploy production
    family_begins "$SITE"
    kill_crelease
    expect_status 0 abort production
    # shellcheck disable=SC2086 # numbers
    has_gone $PIDS || fail "still there: $PIDS"
}

case_time_limit_ends_the_family() {
    site_new time_limit_ends_the_family 0
    builds_with "cd $SITE; $family" 'timeout: 1s'
    expect_status 1 deploy production
    expect_output 'time limit of 1.0 s'
    # shellcheck disable=SC2046 # numbers
    has_gone $(cat "$SITE/child" "$SITE/other" "$SITE/leader") || fail 'still there'
}

# What is left of a job that was lost is ended before it is started again, and by abort.
case_orphans() {
    site_new orphans 0
    builds_with "cd $SITE; $family"
    start_crelease deploy production
    family_begins "$SITE"
    kill -KILL "$(pid_in "$(attempt build.0/1/supervisor)")" "$(cat "$SITE/leader")"
    finish_crelease 7
    kill -0 "$(cat "$SITE/child")" || fail 'the child died with its parent'
    local first=$PIDS
    rm "$SITE/child" "$SITE/leader"
    start_crelease resume production
    family_begins "$SITE"
    # shellcheck disable=SC2086
    has_gone $first || fail "still there: $first"
    kill -KILL "$(pid_in "$(attempt build.0/2/supervisor)")" "$(cat "$SITE/leader")"
    finish_crelease 7
    expect_status 0 abort production
    # shellcheck disable=SC2086
    has_gone $PIDS || fail "still there: $PIDS"
}

# Numbers that are others' by now: of a leader, or of a session whose leader is gone.
leaves_alone() { # NAME SHELL TEXT
    site_new "$1" 0
    local job boot
    read -r boot </proc/sys/kernel/random/boot_id
    builds_with "echo \$\$ >$SITE/pid; sleep 300"
    start_crelease deploy production
    wait_for 60 marked pid
    job=$(attempt build.0/1)
    kill -KILL "$(pid_in "$job/supervisor")" "$(cat "$SITE/pid")"
    finish_crelease 7
    setsid sh -c "echo \$\$ >leader; sleep 300 & echo \$! >foreign; $2" </dev/null >/dev/null 2>&1 &
    wait_for 10 marked foreign
    [ "$2" = wait ] || wait_for 10 has_gone "$(cat "$SITE/leader")"
    echo "$(cat "$SITE/leader") 1 $boot" >"$job/pid"
    expect_status 0 abort production
    kill -0 "$(cat "$SITE/foreign")" || fail 'a process of somebody else was ended'
    [ "$2" != wait ] || kill -0 "$(cat "$SITE/leader")" || fail 'a leader of somebody else was ended'
    kill "$(cat "$SITE/foreign")"
}

case_another_with_its_number() { leaves_alone another_with_its_number wait; }
case_others_with_its_group() { leaves_alone others_with_its_group exit; }

second_call() { [ "$(wc -l <"$SITE/calls")" = 2 ]; }

# Stopped when there is no more of it than its supervisor: then its command never begins.
case_abort_before_it_begins() {
    site_new abort_before_it_begins 0
    mkdir "$SITE/bin"
    touch "$SITE/block"
    cat >"$SITE/bin/setsid" <<END
#!/bin/sh
echo x >>"$SITE/calls"
if [ "\$(wc -l <"$SITE/calls")" -ge 2 ]; then while test -e "$SITE/block"; do sleep 0.05; done; echo x >>"$SITE/over"; fi
exec $(command -v setsid) "\$@"
END
    chmod +x "$SITE/bin/setsid"
    builds_with "echo ran >$SITE/ran"
    PATH=$SITE/bin:$PATH
    start_crelease deploy production
    wait_for 60 second_call
    kill_crelease
    local job
    job=$(attempt build.0/1)
    start_crelease abort production
    wait_for 30 test -s "$job/pid"
    assert_equal 'its pid' "$(cat "$job/pid")" void
    rm "$SITE/block"
    finish_crelease 0
    wait_for 10 marked over
    wait_for 10 has_gone "$(pid_in "$job/supervisor")"
    assert_gone "$SITE/ran"
}

# The arguments of a process, as ps shows them.
arguments() { tr '\0' ' ' <"/proc/$1/cmdline" | sed 's/ $//'; }

# ps names the file that runs, and no process has the text of a script among its arguments.
case_ps_shows_names() {
    site_new ps_shows_names 0
    builds_with "echo \$\$ >$SITE/pid; sleep 300" 'timeout: 5m'
    start_crelease deploy production
    wait_for 60 marked pid
    local job file
    job=$(attempt build.0/1)
    assert_equal supervisor "$(arguments "$(pid_in "$job/supervisor")")" "sh $job/supervise"
    assert_equal command "$(arguments "$(pid_in "$job/pid")")" "/bin/sh $job/command"
    assert_equal 'the process of the command' "$(pid_in "$job/pid")" "$(cat "$SITE/pid")"
    # Both lead a session.
    ps -o args= -s "$(pid_in "$job/supervisor"),$(pid_in "$job/pid")" >"$SITE/ps"
    [ "$(wc -l <"$SITE/ps")" -ge 4 ] || fail 'not all of the job is there'
    ! grep -E 'crelease_[a-z]|identity_of|signal_members|ended_within' "$SITE/ps" || fail 'ps shows the text of a script'
    for file in process supervise child command; do
        assert_equal "mode of $file" "$(stat -c %a "$job/$file")" 600
    done
    assert_gone "$job/watch"
    assert_gone "$job/new"
    kill_crelease
    expect_status 0 abort production
}

# --- what it prints ---------------------------------------------------------------------------------

case_output_limit() {
    site_new output_limit 0
    builds_with "seq 1 210000 | sed \"s/\$/$(printf '%01000d' 0)/\"; echo last words"
    expect_status 0 deploy --json production
    local job size left
    job=$(attempt build.0/1)
    size=$(stat -c %s "$job/log")
    if [ "$size" -lt $((64 << 20)) ] || [ "$size" -gt $((82 << 20)) ]; then fail "the log has $size bytes"; fi
    assert_gone "$job/tail"
    assert_gone "$job/tail.old"
    assert_gone "$job/pipe"
    assert_equal 'last' "$(tail -n 1 "$job/log")" 'last words'
    seq 1 210000 | sed "s/\$/$(printf '%01000d' 0)/" >"$SITE/all"
    echo last words >>"$SITE/all"
    local line cut
    line=$(grep -a '^\[crelease: ' "$job/log")
    left=$(echo "$line" | sed -n 's/^\[crelease: \([0-9]*\) bytes are left out here\]$/\1/p')
    cut=$(cat "$job/cut")
    head -c "$cut" "$job/log" | cmp - <(head -c "$cut" "$SITE/all") || fail 'the beginning differs'
    sed '1,/^\[crelease: /d' "$job/log" >"$SITE/tail"
    tail -c "$(stat -c %s "$SITE/tail")" "$SITE/all" | cmp - "$SITE/tail" || fail 'the end differs'
    assert_equal 'all that was printed' $((cut + left + $(stat -c %s "$SITE/tail"))) "$(stat -c %s "$SITE/all")"
    assert_equal 'lines that were told' "$(grep -c '"event":"output"' "$OUT")" "$(wc -l <"$job/log")"
    rm "$SITE/all" "$SITE/tail"
}

# Beyond the limit by less than what is kept besides: nothing is left out.
case_output_a_little_more() {
    site_new output_a_little_more 0
    builds_with "seq 1 70000 | sed \"s/\$/$(printf '%01000d' 0)/\"; echo last words"
    expect_status 0 deploy -q production
    assert_equal log "$(md5sum <"$(attempt build.0/1/log)")" "$({ seq 1 70000 | sed "s/\$/$(printf '%01000d' 0)/"; echo last words; } | md5sum)"
}

# Of a line that does not end a failure repeats the beginning.
case_long_line() {
    site_new long_line 0
    builds_with "head -c 3000000 /dev/zero | tr \"\\\\0\" x; exit 3"
    expect_status 1 deploy production
    [ "$(wc -c <"$ERR")" -lt 5000 ] || fail "the block has $(wc -c <"$ERR") bytes"
    expect_output 'x{1000}\.\.\.$'
}

log_has_grown() { [ "$(stat -c %s "$LOG")" -gt $((SIZE + 20)) ]; }

# What a job leaves behind holds nobody up, and can go on printing.
case_background_printer() {
    site_new background_printer 0
    builds_with "(while :; do echo tick; sleep 0.02; done) & echo \$! >$SITE/pid; echo started"
    expect_status 0 deploy production
    expect_output started
    LOG=$(attempt build.0/1/log)
    SIZE=$(stat -c %s "$LOG")
    wait_for 10 log_has_grown
    kill "$(cat "$SITE/pid")"
}

eight_bytes_are_shown() { [ "$(cat "$(attempt build.0/1/seen)")" = 8 ]; }

# A line that was not whole is shown whole, by the one who sees its end.
case_line_across_a_kill() {
    site_new line_across_a_kill 0
    builds_with "printf \"one\\n\\ntwo\"; while test -e $SITE/block; do sleep 0.05; done; echo three"
    touch "$SITE/block"
    start_crelease deploy --json production
    wait_for 60 eight_bytes_are_shown
    kill_crelease
    start_crelease resume --json production
    wait_for 60 grep -q reattached "$CR_OUT"
    rm "$SITE/block"
    finish_crelease 0
    assert_equal 'shown by resume' "$(jq -r 'select(.event == "output") | .data' "$CR_OUT")" twothree
}

is_seen() { test -e "$(attempt "$1")/seen"; }
lines_are() { [ "$(wc -l <"$(attempt build.0/1/log)")" -ge "$1" ]; }
lines_shown() { jq -r 'select(.event == "output") | .data' "$1"; }

# What was sent and never shown, since who was to show it stood still and died, is shown by who goes on.
case_output_on_its_way() {
    site_new output_on_its_way 0
    builds_with "echo 1; until test -e $SITE/go; do sleep 0.05; done; for i in \$(seq 2 40); do echo \$i; sleep 0.05; done; until test -e $SITE/end; do sleep 0.05; done"
    start_crelease deploy --json production
    wait_for 60 is_seen build.0/1
    kill -STOP "$CR_PID"
    touch "$SITE/go"
    wait_for 60 lines_are 40
    local before=$SITE/before
    cp "$CR_OUT" "$before"
    kill_crelease
    start_crelease resume --json production
    touch "$SITE/end"
    finish_crelease 0
    assert_equal 'shown before' "$(lines_shown "$before")" 1
    assert_equal 'shown by resume' "$(lines_shown "$CR_OUT")" "$(seq 2 40)"
}

# A job whose step has gone on to the next was shown to its end.
case_output_of_the_job_before() {
    site_new output_of_the_job_before 0
    recipe_write <<END
build: ['seq 1 500', 'echo second; until test -e $SITE/end; do sleep 0.05; done']
END
    start_crelease deploy --json production
    wait_for 60 is_seen build.1/1
    kill_crelease
    start_crelease resume --json production
    touch "$SITE/end"
    finish_crelease 0
    assert_equal 'shown by resume' "$(lines_shown "$CR_OUT")" ''
}

# Variables of the recipe may be called like what the scripts call theirs.
case_variables_of_any_name() {
    site_new variables_of_any_name 0
    local name env='' of="n d p t b boot ticks stat ended watcher beside status size before full pid state path step run run_dir identity newline command where job dir"
    for name in $of; do
        env="$env, $name: \"own $name\""
        echo "$name own $name"
    done >"$SITE/own"
    # shellcheck disable=SC2016 # for the hosts' shell
    printf '%s\n' "for name in $of; do" 'eval "echo \$name \"\$$name\""' 'done' >"$SITE/show"
    recipe_write <<END
env: {${env#, }}
build: ['. $SITE_Q/show >$SITE_Q/built']
END
    expect_status 0 deploy production
    cmp "$SITE/own" "$SITE/built" || fail 'a job has other values'
    expect_status 0 exec production -- ". $SITE_Q/show"
    sed 's/^here: //' "$OUT" | cmp "$SITE/own" - || fail 'exec has other values'
}

# --- what is not as it was left ---------------------------------------------------------------------

# A job whose supervisor and command were killed, in a run that is kept.
killed_job() {
    site_new "$1" 0
    builds_with "echo x >>$SITE/begun; test -e $SITE/free || sleep 300"
    start_crelease deploy production
    wait_for 60 marked begun
    kill_crelease
    JOB=$(attempt build.0/1)
    wait_for 10 test -s "$JOB/pid"
    kill -KILL "$(pid_in "$JOB/supervisor")" "$(pid_in "$JOB/pid")"
    touch "$SITE/free"
}

case_damaged() {
    killed_job damaged
    local file text
    for file in supervisor pid status seen; do
        [ ! -e "$JOB/$file" ] || cp "$JOB/$file" "$SITE/kept"
        for text in '' 'what is this\n' '12' '12 34\n' '-\n' '1 2 3 4\n'; do
            # shellcheck disable=SC2059 # with its newline, or without
            printf -- "$text" >"$JOB/$file"
            case $file,$text in seen,'12') printf '012\n' >"$JOB/$file" ;; esac
            expect_status 7 resume production
            expect_output "/$file' is damaged"
            assert_equal 'attempts' "$(wc -l <"$SITE/begun")" 1
        done
        rm "$JOB/$file"
        [ ! -e "$SITE/kept" ] || mv "$SITE/kept" "$JOB/$file"
    done
    echo 99999999999999999999 >"$JOB/seen"
    expect_status 0 resume production
    assert_equal 'attempts' "$(wc -l <"$SITE/begun")" 2
}

# After a restart of the host the numbers are others'.
case_reboot() {
    site_new reboot 0
    builds_with "echo \$\$ >>$SITE/begun; test -e $SITE/free || sleep 300"
    start_crelease deploy production
    wait_for 60 marked begun
    kill_crelease
    JOB=$(attempt build.0/1)
    sed -i 's/ [0-9a-f]*-[0-9a-f-]*$/ 11111111-1111-1111-1111-111111111111/' "$JOB/pid" "$JOB/supervisor"
    touch "$SITE/free"
    expect_status 0 resume production
    expect_output 'was lost .its host or connection went away.; starting it again'
    assert_equal 'attempts' "$(wc -l <"$SITE/begun")" 2
    kill -0 "$(head -n 1 "$SITE/begun")" || fail 'a process of another boot was ended'
    kill -KILL -- "-$(head -n 1 "$SITE/begun")"
}

# --- migrations -------------------------------------------------------------------------------------

migrates_with() { # SHELL TEXT [MORE]
    recipe_write <<END
migrate: {run: '$1'${2:+, $2}}
END
}
resume_waits() { run_crelease status --json production; [ "$(json .run.state)" = running ]; }

# Its child is still at it when nothing else of it lives.
lost_migration() { # NAME [MORE]
    site_new "$1" 0
    touch "$SITE/block"
    # It says so when the child is there.
    migrates_with "cd $SITE; (while test -e block; do sleep 0.05; done; echo end of the child; echo x >>ended) & echo \$\$ >>begun; wait" "${2-}"
    start_crelease deploy production
    wait_for 60 marked begun
    kill_crelease
    JOB=$(attempt migrate.0/1)
    kill -KILL "$(pid_in "$JOB/supervisor")" "$(tail -n 1 "$SITE/begun")"
    start_crelease resume production
    wait_for 60 grep -q 'reattached' "$CR_OUT" "$CR_ERR"
    resume_waits || fail 'it does not wait for what is left'
    expect_status 3 resume --no-migrate production
    assert_gone "$SITE/ended"
    rm "$SITE/block"
}

case_s42_lost_migration_forced() {
    lost_migration lost_migration_forced
    finish_crelease 7
    assert_exists "$SITE/ended"
    grep -q 'end of the child' "$CR_OUT" "$CR_ERR" || fail 'what it printed was not shown'
    expect_status 7 resume production
    expect_output 'resume --force production'
    expect_output 'resume --no-migrate production'
    expect_status 7 resume production
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 1
    expect_status 0 resume --force production
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 2
    assert_deployed "$(revision)" 1
}

case_s42_lost_migration_passed_over() {
    lost_migration lost_migration_passed_over
    finish_crelease 7
    # And that holds, whatever comes after.
    mkdir "$SITE/here/current"
    run_crelease resume --no-migrate production
    rmdir "$SITE/here/current"
    expect_status 0 resume production
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 1
    assert_deployed "$(revision)" 1
}

case_s42_lost_migration_through() {
    lost_migration lost_migration_through 'status: "false"'
    finish_crelease 7
    recipe_write <<<"migrate: {run: 'echo x >>$SITE_Q/begun', status: \"echo '   up     20260101000000  One'\"}"
    expect_status 0 resume --new-recipe production
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 1
    assert_deployed "$(revision)" 1
}

case_s42_lost_migration_pending() {
    lost_migration lost_migration_pending "status: \"echo '  down  2026 One'\""
    finish_crelease 1
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 2
    expect_status 0 abort production
}

# Not passed over while it runs.
case_running_migration() {
    site_new running_migration 0
    touch "$SITE/block"
    migrates_with "cd $SITE; echo x >>begun; while test -e block; do sleep 0.05; done"
    start_crelease deploy production
    wait_for 60 marked begun
    kill_crelease
    expect_status 1 resume --no-migrate production
    expect_output 'still running'
    rm "$SITE/block"
    expect_status 0 resume production
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 1
}

# One that failed and left something at work: that is waited for before the next attempt.
case_failed_migration_with_a_rest() {
    site_new failed_migration_with_a_rest 0
    touch "$SITE/block"
    migrates_with "cd $SITE; echo x >>begun; test -e block || exit 0; (while test -e block; do sleep 0.05; done; sleep 0.3; echo x >>ended) & exit 3"
    expect_status 1 deploy production
    start_crelease resume production
    wait_for 60 grep -q 'reattached' "$CR_OUT" "$CR_ERR"
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 1
    rm "$SITE/block"
    finish_crelease 0
    assert_exists "$SITE/ended"
    assert_equal 'how often it began' "$(wc -l <"$SITE/begun")" 2
}

# --- which lines of a failed job are shown -----------------------------------------------------

# fails_with NAME WANT: a job prints what is on standard input between 300 lines that are harmless and 200
# of a backtrace; the failure shows a line that matches WANT, and the last line.
fails_with() {
    local log=$SITE/log.$1
    {
        # shellcheck disable=SC2030
        seq -f 'task %g: 0 errors, nothing failed' 1 300
        cat
        seq -f "/app/vendor/bundle/ruby/3.1.0/gems/railties-7.0.4/lib/rails/task.rb:%g:in 'block in run'" 1 200
        echo "the last line of $1"
    } >"$log"
    recipe_write <<<"build: [{run: 'cat $log; exit 1', name: job of $1}]"
    expect_status 1 deploy production
    sed -n '/^crelease: stage/,$p' "$ERR" | sed -n 's/^  | //p' >"$SITE/shown"
    grep -qE -- "$2" "$SITE/shown" || fail "$1: not shown: $2: $(cat "$SITE/shown")"
    grep -qxF "the last line of $1" "$SITE/shown" || fail "$1: the last line is not shown"
    [ "$(wc -l <"$SITE/shown")" -le 30 ] || fail "$1: $(wc -l <"$SITE/shown") lines"
    # Where all of it is, to be pasted.
    (eval "$(sed -n "s/.*full output: '\(.*\)'$/\1/p" "$ERR")") | sed -n 's/^build.0 | //p' >"$SITE/whole"
    assert_equal "lines of the whole output of $1" "$(wc -l <"$SITE/whole")" "$(wc -l <"$log")"
    assert_equal "its last line" "$(tail -n 1 "$SITE/whole")" "the last line of $1"
    expect_status 0 abort production
}

case_error_is_shown() {
    site_new error_is_shown 0
    fails_with rails '^PG::UndefinedTable: ERROR:  relation "events" does not exist$' <<'END'
bin/rails aborted!
StandardError: An error has occurred, this and all later migrations canceled:

PG::UndefinedTable: ERROR:  relation "events" does not exist
END
    fails_with ruby '^ActiveRecord::ConnectionNotEstablished: connection to server' <<'END'
ActiveRecord::ConnectionNotEstablished: connection to server at "10.0.0.1" failed
END
    {
        echo 'Traceback (most recent call last):'
        for i in $(seq 1 60); do printf '  File "/srv/app/m%d.py", line %d, in call\n    run(x)\n' "$i" "$i"; done
        echo 'django.db.utils.ProgrammingError: column "place" already exists'
    } | fails_with python '^django.db.utils.ProgrammingError: column "place" already exists$'
    fails_with node "^Error: Cannot find module 'webpack'" <<'END'
node:internal/modules/cjs/loader:988
  throw err;
  ^

Error: Cannot find module 'webpack'
    at Function.Module._resolveFilename (node:internal/modules/cjs/loader:985:15)
END
    fails_with npm '^npm ERR! code ENOENT' <<<'npm ERR! code ENOENT'
    fails_with npm_10 '^npm error code E404' <<<'npm error code E404'
    fails_with webpack "^Module not found: Error: Can't resolve './x'" <<'END'
ERROR in ./src/index.js 1:0-20
Module not found: Error: Can't resolve './x' in '/app/src'
END
    fails_with gcc 'main.c:7:5: error: unknown type name' <<<"main.c:7:5: error: unknown type name 'in'"
    fails_with rust '^error\[E0308\]: mismatched types' <<<'error[E0308]: mismatched types'
    fails_with php 'PHP Fatal error:  Uncaught' <<<'PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] refused in /a.php:3'
    fails_with laravel '^   Illuminate.Database.QueryException' <<'END'

   Illuminate\Database\QueryException

  SQLSTATE[42S01]: Base table or view already exists
END
    fails_with java 'java.lang.IllegalStateException: no' <<'END'
Exception in thread "main" java.lang.IllegalStateException: no
	at com.example.Main.main(Main.java:5)
END
    fails_with psql 'ERROR:  syntax error at or near' <<<'psql:a.sql:3: ERROR:  syntax error at or near "tabel"'
    fails_with git '^fatal: not a git repository' <<<'fatal: not a git repository (or any of the parent directories): .git'
    fails_with bundler '^An error occurred while installing pg' <<<'An error occurred while installing pg (1.5.4), and Bundler cannot continue.'
    fails_with go '^panic: runtime error' <<<'panic: runtime error: index out of range [3] with length 3'
    # In colours, behind what a progress bar has painted, in capitals that a cloud uses.
    printf '10%%\r50%%\r\033[1m\033[31mrake aborted!\033[0m\r\nNameError: undefined local variable\n' | fails_with colours '^NameError: undefined local variable'
    # Nothing but a word.
    fails_with plain '^bin/assets: sassc: command not found' <<<'bin/assets: sassc: command not found'
}

# Also when nobody saw the beginning: it failed while no crelease was there.
case_error_is_shown_by_resume() {
    site_new error_is_shown_by_resume 0
    cat >"$SITE/job" <<END
#!/bin/sh
echo 'rake aborted!'
seq -f "a.rb:%g:in 'x'" 1 5000
: >'$SITE/printed'
while [ ! -e '$SITE/go' ]; do sleep 0.05; done
echo done
exit 3
END
    chmod +x "$SITE/job"
    recipe_write <<<"build: [$SITE_Q/job]"
    start_crelease deploy production
    wait_for 60 test -e "$SITE/printed"
    wait_for 60 grep -q 'a.rb:5000:in' "$CR_OUT"
    kill_crelease
    touch "$SITE/go"
    expect_status 1 resume production
    sed -n 's/^  | //p' "$ERR" >"$SITE/shown"
    assert_equal "first" "$(head -n 1 "$SITE/shown")" 'rake aborted!'
    assert_equal "last" "$(tail -n 1 "$SITE/shown")" 'done'
    expect_output '^  \| \[[0-9]+ lines left out\]'
    expect_status 1 resume --json production
    tail -n 1 "$OUT" >"$OUT.last"
    assert_equal "first" "$(jq -r '.error.lines[0]' "$OUT.last")" 'rake aborted!'
    jq -e '.error.next | any(contains(" log production build.0"))' "$OUT.last" >/dev/null || fail "no log named"
}

# $PATH in env is the host's, wherever a command runs; one that lacks the usual programs is told of before.
case_path_of_the_host() {
    site_new path_of_the_host 0
    mkdir "$SITE/bin"
    # shellcheck disable=SC2016 # for sh
    printf '#!/bin/sh\necho own tool, "$(ls -d /)"\n' >"$SITE/bin/tool"
    chmod +x "$SITE/bin/tool"
    recipe_write <<END
env: {PATH: "$SITE/bin:\$PATH", LIST: "a:\$LIST"}
build: [tool, 'test "\$LIST" = a:']
hooks: {after switch: [tool]}
tasks: {look: tool}
END
    expect_status 0 check production
    expect_status 0 deploy -v production
    assert_equal "jobs that found it" "$(grep -c 'own tool, /' "$OUT")" 2
    expect_status 0 exec production -- tool
    expect_output 'own tool, /'
    expect_status 0 run production look
    expect_output 'own tool, /'
    recipe_write <<<"env: {PATH: '$SITE/bin'}"
    expect_status 1 check production
    expect_output "BAD .*PATH .* do not find ls cat"
    commit_file public/index.html two
    expect_status 0 plan production
    expect_output "warning: .*PATH .* do not find ls cat"
    # What the recipe does not say how to replace is no value.
    # shellcheck disable=SC2016 # for crelease
    recipe_write <<<'env: {GEM_HOME: "$GEMS/x"}'
    expect_status 2 check production
    expect_output "GEMS in 'GEM_HOME', expected"
}

rig_open
run_cases "$@"
