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

link_one() {
	link=$path/$1 want=$deploy_to/shared/$1
	no_link_above "$1"
	if [ -L "$link" ]; then
		link_target "$link"
		if [ "$target" = "$want" ]; then return 0; fi
	fi
	case $1 in
	*/*) must "create '${link%/*}'" mkdir -p "${link%/*}" ;;
	esac
	if [ -e "$link" ] || [ -L "$link" ]; then
		must "remove '$link'" rm -rf "$link"
	fi
	must "create '$link'" ln -s "$want" "$link"
}

each_linked() {
	each=$1
	set -f
	IFS=$newline
	# shellcheck disable=SC2086 # lines
	set -- $linked_files $linked_dirs
	unset IFS
	set +f
	for name; do
		"$each" "$name" || return
	done
}

is_linked() {
	[ -L "$path/$1" ]
}

seen() {
	each_linked is_linked
}

act() {
	faults=$(link_faults)
	set -f
	IFS=$newline
	for fault in $faults; do
		case $fault in
		"unreadable "*) ;;
		"missing "*) fail "the linked file '$deploy_to/shared/${fault#missing }' is missing; create it there" ;;
		*) fail "${fault#* }" ;;
		esac
	done
	umask "$umask_was"
	for name in $linked_dirs; do
		if [ ! -d "$deploy_to/shared/$name" ]; then
			must "create '$deploy_to/shared/$name'" mkdir -p "$deploy_to/shared/$name"
		fi
	done
	unset IFS
	set +f
	each_linked link_one
	own_umask
}

undo() {
	: # the links are removed with the release folder
}

stage_main
