# shellcheck shell=sh disable=SC2154,SC2015
# Writes one mark, and reports where current points and which release is live.  When it only looks, also
# whether the lock is another's.
# Values: to (the mark's state, or empty), job (one of the step that the deploying machine begins, or empty), error (a line for status, or empty), migrated and pending (lines
# for the files of these names, or empty), of ("-NAME" behind them for one of several databases, else empty).
current_target
if [ -e "$deploy_to/current" ] && [ ! -L "$deploy_to/current" ]; then target='not a symbolic link'; fi
say current "$target"
if [ -n "$live" ]; then say live "$live"; fi
if [ "$verb" = look ] && ! is_ours_still; then say fenced "$lock_by"; fi
if [ "$verb" = run ]; then
	begin_change
	# Before the mark: once the step is done, nobody writes this again.
	if [ -n "$migrated" ]; then replace "$state/migrated$of" "$migrated"; fi
	if [ -n "$job" ]; then must "create '$run_dir/jobs/$job'" mkdir -p "$run_dir/jobs/$job"; fi
	if [ -n "$to" ]; then
		last_mark "$step"
		if [ "$mark" != "$to" ]; then put_mark "$step" "$to"; fi
	fi
	if [ -n "$error" ]; then
		{ printf '%s\n' "$error" >"$run_dir/error"; } 2>/dev/null
	fi
	if [ -n "$pending" ] && [ ! -f "$run_dir/pending$of" ]; then
		{ printf '%s\n' "$pending" >"$run_dir/pending$of"; } 2>/dev/null
	fi
fi
exit 0
