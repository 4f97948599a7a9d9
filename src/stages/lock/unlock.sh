# shellcheck shell=sh disable=SC2154,SC2015
# One line in revisions.log, one in history, then the lock is freed.
# Values: log_line ("" for none), outcome, record, keep_runs.
#
# history, one line a run: RUN ENDED OUTCOME COMMAND RELEASE REVISION REF SINCE BY (times in unix
# seconds; - for what a run does not have).

# Ends a torn last line and adds one.
add_line() {
	if [ -s "$1" ] && [ "$(tail -c 1 "$1" | wc -l)" -eq 0 ]; then add "$1" ''; fi
	add "$1" "$2"
	flush "$1"
}

# Once this run has freed its lock there is nothing left to do: a resume that finds no lock, or
# another's, never comes here, because it has no run to go on with.
begin_change
last_mark "$step"
if [ "$mark" != "done" ]; then
	if [ -n "$log_line" ]; then
		# The line of a crash between it and its mark is the last one of the log: the lock is held.
		if [ "$mark" != begun ] || [ "$(tail -n 1 "$deploy_to/revisions.log")" != "$log_line" ]; then
			if [ "$mark" != begun ]; then put_mark "$step" begun; fi
			umask "$umask_was"
			add_line "$deploy_to/revisions.log" "$log_line"
			own_umask
		fi
	fi
	if ! grep -q "^$run " "$state/history" 2>/dev/null; then
		add_line "$state/history" "$run $(date +%s) $outcome $record"
	fi
	put_mark "$step" "done"
fi
# Who takes the run over at this moment needs the same claim (lock.sh): either that one has it, and
# this script stops, or it is refused until the lock is gone.
own=$state/lock.$run.$epoch.$$
identity_of $$
{ echo "keeper $$ $ticks $boot" >"$own"; } 2>/dev/null
if [ -f "$own" ] && ! claim "$((epoch + 1))"; then
	rm -f "$own"
	say fenced "$lock_by"
	exit 72
fi
fence
rm -rf "$state/incoming/$run".* "$incoming_tree.$run".* "$state/link.$run".* "$deploy_to/.current.$run".*
rmdir "$state/incoming" 2>/dev/null
rm -f "$run_dir"/acting.*
must "remove '$state/lock'" rm -f "$state/lock" "$state/lock.$run".* "$state/beat" "$state"/reserve*
flush "$state"
# What a clean-up left because its host went down.
if has_trash; then
	(trap '' HUP && empty_trash) </dev/null >/dev/null 2>&1 &
fi

# The records of the newest runs stay, for those who want to read a log.
# shellcheck disable=SC2012 # the names are ours: digits and small letters
ls -1t "$state/runs" 2>/dev/null | tail -n "+$((keep_runs + 1))" | while read -r old; do
	case $old in
	'' | "$run" | *[!0-9a-z]*) ;;
	*) rm -rf "${state:?}/runs/$old" ;;
	esac
done
exit 0
