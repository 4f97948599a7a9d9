# shellcheck shell=sh disable=SC2154,SC2015
# Keeps the newest finished releases; unfinished ones do not count.  Never the live release, never
# the one before it.  Values: keep, previous (the release that was live before, or empty).

seen() {
	return 0
}

act() {
	finished=
	if [ -r "$deploy_to/revisions.log" ]; then
		finished=$(sed -n 's/.* deployed as release \([0-9]\{14\}\) by .*/\1/p' "$deploy_to/revisions.log")
	fi
	live=
	if [ -L "$deploy_to/current" ]; then
		link_target "$deploy_to/current"
		live=${target##*/}
	fi
	if [ -z "$live" ]; then
		fail "current cannot be read, so nothing is removed"
	fi
	before=
	if [ -f "$run_dir/previous" ]; then
		read -r before <"$run_dir/previous"
		before=${before##*/}
	fi
	names=
	for folder in "$deploy_to"/releases/*; do
		name=${folder##*/}
		case $name in
		[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]) ;;
		*) continue ;;
		esac
		if [ -d "$folder" ] && [ ! -L "$folder" ]; then names="$name $names"; fi
	done
	# The glob is sorted, so the newest name is the first now.
	kept=0 removed=0
	for name in $names; do
		counts=
		case "$newline$finished$newline" in *"$newline$name$newline"*) counts=yes ;; esac
		if [ "$name" = "$live" ]; then counts=yes; fi
		if [ -z "$finished" ]; then counts=yes; fi
		if [ "$kept" -lt "$keep" ]; then
			if [ -n "$counts" ]; then kept=$((kept + 1)); fi
		elif [ "$name" != "$live" ] && [ "$name" != "$before" ] && [ "$name" != "$release" ]; then
			# Out of releases by a rename: what is there is whole, at every instant.
			if [ ! -d "$state/trash" ]; then must "make '$state/trash'" mkdir "$state/trash"; fi
			must "remove '$deploy_to/releases/$name'" mv "$deploy_to/releases/$name" "$state/trash/$name.$run"
			rm -f "$state/manifests/$name"
			removed=$((removed + 1))
		fi
	done
	# Taking it apart need not hold anybody up; what a crash leaves goes with the next clean-up.
	if [ -d "$state/trash" ]; then
		(trap '' HUP && exec rm -rf "${state:?}/trash") </dev/null >/dev/null 2>&1 &
	fi
	case $removed in
	0) say detail "nothing to remove" ;;
	*) say detail "removed $removed, kept $kept" ;;
	esac
}

undo() {
	:
}

stage_main
