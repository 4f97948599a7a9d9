# shellcheck shell=sh disable=SC2154,SC2015
# Releases a lock that was taken on this host when another host refused its own.
fence
must "remove '$state/lock'" rm -rf "$state/beat" "$state"/reserve* "$state/lock" "$state/lock.$run".* "$run_dir"
exit 0
