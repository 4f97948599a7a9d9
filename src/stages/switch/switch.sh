# shellcheck shell=sh disable=SC2154,SC2015
# Points current at the release.
# Values: touch (the restart file, for undo), again (steps that must be repeated after undo).
#
# runs/RUN/previous is where current pointed before, empty for nowhere; runs/RUN/found is where it pointed
# when the run began (lock.sh).

live=$deploy_to/current

# shellcheck disable=SC3013 # as in releases.sh
seen() {
	[ -L "$live" ] && [ "$live" -ef "$path" ]
}

# forget STEP...: marks the steps as not done, so that their jobs are started again.
forget() {
	for name; do
		last_mark "$name"
		case $mark in '' | undone) continue ;; esac
		for attempt in "$run_dir/jobs/$name".[0-9]*/[0-9]*; do
			if [ -d "$attempt" ]; then put "$attempt/forgotten" yes; fi
		done
		note_mark "$name" undone
	done
}

act() {
	forget restart-back
	if [ ! -d "$path" ]; then
		fail "'$path' no longer exists"
	fi
	if [ -e "$live" ] && [ ! -L "$live" ]; then
		fail "'$live' is a folder, not a symbolic link; move it away (it was not changed)"
	fi
	if [ -L "$deploy_to/releases/current" ]; then
		# Left by an interrupted Capistrano, whose next switch would publish the old release.
		rm -f "$deploy_to/releases/current"
	fi
	if [ ! -f "$run_dir/previous" ]; then
		current_target
		live=$deploy_to/current
		case $target in
		'' | /*) ;;
		*) target=$deploy_to/$target ;;
		esac
		# Someone switched by hand in the meantime, so what is live now is not where to go back to.
		release_of "$target"
		if [ "$release_is" = "$release" ] && [ -f "$run_dir/found" ]; then read -r target <"$run_dir/found"; fi
		put "$run_dir/previous" "$target"
		flush_later "$run_dir/previous"
	fi
	# All of the release, and the mark, are on disk before it is live.
	flush -f "$path"
	if seen; then return 0; fi
	fence
	point "$live" "$path"
}

undo() {
	# Done before current is pointed back: after a crash in between, steps are repeated needlessly, but none
	# is missed.
	# shellcheck disable=SC2086 # names of steps
	forget $again
	previous=
	if [ -f "$run_dir/previous" ]; then
		read -r previous <"$run_dir/previous"
	else
		return 0
	fi
	release_of "$live"
	if [ "$release_is" != "$release" ] && ! seen; then
		return 0
	fi
	if [ -z "$previous" ]; then
		must "remove '$live'" rm -f "$live"
		say nowhere yes
		return 0
	fi
	if [ ! -d "$previous" ]; then
		say stays "$previous"
		return 0
	fi
	fence
	flush
	point "$live" "$previous"
	if [ -n "$touch" ]; then touch_file "$previous/$touch"; fi
}

stage_main
