# shellcheck shell=sh disable=SC2154
# Runs the command that says what is pending, in the folder given; it ends with its connection.
# Values: command, where, environment (shell text that exports the recipe's variables) and the function
# job_env, which exports crelease's own.  What it prints is the answer, up to the last line, "ended STATUS": a
# connection that closes before that has said nothing.
cd "$where" || fail "there is no folder $where"
# Not as an argument, which everybody on the host may see.
crelease_command=$command crelease_environment=$environment
export crelease_command crelease_environment
job_env
# shellcheck disable=SC2016 # expanded there
/bin/sh -c 'eval "$crelease_environment"; eval "unset crelease_command crelease_environment; $crelease_command"' </dev/null
status=$?
echo
exit "$status"
