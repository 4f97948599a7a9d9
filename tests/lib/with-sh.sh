#!/bin/bash
# with-sh.sh SHELL COMMAND... -- run a command where SHELL stands in the place of /bin/sh.
#
# In a mount namespace of its own: as root, else in a user namespace, else with the help of sudo.
# Where none of these may be had, a preloaded library does it for all but static programs.
# Not itself run by /bin/sh, which it replaces.
set -eu
shell=$(command -v "$1")
shift

# In the namespace: be who we were again, and go on.
# shellcheck disable=SC2016 # for bash
stage='mount --bind "$1" "$(readlink -f /bin/sh)"; shift; exec "$@"'

if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    exec unshare -m -- "$BASH" -ec "$stage" bash "$shell" "$@"
fi
# Root there only for the mount, then the same user again: as root sshd would call setgroups, which a
# user namespace forbids.
if unshare -r -m true 2>/dev/null; then
    exec unshare -r -m -- "$BASH" -ec "$stage" bash "$shell" \
        unshare --user --map-user="$(id -u)" --map-group="$(id -g)" -- "$@"
fi
if [ "$(id -u)" -ne 0 ] && sudo -n unshare -m true 2>/dev/null; then
    # sudo keeps neither the environment nor the user: both are handed on.
    mapfile -d '' -t environment </proc/self/environ
    exec sudo -n unshare -m -- "$BASH" -ec "$stage" bash "$shell" \
        setpriv --reuid "$(id -u)" --regid "$(id -g)" --init-groups -- env -i "${environment[@]}" "$@"
fi
shim=${CRELEASE_RIG:?}/sh-shim.so
[ -e "$shim" ] || cc -shared -fPIC -O2 -o "$shim" "$(dirname "$0")/sh-shim.c" -ldl
WITH_SH_PROGRAM=$shell LD_PRELOAD=$shim exec "$@"
