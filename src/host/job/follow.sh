# shellcheck shell=sh disable=SC2154,SC2015,SC2034
# Sent before job.sh: shows the output of attempt $n as it comes, until the attempt has ended.  What was shown is
# acknowledged by crelease and recorded in `seen`, so that nothing is lost or shown twice after a broken
# connection.  Functions only; job.sh describes the files.

# Reads what crelease answers to each "out" once it was shown: its last two numbers.  Output that was sent but
# not acknowledged may be lost on the way.  The first number is renamed into place.  Later ones have at least as
# many digits and overwrite it.
hear() {
	if [ -n "$hearing" ]; then return 0; fi
	hearing=yes
	identity_of $$
	exec 5<&0 </dev/null
	(
		# Some shells restore the output that a loop had before.
		exec <&5 5<&- >/dev/null 2>&1
		own_ticks=$ticks own_boot=$boot
		while read -r at to; do
			case $at in '' | *[!0-9]*) continue ;; esac
			case $to in '' | *[!0-9]* | 0?*) continue ;; esac
			if [ -s "$dir/$at/seen" ]; then
				echo "$to" 1<>"$dir/$at/seen"
			else
				echo "$to" >"$dir/$at/seen.$$" && mv -f "$dir/$at/seen.$$" "$dir/$at/seen"
			fi
		done
		# crelease is gone.  If this script marked the end of the job now, a resume would not show the output
		# that was lost on the way.
		if [ "$own_ticks" != - ] && is_alive $$ "$own_ticks" "$own_boot"; then kill -s TERM $$; fi
	) &
	exec 5<&-
}

# Marks the earlier jobs of this step as shown.  A full disk is no reason to stop here.
all_shown() {
	of=${job%.*} at=${job##*.}
	case $at in '' | *[!0-9]*) return 0 ;; esac
	while [ "$at" -gt 0 ]; do
		at=$((at - 1)) latest=0
		while [ -d "$run_dir/jobs/$of.$at/$((latest + 1))" ]; do latest=$((latest + 1)); done
		if [ "$latest" -gt 0 ]; then { true >"$run_dir/jobs/$of.$at/$latest/shown"; } 2>/dev/null; fi
	done
}

# Sends what the log has beyond $offset, as "out N ATTEMPT OFFSET", a newline and N bytes that end at that
# offset.  Sends "cut" where output is missing.  False when there is nothing new.
show() {
	size_of "$dir/$n/log"
	if [ -n "$ending" ]; then
		end_at=${end_at:-$size} size=$end_at
	fi
	[ "$size" -gt "$offset" ] || return 1
	part=$((size - offset))
	if [ "$part" -gt 1048576 ]; then part=1048576; fi
	if [ -f "$dir/$n/cut" ] && read -r cut <"$dir/$n/cut"; then
		if [ "$offset" = "$cut" ]; then say cut "$cut"; fi
		if [ "$offset" -lt "$cut" ] && [ "$part" -gt $((cut - offset)) ]; then part=$((cut - offset)); fi
	fi
	say out "$part $n $((offset + part))"
	if [ "$offset" = 0 ]; then
		head -c "$part" "$dir/$n/log"
	else
		tail -c "+$((offset + 1))" "$dir/$n/log" | head -c "$part"
	fi
	offset=$((offset + part))
	return 0
}

# Moves $offset back to the start of a line: crelease shows only whole lines, unless a line is very long.
back_to_line() {
	[ "$offset" -gt 0 ] || return 0
	from=$((offset > 32768 ? offset - 32768 : 0))
	part=$({ tail -c "+$((from + 1))" "$dir/$n/log" | head -c "$((offset - from))"; echo x; } | tail -n 1 | wc -c)
	part=$((part - 2))
	if [ "$part" -lt 32768 ]; then offset=$((offset - part)); fi
}

# Shows what is new in the log.  False when there is nothing.  As long as the supervisor is alive, only it and what it
# started write to the log, and their position there tells whether they did.
show_new() {
	place=
	if [ -n "$supervisor" ]; then place_of "$supervisor" 3 "$dir/$n/log"; fi
	if [ -n "$place" ] && [ "$place" = "$shown_at" ]; then return 1; fi
	if ! show; then
		shown_at=$place
		return 1
	fi
	if [ "$offset" = "$size" ]; then shown_at=$place; fi
}

# Sends the complete lines that the watchdog has printed since, as "watch LINE"; in parts, since the shell reads them
# byte by byte.
tell_watched() {
	if [ -z "$watched" ]; then
		[ -s "$dir/$n/watched" ] || return 0
		watched=yes
		exec 6<"$dir/$n/watched"
	fi
	lines=0
	while IFS= read -r line <&6; do
		say watch "$half$line"
		half='' lines=$((lines + 1))
		if [ "$is" = running ] && [ "$lines" -ge 500 ]; then return 0; fi
	done
	half=$half$line
}

# Sends "watch gone", once, when the watchdog has ended before the command.  The supervisor ends the watchdog
# after the command, so the command's end is checked first.
tell_unwatched() {
	if [ -z "$watch" ] || [ -n "$unwatched" ] || [ ! -f "$dir/$n/beside" ]; then return 0; fi
	{ read -r pid ticks_was boot_was <"$dir/$n/beside"; } 2>/dev/null || return 0
	if is_alive "$pid" "$ticks_was" "$boot_was" || [ ! -f "$dir/$n/pid" ]; then return 0; fi
	read_id "$dir/$n/pid"
	if is_alive "$pid" "$ticks_was" "$boot_was"; then
		unwatched=yes
		say watch gone
	fi
}

# Sends the reason with which the gate was opened, once, if there is one.
tell_gated() {
	if [ -n "$gate_told" ] || ! [ -s "$dir/$n/gated" ]; then return 0; fi
	gate_told=yes
	read -r answer <"$dir/$n/gated"
	case $answer in "go "*) say watch "gated $(printf '%s' "${answer#go }" | tr -d '\000-\037\177')" ;; esac
}

pause=0.02 hearing='' ending='' end_at=
nap() {
	sleep "$pause" 2>/dev/null || sleep 1
	case $pause in
	0.02) pause=0.05 ;;
	0.05) pause=0.1 ;;
	0.1) pause=0.2 ;;
	*) pause=0.4 ;;
	esac
}

follow() {
	hear
	read_seen
	if [ -f "$dir/$n/shown" ] || [ "$offset" -gt 0 ]; then
		size_of "$dir/$n/log"
		if [ -f "$dir/$n/shown" ] || [ "$offset" -gt "$size" ]; then offset=$size; fi
		back_to_line
	fi
	rounds=0 gate_told='' unwatched='' watched='' half='' shown_at=
	while :; do
		look
		# What a process that was left behind prints after the end is not waited for: it may never stop.
		if [ "$is" = ended ]; then ending=yes; fi
		tell_gated
		if show_new; then continue; fi
		tell_watched
		tell_unwatched
		case $is in
		new)
			# The supervisor has not reached its first line yet.
			rounds=$((rounds + 1))
			if [ "$rounds" -gt 200 ]; then not_started; fi
			;;
		running) ;;
		lost)
			# The supervisor's last output may not be in the log yet.
			rounds=$((rounds + 1))
			if [ -f "$dir/$n/logged" ] || [ "$rounds" -gt 4 ]; then return 0; fi
			;;
		*) return 0 ;;
		esac
		nap
	done
}
