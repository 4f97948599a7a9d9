# shellcheck shell=sh disable=SC2154,SC2034,SC2317
# A session: runs the scripts of one connection, one after the other, each in a copy of this shell that has the
# functions above.  It also keeps the lock, once a script has taken it (lock.sh).
#
# This shell reads its commands from standard input, so that no process is started to read a script
# (fleet/session.c sends them):
#   ( frame_begins TAG TOKEN; set -- ...; a script ) </dev/null & frame_began 'TAG TOKEN'
#   { values of the lock that it keeps; }
#   heard                   crelease is alive
# A frame may contain several scripts (core/chain.c): each but the last one ends with "chained N STATUS" instead.
# They run in the same copy of this shell, one after the other, until one fails.
# Output of a script, on both streams: "TOKEN TAG", what it prints, then "TAG TOKEN STATUS" (end_script).
#
# A script runs in the background so that heartbeats are read meanwhile.  When standard input ends, so does this
# shell, and the lock has no keeper any more; a script that is running goes on.
keeping='' script='' asked_at=''
tell_time
own_umask
frame_values="$login_umask $asked $asked_at"

frame_begins() { # TAG TOKEN
	whole_frame="$1 $2"
	echo "$2 $1"
	echo "$2 $1" >&2
}

frame_began() { # 'TAG TOKEN'
	script=$! frame_end=$1
	identity_of "$script"
	script_ticks=$ticks script_boot=$boot
}

heard() {
	# Without its own last words, a script was killed.
	if [ -n "$script" ] && ! is_alive "$script" "$script_ticks" "$script_boot"; then
		wait "$script"
		set -- "$?"
		script=
		tell_end "$1"
	fi
	if [ -n "$keeping" ]; then
		is_ours_still || exit 0
		beat
	fi
}
