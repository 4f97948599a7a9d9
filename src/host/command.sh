# shellcheck shell=sh disable=SC2154
# run_command: runs a command of the user's that ends with its connection.  Its status is the command's.
# Values: command, where, environment (shell text that exports the recipe's variables: any names, so only
# the command's own shell runs it) and own_environment (the same for crelease's own, whose names are known).
# With an argument the command reads what follows the script on standard input.
run_command() {
	cd "$where" || fail "there is no folder $where"
	# Not as arguments: every user of the host can see these.
	crelease_command=$command crelease_environment=$environment
	export crelease_command crelease_environment
	eval "$own_environment"
	as_at_login
	# shellcheck disable=SC2016 # expanded there
	how='eval "$crelease_environment"; eval "unset crelease_command crelease_environment; $crelease_command"'
	if [ -n "${1-}" ]; then /bin/sh -c "$how"; else /bin/sh -c "$how" </dev/null; fi
}
