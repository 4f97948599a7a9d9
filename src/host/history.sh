# shellcheck shell=sh disable=SC2154,SC2015
# Prints the last runs: crelease's own record, and the lines of revisions.log that other tools wrote.
# Value: count.
refuse_link "$state/history"
if [ -f "$state/history" ]; then
	tail -n "$count" "$state/history" | sed 's/^/run /'
fi
if [ -f "$deploy_to/revisions.log" ]; then
	tail -n "$count" "$deploy_to/revisions.log" | sed 's/^/log /'
fi
say end history
