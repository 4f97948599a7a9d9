# shellcheck shell=sh disable=SC2154
# Runs a job on the deploying machine (local.c).  Standard input is a pipe that is closed when crelease ends: if that
# happens while the job runs, its process group is ended, because nobody would learn how it ended.
# Values, in the environment: crelease_command.
exec 3<&0 </dev/null
command=$crelease_command
# The key is for logging in to the hosts, which is not the job's business.
unset crelease_command CRELEASE_SSH_KEY CRELEASE_KNOWN_HOSTS
(
	trap '' HUP INT TERM
	read -r closed <&3
	kill -s TERM -- "-$$"
	sleep 10
	kill -s KILL -- "-$$"
) >/dev/null 2>&1 &
guard=$!
# TERM is for the job; its end is still to be reported.
trap : TERM
(
	trap - TERM
	exec 3<&-
	eval "$command"
)
status=$?
kill -s KILL "$guard"
exit "$status"
