# shellcheck shell=sh disable=SC2154
# Whether runs are alive on this host.  Values: others (ids of runs).  Answers "alive RUN", "gone RUN" or
# "unknown RUN" for each.
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
exit 0
