# shellcheck shell=sh disable=SC2154
# Runs the command of a job as another user.  child.sh sends it through sudo, behind these values: crelease_where (the
# folder), crelease_umask, crelease_shell (a command that takes shell text, or empty for sh), crelease_environment and
# crelease_command (as in command.sh).
#
# Standard input stays open as long as child lives.  Its end ends the command, which the login user cannot
# signal.
exec 3<&0 </dev/null
(
	trap '' TERM HUP INT
	while read -r _; do :; done
	kill -s TERM 0
	sleep 5
	kill -s KILL 0
) <&3 >/dev/null 2>&1 &
crelease_watcher=$!
exec 3<&-
cd "$crelease_where" || { kill -s KILL "$crelease_watcher"; exit 125; }
umask "$crelease_umask"
export crelease_environment crelease_command
set -f
# shellcheck disable=SC2086,SC2016 # words; for that shell
${crelease_shell:-/bin/sh -c} 'eval "$crelease_environment"
eval "unset crelease_command crelease_environment; $crelease_command"'
crelease_status=$?
kill -s KILL "$crelease_watcher"
exit "$crelease_status"
