# shellcheck shell=sh disable=SC2154,SC2015,SC2317
# Takes the lock, writes the plan of the run, and stays as the lock's keeper: while this process
# lives and is written to, the holder lives.  Values: by, since, plan, recipe ("" when the run keeps
# none), takeover.
#
# The lock is a file with all that is to be known of its holder, made under another name and then
# linked: link(2) fails when there is one already, on every file system and on NFS.
#
#   crelease-lock 1
#   run k7f2ab
#   epoch 1             one more each time the run is taken over: the fence
#   by ann@laptop
#   since 1763825412    of the holder's clock, for people
#   keeper 812 5512 3f6c...   process, its start, the host's boot
#   end 3157482954      checksum of the lines above
#
# beat holds the seconds since the host's boot at which the keeper last heard from its crelease: a
# clock that nobody sets.  A run whose beat is older than 45 s is dead (survey.sh).
#
# reserve, reserve.1 and so on are some room on the disk, blocks and inodes, so that a run can be taken over and
# given up when it is full.

own=$state/lock.$run.$epoch.$$

# Earlier versions kept the umask of the login, which may have let the group write here.  That right is withdrawn
# first; the look after it finds what the group put here until then.
distrust_state
refuse_link "$deploy_to/revisions.log"
if [ -z "$linked$foreign" ] && [ -d "$state" ]; then chmod -R g-w,o-rwx "$state/." 2>/dev/null; fi
trust_state

# Whoever gives up before it holds a new lock leaves nothing behind.
fail() {
	rm -f "$own"
	if [ -z "$takeover" ]; then
		if [ -n "$taken" ]; then rm -f "$state/beat" "$state"/reserve* "$state/lock"; fi
		rm -rf "$run_dir"
	fi
	say error "$1"
	exit 70
}

# In one go: whoever ends the run at this moment may remove it at any time (unlock.sh).
write_lock() {
	identity_of $$
	text=$(printf 'crelease-lock 1\nrun %s\nepoch %s\nby %s\nsince %s\nkeeper %s %s %s' \
		"$run" "$epoch" "$by" "$since" $$ "$ticks" "$boot")
	put "$own" "$text${newline}end $(printf '%s\n' "$text" | sum_of)"
	flush "$own"
}

# keep FILE TEXT: into the run's folder, whole or not at all.
keep() {
	if [ ! -f "$run_dir/$1" ]; then replace "$run_dir/$1" "$2"; fi
}

# What the old holder left at work on this host: its keeper, and a script in the middle of a
# change.  Jobs are not among them: those are taken up.
end_old_holder() {
	if is_alive "$keeper" "$keeper_ticks" "$keeper_boot"; then kill -s TERM "$keeper" 2>/dev/null; fi
	for old in "$run_dir"/acting.*; do
		case ${old##*.} in '' | *[!0-9]*) continue ;; esac
		if [ ! -f "$old" ] || [ "${old##*.}" -ge "$epoch" ]; then continue; fi
		pid='' ticks_was='' boot_was=''
		read -r pid ticks_was boot_was <"$old"
		end_group "$pid" "$ticks_was" "$boot_was"
		rm -f "$old"
	done
}

# Only from an epoch of this run that is older: what was looked at may have changed since.
take_over() {
	claim "$epoch" || return 1
	if [ -f "$state/lock" ]; then
		read_lock "$state/lock"
		if [ "$lock_run" = "$run" ] && [ "$lock_epoch" -lt "$epoch" ]; then return 0; fi
	fi
	rm -f "$claimed"
	return 1
}

# Says who has it, and whether that one lives.
refused() {
	read_lock "$state/lock"
	if is_alive "$keeper" "$keeper_ticks" "$keeper_boot"; then
		say error "run ${lock_run:--} by $lock_by is alive and holds the site"
		exit 73
	fi
	say error "run ${lock_run:--} by $lock_by is unfinished and nobody is working on it"
	exit 74
}

taken=
if [ -n "$takeover" ]; then
	rm -f "$state"/reserve*
	if grep -q "^$run " "$state/history" 2>/dev/null && [ ! -f "$state/lock" ]; then
		say error "the run has come to its end at this moment: look again"
		exit 73
	fi
fi
umask "$umask_was"
for folder in "$deploy_to/releases" "$deploy_to/shared" "$run_dir/jobs" "$state/manifests"; do
	if [ "$folder" = "$run_dir/jobs" ]; then own_umask; fi
	if [ ! -d "$folder" ]; then must "make '$folder'" mkdir -p "$folder"; fi
done
keep plan "$plan"
if [ -n "$recipe" ]; then keep recipe "$recipe"; fi
write_lock

if said=$(ln "$own" "$state/lock" 2>&1); then
	taken=yes # nobody had it
elif [ ! -e "$state/lock" ] && [ ! -L "$state/lock" ] && [ "${said##*: }" != 'File exists' ]; then
	cannot "make '$state/lock'" "$said"
elif [ -n "$takeover" ]; then
	if ! take_over; then
		rm -f "$own"
		say error "the run is taken over by somebody else, or comes to its end, at this moment: look again"
		exit 73
	fi
	# From here on the old holder's scripts are refused; what it has at work is ended.
	must "replace '$state/lock'" mv -f "$claimed" "$state/lock"
	flush "$state"
	end_old_holder
else
	rm -f "$own"
	read_lock "$state/lock"
	if [ "$lock_run" = "$run" ]; then
		# Its folder is that of the other host, too.
		say error "'$deploy_to' is the folder of another host of this run, too: name it once in the recipe"
		exit 70
	fi
	rm -rf "$run_dir"
	refused
fi
rm -f "$own"
flush "$state"
rm -f "$run_dir/error"
if [ -z "$takeover" ]; then
	{
		printf '%65536s' '' >"$state/reserve"
		for room in 1 2 3 4 5 6; do true >"$state/reserve.$room"; done
	} 2>/dev/null
fi

# The file is rewritten in place: a rename needs room on the disk, and a holder whose beat is old counts as dead.
# A symbolic link in its place is not written through; the run's next script fails and names it.
beat() {
	if [ -L "$state/beat" ]; then return; fi
	if [ -r /proc/uptime ]; then
		read -r up _ </proc/uptime
		echo "${up%%.*}" >"$state/beat"
	else
		: >"$state/beat"
	fi
}
beat
target=
if [ -L "$deploy_to/current" ]; then
	link_target "$deploy_to/current"
	say current "$target"
fi
case $target in '' | /*) ;; *) target=$deploy_to/$target ;; esac
if [ -z "$takeover" ]; then keep found "$target"; fi
last_mark lock
put_mark lock "done"
say held "$run"

# Output would go to a crelease that does not read it any more.
exec >/dev/null 2>&1
while read -r _; do
	fence
	beat
done
exit 0
