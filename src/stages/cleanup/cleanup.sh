# shellcheck shell=sh disable=SC2154,SC2015
# Keeps the newest finished releases; unfinished ones do not count.  Never the live release, never
# the one before it.  Values: keep, previous (the release that was live before, or empty).

# Nothing on the host tells a cleanup that is done from one that was interrupted: a resume does it again.
cleaned=''
seen() {
	[ -n "$cleaned" ]
}

# Deletes the trash; in $left what to say when some of it cannot be deleted.  A large one need not hold anybody
# up: then it goes on beside, and what a crash leaves goes with the next clean-up.
take_out() {
	rm -f "$run_dir/undeleted"
	(
		trap '' HUP
		# On a full disk there is no room for this file before.
		said=$(empty_trash 2>&1)
		printf '%s\n' "${said%%"$newline"*}" >"$run_dir/undeleted.new"
		mv "$run_dir/undeleted.new" "$run_dir/undeleted"
	) </dev/null >/dev/null 2>&1 &
	for pause in 0.02 0.05 0.1 0.2 0.5 1; do
		if [ -f "$run_dir/undeleted" ]; then break; fi
		sleep "$pause" 2>/dev/null || sleep 1
	done
	if [ -f "$run_dir/undeleted" ]; then what_is_left "$(cat "$run_dir/undeleted")"; fi
}

act() {
	finished=
	if [ -r "$deploy_to/revisions.log" ]; then
		finished=$(sed -n 's/.* deployed as release \([0-9]\{14\}\) by .*/\1/p' "$deploy_to/revisions.log")
	fi
	find_live
	if [ -z "$live" ]; then
		fail "current does not point to a release, so nothing is removed"
	fi
	before=
	if [ -f "$run_dir/previous" ]; then
		read -r before <"$run_dir/previous"
		release_of "$before"
		before=$release_is
	fi
	# The glob is sorted, so the newest name is the first then.  What is newer than this run's own release
	# was made by hand: the name of a new one is newer than all that were deployed (cmd_deploy.c).
	names=
	for folder in "$deploy_to"/releases/*; do
		if ! is_release "$folder"; then continue; fi
		names="${folder##*/} $names"
		if [ "${folder##*/}" = "$release" ]; then break; fi
	done
	kept=0 removed=0 stuck=
	for name in $names; do
		counts=
		case "$newline$finished$newline" in *"$newline$name$newline"*) counts=yes ;; esac
		if [ "$name" = "$live" ]; then counts=yes; fi
		if [ -z "$finished" ]; then counts=yes; fi
		if [ "$kept" -lt "$keep" ]; then
			if [ -n "$counts" ]; then kept=$((kept + 1)); fi
		elif [ "$name" != "$live" ] && [ "$name" != "$before" ] && [ "$name" != "$release" ]; then
			if said=$(put_away "$deploy_to/releases/$name" 2>&1); then
				rm -f "$state/manifests/$name"
				removed=$((removed + 1))
			else
				stuck=$deploy_to/releases/$name why=$said
			fi
		fi
	done
	# Of runs that nobody went on with: this one holds the lock.
	for folder in "$incoming_tree".*; do
		if [ -d "$folder" ]; then put_away "$folder"; fi
	done
	left=
	if has_trash; then take_out; fi
	if [ -n "$stuck" ]; then cannot "remove '$stuck'" "$why"; fi
	if [ -n "$left" ]; then fail "$left"; fi
	cleaned=yes
	case $removed in
	0) say detail "nothing to remove" ;;
	*) say detail "removed $removed, kept $kept" ;;
	esac
}

undo() {
	:
}

stage_main
