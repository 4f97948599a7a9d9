# shellcheck shell=sh disable=SC2154,SC2015
# Keeps the newest finished releases; unfinished ones do not count.  Never removes the live release or the one
# before it, nor one in which a process still runs.
# Values: keep, finished (the releases that revisions.log names as deployed, or "-" if it names only others).

# The host does not show whether a clean-up was finished or interrupted, so a resume repeats it.
cleaned=''
seen() {
	[ -n "$cleaned" ]
}

# take_out FILE...: deletes these and the trash, and sets $left to a message when some of the trash cannot be deleted.
# Deleting a lot continues in the background, so that nobody waits for it; after a crash, the next clean-up deletes the
# rest.
take_out() {
	said=$(timeout 2 rm -rf "$@" "$deploy_to"/releases/.trash.* "$state/trash" 2>&1) && return
	rm -f "$@" "$run_dir/undeleted"
	(
		trap '' HUP
		# On a full disk there may be no room for this file until some trash is deleted.
		said=$(empty_trash 2>&1)
		put "$run_dir/undeleted" "${said%%"$newline"*}"
	) </dev/null >/dev/null 2>&1 &
	for pause in 0.03 0.05 0.1 0.2 0.5 1; do
		if [ -s "$run_dir/undeleted" ]; then break; fi
		sleep "$pause" 2>/dev/null || sleep 1
	done
	if [ -s "$run_dir/undeleted" ]; then
		read -r said <"$run_dir/undeleted"
		what_is_left "$said"
	fi
}

# Sets $used to lines "RELEASE PID" for processes whose working directory, program or open files are in a
# release.  Those of other users are seen by root alone.  One process for all, since a host may have thousands.
find_used() {
	cd -P "$deploy_to/releases" && real=$PWD && cd /
	used='' found=''
	# An index was made by GNU's find, which knows -lname.
	case $real in
	*[\*?[\\]*) find_used_anywhere ;;
	*) if [ -f "$state/manifests/$release.index" ]; then
		found=$(find /proc/[0-9]*/cwd /proc/[0-9]*/exe /proc/[0-9]*/fd -maxdepth 1 -lname "$real/*" -printf '%p %l\n' 2>/dev/null)
	else
		find_used_anywhere
	fi ;;
	esac
	set -f
	IFS=$newline
	for line in $found; do
		in=${line#*" $real/"} in=${in%%/*}
		by=${line#/proc/}
		used=$used${used:+$newline}"${in%% *} ${by%%/*}"
	done
	unset IFS
	set +f
}

# With tools of any kind; -n saves ls from looking up users.
find_used_anywhere() {
	# shellcheck disable=SC2010 # the names are those of /proc
	used=$(LC_ALL=C ls -ln /proc/[0-9]*/cwd /proc/[0-9]*/exe /proc/[0-9]*/fd 2>/dev/null |
		LC_ALL=C grep -aF -e " -> $real/" -e "/fd:" |
		while IFS= read -r line; do
			case $line in
			/proc/[0-9]*/fd:) of=${line#/proc/} ;;
			*" /proc/"*" -> $real/"*) of=${line#*" /proc/"} ;;
			*" -> $real/"*) ;;
			*) continue ;;
			esac
			case $line in
			*" -> $real/"*)
				name=${line#*" -> $real/"}
				name=${name%%/*}
				echo "${name%% *} ${of%%/*}"
				;;
			esac
		done)
}

# Sets $by to the first process that uses the release, and $its_name to its name; to nothing if there is none.
used_by() {
	by='' its_name=''
	case "$newline$used$newline" in
	*"$newline$1 "*)
		by=${used#*"$1 "}
		by=${by%%"$newline"*}
		if [ -r "/proc/$by/comm" ]; then read -r its_name <"/proc/$by/comm"; fi
		;;
	esac
}

act() {
	find_live
	if [ -z "$live" ]; then
		fail "'current' does not point to a release, so nothing is removed"
	fi
	before=
	if [ -f "$run_dir/previous" ]; then
		read -r before <"$run_dir/previous"
		release_of "$before"
		before=$release_is
	fi
	# The glob is sorted, so that the newest name comes first in the list.  A release newer than this run's
	# own was made by hand, because a new release gets a name newer than all deployed ones (cli/cmd_deploy.c).
	names=
	for folder in "$deploy_to"/releases/*; do
		if ! is_release "$folder"; then continue; fi
		names="${folder##*/} $names"
		if [ "${folder##*/}" = "$release" ]; then break; fi
	done
	kept=0 removed=0 stuck='' used='' looked='' in_use=''
	set --
	for name in $names; do
		counts=
		case "$newline$finished$newline" in *"$newline$name$newline"*) counts=yes ;; esac
		if [ "$name" = "$live" ]; then counts=yes; fi
		if [ -z "$finished" ]; then counts=yes; fi
		if [ "$kept" -lt "$keep" ]; then
			if [ -n "$counts" ]; then kept=$((kept + 1)); fi
		elif [ "$name" != "$live" ] && [ "$name" != "$before" ] && [ "$name" != "$release" ]; then
			if [ -z "$looked" ]; then find_used; fi
			looked=yes
			used_by "$name"
			if [ -n "$by" ]; then
				in_use="$in_use, $name (process $by${its_name:+, $its_name})"
			elif said=$(mv "$deploy_to/releases/$name" "$deploy_to/releases/.trash.$name.$run.$$" 2>&1); then
				set -- "$@" "$state/manifests/$name" "$state/manifests/$name.index"
				removed=$((removed + 1))
			else
				stuck=$deploy_to/releases/$name why=$said
			fi
		fi
	done
	# Trees of runs that were never resumed; they cannot be in use, since this run holds the lock.
	for folder in "$incoming_tree".*; do
		if [ -d "$folder" ]; then put_away "$folder"; fi
	done
	left=
	if [ $# -gt 0 ] || has_trash; then take_out "$@"; fi
	if [ -n "$stuck" ]; then cannot "remove '$stuck'" "$why"; fi
	if [ -n "$left" ]; then fail "$left"; fi
	cleaned=yes
	if [ -n "$in_use" ]; then say warning "kept because processes are still running in them: ${in_use#, }"; fi
	case $removed in
	0) say detail "nothing to remove" ;;
	*) say detail "removed $removed, kept $kept" ;;
	esac
}

undo() {
	:
}

stage_main
