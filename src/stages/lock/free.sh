# shellcheck shell=sh disable=SC2154,SC2015
# Releases a lock that was taken on this host when another host refused its own.
fence
rm -f "$state/beat" "$state"/reserve*
must "remove '$state/lock'" rm -f "$state/lock"
rm -rf "$run_dir"
exit 0
