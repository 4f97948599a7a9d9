# shellcheck shell=sh disable=SC2154,SC2015
# Gives a lock back that was taken on this host while another host refused.
fence
rm -f "$state/beat" "$state"/reserve*
must "remove '$state/lock'" rm -f "$state/lock"
rm -rf "$run_dir"
exit 0
