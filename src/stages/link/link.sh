# shellcheck shell=sh disable=SC2154,SC2015
# Links the shared files and folders into the release as Capistrano does: absolute links, missing parents are
# created, and a file or folder of the repository in their place is removed.
# Values: linked_files, linked_dirs (one a line), both relative.

# A symbolic link in the repository could lead out of the release.
no_link_above() {
	above=$1
	while :; do
		case $above in
		*/*) above=${above%/*} ;;
		*) return 0 ;;
		esac
		if [ -L "$path/$above" ]; then
			fail "'$above' is a symbolic link in the repository, so '$1' cannot be linked below it"
		fi
	done
}

# is_linked NAME: whether the link is there and leads to the shared file.
# shellcheck disable=SC3013 # as in releases.sh
is_linked() {
	[ -L "$path/$1" ] && [ "$path/$1" -ef "$deploy_to/shared/$1" ]
}

# Makes the links that are missing, with one process for all in one folder.
link_missing() {
	parents='' folders=''
	for name; do
		no_link_above "$name"
		shift
		if is_linked "$name"; then continue; fi
		set -- "$@" "$name"
		link=$path/$name
		case $newline$parents$newline in
		*"$newline${link%/*}$newline"*) ;;
		*) parents=$parents${parents:+$newline}${link%/*} ;;
		esac
		if [ -d "$link" ] && [ ! -L "$link" ]; then folders=$folders${folders:+$newline}$link; fi
	done
	set -f
	IFS=$newline
	# shellcheck disable=SC2086 # lines
	if [ -n "$folders" ]; then must 'remove what the links replace' rm -rf $folders; fi
	# shellcheck disable=SC2086 # lines
	make_folders $parents
	for parent in $parents; do
		unset IFS
		set +f
		link_into "$parent" "$@"
	done
	unset IFS
	set +f
}

# link_into FOLDER NAME...: makes those of the links that lie in this folder, in place of files there.
link_into() {
	parent=$1
	shift
	for name; do
		shift
		link=$path/$name
		if [ "${link%/*}" = "$parent" ]; then set -- "$@" "$deploy_to/shared/$name"; fi
	done
	must "create links in '$parent'" ln -sf "$@" "$parent/"
	flush_later "$parent"
}

# with_linked FUNCTION: calls it with the names of all linked files and folders.
with_linked() {
	each=$1
	set -f
	IFS=$newline
	# shellcheck disable=SC2086 # lines
	set -- $linked_files $linked_dirs
	unset IFS
	set +f
	"$each" "$@"
}

all_linked() {
	for name; do
		is_linked "$name" || return
	done
}

seen() {
	with_linked all_linked
}

act() {
	link_faults
	set -f
	IFS=$newline
	for fault in $faults; do
		case $fault in
		"unreadable "*) ;;
		"missing "*) fail "the linked file '$deploy_to/shared/${fault#missing }' is missing; put it there with 'crelease upload'" ;;
		*) fail "${fault#* }" ;;
		esac
	done
	umask "$umask_was"
	set --
	for name in $linked_dirs; do set -- "$@" "$deploy_to/shared/$name"; done
	unset IFS
	set +f
	make_folders "$@"
	with_linked link_missing
	own_umask
}

undo() {
	: # the links are removed with the release folder
}

stage_main
