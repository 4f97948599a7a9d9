# shellcheck shell=sh disable=SC2154
# Runs the command that says what is pending, in the folder given; it ends with its connection.
# Values: command, where.  What it prints is the answer, up to the last line, "ended STATUS": a
# connection that closes before that has said nothing.
cd "$where" || fail "there is no folder $where"
# Not as an argument, which everybody on the host may see.
crelease_command=$command
export crelease_command
# shellcheck disable=SC2016 # expanded there
/bin/sh -c 'eval "unset crelease_command; $crelease_command"' </dev/null
status=$?
echo
exit "$status"
