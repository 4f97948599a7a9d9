# shellcheck shell=sh disable=SC2154
# What migrations left behind, as the host knows it.  Values: leftovers (the rows of now).
case $verb in
keep) # answers "kept ROW" for each that was there before the first attempt of the run
	begin_change
	written=''
	if [ ! -f "$run_dir/leftovers" ]; then
		written=yes
		{ printf '%s' "$leftovers" >"$run_dir/leftovers.new"; } 2>/dev/null || cannot_write "$run_dir/leftovers.new"
		must "replace '$run_dir/leftovers'" mv -f "$run_dir/leftovers.new" "$run_dir/leftovers"
	fi
	if [ -n "$written" ] && [ "${#leftovers}" -le 20000 ]; then
		# A few lines need no process; not every shell has printf built in.
		IFS=$newline
		set -f
		# shellcheck disable=SC2086 # lines
		if [ -n "$leftovers" ]; then printf 'kept %s\n' $leftovers; fi
	else
		sed 's/^/kept /' "$run_dir/leftovers"
	fi
	;;
esac
exit 0
