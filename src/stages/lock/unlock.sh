# shellcheck shell=sh disable=SC2154,SC2015
# Writes one line to revisions.log and one to history, then releases the lock.
# Values: log_line ("" for none), outcome, record, times (COMMAND STEP MILLISECONDS ..., or empty), untimed (the step
# whose script came in one trip with this one, so that its time is not among these; or empty), keep_runs.
#
# history has one line for each run: RUN ENDED OUTCOME COMMAND RELEASE REVISION REF SINCE BY (times in unix
# seconds; - for what a run does not have).  times has one for each of the last runs whose times are known: RUN, then
# the value.  Answers "times LINE" for each of those before this one.

# Appends a line; an incomplete last line is ended first.  Most often, one tail tells that neither file has one.
add_line() {
	if [ -s "$1" ] && [ -n "$cut" ] && [ -n "$(tail -c 1 "$1")" ]; then add "$1" ''; fi
	add "$1" "$2"
	flush_later "$1"
}

# Adds the time since the untimed step began, in the whole seconds of marks.
time_untimed() {
	while read -r marked is at _; do
		case $marked.$is.$at in
		*[!0-9]) ;;
		"$untimed".begun.*) begun_at=$at ;;
		esac
	done <"$run_dir/marks"
	tell_time
	if [ -n "$begun_at" ]; then times="$times $untimed $(((now - begun_at) * 1000))"; fi
}

keep_times() {
	begun_at=''
	if [ -n "$untimed" ]; then time_untimed; fi
	times_were=''
	if [ -f "$state/times" ] && [ ! -L "$state/times" ]; then
		set --
		while read -r line; do
			case $line in "$run "*) ;; *) set -- "$@" "$line" ;; esac
		done <"$state/times"
		while [ $# -gt 9 ]; do shift; done
		for line; do
			say times "$line"
			times_were=$times_were$line$newline
		done
	fi
	# Not worth a failure: a disk that is full is reported by what comes next.
	if [ -n "$times" ] && [ ! -L "$state/times" ]; then
		{ printf '%s\n' "$times_were$run $times" >"$state/times"; } 2>/dev/null
	fi
}

# find_oldest COUNT FOLDER...: sets $oldest to those that are too many, without this run's.
# shellcheck disable=SC3013 # dash, bash, busybox and mksh have -ot, and so has POSIX since 2024
find_oldest() {
	oldest=''
	excess=$(($# - 1 - $1))
	shift
	while [ "$excess" -gt 0 ]; do
		excess=$((excess - 1)) found=''
		for folder; do
			case $folder in "$run_dir" | */*[!0-9a-z]) continue ;; esac
			case $newline$oldest$newline in *"$newline$folder$newline"*) continue ;; esac
			if [ -z "$found" ] || [ "$folder" -ot "$found" ]; then found=$folder; fi
		done
		oldest=$oldest${oldest:+$newline}$found
	done
}

# Once the lock is released, nothing is left to do.  A resume that finds no lock, or another run's, never gets
# here, because there is no run that it could resume.
begin_change
last_mark "$step"
if [ "$mark" != "done" ]; then
	if [ "$mark" != begun ]; then note_mark "$step" begun; fi
	cut=$(tail -q -c 1 "$deploy_to/revisions.log" "$state/history" 2>&1)
	if [ -n "$log_line" ]; then
		# After a crash between this line and its mark, the line is the last one of the log, since the lock
		# was held.
		if [ "$mark" != begun ] || [ "$(tail -n 1 "$deploy_to/revisions.log")" != "$log_line" ]; then
			umask "$umask_was"
			add_line "$deploy_to/revisions.log" "$log_line"
			own_umask
		fi
	fi
	if [ "$mark" != begun ] || ! grep -q "^$run " "$state/history" 2>/dev/null; then
		tell_time
		add_line "$state/history" "$run $now $outcome $record"
	fi
	keep_times
	note_mark "$step" "done"
fi
# What a script before this one has left to it, too: current.
flush "$deploy_to"
# A run that takes over at this moment needs the same claim (lock.sh).  Either it gets it, and this script
# stops, or it is refused until the lock is gone.
own=$state/lock.$run.$epoch.$me
identity_of "$me"
{ echo "keeper $me $ticks $boot" >"$own"; } 2>/dev/null
if [ -f "$own" ] && ! claim "$((epoch + 1))"; then
	rm -f "$own"
	say fenced "$lock_by"
	exit 72
fi
fence
# The records of the newest runs are kept, so that their logs can be read.
find_oldest "$keep_runs" "$state"/runs/*
# rm goes through them in this order, so that the lock is the last one that another run could miss.
set -- "$state/incoming/$run".* "$incoming_tree.$run".* "$state/link.$run".* "$deploy_to/.current.$run".* \
	"$run_dir"/acting.* "$run_dir"/new.* "$run_dir"/upload.* "$run_dir/database" "$run_dir"/database-* "$state/migrated.new" "$state"/migrated-*.new \
	"$state/stopped.new" "$state/backups.new" "$state/lock" "$state/lock.$run".* "$state/beat" "$state"/reserve*
set -f
IFS=$newline
# shellcheck disable=SC2086 # lines
said=$(rm -rf "$@" $oldest 2>&1)
unset IFS
set +f
if [ -e "$state/lock" ] && is_ours_still; then cannot "remove '$state/lock'" "$said"; fi
if [ -d "$state/incoming" ]; then rmdir "$state/incoming" 2>/dev/null; fi
flush "$state"
# Trash of a clean-up that was interrupted because the host went down.
if has_trash; then
	(trap '' HUP && empty_trash) </dev/null >/dev/null 2>&1 &
fi
exit 0
