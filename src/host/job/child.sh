# shellcheck shell=sh disable=SC2154
# Becomes the user's command, as the leader of its session.  supervise starts it as `sh .../jobs/JOB/N/child`.
# Values, in the environment: crelease_job (the attempt's folder), crelease_run, crelease_where (the folder to
# run it in), crelease_umask (the recipe's or the login's), crelease_files_umask (the recipe's, or empty),
# crelease_locale (that of the login), crelease_shell (a command that takes shell text, or empty for sh), and
# what command.sh needs.
child() {
	exec 3>&-
	# shellcheck source=/dev/null
	. "$crelease_job/process"
	note "$crelease_job/pid"
	noted=$?
	rm -f "$crelease_job/pid.$$"
	[ "$noted" = 0 ] || exit 125
	cd "$crelease_where" || exit 125
	umask "$crelease_umask"
	if [ -n "$crelease_locale" ]; then LC_ALL=$crelease_locale; else unset LC_ALL; fi
	file=$crelease_job/command how=$crelease_shell where=$crelease_where files_umask=$crelease_files_umask
	unset crelease_job crelease_run crelease_where crelease_umask crelease_locale crelease_timeout crelease_limit \
		crelease_setsid crelease_watch crelease_gate crelease_shell crelease_files_umask
	if [ -z "$how" ]; then exec /bin/sh "$file"; fi
	set -f
	# The start-up files of a login shell may have set another folder and umask.
	# shellcheck disable=SC2086,SC2016 # words; for that shell
	exec $how 'cd "$1" && { [ -z "$2" ] || umask "$2"; } && shift 2 && . "$0"' "$file" "$where" "$files_umask"
}

child
exit
