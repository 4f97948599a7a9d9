# shellcheck shell=sh disable=SC2154,SC2015
# Runs a command in the live release, or in the folder given; it ends with its connection.
# Values: command, where, environment (shell text that exports the recipe's variables) and the function
# job_env, which exports crelease's own.  What it prints is the command's alone.
trap - EXIT
cd "$where" || fail "there is no live release at $where"
# Not as an argument, which everybody on the host may see.
crelease_command=$command crelease_environment=$environment
export crelease_command crelease_environment
job_env
# shellcheck disable=SC2016 # expanded there
/bin/sh -c 'eval "$crelease_environment"; eval "unset crelease_command crelease_environment; $crelease_command"' </dev/null
