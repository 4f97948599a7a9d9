# shellcheck shell=sh disable=SC2154
# Runs migrate.status after command.sh.  The output is the answer, followed by a last line "ended STATUS";
# without this line the connection closed early and the answer is unknown.
run_command
status=$?
echo
exit "$status"
