# shellcheck shell=sh disable=SC2154
# Looks for CONCURRENTLY in what is new in a release.  Values: where (its folder), paths (a line each:
# where its migrations lie, or .).
# Answers "file NAME" for the first one that mentions it and is not the same in the live release, then
# "looked yes".
cd "$where" || fail "there is no folder $where"
live=$(cd "$deploy_to/current" 2>/dev/null && pwd -P)
IFS=$newline
set -f
# shellcheck disable=SC2086 # a line each
file=$(grep -rli -e concurrently -- $paths 2>/dev/null | while IFS= read -r one; do
	[ -n "$live" ] && cmp -s -- "$one" "$live/$one" && continue
	printf '%s\n' "$one"
	break
done)
if [ -n "$file" ]; then say file "$file"; fi
say looked yes
exit 0
