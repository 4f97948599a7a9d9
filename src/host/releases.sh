# shellcheck shell=sh disable=SC2154,SC2015,SC2034
# Sent after prelude.sh and before every script: the names of releases, which one is live, the trash, and what
# stands in the way of the links into shared.  Functions only.

# The name of a release is 14 digits: a time since 1970.  clock_release_time in clock.c checks the same.
is_release_name() {
	case $1 in
	[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]) ;;
	*) return 1 ;;
	esac
	case $1 in 19[7-9]* | [2-9]*) ;; *) return 1 ;; esac
	case ${1#????} in
	??00* | 0230* | 0[2469]31* | 1131*) return 1 ;;
	0[1-9][0-2]* | 0[1-9]3[01]* | 1[0-2][0-2]* | 1[0-2]3[01]*) ;;
	*) return 1 ;;
	esac
	case ${1#????????} in [01]?[0-5]?[0-5]? | 2[0-3][0-5]?[0-5]?) ;; *) return 1 ;; esac
	case $1 in
	????0229*)
		year=${1%??????????}
		[ $((year % 4)) -eq 0 ] && { [ $((year % 100)) -ne 0 ] || [ $((year % 400)) -eq 0 ]; }
		;;
	esac
}

# Whether something in releases/ is a release: a real folder.  The target of a link with such a name is not
# ours.
is_release() {
	is_release_name "${1##*/}" && [ -d "$1" ] && [ ! -L "$1" ]
}

# release_of PATH: sets $release_is to the release that PATH, or what it points to, is or lies in; empty when
# it is in none.  The kernel follows the path, so neither its spelling nor the number of links matters.
# shellcheck disable=SC3013 # dash, bash, busybox and mksh have -ef, and so has POSIX since 2024
release_of() {
	release_is='' up=$1
	until [ "$up/.." -ef "$deploy_to/releases" ]; do
		if [ ! -d "$up" ] || [ "$up" -ef / ]; then return 0; fi
		up=$up/..
	done
	for folder in "$deploy_to"/releases/*; do
		if [ "$up" -ef "$folder" ] && is_release "$folder"; then release_is=${folder##*/}; fi
	done
}

# find_live: sets $live to the live release, empty when there is none.
find_live() {
	release_is=
	if [ -L "$deploy_to/current" ]; then release_of "$deploy_to/current"; fi
	live=$release_is
}

# current_target: sets $target to where current points, empty for nowhere, and $live as find_live does.  For a link to
# a release, no process is started.
# shellcheck disable=SC3013 # as above
current_target() {
	target=''
	find_live
	if [ -n "$live" ] && [ "$deploy_to/current" -ef "$deploy_to/releases/$live" ]; then
		target=$deploy_to/releases/$live
	elif [ -L "$deploy_to/current" ]; then
		link_target "$deploy_to/current"
	fi
}

# A release gets and loses its name by a rename within releases/.  Between two folders, which may be on two
# file systems, mv would copy, and the name would exist before the release is complete.  Neither Capistrano
# nor anyone who lists the folder sees these names, which begin with a dot:
#   releases/.incoming.RUN.EPOCH    being unpacked (checkout.sh): $incoming_tree.RUN.EPOCH
#   releases/.trash.RELEASE.RUN.PID being deleted

# put_away FOLDER: moves it to the trash.
put_away() {
	mv "$1" "$deploy_to/releases/.trash.${1##*/}.$run.$$"
}

# Deletes the trash, and that of an earlier version.  A folder without write permission is made writable
# first, if it is ours.  What cannot be deleted is reported on standard error.
empty_trash() {
	set -- "$deploy_to"/releases/.trash.* "$state/trash"
	if rm -rf "$@" 2>/dev/null; then return 0; fi
	find "$@" -type d ! -perm -700 -exec chmod u+rwx {} \; 2>/dev/null
	rm -rf "$@"
}

# Sets $trash to a folder in the trash; false when there is none.
has_trash() {
	for trash in "$deploy_to"/releases/.trash.* "$state/trash"; do
		if [ -d "$trash" ]; then return 0; fi
	done
	return 1
}

# Sets $trash_kb to the size of the trash.
trash_size() {
	trash_kb=0
	for folder in "$deploy_to"/releases/.trash.* "$state/trash"; do
		[ -d "$folder" ] || continue
		kb=$(du -sk "$folder" 2>/dev/null)
		kb=${kb%%[!0-9]*}
		trash_kb=$((trash_kb + ${kb:-0}))
	done
}

# what_is_left TEXT: sets $left to a message about trash that could not be deleted; TEXT is the output of rm.
what_is_left() {
	left=
	if has_trash; then
		trash_size
		left="removed releases cannot be deleted: ${1#rm: }; $trash_kb kB are left in $trash: delete it by hand"
	fi
}

# link_target FILE: sets $target to where the link points, including a newline at its end.
link_target() {
	target=$(readlink "$1" && echo .)
	target=${target%"$newline".}
}

# Sets $up to the nearest existing thing on the way to the missing file $1; a dangling link counts.
way_to() {
	up=$1
	while [ ! -e "$up" ] && [ ! -L "$up" ]; do
		up=${up%/*}
		up=${up:-/}
	done
}

# Sets $faults to what would make the stage link fail, one line each: "missing FILE" (of linked_files) or "unlinkable
# WHY"; and "unreadable FILE" for one that exists but that the login user cannot read.  Called before the lock
# is taken, and by the stage.
link_faults() {
	faults=''
	set -f
	IFS=$newline
	for name in $linked_files; do
		at=$deploy_to/shared/$name
		if [ -f "$at" ]; then
			[ -r "$at" ] || fault unreadable "$at"
		elif [ -d "$at" ]; then
			fault unlinkable "the linked file '$at' is a folder"
		elif [ -e "$at" ]; then
			fault unlinkable "the linked file '$at' is not a regular file"
		elif [ -L "$at" ]; then
			fault_nowhere "the linked file '$at'" "$at"
		else
			way_to "$at"
			if [ -d "$up" ] && [ ! -x "$up" ]; then
				fault unlinkable "the linked file '$at' cannot be checked: no permission to enter '$up'"
			else
				fault missing "$name"
			fi
		fi
	done
	for name in $linked_dirs; do
		at=$deploy_to/shared/$name
		[ ! -d "$at" ] || continue
		way_to "$at"
		if [ "$up" = "$at" ] && [ -e "$at" ]; then
			fault unlinkable "the linked folder '$at' is not a folder"
		elif [ "$up" = "$at" ]; then
			fault_nowhere "the linked folder '$at'" "$at"
		elif [ ! -e "$up" ]; then
			fault_nowhere "the linked folder '$at' cannot be created: '$up'" "$up"
		elif [ ! -d "$up" ]; then
			fault unlinkable "the linked folder '$at' cannot be created: '$up' is not a folder"
		elif [ -d "$deploy_to" ] && { [ ! -w "$up" ] || [ ! -x "$up" ]; }; then
			fault unlinkable "the linked folder '$at' cannot be created: no permission to write to '$up'"
		fi
	done
	unset IFS
	set +f
}

fault() { # KIND TEXT
	faults="$faults$1 $2$newline"
}

fault_nowhere() { # WHAT LINK
	link_target "$2"
	case $target in *"$newline"*) target='a name of several lines' ;; esac
	fault unlinkable "$1 is a symbolic link to '$target', which does not exist"
}
