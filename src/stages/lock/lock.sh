# shellcheck shell=sh disable=SC2154,SC2015,SC2317
# Takes the lock, and writes the plan of the run.  The session's shell is the lock's keeper: the holder counts as
# alive while that process lives and receives heartbeats (session.sh).
# Values: by, since, plan, recipe ("" when the run stores none), takeover.
#
# The lock is a file that describes its holder.  It is made under another name and then linked, because
# link(2) fails on every file system, including NFS, when there is already one.
#
#   crelease-lock 1
#   run k7f2ab
#   epoch 1             increased each time the run is taken over: the fence
#   by ann@laptop
#   since 1763825412    by the holder's clock, for people
#   keeper 812 5512 3f6c...   process, its start, the host's boot
#   end 3157482954      checksum of the lines above
#
# beat contains the seconds since the host's boot at which the keeper last heard from its crelease; nobody
# sets that clock.  A run whose beat is older than 45 s counts as dead (survey.sh).
#
# reserve, reserve.1 and so on reserve blocks and inodes, so that a run can be taken over and aborted when the
# disk is full.

own=$state/lock.$run.$epoch.$$

# Earlier versions kept the login's umask, which may have let the group write here.  That permission is
# withdrawn first; the check after it finds what the group put here until then.
distrust_state
refuse_link "$deploy_to/revisions.log"
if [ -z "$linked$foreign" ] && [ -d "$state" ]; then chmod -R g-w,o-rwx "$state/." 2>/dev/null; fi
trust_state

# A script that gives up before it holds a new lock leaves nothing behind.
fail() {
	rm -f "$own"
	if [ -z "$takeover" ]; then
		if [ -n "$taken" ]; then rm -f "$state/beat" "$state"/reserve* "$state/lock"; fi
		rm -rf "$run_dir"
	fi
	say error "$1"
	exit 70
}

# Written in one go, because whoever ends the run at this moment may remove it at any time (unlock.sh).
write_lock() {
	identity_of $$
	text="crelease-lock 1
run $run
epoch $epoch
by $by
since $since
keeper $$ $ticks $boot"
	sum_of "$text"
	put "$own" "$text${newline}end $sum"
	flush "$own"
}

# keep FILE TEXT: writes a file in the run's folder, which nobody reads before the lock names the run.  What the run
# wrote when it took this lock stays.
keep() {
	if [ -n "$holds" ] && [ -f "$run_dir/$1" ]; then return 0; fi
	put "$run_dir/$1" "$2"
	flush_later "$run_dir/$1"
}

# Ends what the old holder left running on this host: its keeper, and a script in the middle of a change.
# Jobs are not ended: the run reattaches to them.
end_old_holder() {
	if is_alive "$keeper" "$keeper_ticks" "$keeper_boot"; then kill -s TERM "$keeper" 2>/dev/null; fi
	for old in "$run_dir"/acting.*; do
		case ${old##*.} in '' | *[!0-9]*) continue ;; esac
		if [ ! -f "$old" ] || [ "${old##*.}" -ge "$epoch" ]; then continue; fi
		pid='' ticks_was='' boot_was='' group_was=''
		read -r pid ticks_was boot_was group_was <"$old"
		end_group "$pid" "$ticks_was" "$boot_was" "$group_was"
		rm -f "$old"
	done
}

# Takes over only from an older epoch of this run, because the lock may have changed since the survey.
take_over() {
	claim "$epoch" || return 1
	if [ -f "$state/lock" ]; then
		read_lock "$state/lock"
		if [ "$lock_run" = "$run" ] && [ "$lock_epoch" -lt "$epoch" ]; then return 0; fi
	fi
	rm -f "$claimed"
	return 1
}

# Says who holds the lock, and whether that run is alive.  A run that ends releases the lock and then lets its
# keeper go, so that a dead keeper counts only if the lock is still the same afterwards.
refused() {
	if ! is_alive "$keeper" "$keeper_ticks" "$keeper_boot"; then
		was="$lock_run $lock_epoch $keeper $keeper_ticks"
		if [ -f "$state/lock" ] && { read_lock "$state/lock"; } 2>/dev/null &&
			[ "$lock_run $lock_epoch $keeper $keeper_ticks" = "$was" ]; then
			say error "run ${lock_run:--} ($lock_by) stopped and was never finished"
			exit 74
		fi
	fi
	say error "run ${lock_run:--} ($lock_by) is still running and holds the lock"
	exit 73
}

taken='' holds=''
if [ -n "$takeover" ]; then
	if [ -f "$state/lock" ] && read_lock "$state/lock" && [ "$lock_run" = "$run" ]; then holds=yes; fi
	rm -f "$state"/reserve*
	if grep -q "^$run " "$state/history" 2>/dev/null && [ ! -f "$state/lock" ]; then
		say error "the run has just finished; check its status again"
		exit 73
	fi
fi
umask "$umask_was"
make_folders "$deploy_to/releases" "$deploy_to/shared"
own_umask
make_folders "$run_dir/jobs" "$state/manifests"
keep plan "$plan"
if [ -n "$recipe" ]; then keep recipe "$recipe"; fi
write_lock

if said=$(ln "$own" "$state/lock" 2>&1); then
	taken=yes # the lock was free
elif [ ! -e "$state/lock" ] && [ ! -L "$state/lock" ] && [ "${said##*: }" != 'File exists' ]; then
	cannot "create '$state/lock'" "$said"
elif [ -n "$takeover" ]; then
	if ! take_over; then
		rm -f "$own"
		say error "the run has just finished or was taken over by someone else; check its status again"
		exit 73
	fi
	# From here on the old holder's scripts are refused; those still running are ended.
	must "replace '$state/lock'" mv -f "$claimed" "$state/lock"
	flush "$state"
	end_old_holder
else
	rm -f "$own"
	lock_run='' lock_epoch=0 lock_by=somebody keeper='' keeper_ticks=- keeper_boot=-
	if [ -f "$state/lock" ]; then read_lock "$state/lock"; fi 2>/dev/null
	if [ "$lock_run" = "$run" ]; then
		# Another host of the run has the same folder.
		say error "'$deploy_to' is also the folder of another host of this run; list it only once in the recipe"
		exit 70
	fi
	rm -rf "$run_dir"
	refused
fi
# $own stays: it is the lock's other name, which goes with the lock (unlock.sh, free.sh).
if [ -n "$takeover" ]; then rm -f "$own" "$run_dir/error"; fi
flush_later "$state"
if [ -z "$takeover" ]; then
	{
		printf '%65536s' '' >"$state/reserve"
		for room in 1 2 3 4 5 6; do true >"$state/reserve.$room"; done
	} 2>/dev/null
fi

beat
current_target
if [ -n "$target" ]; then say current "$target"; fi
case $target in '' | /*) ;; *) target=$deploy_to/$target ;; esac
if [ -z "$takeover" ]; then keep found "$target"; fi
last_mark lock
note_mark lock "done"
flush
say held "$run"
exit 0
