# shellcheck shell=sh disable=SC2154,SC2015
# Runs a command in the live release, or in the folder given; it ends with its connection.
# Values: command, where.  What it prints is the command's alone.
trap - EXIT
cd "$where" || fail "there is no live release at $where"
# Not as an argument, which everybody on the host may see.
crelease_command=$command
export crelease_command
# shellcheck disable=SC2016 # expanded there
/bin/sh -c 'eval "unset crelease_command; $crelease_command"' </dev/null
