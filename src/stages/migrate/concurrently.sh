# shellcheck shell=sh disable=SC2154
# Looks for CONCURRENTLY in the migrations that are new in a release.  Values: where (the release folder),
# paths (one a line: where the migrations lie, patterns of them, or .), command (the recipe's migrate.run),
# of (as in mark.sh).
# Answers "file NAME" for the first file that mentions it and differs from the release that the database was
# last migrated for, or from the live release if that one is unknown; for the settings with which
# strong_migrations adds the word to each new index; or for the command itself.  Ends with "looked yes" when
# all files could be read.
cd "$where" || fail "there is no folder $where"
was=$(sed -n 's/^release //p' "$state/migrated$of" 2>/dev/null)
case $was in '' | *[!0-9]*) was=$deploy_to/current ;; *) was=$deploy_to/releases/$was ;; esac
[ -d "$was" ] || was=$deploy_to/current
live=$(cd "$was" 2>/dev/null && pwd -P)
IFS=$newline
set -f
# Follow the links that the migration tool follows, but not those to the shared folders.
how=-Rli
if [ "$paths" = . ]; then how=-rli; fi
# Names what the patterns match, but nothing that a build has installed.
in_release() {
	for path in $paths; do
		case $path in
		'**/'*/*) printf '.\n' ;;
		'**/'*) find . \( -name .venv -o -name node_modules -o -name vendor \) -prune -o -name "${path#??/}" -print ;;
		*[*?[]*)
			set +f
			for one in $path; do
				if [ -e "$one" ]; then printf '%s\n' "$one"; fi
			done
			set -f
			;;
		*) printf '%s\n' "$path" ;;
		esac
	done
}
paths=$(in_release)
paths=${paths:-/dev/null}
# shellcheck disable=SC2086 # a line each
found=$(grep "$how" -e concurrently -- $paths 2>/dev/null)
status=$?
file=$(printf '%s\n' "$found" | while IFS= read -r one; do
	[ -n "$one" ] || continue
	[ -n "$live" ] && cmp -s -- "$one" "$live/$one" && continue
	printf '%s\n' "$one"
	break
done)
if [ -z "$file" ] && [ "$status" -le 1 ]; then
	set +f
	file=$(grep -lE -e '^[^#]*safe_by_default *= *true' -- config/initializers/*.rb 2>/dev/null | head -n 1)
fi
if [ -z "$file" ] && printf '%s\n' "$command" | grep -qi concurrently; then file=migrate.run; fi
if [ -n "$file" ]; then
	say file "${file#./}"
elif [ "$status" -gt 1 ]; then
	exit 0 # of what could not be read nothing is known
fi
say looked yes
exit 0
