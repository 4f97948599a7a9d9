#!/bin/sh
# sshd-stage.sh host DIR    the first process of a host: in namespaces of its own (unshare -m -p), as root
# sshd-stage.sh accounts DIR COMMAND...   only what sshd wants, in a mount namespace of its own
#
# Root's sshd wants the folder /run/sshd, an account sshd, and that root's own account is not
# locked.  What of this is missing is shown to it alone: the machine itself is not changed.
#
# A host has its own processes, whose end is the end of its first one, and an own boot.
set -eu
what=$1 dir=$2
shift 2

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
[ "$what" = host ] || exec "$@"

cat /proc/sys/kernel/random/uuid >"$dir/boot_id"
# The number that others know this process by: /proc is still theirs.
read -r pid _ </proc/self/stat
mount -t proc none /proc
mount --bind "$dir/boot_id" /proc/sys/kernel/random/boot_id
printf '%s\n' "$pid" >"$dir/first.pid.new"
mv "$dir/first.pid.new" "$dir/first.pid"
# Whatever loses its parent here becomes a child of this one, and is collected by it.
trap : HUP INT TERM
while :; do
    sleep 1000000 &
    wait
done
