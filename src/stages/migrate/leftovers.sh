# shellcheck shell=sh disable=SC2154
# What migrations left behind, as the host knows it.  Values: leftovers (the rows of now).
case $verb in
keep) # answers "kept ROW" for each that was there before the first attempt of the run
	begin_change
	if [ ! -f "$run_dir/leftovers" ]; then
		{ printf '%s' "$leftovers" >"$run_dir/leftovers.new"; } 2>/dev/null || cannot_write "$run_dir/leftovers.new"
		must "replace '$run_dir/leftovers'" mv -f "$run_dir/leftovers.new" "$run_dir/leftovers"
	fi
	sed 's/^/kept /' "$run_dir/leftovers"
	;;
esac
exit 0
