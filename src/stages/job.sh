# shellcheck shell=sh disable=SC2154,SC2015,SC2089,SC2090
# Runs a command of the user's so that it lives on without its connection, is never started
# twice, and is found again.  Values: job (its name), command, where (its folder), timeout (s, 0 for
# none), last (this ends the step on this host), watch (shell text that runs beside the command, in a
# session of its own, is told TERM when that ends, and whose output counts as "watched"; or empty), and the function
# job_env, which exports the environment of the command.
#
# runs/RUN/jobs/JOB/N/   the Nth attempt
#   supervisor   PID TICKS BOOT, linked into place: who does that may start the command
#   pid          the same of the command, linked into place before it begins; "void" when somebody
#                saw that the supervisor had died before it came to that
#   log          its output;  seen: so many bytes of it were shown
#   status       its exit status as the shell tells it, renamed into place; "timeout" after a limit
#   watched      what the watch said
#   forgotten    what it did was undone since (switch.sh): the next run of the step starts another
#                attempt
#   told         crelease was told that it failed: the next run of the step starts another attempt

dir=$run_dir/jobs/$job

# Run by sh -c in a session of its own; gets its values through the environment.
# shellcheck disable=SC2016 # expanded there
supervisor='
read_stat() { read -r s <"/proc/$1/stat" || return; s=${s##*) }; set -- $s; shift 19; ticks=$1; read -r boot </proc/sys/kernel/random/boot_id; }
d=$crelease_job ticks=- boot=-
[ -r "/proc/$$/stat" ] && read_stat $$
echo "$$ $ticks $boot" >"$d/supervisor.$$" && ln "$d/supervisor.$$" "$d/supervisor" 2>/dev/null || { rm -f "$d/supervisor.$$"; exit 0; }
rm -f "$d/supervisor.$$"
trap : TERM INT HUP
if [ "$crelease_timeout" -gt 0 ]; then
	( trap "kill \$! 2>/dev/null; exit" TERM
	  sleep "$crelease_timeout" & wait $!
	  read -r p t b <"$d/pid" 2>/dev/null || exit
	  echo timeout >"$d/timeout"
	  kill -s TERM -- "-$p" 2>/dev/null
	  sleep 10 & wait $!
	  kill -s KILL -- "-$p" 2>/dev/null ) </dev/null >/dev/null 2>&1 &
	watcher=$!
else
	watcher=
fi
if [ -n "$crelease_watch" ]; then
	crelease_supervisor=$$
	export crelease_supervisor
	$crelease_setsid sh -c "$crelease_watch" </dev/null >"$d/watched" 2>/dev/null &
	beside=$!
else
	beside=
fi
$crelease_setsid sh -c "$crelease_child" </dev/null >>"$d/log" 2>&1
status=$?
if [ -n "$beside" ]; then
	kill "$beside" 2>/dev/null
	wait "$beside"
fi
[ -n "$watcher" ] && kill "$watcher" 2>/dev/null
[ -f "$d/timeout" ] && status=timeout
echo "$status" >"$d/status.new" && { sync "$d/status.new" 2>/dev/null || sync; } && mv -f "$d/status.new" "$d/status"
'

# shellcheck disable=SC2016 # expanded there
child='
ticks=- boot=-
if [ -r "/proc/$$/stat" ]; then read -r s <"/proc/$$/stat"; s=${s##*) }; set -- $s; shift 19; ticks=$1; read -r boot </proc/sys/kernel/random/boot_id; fi
echo "$$ $ticks $boot" >"$crelease_job/pid.new" && ln "$crelease_job/pid.new" "$crelease_job/pid" || exit 125
rm -f "$crelease_job/pid.new"
cd "$crelease_where" || exit 125
unset crelease_job crelease_where crelease_child crelease_timeout crelease_setsid crelease_watch crelease_supervisor
exec /bin/sh -c "eval \"unset crelease_command; \$crelease_command\""
'

start() {
	# What a command prints may be nobody else's business.
	umask_was=$(umask)
	umask 027
	mkdir -p "$dir/$n" && : >>"$dir/$n/log" || fail "cannot make $dir/$n (is the disk full?)"
	umask "$umask_was"
	setsid=$(command -v setsid || command -v nohup || true)
	(
		crelease_job=$dir/$n crelease_where=$where crelease_command=$command crelease_child=$child
		crelease_timeout=$timeout crelease_setsid=$setsid crelease_supervisor=$supervisor
		crelease_watch=$watch
		export crelease_job crelease_where crelease_command crelease_child crelease_timeout crelease_setsid crelease_watch
		exec </dev/null >/dev/null 2>>"$crelease_job/log"
		job_env
		exec $crelease_setsid sh -c "$crelease_supervisor"
	) &
}

# In $is: new, running, ended, or lost (it was started and its end was not recorded).
look() {
	is=new
	if [ -f "$dir/$n/status" ]; then
		is=ended
		return
	fi
	[ -f "$dir/$n/supervisor" ] || return 0
	read -r pid ticks_was boot_was <"$dir/$n/supervisor"
	if is_alive "$pid" "$ticks_was" "$boot_was"; then
		is=running
		return
	fi
	# It may have ended between the two looks.
	if [ -f "$dir/$n/status" ]; then
		is=ended
		return
	fi
	echo void >"$dir/$n/pid.void"
	if ln "$dir/$n/pid.void" "$dir/$n/pid" 2>/dev/null; then
		rm -f "$dir/$n/pid.void"
		is=void
		return
	fi
	rm -f "$dir/$n/pid.void"
	read -r pid ticks_was boot_was <"$dir/$n/pid"
	if [ "$pid" = void ]; then
		is=void
	elif is_alive "$pid" "$ticks_was" "$boot_was"; then
		is=running
	else
		is=lost
	fi
}

# Sends what the log has beyond $offset, as "out N", newline, N bytes.
show() {
	size=$(wc -c <"$dir/$n/log")
	size=$((size))
	if [ "$size" -gt "$offset" ]; then
		part=$((size - offset))
		if [ "$part" -gt 1048576 ]; then part=1048576; fi
		say out "$part"
		tail -c "+$((offset + 1))" "$dir/$n/log" | head -c "$part"
		offset=$((offset + part))
		echo "$offset" >"$dir/$n/seen"
		return 0
	fi
	return 1
}

pause=0.02
nap() {
	sleep "$pause" 2>/dev/null || sleep 1
	case $pause in
	0.02) pause=0.05 ;;
	0.05) pause=0.1 ;;
	0.1) pause=0.2 ;;
	*) pause=0.4 ;;
	esac
}

follow() {
	offset=0
	if [ -f "$dir/$n/seen" ]; then read -r offset <"$dir/$n/seen"; fi
	rounds=0
	while :; do
		look
		if show; then continue; fi
		case $is in
		new)
			# The supervisor has not come to its first line yet.
			rounds=$((rounds + 1))
			if [ "$rounds" -gt 200 ]; then cannot_see "the job did not start within a minute"; fi
			;;
		running) ;;
		*) return 0 ;;
		esac
		nap
	done
}

fence
last_mark "$step"
n=0
while [ -d "$dir/$((n + 1))" ]; do n=$((n + 1)); done
case $verb in
run)
	started=
	if [ "$n" -gt 0 ]; then look; else is=none; fi
	case $is in
	none | void) started=yes ;;
	ended)
		read -r status <"$dir/$n/status"
		if [ "$status" != 0 ] && [ -f "$dir/$n/told" ]; then started=yes; fi
		if [ -f "$dir/$n/forgotten" ]; then started=yes; fi
		;;
	lost) if [ -f "$dir/$n/told" ] || [ -f "$dir/$n/forgotten" ]; then started=yes; fi ;;
	new) # made, and its supervisor never came: it is safe to start another, the link decides
		started=same
		;;
	esac
	if [ "$mark" != begun ]; then put_mark "$step" begun; fi
	case $started in
	yes)
		n=$((n + 1))
		say attempt "$n"
		start
		;;
	same)
		say attempt "$n"
		start
		;;
	*) say attached "$n" ;;
	esac
	follow
	case $is in
	ended)
		read -r status <"$dir/$n/status"
		if [ -s "$dir/$n/watched" ]; then say watched "$n"; fi
		say exit "$status"
		if [ "$status" != 0 ]; then
			: >"$dir/$n/told"
			put_mark "$step" failed
		elif [ -n "$last" ]; then
			put_mark "$step" "done"
		fi
		;;
	void)
		# Nothing of it ever ran.
		put_mark "$step" failed
		fail "the job was killed before it began"
		;;
	*)
		say exit lost
		: >"$dir/$n/told"
		put_mark "$step" failed
		;;
	esac
	;;
stop) # ends its process group: TERM, then KILL; only what was identified as it
	if [ "$n" -gt 0 ]; then
		look
		if [ "$is" = running ] && [ -f "$dir/$n/pid" ]; then
			read -r pid ticks_was boot_was <"$dir/$n/pid"
			if is_alive "$pid" "$ticks_was" "$boot_was"; then
				kill -s TERM -- "-$pid" 2>/dev/null
				rounds=0
				while is_alive "$pid" "$ticks_was" "$boot_was" && [ "$rounds" -lt 50 ]; do
					sleep 0.2 2>/dev/null || sleep 1
					rounds=$((rounds + 1))
				done
				if is_alive "$pid" "$ticks_was" "$boot_was"; then kill -s KILL -- "-$pid" 2>/dev/null; fi
				say stopped "$pid"
			fi
		fi
	fi
	;;
esac
exit 0
