# shellcheck shell=sh disable=SC2154
# run_command: runs one of the user's commands so that it ends with its connection, and returns its status.
# Values: user_shell (a command that takes shell text, or empty for sh), command, where, environment (shell
# text that exports the recipe's variables; these may have any names, so only the command's own shell evaluates
# it) and own_environment (the same for crelease's own variables, whose names are known).  With an argument, the
# command reads what follows the script on standard input.
run_command() {
	cd "$where" || fail "no such folder: '$where'"
	# Not passed as arguments, which every user of the host can see.
	crelease_command=$command crelease_environment=$environment crelease_where=$where crelease_umask=$files_umask
	export crelease_command crelease_environment crelease_where crelease_umask
	eval "$own_environment"
	as_at_login
	# The start-up files of a login shell may have set another folder and umask.
	# shellcheck disable=SC2016 # expanded there
	how='cd "$crelease_where" || exit; if [ -n "$crelease_umask" ]; then umask "$crelease_umask"; fi
		eval "$crelease_environment"
		eval "unset crelease_command crelease_environment crelease_where crelease_umask; $crelease_command"'
	if [ -z "${1-}" ]; then exec </dev/null; fi
	# shellcheck disable=SC2086 # words
	(
		set -f
		exec ${user_shell:-/bin/sh -c} "$how"
	)
}
