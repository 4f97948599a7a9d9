# shellcheck shell=bash
# as-root.sh -- for scripts whose cases need root, such as accounts of their own; before rig.sh.
#
#     . tests/lib/as-root.sh    executes the script again as root, where sudo asks for no password
#     needs_root                in a case: it is skipped, and the run names it, where that was not possible
if [ "$(id -u)" -ne 0 ] && sudo -n true 2>/dev/null; then
    # sudo does not keep the environment.  The folder of all rigs stays the user's.
    mkdir -p "$(dirname "${BASH_SOURCE[0]}")/../../build/rig"
    mapfile -d '' -t environment </proc/self/environ
    exec sudo -n -- env -i "${environment[@]}" "$BASH" "$0" "$@"
fi

needs_root() { root || skip 'it needs root, or sudo without a password'; }
