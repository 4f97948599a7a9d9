# shellcheck shell=sh disable=SC2154
# Runs the command that says what is pending (command.sh).  What it prints is the answer, up to the last
# line, "ended STATUS": a connection that closes before that has said nothing.
run_command
status=$?
echo
exit "$status"
