# shellcheck shell=sh disable=SC2154
# Becomes the user's command, as the leader of its session.  supervise starts it as `sh .../jobs/JOB/N/child`.
# Values, in the environment: crelease_job (the attempt's folder), crelease_run, crelease_where (the folder to
# run it in), crelease_umask (the recipe's or the login's), crelease_files_umask (the recipe's, or empty),
# crelease_locale (that of the login), crelease_shell (a command that takes shell text, or empty for sh), and
# what command.sh needs.  With crelease_other, the user as whom the command runs: crelease_other_text (the text that
# the other user's shell evaluates) and crelease_other_asks (not empty: the first line of standard input is the
# password for sudo).

# Runs the text as another user.  That user's processes cannot be signalled from here: other.sh ends them when
# the pipe has no writer any more, that is, when this process is gone.
become_other() {
	password=
	if [ -n "$crelease_other_asks" ]; then IFS= read -r password; fi
	exec </dev/null
	pipe=$crelease_job/in
	rm -f "$pipe"
	mkfifo "$pipe" || exit 125
	# shellcheck disable=SC2094
	exec 5<>"$pipe" 6<"$pipe"
	rm -f "$pipe"
	# shellcheck disable=SC2016 # expanded there
	loader='until [ "$l" = crelease-begin ]; do IFS= read -r l || exit 125; done; t=; while IFS= read -r l && [ "$l" != crelease-end ]; do t="$t$l
"; done; [ "$l" != crelease-end ] || eval "$t"'
	sudo -S -p '' -H -u "$crelease_other" /bin/sh -c "$loader" <&6 5>&- 6<&- &
	other=$!
	exec 6<&-
	{
		if [ -n "$password" ]; then printf '%s\n' "$password"; fi
		printf '%s\n' crelease-begin "crelease_where='$where_quoted'" "crelease_umask='$umask_is'" "$crelease_other_text" crelease-end
	} >&5 5>&- 2>/dev/null &
	writer=$!
	wait "$other"
	status=$?
	kill "$writer" 2>/dev/null
	exit "$status"
}

# Sets $quoted to the text for single quotes.
quote_text() {
	quoted='' rest=$1
	while :; do
		case $rest in *\'*) ;; *) break ;; esac
		quoted="$quoted${rest%%\'*}'\\''"
		rest=${rest#*\'}
	done
	quoted=$quoted$rest
}

child() {
	exec 3>&-
	# shellcheck source=/dev/null
	. "$crelease_job/process"
	note "$crelease_job/pid"
	noted=$?
	rm -f "$crelease_job/pid.$$"
	[ "$noted" = 0 ] || exit 125
	if [ -n "$crelease_other" ]; then
		quote_text "$crelease_where"
		where_quoted=$quoted umask_is=$crelease_umask
		become_other
	fi
	exec </dev/null
	cd "$crelease_where" || exit 125
	umask "$crelease_umask"
	if [ -n "$crelease_locale" ]; then LC_ALL=$crelease_locale; else unset LC_ALL; fi
	file=$crelease_job/command how=$crelease_shell where=$crelease_where files_umask=$crelease_files_umask
	unset crelease_job crelease_run crelease_where crelease_umask crelease_locale crelease_timeout crelease_limit \
		crelease_setsid crelease_watch crelease_gate crelease_shell crelease_files_umask \
		crelease_other crelease_other_text crelease_other_asks
	if [ -z "$how" ]; then exec /bin/sh "$file"; fi
	set -f
	# The start-up files of a login shell may have set another folder and umask.
	# shellcheck disable=SC2086,SC2016 # words; for that shell
	exec $how 'cd "$1" && { [ -z "$2" ] || umask "$2"; } && shift 2 && . "$0"' "$file" "$where" "$files_umask"
}

child
exit
