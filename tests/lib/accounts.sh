# shellcheck shell=bash
# accounts.sh -- for scripts that use sudo with accounts of their own; before rig.sh.
#
#     PASSWORD='right one'              that of "deployer"
#     . tests/lib/accounts.sh           executes the script again: as root, if possible, in a mount namespace
#
# In that the clone is reached under a path that is open to everybody, and there are: "deployer", who may become anybody with
# a password; "app", who may become "other" without one; "other".
# shellcheck source=tests/lib/as-root.sh
. "$(dirname "${BASH_SOURCE[0]}")/as-root.sh"
if [ "$(id -u)" -eq 0 ] && [ -z "${CRELEASE_SUDO_STAGE-}" ]; then
    top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
    script=$(basename "$0" .sh)
    # In the folder of the rig, which is removed at the end: until then, these files are mounted.
    stage=$top/build/rig/$script.$$/stage
    mkdir -p "$stage"
    {
        cat /etc/passwd
        for account in deployer:65531:/bin/bash app:65530:/bin/bash other:65529:/usr/sbin/nologin; do
            IFS=: read -r name id shell <<<"$account"
            echo "$name:x:$id:$id::/nonexistent:$shell"
        done
    } >"$stage/passwd"
    (
        umask 077
        { cat /etc/shadow; printf '%s\n' "deployer:$(openssl passwd -6 -stdin <<<"$PASSWORD"):19000:0:99999:7:::" 'app:*:19000:0:99999:7:::' 'other:*:19000:0:99999:7:::'; } >"$stage/shadow"
        printf 'Defaults use_pty, timestamp_timeout=0, passwd_timeout=1\ndeployer ALL=(ALL) /bin/sh\napp ALL=(other) NOPASSWD: /bin/sh\nroot ALL=(ALL) NOPASSWD: ALL\n' >"$stage/sudoers"
    )
    chmod 440 "$stage/sudoers"
    # shellcheck disable=SC2016 # for bash
    CRELEASE_SUDO_STAGE=$stage exec unshare -m -- "$BASH" -ec '
        mount --bind "$1/passwd" /etc/passwd
        mount --bind "$1/shadow" /etc/shadow
        mount --bind "$1/sudoers" /etc/sudoers
        mount --rbind "$2" /srv
        cd /srv
        script=$3
        shift 3
        exec "$BASH" "/srv/tests/system/$script.sh" "$@"
    ' bash "$stage" "$top" "$script" "$@"
fi
