# shellcheck shell=sh disable=SC2154,SC2034,SC2317
# A session: runs the scripts of one connection, one after the other, each in a copy of this shell that has the
# functions above.  It also keeps the lock, once a script has taken it (lock.sh).
#
# Standard input:
#   run TAG TOKEN BLOCKS    a script follows, BLOCKS blocks of 512 bytes of shell text
#   do BLOCKS               the same for this shell itself: values of the lock that it keeps
#   beat                    crelease is alive
# A frame may contain several scripts (core/chain.c): each but the last one ends with "chained N STATUS" instead.
# Output of a script, on both streams: "TOKEN TAG", what it prints, then "TAG TOKEN STATUS" (end_script).
#
# A script runs in the background so that heartbeats are read meanwhile.  When standard input ends, so does this
# shell, and the lock has no keeper any more; a script that is running goes on.
keeping='' script='' asked_at=''
tell_time
own_umask

# goes_on STATUS: called after a script in a frame of several.  If its status is not 0, the frame ends.
goes_on() {
	if [ "$1" -ne 0 ]; then
		printf '%s %s\n' "$frame_end" "$1"
		printf '%s %s\n' "$frame_end" "$1" >&2
		exit "$1"
	fi
}

# take_text BLOCKS: reads shell text into $text.
take_text() {
	text=$(dd bs=512 count="$1" iflag=fullblock 2>/dev/null || dd bs=1 count=$(($1 * 512)) 2>/dev/null)
}

while read -r order tag token blocks; do
	case $order in
	run)
		take_text "$blocks"
		frame_end="$tag $token"
		(
			echo "$token $tag"
			echo "$token $tag" >&2
			set -- "$frame_end" "$login_umask" "$asked" "$asked_at"
			eval "$text"
		) </dev/null &
		script=$!
		identity_of "$script"
		script_ticks=$ticks script_boot=$boot
		;;
	do)
		take_text "$tag"
		eval "$text"
		;;
	beat)
		# Without its own last words, a script was killed.
		if [ -n "$script" ] && ! is_alive "$script" "$script_ticks" "$script_boot"; then
			wait "$script"
			set -- "$?"
			script=
			printf '%s %s\n' "$frame_end" "$1"
			printf '%s %s\n' "$frame_end" "$1" >&2
		fi
		if [ -n "$keeping" ]; then
			is_ours_still || exit 0
			beat
		fi
		;;
	esac
done
exit 0
