# shellcheck shell=sh disable=SC2154
# Runs a command (command.sh) in the live release, in a terminal.  That was in raw mode while this script was
# read from it (fleet/greeting.c).
trap - EXIT
stty "$terminal_modes"
# Keys are sent from now on (cli/cmd_console.c).
printf '\036'
if [ ! -d "$where" ]; then
	echo "there is no live release at $where"
	exit 1
fi
run_command terminal
