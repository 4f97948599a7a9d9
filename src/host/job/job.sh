# shellcheck shell=sh disable=SC2154,SC2015,SC2089,SC2090
# Runs a command of the user's so that it lives on without its connection, is never started
# twice, and is found again.  Values: job (its name), command, where (its folder), timeout (s, 0 for
# none), last (this ends the step on this host), alone (what is left of an attempt counts as the
# attempt: it is waited for, and after a lost end nothing is started unless told to), again (told
# to), job_dir (its folder, when it outlives the run; else empty), watch (shell text that runs beside
# the command, in a session of its own, is told TERM when that ends, and whose output is
# told as it comes; or empty), gate (the command begins only when the watch has written "go", or "go
# WHY" with something to be told, into the file gate of the attempt; this is what holds when it writes
# nothing for long; or empty), environment (shell text that exports the recipe's variables, which may be
# called like ours: only the command's own shell, and the watch before all else, run it), and the function
# job_env, which exports crelease's own.
#
# runs/RUN/jobs/JOB/N/   the Nth attempt
#   supervisor   PID TICKS BOOT, linked into place: who does that may start the command; "void" when
#                it was stopped before
#   pid          the same of the command, linked into place before it begins; "void" when somebody
#                saw that the supervisor had died, or stopped it, before it came to that
#   beside       the same of the watch
#   log          its output;  seen: so many bytes of it crelease says that it has shown;  shown: a later
#                job of the step was begun, so it has shown them all;  cut: behind so many some are
#                left out
#   status       its exit status as the shell tells it, renamed into place; "timeout" after a limit
#   watched      what the watch said
#   gate         what the watch said of the beginning: "go", "go WHY", or why not
#   gated        the one of these by which it began, or did not
#   forgotten    what it did was undone since (switch.sh): the next run of the step starts another
#                attempt
#   told         crelease was told that it failed: the next run of the step starts another attempt

dir=${job_dir:-$run_dir/jobs/$job}
log_limit=67108864

# What script, supervisor, command and watch all need to know of processes, and the prelude's $identity
# before it.  A command is the leader of a session, and what it starts is in that, in one process group
# or in several.
# shellcheck disable=SC2016 # expanded by eval
shared='
# members PID TICKS BOOT: in $members what lives of the session that it leads or led, in $groups
# their process groups, in $unsure those of whom that cannot be told.  As long as one of a session
# lives, its number is given to nobody else; so one that is known for ours speaks for all.
members() {
	members= groups= unsure=
	case $1 in "" | *[!0-9]*) return 0 ;; esac
	if [ "$2" = - ]; then
		if kill -0 "$1" 2>/dev/null; then members=" $1" groups=$1; fi
		return 0
	fi
	identity_of "$1"
	known=
	case $ticks in
	"$2") known=yes ;;
	"") read -r boot </proc/sys/kernel/random/boot_id ;;
	*) return 0 ;;
	esac
	[ "$boot" = "$3" ] || return 0
	if [ -n "$known" ] && [ -z "$ended" ]; then members=" $1" groups=$1; fi
	for entry in $(cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\([0-9]*\) (.*) [^ZX] [0-9]* \([0-9]*\) $1 .*/\1:\2/p"); do
		one=${entry%:*} group=${entry#*:}
		if [ -z "$known" ]; then
			if environ=$( { tr "\0" "\n" <"/proc/$one/environ"; } 2>/dev/null); then
				case "
$environ
" in
				*"
CRELEASE_RUN=$crelease_run
"*) known=yes ;;
				esac
			elif [ -d "/proc/$one" ]; then
				unsure="$unsure $one"
			fi
		fi
		case " $members " in *" $one "*) ;; *) members="$members $one" ;; esac
		case " $groups " in *" $group "*) ;; *) groups="$groups $group" ;; esac
	done
	if [ -n "$known" ]; then unsure=; else members= groups=; fi
}

# Where there is no setsid the command has no group of its own.
signal_members() {
	for group in $groups; do
		kill -s "$1" -- "-$group" 2>/dev/null || kill -s "$1" "$group" 2>/dev/null
	done
}

# ended_within TENTHS PID TICKS BOOT
ended_within() {
	tenths=$1
	shift
	while members "$@"; [ -n "$members" ]; do
		[ "$tenths" -gt 0 ] || return 1
		if sleep 0.2 2>/dev/null; then tenths=$((tenths - 2)); else sleep 1; tenths=$((tenths - 10)); fi
	done
}

# finish PID TICKS BOOT: TERM, then KILL after a grace, to what was just seen to be of it.  False when
# some of it, in $members, live even then.
finish() {
	members "$@"
	[ -n "$members" ] || return 0
	signal_members TERM
	ended_within 100 "$@" && return
	signal_members KILL
	ended_within 50 "$@"
}

# note FILE: who this process is, on disk and then linked into place; false when it is there already.
note() {
	identity_of $$
	echo "$$ $ticks $boot" >"$1.$$" && { sync "$1.$$" 2>/dev/null || sync; } &&
		{ ln "$1.$$" "$1" 2>/dev/null || { [ ! -e "$1" ] && ln "$1.$$" "$1"; }; }
	noted=$?
	rm -f "$1.$$"
	return "$noted"
}

size_of() {
	size=$(stat -c %s "$1" 2>/dev/null || wc -c <"$1") 2>/dev/null
	size=$((size))
}

# For the watch: whether there is still something to be watched.
job_lives() {
	read -r p t b <"$crelease_job/supervisor" && is_alive "$p" "$t" "$b" && return
	read -r p t b 2>/dev/null <"$crelease_job/pid" || return
	members "$p" "$t" "$b"
	[ -n "$members" ]
}
'
crelease_run=$run
eval "$shared"

# Run by sh -c in a session of its own; gets its values through the environment.
# shellcheck disable=SC2016 # expanded there
supervisor='
eval "$crelease_shared"
d=$crelease_job
note "$d/supervisor" || exit 0
trap : TERM INT HUP

# Adds what the command prints to the log as it comes: dd ends a read with what there is.  Nothing
# was added: that was the end.  Of what is beyond the limit only the last is kept.  In the session of
# the supervisor, so that what the command leaves behind finds a reader as long as it prints.
leave_out() {
	left=$((left + $1))
	while [ "$left" -ge 1000000 ]; do left=$((left - 1000000)) lefts=$((lefts + 1)); done
}

# What dd said of the write that failed.
is_full() {
	full=$(printf "%s\n" "$words" | sed -n "s/^[^ ].*: //p" | head -n 1)
	full=${full:-write error}
}

keep_log() {
	trap "" TERM INT HUP
	full= before=-1 lefts=0 left=0
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

# The line in which it begins is not shown from the middle.
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

# Something that the command left behind may hold its output open: then until it says nothing more.
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

if [ "$crelease_timeout" -gt 0 ]; then
	# KILL: a TERM that meets the fork before its exec is taken by the handler it still has.
	( trap "kill -s KILL \$! 2>/dev/null; exit" TERM
	  sleep "$crelease_timeout" & wait $!
	  trap "" TERM
	  read -r p t b 2>/dev/null <"$d/pid" && is_alive "$p" "$t" "$b" || exit
	  echo timeout >"$d/timeout"
	  finish "$p" "$t" "$b" ) </dev/null >/dev/null 2>&1 &
	watcher=$!
else
	watcher=
fi
if [ -n "$crelease_watch" ]; then
	$crelease_setsid sh -c "eval \"\$crelease_environment\"; LC_ALL=C; export LC_ALL; eval \"\$crelease_shared\"; note \"\$crelease_job/beside\"; eval \"\$crelease_watch\"" </dev/null >"$d/watched" 2>/dev/null &
	beside=$!
else
	beside=
fi
refused=
if [ -n "$crelease_gate" ]; then
	rounds=0
	until [ -f "$d/gate" ] || [ "$rounds" -ge 600 ]; do
		rounds=$((rounds + 1))
		sleep 0.05 2>/dev/null || { sleep 1; rounds=$((rounds + 19)); }
	done
	answer=$crelease_gate
	{ read -r answer <"$d/gate"; } 2>/dev/null
	printf "%s\n" "$answer" >"$d/gated"
	case $answer in go | "go "*) ;; *) refused=yes ;; esac
fi
if [ -n "$refused" ]; then
	status=75
elif mkfifo "$d/pipe" 2>/dev/null; then
	{ keep_log; : >"$d/logged"; } <"$d/pipe" >/dev/null 2>&1 &
	exec 4>"$d/pipe"
	rm -f "$d/pipe"
	$crelease_setsid sh -c "$crelease_child" </dev/null >&4 2>&1 4>&-
	status=$?
	exec 4>&-
	await_log
else
	$crelease_setsid sh -c "$crelease_child" </dev/null >>"$d/log" 2>&1
	status=$?
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
'

# shellcheck disable=SC2016 # expanded there
child='
eval "$crelease_shared"
note "$crelease_job/pid" || exit 125
cd "$crelease_where" || exit 125
umask "$crelease_umask"
if [ -n "$crelease_locale" ]; then LC_ALL=$crelease_locale; else unset LC_ALL; fi
unset crelease_umask crelease_locale crelease_gate crelease_job crelease_where crelease_child crelease_timeout crelease_setsid crelease_watch crelease_shared crelease_run crelease_limit
exec /bin/sh -c "eval \"\$crelease_environment\"; eval \"unset crelease_command crelease_environment; \$crelease_command\""
'

start() {
	# The supervisor has nobody to tell that it could not write.
	must "make '$dir/$n'" mkdir -p "$dir/$n"
	{ true >>"$dir/$n/log"; } 2>/dev/null || cannot_write "$dir/$n/log"
	# Of blocks, and of inodes: each note of a process takes two.
	put "$dir/$n/room" "$(printf '%4096s.' '')"
	for file in 1 2 3 4 5; do put "$dir/$n/room.$file" ''; done
	must "remove '$dir/$n/room'" rm "$dir/$n/room" "$dir/$n"/room.[1-5]
	setsid=$(command -v setsid || command -v nohup || true)
	(
		crelease_job=$dir/$n crelease_where=$where crelease_command=$command crelease_child=$child
		crelease_timeout=$timeout crelease_setsid=$setsid crelease_supervisor=$supervisor
		crelease_watch=$watch crelease_shared=$identity$shared crelease_limit=$log_limit crelease_gate=$gate
		crelease_environment=$environment crelease_locale=$login_locale crelease_umask=$umask_was
		export crelease_umask crelease_locale crelease_job crelease_where crelease_command crelease_child crelease_timeout crelease_setsid crelease_watch
		export crelease_shared crelease_run crelease_limit crelease_gate crelease_environment
		exec </dev/null >/dev/null 2>>"$crelease_job/log"
		job_env
		exec $crelease_setsid sh -c "$crelease_supervisor"
	) &
}

# On a full disk the mark that comes next says why.
told() {
	{ true >"$dir/$n/told"; } 2>/dev/null
}

not_started() {
	cannot_see "the job did not start within a minute: $(tail -n 1 "$dir/$n/log")"
}

damaged() {
	cannot_see "$1 is damaged: see whether '$job' of run $run still runs on this host; when it does not, remove $dir/$n and resume"
}

# read_id FILE: in $pid, $ticks_was and $boot_was who it names, as `note` wrote it, or $pid "void".
read_id() {
	read -r pid ticks_was boot_was <"$1" || damaged "$1"
	case "$pid|$ticks_was|$boot_was" in
	'void||') ;;
	*[!-0-9a-f\|]* | '|'* | *'||'* | *'|') damaged "$1" ;;
	esac
	case $pid in void) ;; *[!0-9]*) damaged "$1" ;; esac
	case $ticks_was in '' | -) ;; *[!0-9]*) damaged "$1" ;; esac
}

read_status() {
	read -r status <"$dir/$n/status" || damaged "$dir/$n/status"
	case $status in
	timeout | [0-9] | [0-9][0-9] | [0-9][0-9][0-9]) ;;
	*) damaged "$dir/$n/status" ;;
	esac
}

read_seen() {
	offset=0
	[ -f "$dir/$n/seen" ] || return 0
	read -r offset <"$dir/$n/seen" || damaged "$dir/$n/seen"
	case $offset in '' | *[!0-9]* | 0?*) damaged "$dir/$n/seen" ;; esac
}

check_files() {
	[ "$n" -gt 0 ] || return 0
	if [ -f "$dir/$n/supervisor" ]; then read_id "$dir/$n/supervisor"; fi
	if [ -f "$dir/$n/pid" ]; then read_id "$dir/$n/pid"; fi
	if [ -f "$dir/$n/status" ]; then read_status; fi
	read_seen
}

# make_void FILE: whoever would write it comes too late; false when it is there already.
make_void() {
	put "$1.void" void
	said=$(ln "$1.void" "$1" 2>&1)
	made=$?
	rm -f "$1.void"
	if [ "$made" != 0 ] && [ ! -e "$1" ]; then cannot "make '$1'" "$said"; fi
	return "$made"
}

# In $is: new, running, ended, void, or lost (it was started and its end was not recorded).
look() {
	is=new
	if [ -f "$dir/$n/status" ]; then
		is=ended
		return
	fi
	[ -f "$dir/$n/supervisor" ] || return 0
	read_id "$dir/$n/supervisor"
	if is_alive "$pid" "$ticks_was" "$boot_was"; then
		is=running
		return
	fi
	# It may have ended between the two looks.
	if [ -f "$dir/$n/status" ]; then
		is=ended
		return
	fi
	if make_void "$dir/$n/pid"; then
		is=void
		return
	fi
	read_id "$dir/$n/pid"
	if [ "$pid" = void ]; then
		is=void
	elif is_alive "$pid" "$ticks_was" "$boot_was" || { [ -n "$alone" ] && rest_lives; }; then
		is=running
	else
		is=lost
	fi
}

# Whether anything lives of the attempt whose leader is in $pid, $ticks_was and $boot_was.
rest_lives() {
	looks=0
	# One that is just ending cannot be read for a moment.
	while members "$pid" "$ticks_was" "$boot_was"; [ -n "$unsure" ] && [ "$looks" -lt 10 ]; do
		looks=$((looks + 1))
		sleep 0.2 2>/dev/null || sleep 1
	done
	if [ -n "$unsure" ]; then
		cannot_see "it cannot be told whether the processes$unsure belong to an earlier attempt of '$job': resume when they have ended"
	fi
	[ -n "$members" ]
}

# What was sent may be lost on its way, so crelease answers each "out" by its last two numbers.
hear() {
	if [ -n "$hearing" ]; then return 0; fi
	hearing=yes
	identity_of $$
	exec 5<&0 </dev/null
	(
		# Behind a loop some shells keep what its output was before.
		exec <&5 5<&- >/dev/null 2>&1
		own_ticks=$ticks own_boot=$boot
		while read -r at to; do
			case $at in '' | *[!0-9]*) continue ;; esac
			case $to in '' | *[!0-9]* | 0?*) continue ;; esac
			echo "$to" >"$dir/$at/seen.$$" && mv -f "$dir/$at/seen.$$" "$dir/$at/seen"
		done
		# crelease is gone.  Were the end of the job marked now, a resume would not show the output that was lost
		# on its way.
		if [ "$own_ticks" != - ] && is_alive $$ "$own_ticks" "$own_boot"; then kill -s TERM $$; fi
	) &
	exec 5<&-
}

# Of the jobs before this one in its step.  A full disk is no reason to stop here.
all_shown() {
	of=${job%.*} at=${job##*.}
	case $at in '' | *[!0-9]*) return 0 ;; esac
	while [ "$at" -gt 0 ]; do
		at=$((at - 1)) latest=0
		while [ -d "$run_dir/jobs/$of.$at/$((latest + 1))" ]; do latest=$((latest + 1)); done
		if [ "$latest" -gt 0 ]; then { true >"$run_dir/jobs/$of.$at/$latest/shown"; } 2>/dev/null; fi
	done
}

# Sends what the log has beyond $offset, as "out N ATTEMPT OFFSET", newline, N bytes, which end at that
# offset; "cut" where some were left out.
show() {
	size_of "$dir/$n/log"
	[ "$size" -gt "$offset" ] || return 1
	part=$((size - offset))
	if [ "$part" -gt 1048576 ]; then part=1048576; fi
	if [ -f "$dir/$n/cut" ] && read -r cut <"$dir/$n/cut"; then
		if [ "$offset" = "$cut" ]; then say cut "$cut"; fi
		if [ "$offset" -lt "$cut" ] && [ "$part" -gt $((cut - offset)) ]; then part=$((cut - offset)); fi
	fi
	say out "$part $n $((offset + part))"
	tail -c "+$((offset + 1))" "$dir/$n/log" | head -c "$part"
	offset=$((offset + part))
	return 0
}

# Of a line that was not whole nothing was shown yet, unless it is a very long one.
back_to_line() {
	[ "$offset" -gt 0 ] || return 0
	from=$((offset > 32768 ? offset - 32768 : 0))
	part=$({ tail -c "+$((from + 1))" "$dir/$n/log" | head -c "$((offset - from))"; echo x; } | tail -n 1 | wc -c)
	part=$((part - 2))
	if [ "$part" -lt 32768 ]; then offset=$((offset - part)); fi
}

# Sends what the watch has said since, as "watch LINE"; of a line that is not whole nothing.
tell_watched() {
	[ -s "$dir/$n/watched" ] || return 0
	size_of "$dir/$n/watched"
	[ "$size" -gt "$told_to" ] || return 0
	text=$({ tail -c "+$((told_to + 1))" "$dir/$n/watched" | head -c 65536; echo .; })
	text=${text%.}
	case $text in *"$newline"*) ;; *) return 0 ;; esac
	text=${text%"$newline"*}
	told_to=$((told_to + $(printf '%s\n' "$text" | wc -c)))
	printf '%s\n' "$text" | sed 's/^/watch /'
}

# Sends "watch gone", once, when the watch has ended before the command.  It is told to after that has
# ended, so its own end is looked at first.
tell_unwatched() {
	if [ -z "$watch" ] || [ -n "$unwatched" ] || [ ! -f "$dir/$n/beside" ]; then return 0; fi
	read_id "$dir/$n/beside"
	if is_alive "$pid" "$ticks_was" "$boot_was" || [ ! -f "$dir/$n/pid" ]; then return 0; fi
	read_id "$dir/$n/pid"
	if is_alive "$pid" "$ticks_was" "$boot_was"; then
		unwatched=yes
		say watch gone
	fi
}

# Sends with what word it began, once, when there is something in that to be told.
tell_gated() {
	if [ -n "$gate_told" ] || ! [ -s "$dir/$n/gated" ]; then return 0; fi
	gate_told=yes
	read -r answer <"$dir/$n/gated"
	case $answer in "go "*) say watch "gated $(printf '%s' "${answer#go }" | tr -d '\000-\037\177')" ;; esac
}

pause=0.02 hearing=
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
	hear
	read_seen
	size_of "$dir/$n/log"
	if [ -f "$dir/$n/shown" ] || [ "$offset" -gt "$size" ]; then offset=$size; fi
	back_to_line
	rounds=0 told_to=0 gate_told='' unwatched=
	while :; do
		look
		tell_gated
		if show; then continue; fi
		tell_watched
		tell_unwatched
		case $is in
		new)
			# The supervisor has not come to its first line yet.
			rounds=$((rounds + 1))
			if [ "$rounds" -gt 200 ]; then not_started; fi
			;;
		running) ;;
		lost)
			# Its last words may still be on their way into the log.
			rounds=$((rounds + 1))
			if [ -f "$dir/$n/logged" ] || [ "$rounds" -gt 4 ]; then return 0; fi
			;;
		*) return 0 ;;
		esac
		nap
	done
}

# Before another attempt: what is left of the one before.
clear_rest() {
	[ -f "$dir/$n/pid" ] || return 0
	read_id "$dir/$n/pid"
	if [ -n "$alone" ]; then
		rest_lives || return 0
		say attached "$n"
		hear
		read_seen
		while rest_lives || show; do
			while show; do :; done
			nap
		done
	elif [ "$is" = lost ]; then
		# One whose end was recorded may have left a server behind on purpose.
		finish "$pid" "$ticks_was" "$boot_was" ||
			fail "what is left of an earlier attempt of '$job' does not end, even by KILL: process$members"
	fi
}

# Ends attempt $n, whatever it has come to: nobody begins after this.
stop() {
	if [ -f "$dir/$n/status" ]; then
		read_status
		if [ "$status" = 0 ]; then return 0; fi
	else
		make_void "$dir/$n/supervisor" || make_void "$dir/$n/pid" || :
	fi
	stopped=
	if [ -f "$dir/$n/pid" ]; then
		read_id "$dir/$n/pid"
		members "$pid" "$ticks_was" "$boot_was"
		if [ -n "$members" ]; then stopped=$pid; fi
		finish "$pid" "$ticks_was" "$boot_was" || remains=$members
	fi
	if [ -z "$remains" ] && [ -f "$dir/$n/supervisor" ]; then
		# It records the end, and ends what runs beside.
		read_id "$dir/$n/supervisor"
		rounds=0
		while is_alive "$pid" "$ticks_was" "$boot_was"; do
			if [ "$rounds" -ge 150 ]; then kill -s KILL "$pid"; fi
			rounds=$((rounds + 1))
			sleep 0.1 2>/dev/null || sleep 1
		done
		# The watcher of a time limit; who keeps the log reads on to the end.
		members "$pid" "$ticks_was" "$boot_was"
		signal_members TERM
	fi
	if [ -f "$dir/$n/beside" ] && read -r pid ticks_was boot_was <"$dir/$n/beside" &&
		is_alive "$pid" "$ticks_was" "$boot_was"; then
		kill -s TERM "$pid" 2>/dev/null
		ended_within 100 "$pid" "$ticks_was" "$boot_was" || finish "$pid" "$ticks_was" "$boot_was" || :
	fi
	if [ -n "$remains" ]; then fail "'$job' does not end, even by KILL: process$remains"; fi
	if [ -n "$stopped" ]; then say stopped "$stopped"; fi
}

# How an error begins in the output of the tools that a deploy runs.
signs='(rails|rake|cap) aborted!
^ *Traceback \(most recent call last\)
(^|[[:space:](])([A-Za-z_][A-Za-z0-9_]*(::|\.|\\))*[A-Z][A-Za-z0-9_]*(Error|Exception)(:| \[| \()
^[[:space:]]*([A-Za-z_][A-Za-z0-9_]*(::|\.|\\))+[A-Z][A-Za-z0-9_]*(Error|Exception)[[:space:]]*$
^[A-Z][A-Za-z0-9]*(::[A-Z][A-Za-z0-9]*)+: 
(^|[^A-Za-z0-9_-])([Ee]rror|ERROR|[Ff]atal|FATAL|PANIC|CRITICAL|FAILED)(\[[A-Za-z0-9]+\])?[:!]([[:space:]]|$)
(Fatal|Parse) error:
(^|[[:space:]])(npm|pnpm|yarn) (ERR!|error)|ERR_PNPM
^error |^ERROR in |^ERROR [0-9]+ |\[(ERROR|error|CRITICAL|FATAL)\]
Exception in thread |Uncaught |Unhandled ?[Pp]romise ?[Rr]ejection|Unhandled exception
make(\[[0-9]+\])?: \*\*\* 
An error occurred|^Could not find |Module not found|Failed to compile|Compilation failed
SQLSTATE\[|^[[:space:]]*In [A-Za-z]+\.php line [0-9]+
^panic: |panicked at |^\*\* \('
# Where none of these is: words that are found in harmless lines, too, so the last one counts.
hints='error|exception|fatal|failed|failure|cannot|could not|unable to|denied|not found|no such|not permitted|undefined|out of memory|no space left|refused|timed out|killed|segmentation'

# Sends what of the log probably says why the command failed, as "why FIRST LAST TOTAL" (the first and
# the last line that look like an error, 0 for none, and how many there are) and "why N:LINE": what is
# around these two, and the end.  What colours a terminal, and what a progress bar has painted over, is
# left out.
plain_log() {
	LC_ALL=C sed "s/$esc\[[0-9;?]*[A-Za-z]//g; s/$cr\$//; s/.*$cr//" "$dir/$n/log" 2>/dev/null | tr -d '\000'
}

tell_why() {
	esc=$(printf '\033') cr=$(printf '\r')
	total=$(plain_log | LC_ALL=C grep -a -c '')
	first=$(plain_log | LC_ALL=C grep -a -n -E -e "$signs" | cut -d: -f1 | sed -n '1p;$p')
	[ -n "$first" ] || first=$(plain_log | LC_ALL=C grep -a -n -i -E -e "$hints" | cut -d: -f1 | tail -n 1)
	last=${first##*"$newline"} first=${first%%"$newline"*}
	first=${first:-0} last=${last:-0} total=${total:-0}
	say why "$first $last $total"
	{
		plain_log | LC_ALL=C grep -a -n '' | LC_ALL=C sed -n \
			-e "$((first > 2 ? first - 2 : 1)),$((first + 120))p" -e "$((last > 1 ? last - 1 : 1)),$((last + 8))p" \
			-e "$((total > 12 ? total - 11 : 1)),\$p" | LC_ALL=C cut -b 1-4000 | head -c 200000
		echo
	} | sed 's/^/why /'
}

begin_change
distrust "$dir" "$dir"/* "$dir"/*/*
refuse_distrusted
last_mark "$step"
n=0
while [ -d "$dir/$((n + 1))" ]; do n=$((n + 1)); done
case $verb in
run)
	started=
	check_files
	all_shown
	if [ "$n" -gt 0 ]; then look; else is=none; fi
	case $is in
	none | void) started=yes ;;
	ended)
		read_status
		if [ "$status" != 0 ] && [ -f "$dir/$n/told" ]; then started=yes; fi
		if [ -f "$dir/$n/forgotten" ]; then started=yes; fi
		;;
	lost)
		if [ -f "$dir/$n/told" ] && { [ -z "$alone" ] || [ -n "$again" ]; }; then started=yes; fi
		if [ -f "$dir/$n/forgotten" ]; then started=yes; fi
		;;
	new) # made, and its supervisor never came: it is safe to start another, the link decides
		started=same
		;;
	esac
	if [ "$mark" != begun ]; then put_mark "$step" begun; fi
	case $started in
	yes)
		clear_rest
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
		read_status
		refused=
		# A gate that is there and not open, and a command that never came to its first line.
		if [ "$status" = 75 ] && [ -n "$gate" ] && [ ! -f "$dir/$n/pid" ]; then
			refused=$gate
			{ read -r refused <"$dir/$n/gated"; } 2>/dev/null
			say refused "$refused"
		fi
		if [ "$status" != 0 ] && [ -z "$refused" ]; then tell_why; fi
		say exit "$status"
		if [ "$status" != 0 ]; then
			told
			put_mark "$step" failed
		else
			if [ -n "$last$alone" ]; then
				# No mark says of something that it is done before that is on disk.
				if [ -d "$path" ]; then flush -f "$path" "$run_dir"; else flush -f "$run_dir"; fi
			fi
			if [ -n "$last" ]; then put_mark "$step" "done"; fi
		fi
		;;
	void)
		# Nothing of it ever ran.
		put_mark "$step" failed
		fail "the job was killed before it began"
		;;
	*)
		tell_why
		say exit lost
		told
		put_mark "$step" failed
		;;
	esac
	;;
look) # whether it runs, or what is left of it; when not, it never will
	if [ "$n" -gt 0 ]; then
		check_files
		look
		# One that has not come to its first line will not.
		if [ "$is" = new ] && make_void "$dir/$n/supervisor"; then is=void; fi
		if [ "$is" = ended ] && [ -f "$dir/$n/pid" ]; then
			read_id "$dir/$n/pid"
			if rest_lives; then is=running; fi
		fi
		say is "$is"
	fi
	;;
detach) # starts it, unless that was done before, and leaves it
	check_files
	if [ "$n" -gt 0 ]; then look; else is=none; fi
	if [ "$mark" != begun ]; then put_mark "$step" begun; fi
	case $is in
	none | void) n=$((n + 1)) ;;
	new) ;;
	*) say attached "$is" ;;
	esac
	case $is in none | void | new) start ;; esac
	rounds=0
	while [ ! -f "$dir/$n/supervisor" ]; do
		rounds=$((rounds + 1))
		if [ "$rounds" -gt 200 ]; then not_started; fi
		nap
	done
	put_mark "$step" "done"
	;;
stop) # ends all that runs of it: TERM, then KILL; only what was identified as it
	remains='' attempts=$n n=0
	while [ "$n" -lt "$attempts" ]; do
		n=$((n + 1))
		stop
		# Who goes on with the run begins it anew.
		if [ -d "$dir/$n" ]; then told; fi
	done
	;;
esac
exit 0
