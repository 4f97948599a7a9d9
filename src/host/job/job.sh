# shellcheck shell=sh disable=SC2154,SC2015,SC2034
# Runs one of the user's commands so that it survives its connection, is never started twice, and is found
# again.
# Values:
#   job          its name
#   command      shell text
#   where        the folder to run it in
#   timeout      in seconds, 0 for none
#   last         not empty: its end is the end of the step on this host
#   alone        not empty: two attempts must never run at once.  What is left of an attempt counts as the attempt: it
#                is waited for, and after a lost end nothing is started unless `again` is set
#   again        not empty: start another attempt after a lost end
#   job_dir      its folder, if it outlives the run; else empty
#   become_user        the user as whom it runs, through sudo; or empty
#   become_text   for other.sh
#   become_login  the password that sudo asks for; or empty.  It is only ever written to a pipe
#   watch        text of the file `watch`, the watchdog: it runs beside the command in a session of its own, gets TERM
#                when the command ends, and its output is passed on as it comes.  Or empty
#   watch_values assignments for the watchdog
#   prepare_watch a function that sets watch_found to more of them, which only this host knows; or it is not defined
#   gate         not empty: the command starts only when the watchdog has written "go", or "go WHY" with a text to be
#                passed on, into the file `gate` of the attempt.  If it writes nothing for too long, this value counts
#   environment  shell text that exports the recipe's variables.  These may have the names of ours, so only the
#                command's own shell evaluates it, and the watchdog before everything else
#   own_environment  the same for crelease's variables, whose names are known
#   user_shell   the recipe's shell: a command that takes shell text, or empty for sh
#   process_text, supervise_text, child_text, command_text  the files of an attempt
#
# runs/RUN/jobs/JOB/N/   the Nth attempt
#   process, supervise, child, command, watch   the scripts, so that ps shows their names: no program text and no
#                value is ever in an argument list.  The values are in the environment of the processes, not on disk
#   supervisor   PID TICKS BOOT, linked into place: the process that links it may start the command; "void" when
#                the attempt was stopped before
#   pid          the same of the command, linked into place before it starts; "void" when the supervisor was found
#                dead, or was stopped, before that
#   beside       the same of the watchdog
#   log          its output
#   seen         how many bytes of the log crelease has shown
#   shown        exists when a later job of the step was started, so that all of the log was shown
#   cut          after how many bytes of the log some output is missing
#   status       its exit status as the shell reports it, renamed into place; "timeout" after a limit
#   watched      the output of the watchdog
#   gate         the watchdog's decision: "go", "go WHY", or why not
#   gated        which of these was applied
#   forgotten    exists when its effect was undone (switch.sh): the next run of the step starts another attempt
#   told         exists when crelease has reported its failure: the next run of the step starts another attempt

dir=${job_dir:-$run_dir/jobs/$job}
log_limit=67108864
crelease_run=$run
eval "$process_text"

# write_files FOLDER: writes the files that run.
write_files() {
	umask 077
	put "$1/process" "$process_text"
	put "$1/supervise" "$supervise_text"
	put "$1/child" "$child_text"
	put "$1/command" "$command_text"
	if [ -n "$watch" ]; then put "$1/watch" "$watch"; fi
	umask "$umask_was"
	own_umask
}

start() {
	if [ -d "$dir/$n" ]; then
		# A supervisor from an earlier start may be reading these files, and keeps the ones that it has open.  The new
		# ones are complete before they are renamed into place.
		must "create '$dir/$n/new'" mkdir -p "$dir/$n/new"
		write_files "$dir/$n/new"
		must "write '$dir/$n/supervise'" mv -f "$dir/$n"/new/* "$dir/$n"
	else
		must "create '$dir/$n'" mkdir -p "$dir/$n"
		write_files "$dir/$n"
	fi
	{ true >>"$dir/$n/log"; } 2>/dev/null || cannot_write "$dir/$n/log"
	# The supervisor cannot report a full disk to anyone, so room for what it writes is tried here: blocks,
	# and inodes, of which the note of each process takes two.
	refuse_link "$dir/$n/room"
	{ printf '%4096s.\n' '' >"$dir/$n/room"; } 2>/dev/null || cannot_write "$dir/$n/room"
	for file in 1 2 3 4 5; do put "$dir/$n/room.$file" ''; done
	must "remove '$dir/$n/room'" rm -rf "$dir/$n/new" "$dir/$n/room" "$dir/$n"/room.[1-5]
	watch_found=
	if [ -n "$watch" ] && command -v prepare_watch >/dev/null; then prepare_watch; fi
	setsid=
	if command -v setsid >/dev/null; then setsid="setsid"; elif command -v nohup >/dev/null; then setsid="nohup"; fi
	if [ -n "$become_login" ]; then printf '%s\n' "$become_login" | supervised & else supervised </dev/null & fi
}

# Becomes the supervisor.  Standard input is for child.
supervised() {
	(
		crelease_job=$dir/$n crelease_where=$where crelease_command=$command crelease_environment=$environment
		crelease_timeout=$timeout crelease_setsid=$setsid crelease_limit=$log_limit crelease_gate=$gate
		crelease_watch=${watch:+$watch_values$newline$watch_found} crelease_locale=$login_locale crelease_umask=$umask_was
		crelease_shell=$user_shell crelease_files_umask=$files_umask
		export crelease_job crelease_where crelease_command crelease_environment crelease_timeout crelease_setsid
		export crelease_limit crelease_gate crelease_watch crelease_locale crelease_umask crelease_run crelease_shell
		crelease_other=$become_user crelease_other_text=${become_user:+$become_text} crelease_other_asks=${become_login:+yes}
		export crelease_files_umask crelease_other crelease_other_text crelease_other_asks
		exec >/dev/null 2>>"$crelease_job/log"
		eval "$own_environment"
		exec $crelease_setsid sh "$crelease_job/supervise"
	)
}

# Whether sudo starts a shell as the other user.  Sets $said to why not.
becomes() {
	if [ -n "$become_login" ]; then
		said=$(printf '%s\n' "$become_login" | sudo -S -p '' -H -u "$become_user" /bin/sh -c : 2>&1)
	else
		said=$(sudo -n -H -u "$become_user" /bin/sh -c : 2>&1 </dev/null)
	fi
}

# Records that crelease knows of the failure.  If the disk is full, the mark that comes next reports it.
told() {
	{ true >"$dir/$n/told"; } 2>/dev/null
}

not_started() {
	cannot_see "the job did not start within a minute: $(tail -n 1 "$dir/$n/log")"
}

damaged() {
	cannot_see "'$1' is damaged: check whether '$job' of run $run is still running on this host; if not, remove '$dir/$n' and resume"
}

# read_id FILE: sets $pid, $ticks_was and $boot_was to the process that FILE names, as `note` wrote it; or
# $pid to "void".
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

# make_void FILE: after this, nobody can create FILE any more.  False when it already exists.
make_void() {
	put "$1.void" void
	said=$(ln "$1.void" "$1" 2>&1)
	made=$?
	rm -f "$1.void"
	if [ "$made" != 0 ] && [ ! -e "$1" ]; then cannot "create '$1'" "$said"; fi
	return "$made"
}

# Sets $is to the state of attempt $n: new, running, ended, void (never started, and never will be), or lost
# (started, but its end was not recorded).  Sets $supervisor to the supervisor's number while it is alive.
look() {
	is=new supervisor=
	if [ -f "$dir/$n/status" ]; then
		is=ended
		return
	fi
	[ -f "$dir/$n/supervisor" ] || return 0
	read_id "$dir/$n/supervisor"
	if is_alive "$pid" "$ticks_was" "$boot_was"; then
		is=running supervisor=$pid
		return
	fi
	# It may have ended since the status was first looked at.
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

# Whether any process is alive of the attempt whose leader is $pid, $ticks_was and $boot_was.
rest_lives() {
	looks=0
	# A process that is just ending cannot be read for a moment.
	while members "$pid" "$ticks_was" "$boot_was"; [ -n "$unsure" ] && [ "$looks" -lt 10 ]; do
		looks=$((looks + 1))
		sleep 0.2 2>/dev/null || sleep 1
	done
	if [ -n "$unsure" ]; then
		cannot_see "cannot tell whether the processes$unsure belong to an earlier attempt of '$job': resume when they have ended"
	fi
	[ -n "$members" ]
}

# Before another attempt: ends what is left of the previous one.
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
		# After a recorded end nothing is ended here, since the command may have left a server running on
		# purpose.
		finish "$pid" "$ticks_was" "$boot_was" ||
			fail "an earlier attempt of '$job' is still running after KILL: process$members; stop it by hand"
	fi
}

# Ends attempt $n, whatever state it is in.  After this none of its processes will start.
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
		# The supervisor records the end, and ends the watchdog.
		read_id "$dir/$n/supervisor"
		rounds=0
		while is_alive "$pid" "$ticks_was" "$boot_was"; do
			if [ "$rounds" -ge 150 ]; then kill -s KILL "$pid"; fi
			rounds=$((rounds + 1))
			sleep 0.1 2>/dev/null || sleep 1
		done
		# This ends the process that waits for the time limit.  The one that keeps the log reads on until the
		# output ends.
		members "$pid" "$ticks_was" "$boot_was"
		signal_members TERM
	fi
	if [ -f "$dir/$n/beside" ] && read -r pid ticks_was boot_was <"$dir/$n/beside" &&
		is_alive "$pid" "$ticks_was" "$boot_was"; then
		kill -s TERM "$pid" 2>/dev/null
		ended_within 100 "$pid" "$ticks_was" "$boot_was" || finish "$pid" "$ticks_was" "$boot_was" || :
	fi
	if [ -n "$remains" ]; then fail "'$job' is still running after KILL: process$remains; stop it by hand"; fi
	if [ -n "$stopped" ]; then say stopped "$stopped"; fi
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
	new) # its supervisor never came: it is safe to start another one, since only one can link its name
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
		# The gate did not open, so the command never reached its first line.
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
				# What a mark says is done must be on disk before the mark.
				if [ -d "$path" ]; then flush -f "$path" "$run_dir"; else flush -f "$run_dir"; fi
			fi
			if [ -n "$last" ]; then put_mark "$step" "done"; fi
		fi
		;;
	void)
		# The command never ran.
		put_mark "$step" failed
		fail "the job was killed before its command was started"
		;;
	*)
		tell_why
		say exit lost
		told
		put_mark "$step" failed
		;;
	esac
	;;
sudo) # whether it can be started as another user, unless it was started before
	if [ "$n" -gt 0 ]; then
		check_files
		look
	else
		is=none
	fi
	case $is in
	running | ended) say sudo ok ;;
	*)
		if becomes; then
			say sudo ok
		else
			# In one line.
			# shellcheck disable=SC2086
			set -f && set -- $said && set +f
			say sudo "no $*"
		fi
		;;
	esac
	;;
look) # whether it, or anything that is left of it, is running; if not, it never will
	if [ "$n" -gt 0 ]; then
		check_files
		look
		# A supervisor that has not reached its first line is prevented from ever doing so.
		if [ "$is" = new ] && make_void "$dir/$n/supervisor"; then is=void; fi
		if [ "$is" = ended ] && [ -f "$dir/$n/pid" ]; then
			read_id "$dir/$n/pid"
			if rest_lives; then is=running; fi
		fi
		say is "$is"
	fi
	;;
detach) # starts it, unless it was started before, and leaves it running
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
stop) # ends all its processes: TERM, then KILL; only what was identified as one of them
	remains='' attempts=$n n=0
	while [ "$n" -lt "$attempts" ]; do
		n=$((n + 1))
		stop
		# A resume starts another attempt.
		if [ -d "$dir/$n" ]; then told; fi
	done
	;;
esac
exit 0
