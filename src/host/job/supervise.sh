# shellcheck shell=sh disable=SC2154
# The supervisor of one attempt at a job: runs the command, keeps its output, and records how it ended.  It
# survives the loss of the connection.  job.sh starts it as `sh .../jobs/JOB/N/supervise`, in a session of its
# own.
#
# Standard input is passed on to child.
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

# was_last COUNT: whether dd's message $words says that it found the end of its input before it had read COUNT blocks.
was_last() {
	case $words in *" records in"*) ;; *) return 1 ;; esac
	reads=${words%%" records in"*}
	case $reads in *[!0-9+]* | +* | *+ | *+*+*) return 1 ;; *+*) ;; *) return 1 ;; esac
	[ $((${reads%+*} + ${reads#*+})) -lt "$1" ]
}

# Appends the command's output to the log as it comes.  dd's read returns what there is; a read that added
# nothing was the last one.  Beyond the limit only the end of the output is kept.  This runs in the
# supervisor's session, so that processes which the command leaves behind have a reader as long as they print.
keep_log() {
	trap "" TERM INT HUP
	full='' before=-1 lefts=0 left=0
	size_of "$d/log"
	while [ "$size" -lt "$crelease_limit" ]; do
		before=$size count=$(((crelease_limit - size) / 65536 + 16))
		if words=$(dd bs=65536 count="$count" 2>&1 >&3); then
			if was_last "$count"; then return; fi
		else
			is_full
		fi
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
		[ -z "$(tail -c 1 "$d/log" | tr "\0" .)" ] || echo >&3
		if [ "$lefts" -gt 0 ]; then left=$(printf "%d%06d" "$lefts" "$left"); fi
		if [ -n "$full" ]; then
			echo "[crelease: the log could not be written ($full), output is left out here]"
		else
			echo "[crelease: $left bytes are left out here]"
		fi >&3
	fi
	{ [ ! -f "$d/tail.old" ] || tail -c "+$from" "$d/tail.old"; [ ! -f "$d/tail" ] || cat "$d/tail"; } >&3
}

# Sets $place to a number that changes when the log grows.
find_place() {
	place_of $$ 3 "$d/log"
	if [ -z "$place" ]; then
		size_of "$d/log"
		place=$size
	fi
}

# Processes that the command left behind may hold its output open.  In that case this waits only until nothing
# more is printed.
await_log() {
	still=0 total=0 step=1 place=
	while [ ! -f "$d/logged" ] && [ "$still" -lt 30 ] && [ "$total" -lt 200 ]; do
		if [ -z "$place" ]; then find_place; fi
		sleep "0.0$step" 2>/dev/null || { sleep 1; step=100; }
		before=$place
		find_place
		if [ "$place" = "$before" ]; then still=$((still + step)); else still=0; fi
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

# Waits up to 30 s for the watchdog's decision.  Sets $refused to "yes" when the command must not run.
await_gate() {
	waited=0 step=02
	until { read -r answer <"$d/gate"; } 2>/dev/null || [ "$waited" -ge 3000 ]; do
		sleep "0.$step" 2>/dev/null || { sleep 1; step=100; }
		waited=$((waited + ${step#0}))
		case $step in 02) step=05 ;; 05) step=10 ;; 10) step=20 ;; esac
	done
	{ read -r answer <"$d/gate"; } 2>/dev/null || answer=$crelease_gate
	printf "%s\n" "$answer" >"$d/gated"
	case $answer in go | "go "*) ;; *) refused=yes ;; esac
}

# Sets $status to how the command ended.
run_child() {
	if mkfifo "$d/pipe" 2>/dev/null; then
		{ keep_log; : >"$d/logged"; } <"$d/pipe" >/dev/null 2>&1 &
		exec 4>"$d/pipe"
		rm -f "$d/pipe" "$d/supervisor.$$"
		$crelease_setsid sh "$d/child" >&4 2>&1 4>&-
		status=$?
		exec 4>&-
		await_log
	else
		rm -f "$d/supervisor.$$"
		$crelease_setsid sh "$d/child" >&3 2>&1
		status=$?
	fi
}

supervise() {
	d=$crelease_job
	# shellcheck source=/dev/null
	. "$d/process"
	if ! note "$d/supervisor"; then
		rm -f "$d/supervisor.$$"
		exit 0
	fi
	# Standard error is the log.  All that writes the output inherits this descriptor, which shows job.sh how far it is.
	# It stays open here as long as the command runs: some shells would close it here when they close it for the command.
	exec 3>&2
	trap : TERM INT HUP
	watcher='' beside='' refused=''
	if [ "$crelease_timeout" -gt 0 ]; then
		(limit_time) </dev/null >/dev/null 2>&1 3>&- &
		watcher=$!
	fi
	if [ -n "$crelease_watch" ]; then
		$crelease_setsid sh "$d/watch" </dev/null >"$d/watched" 2>/dev/null 3>&- &
		beside=$!
	fi
	if [ -n "$crelease_gate" ]; then await_gate; fi
	if [ -n "$refused" ]; then
		rm -f "$d/supervisor.$$"
		status=75
	else
		run_child
	fi
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
