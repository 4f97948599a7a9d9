# shellcheck shell=sh disable=SC2154,SC2015
# Runs a command in the live release, or in the folder given; it ends with its connection.
# Values: command, where.  What it prints is the command's alone.
trap - EXIT
cd "$where" || fail "there is no live release at $where"
/bin/sh -c "$command" </dev/null
