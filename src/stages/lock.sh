# shellcheck shell=sh disable=SC2154,SC2015
# Takes the lock, writes the plan of the run, and stays as the lock's keeper: while this process
# lives and is written to, the holder lives.  Values: by, since, from, plan, takeover.
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

write_lock() {
	identity_of $$
	printf 'crelease-lock 1\nrun %s\nepoch %s\nby %s\nsince %s\nkeeper %s %s %s\n' \
		"$run" "$epoch" "$by" "$since" $$ "$ticks" "$boot" >"$state/lock.$run.$epoch" || return 1
	flush "$state/lock.$run.$epoch"
}

# Says who has it, and whether that one lives.
refused() {
	lock_run=- lock_by=somebody pid='' ticks_was=- boot_was=-
	while read -r key value; do
		case $key in
		run) lock_run=$value ;;
		by) lock_by=$value ;;
		keeper)
			pid=${value%% *}
			ticks_was=${value#* } boot_was=${ticks_was#* } ticks_was=${ticks_was%% *}
			;;
		esac
	done <"$state/lock"
	if is_alive "$pid" "$ticks_was" "$boot_was"; then
		say error "run $lock_run by $lock_by is alive and holds the site"
		exit 73
	fi
	say error "run $lock_run by $lock_by is unfinished and nobody is working on it"
	exit 74
}

mkdir -p "$deploy_to/releases" "$deploy_to/shared" "$run_dir/jobs" "$state/manifests" ||
	fail "cannot make $deploy_to/releases, $deploy_to/shared and $state"
chmod o-rwx "$state" 2>/dev/null
if [ ! -f "$run_dir/plan" ]; then
	printf '%s\n' "$plan" >"$run_dir/plan.new" && flush "$run_dir/plan.new" &&
		mv -f "$run_dir/plan.new" "$run_dir/plan" || fail "cannot write $run_dir/plan (is the disk full?)"
fi
write_lock || fail "cannot write $state/lock (is the disk full?)"

if ln "$state/lock.$run.$epoch" "$state/lock" 2>/dev/null; then
	: # nobody had it
elif [ -n "$takeover" ]; then
	# Only from the epoch that was looked at: of two who take over at once the later rename
	# holds, and the other one is refused at its next step.
	lock_run='' lock_epoch=''
	while read -r key value; do
		case $key in
		run) lock_run=$value ;;
		epoch) lock_epoch=$value ;;
		esac
	done <"$state/lock"
	if [ "$lock_run" != "$run" ] || [ "$lock_epoch" -ge "$epoch" ]; then
		rm -f "$state/lock.$run.$epoch"
		say error "the run was taken over by somebody else at this moment"
		exit 73
	fi
	mv -f "$state/lock.$run.$epoch" "$state/lock" || fail "cannot replace $state/lock"
else
	rm -f "$state/lock.$run.$epoch"
	rm -rf "$run_dir"
	refused
fi
rm -f "$state/lock.$run.$epoch"
flush "$state/lock"
rm -f "$run_dir/error"
: >"$state/beat"
last_mark lock
put_mark lock "done"
if [ -L "$deploy_to/current" ]; then
	link_target "$deploy_to/current"
	say current "$target"
fi
say held "$run"

# Output would go to a crelease that does not read it any more.
exec >/dev/null 2>&1
while read -r beat; do
	echo "$beat" >"$state/beat"
done
exit 0
