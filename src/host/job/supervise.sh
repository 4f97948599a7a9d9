# shellcheck shell=sh disable=SC2154
# The supervisor of one attempt at a job: runs the command, keeps its output, and records how it ended.  It
# survives the loss of the connection.  job.sh starts it as `sh .../jobs/JOB/N/supervise`, in a session of its
# own.
#
# Values, in the environment: crelease_job (the attempt's folder), crelease_run, crelease_timeout (s, 0 for
# none), crelease_limit (bytes of the log), crelease_setsid (what starts a session, or empty), crelease_watch
# (not empty: the file `watch` runs beside the command) and crelease_gate (see job.sh).
#
# Everything up to the last line is functions, so that a truncated file runs nothing.

# Adds to the number of omitted bytes, which may be more than a shell can count.
leave_out() {
	left=$((left + $1))
	while [ "$left" -ge 1000000 ]; do left=$((left - 1000000)) lefts=$((lefts + 1)); done
}

# Sets $full to the reason in dd's message $words why a write failed.
is_full() {
	full=$(printf "%s\n" "$words" | sed -n "s/^[^ ].*: //p" | head -n 1)
	full=${full:-write error}
}

# Appends the command's output to the log as it comes.  dd's read returns what there is; a read that added
# nothing was the last one.  Beyond the limit only the end of the output is kept.  This runs in the
# supervisor's session, so that processes which the command leaves behind have a reader as long as they print.
keep_log() {
	trap "" TERM INT HUP
	full='' before=-1 lefts=0 left=0
	size_of "$d/log"
	while [ "$size" -lt "$crelease_limit" ]; do
		before=$size
		words=$(dd bs=65536 count=$(((crelease_limit - size) / 65536 + 16)) 2>&1 >>"$d/log") || is_full
		size_of "$d/log"
		[ -z "$full" ] || break
		[ "$size" -gt "$before" ] || return
	done
	before=0
	while [ -z "$full" ]; do
		words=$(dd bs=65536 count=64 2>&1 >>"$d/tail") || is_full
		size_of "$d/tail"
		[ "$size" -gt "$before" ] || break
		before=$size
		[ "$size" -ge 4194304 ] || continue
		if [ -f "$d/tail.old" ]; then
			size_of "$d/tail.old"
			leave_out "$size"
		fi
		mv -f "$d/tail" "$d/tail.old"
		before=0
	done
	[ -z "$full" ] || cat
	put_tail
	rm -f "$d/tail" "$d/tail.old"
}

# Appends the end of the output to the log.  Its first line is incomplete and is not shown.
put_tail() {
	from=1
	if [ "$lefts" -gt 0 ] || [ "$left" -gt 0 ]; then
		size=$(head -n 1 "$d/tail.old" | wc -c)
		leave_out "$size"
		from=$((size + 1))
	fi
	if [ "$from" -gt 1 ] || [ -n "$full" ]; then
		size_of "$d/log"
		echo "$size" >"$d/cut"
		[ -z "$(tail -c 1 "$d/log" | tr "\0" .)" ] || echo >>"$d/log"
		if [ "$lefts" -gt 0 ]; then left=$(printf "%d%06d" "$lefts" "$left"); fi
		if [ -n "$full" ]; then
			echo "[crelease: the log could not be written ($full), output is left out here]"
		else
			echo "[crelease: $left bytes are left out here]"
		fi >>"$d/log"
	fi
	{ [ ! -f "$d/tail.old" ] || tail -c "+$from" "$d/tail.old"; [ ! -f "$d/tail" ] || cat "$d/tail"; } >>"$d/log"
}

# Processes that the command left behind may hold its output open.  In that case this waits only until nothing
# more is printed.
await_log() {
	still=0 total=0 step=1
	size_of "$d/log"
	while [ ! -f "$d/logged" ] && [ "$still" -lt 30 ] && [ "$total" -lt 200 ]; do
		sleep "0.0$step" 2>/dev/null || { sleep 1; step=100; }
		before=$size
		size_of "$d/log"
		if [ "$size" = "$before" ]; then still=$((still + step)); else still=0; fi
		total=$((total + step))
		case $step in 1) step=2 ;; 2) step=5 ;; 5) step=9 ;; esac
	done
}

# Ends the command at the time limit.  TERM ends this function itself.  The sleep gets KILL, because a TERM
# that arrives between its fork and its exec is taken by the handler that it still has.
limit_time() {
	trap 'kill -s KILL $! 2>/dev/null; exit' TERM
	sleep "$crelease_timeout" &
	wait $!
	trap '' TERM
	read -r p t b 2>/dev/null <"$d/pid" && is_alive "$p" "$t" "$b" || exit
	echo timeout >"$d/timeout"
	finish "$p" "$t" "$b"
}

# Waits for the watchdog's decision.  Sets $refused to "yes" when the command must not run.
await_gate() {
	rounds=0
	until [ -f "$d/gate" ] || [ "$rounds" -ge 600 ]; do
		rounds=$((rounds + 1))
		sleep 0.05 2>/dev/null || { sleep 1; rounds=$((rounds + 19)); }
	done
	answer=$crelease_gate
	{ read -r answer <"$d/gate"; } 2>/dev/null
	printf "%s\n" "$answer" >"$d/gated"
	case $answer in go | "go "*) ;; *) refused=yes ;; esac
}

# Sets $status to how the command ended.
run_child() {
	if mkfifo "$d/pipe" 2>/dev/null; then
		{ keep_log; : >"$d/logged"; } <"$d/pipe" >/dev/null 2>&1 &
		exec 4>"$d/pipe"
		rm -f "$d/pipe"
		$crelease_setsid sh "$d/child" </dev/null >&4 2>&1 4>&-
		status=$?
		exec 4>&-
		await_log
	else
		$crelease_setsid sh "$d/child" </dev/null >>"$d/log" 2>&1
		status=$?
	fi
}

supervise() {
	d=$crelease_job
	# shellcheck source=/dev/null
	. "$d/process"
	note "$d/supervisor" || exit 0
	trap : TERM INT HUP
	watcher='' beside='' refused=''
	if [ "$crelease_timeout" -gt 0 ]; then
		(limit_time) </dev/null >/dev/null 2>&1 &
		watcher=$!
	fi
	if [ -n "$crelease_watch" ]; then
		$crelease_setsid sh "$d/watch" </dev/null >"$d/watched" 2>/dev/null &
		beside=$!
	fi
	if [ -n "$crelease_gate" ]; then await_gate; fi
	if [ -n "$refused" ]; then status=75; else run_child; fi
	if [ -n "$beside" ]; then
		kill "$beside" 2>/dev/null
		wait "$beside"
	fi
	if [ -n "$watcher" ]; then
		kill "$watcher" 2>/dev/null
		wait "$watcher"
	fi
	[ -f "$d/timeout" ] && status=timeout
	echo "$status" >"$d/status.new" && { sync "$d/status.new" 2>/dev/null || sync; } && mv -f "$d/status.new" "$d/status"
}

supervise
exit
