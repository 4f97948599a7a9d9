# shellcheck shell=sh disable=SC2154
# Runs the user's command in a shell of its own, with the recipe's variables.  These may have any names, so
# the recipe's text and the command come last.
# Values, in the environment: crelease_environment (shell text that exports the variables) and
# crelease_command (shell text).
eval "$crelease_environment"
eval "unset crelease_command crelease_environment; $crelease_command"
