#!/bin/bash
# with-sh.sh SHELL COMMAND... -- run a command where SHELL stands in the place of /bin/sh.
#
# In a mount namespace of its own; in a user namespace, too, when not root.  Not itself run by
# /bin/sh, which it replaces.
set -eu
if [ "${WITH_SH-}" != here ]; then
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(-r)
    WITH_SH=here exec unshare -m "${as_root[@]}" -- "$BASH" "$0" "$@"
fi
shell=$(command -v "$1")
shift
mount --bind "$shell" "$(readlink -f /bin/sh)"
unset WITH_SH
exec "$@"
