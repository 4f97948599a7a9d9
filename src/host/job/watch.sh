# shellcheck shell=sh disable=SC2154
# The first part of the watchdog that runs beside a job's command; the rest comes from its values.  The file
# `watch` of an attempt.  supervise starts it as `sh .../jobs/JOB/N/watch`, in a session of its own.
# Values, in the environment: crelease_job (the attempt's folder), crelease_run, crelease_environment (as in
# command.sh) and crelease_watch (the watchdog's own values, as assignments).
eval "$crelease_environment"
LC_ALL=C
export LC_ALL
# shellcheck source=/dev/null
. "$crelease_job/process"
# Only a complete line counts as written.  After a restart of the host nobody looks for this process, so it need not be
# on disk.
identity_of $$
echo "$$ $ticks $boot" >"$crelease_job/beside"

# Whether there is still something to watch.
job_lives() {
	read -r p t b <"$crelease_job/supervisor" && is_alive "$p" "$t" "$b" && return
	read -r p t b 2>/dev/null <"$crelease_job/pid" || return
	members "$p" "$t" "$b"
	[ -n "$members" ]
}

eval "$crelease_watch"
