# shellcheck shell=sh disable=SC2154
# What migrations left behind, as the host knows it.  Values: leftovers (the rows of now), others
# (ids of runs).
case $verb in
keep) # answers "kept ROW" for each that was there before the first attempt of the run
	begin_change
	if [ ! -f "$run_dir/leftovers" ]; then
		{ printf '%s' "$leftovers" >"$run_dir/leftovers.new"; } 2>/dev/null || cannot_write "$run_dir/leftovers.new"
		must "replace '$run_dir/leftovers'" mv -f "$run_dir/leftovers.new" "$run_dir/leftovers"
	fi
	sed 's/^/kept /' "$run_dir/leftovers"
	;;
alive) # answers "alive RUN", "gone RUN" or "unknown RUN" for each
	for one in $others; do
		is=gone
		[ -d "$state/runs/$one" ] || is=unknown
		for file in "$state/runs/$one"/jobs/*/*/supervisor "$state/runs/$one"/jobs/*/*/pid; do
			{ read -r pid ticks_was boot_was <"$file"; } 2>/dev/null || continue
			case $pid in '' | *[!0-9]*) continue ;; esac
			if is_alive "$pid" "$ticks_was" "$boot_was"; then is=alive; fi
		done
		# What a job has started and left, too.
		for file in /proc/[0-9]*/environ; do
			if [ "$is" = gone ] && { tr '\0' '\n' <"$file"; } 2>/dev/null | grep -qx "CRELEASE_RUN=$one"; then
				is=alive
			fi
		done
		say "$is" "$one"
	done
	;;
esac
exit 0
