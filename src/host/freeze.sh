# shellcheck shell=sh disable=SC2154
# Freezes deploys to this site, or ends the freeze.  No lock is needed: a run that has started goes on.
# Values: freeze (the text of the file, or empty to end the freeze).
#
#   crelease-freeze 1
#   by ann@laptop
#   since 1763825412
#   until 1763900000    0: until it is thawed
#   reason the database moves
#
# Answers what was there before: "was_by", "was_until", "was_reason".
distrust_state
refuse_distrusted
if [ -f "$state/freeze" ]; then
	sed -n -e 's/^by /was_by /p' -e 's/^until /was_until /p' -e 's/^reason /was_reason /p' "$state/freeze"
fi
if [ -n "$freeze" ]; then
	umask "$umask_was"
	if [ ! -d "$deploy_to" ]; then must "create '$deploy_to'" mkdir -p "$deploy_to"; fi
	own_umask
	if [ ! -d "$state" ]; then must "create '$state'" mkdir -p "$state"; fi
	replace "$state/freeze" "$freeze"
	flush "$state"
elif [ -e "$state/freeze" ] || [ -L "$state/freeze" ]; then
	must "remove '$state/freeze'" rm -f "$state/freeze"
	flush "$state"
	say thawed yes
fi
exit 0
