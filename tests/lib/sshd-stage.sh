#!/bin/sh
# sshd-stage.sh DIR COMMAND... -- in a mount namespace of its own (unshare -m), as root.
#
# Root's sshd wants the folder /run/sshd, an account sshd, and that root's own account is not
# locked.  What of this is missing is shown to it alone: the machine itself is not changed.
set -eu
dir=$1
shift

if [ ! -d /run/sshd ]; then
    mount -t tmpfs -o mode=755 none /run
    mkdir /run/sshd
fi
if ! grep -q '^sshd:' /etc/passwd; then
    { cat /etc/passwd && echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin'; } >"$dir/passwd"
    mount --bind "$dir/passwd" /etc/passwd
fi
if grep -q '^root:!' /etc/shadow 2>/dev/null; then
    (umask 077 && sed 's/^root:!*/root:*/' /etc/shadow >"$dir/shadow")
    mount --bind "$dir/shadow" /etc/shadow
fi
exec "$@"
