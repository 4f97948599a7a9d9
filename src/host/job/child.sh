# shellcheck shell=sh disable=SC2154
# Becomes the user's command, as the leader of its session.  supervise starts it as `sh .../jobs/JOB/N/child`.
# Values, in the environment: crelease_job (the attempt's folder), crelease_run, crelease_where (the folder to
# run it in), crelease_umask and crelease_locale (those of the login), crelease_shell (a command that takes shell
# text, or empty for sh), and what command.sh needs.
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
	file=$crelease_job/command how=$crelease_shell
	unset crelease_job crelease_run crelease_where crelease_umask crelease_locale crelease_timeout crelease_limit \
		crelease_setsid crelease_watch crelease_gate crelease_shell
	if [ -z "$how" ]; then exec /bin/sh "$file"; fi
	set -f
	# shellcheck disable=SC2086,SC2016 # words; for that shell
	exec $how '. "$0"' "$file"
}

child
exit
