#!/bin/bash
# as-user.sh RIG SCRIPT [CASE...] -- a script of tests/system as a login that is not root, whose hosts then are
# not root's either.  RIG: a new folder for it.
#
# Root makes the account up in a mount namespace, in which the clone is reached under a path that is open to
# everybody, wherever it lies.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
rig=$1 script=$2
shift 2
export -n CRELEASE_RIG CRELEASE_RIG_OF

if [ "$(id -u)" -ne 0 ]; then
    exec "$BASH" "$top/tests/system/$script.sh" "$@"
fi
id=65531
mkdir -p "$rig"
{ cat /etc/passwd && echo "deployer:x:$id:$id::/nonexistent:/bin/sh"; } >"$rig.passwd"
chmod 755 "$rig"
chown "$id:$id" "$rig"
# shellcheck disable=SC2016 # for bash
exec unshare -m -- "$BASH" -ec '
    top=$1 rig=$2 id=$3 script=$4
    shift 4
    mount --bind "$rig.passwd" /etc/passwd
    mount --rbind "$top" /srv
    mkdir -p /srv/build/rig
    mount -t tmpfs -o mode=755 none /srv/build/rig
    mkdir "/srv/build/rig/user.$$"
    mount --bind "$rig" "/srv/build/rig/user.$$"
    cd /srv
    # Root is not to be seen by what the login may see.
    export CRELEASE_RIG=/srv/build/rig/user.$$ CRELEASE_RIG_OF=$$ CRELEASE=/srv/build/crelease USER=deployer
    exec setpriv --reuid "$id" --regid "$id" --clear-groups --inh-caps=-all "$BASH" "/srv/tests/system/$script.sh" "$@"
' bash "$top" "$rig" "$id" "$script" "$@"
