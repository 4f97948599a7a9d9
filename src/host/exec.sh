# shellcheck shell=sh disable=SC2154
# Runs a command (command.sh) in the live release.  All output comes from the command.
exec 2>&1
trap - EXIT
if [ ! -d "$where" ]; then
	echo "there is no live release at $where"
	exit 1
fi
run_command "$input"
