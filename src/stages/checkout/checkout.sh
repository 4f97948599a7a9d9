# shellcheck shell=sh disable=SC2154,SC2015,SC2030,SC2031
# Unpacks the revision's tree into the new release folder, and verifies it.
# Values: revision, revision_time, manifest_blocks, entries.
# Standard input: the manifest, padded to blocks of 512 bytes, then a tar.
#
# A manifest has one line for each entry; the newest format is 1:
#   crelease-manifest 1
#   revision 3f2a91c...
#   f SHA256 path            a file
#   x SHA256 path            an executable file
#   F SHA256 path            the same two for a name that needs escapes (\0ooo, as printf %b reads
#   X SHA256 path            them: control characters and backslashes)
#   l path target            a symbolic link, both with escapes, blanks too

incoming=$state/incoming/$run.$epoch tree=$incoming_tree.$run.$epoch left=

# take_blocks N FILE: reads blocks, since reading single bytes would be slow, and a tool that reads ahead
# would take part of the tar.
take_blocks() {
	if said=$( { dd bs=512 count="$1" iflag=fullblock >"$2"; } 2>&1); then return 0; fi
	case $said in
	*writing* | *'rite error'* | *"$2"*) ;;
	*) if said=$( { dd bs=1 count=$(($1 * 512)) >"$2"; } 2>&1); then return 0; fi ;;
	esac
	cannot "write '$2'" "$said"
}

# tar may print one line for each file; keeps the first ones, and the exit status as the last line.
unpack() {
	said=$( { tar -x -o -f - 2>&1; echo "status $?"; } | sed -n -e '1,200p' -e '$p')
	[ "${said##*"$newline"}" = 'status 0' ]
}

# Sets $plain to the unescaped text.
unescape() {
	plain=$(printf '%b.' "$1")
	plain=${plain%.}
}

# verify_tree MANIFEST: compares the working folder with the manifest.  Sets $wrong to one line "differs PATH"
# for each difference.  Returns false when something could not be read; an empty $wrong means nothing then.
# Uses no temporary file, since there may be no room for one.
#
# The shell reads a file byte by byte, so the thousands of plain entries are left to tools that take all of
# them at once.  Only links and names that need escapes are compared line by line.  What exists is printed
# twice, so that `uniq -u` leaves only what is missing.  What could not be read counts as missing.
verify_tree() {
	said=$({ wanted_files "$1" && found_sums "$1" && found_modes && differing_others "$1" && echo looked; } |
		sort | uniq -u | sed 's/^[0-9a-f]\{64\}  \.\//differs /; s/^[fx] /differs /')
	said=$newline$said$newline
	# This line proves that the output is complete.
	case $said in *"${newline}looked$newline"*) ;; *) return 1 ;; esac
	wrong=${said%%"${newline}looked$newline"*}$newline${said#*"${newline}looked$newline"}
	wrong=${wrong#"$newline"}
	wrong=${wrong%"$newline"}
}

# Two lines for each plain file: its sum, and whether it is executable.
wanted_files() {
	sed -n '/^[fx] [0-9a-f]\{64\} /{
		h
		s/^[fx] \([0-9a-f]\{64\}\) /\1  .\//p
		g
		s/^\([fx]\) [0-9a-f]\{64\} /\1 /p
	}' "$1"
}

found_sums() {
	sed -n 's/^[fx] [0-9a-f]\{64\} /.\//p' "$1" | tr '\n' '\0' | xargs -0 sha256sum /dev/null 2>/dev/null | sed p
}

# The second name of the working folder tells the executable files from the others.
found_modes() {
	find . ././ -type f \( -path '././*' -perm -100 -o ! -path '././*' ! -perm -100 \) -print |
		sed 's/^\.\/\.\//x /; s/^\.\//f /; p'
}

differing_others() {
	grep '^[FXl] ' "$1" | while IFS= read -r line; do
		kind=${line%% *} rest=${line#* }
		case $kind in
		l)
			unescape "${rest%% *}"
			file=$plain
			unescape "${rest#* }"
			if [ -L "./$file" ]; then link_target "./$file"; else target=; fi
			if [ ! -L "./$file" ] || [ "$target" != "$plain" ]; then say differs "${rest%% *}"; fi
			;;
		*)
			unescape "${rest#* }"
			sum=$(sha256sum <"./$plain" 2>/dev/null)
			is=F
			if [ -x "./$plain" ]; then is=X; fi
			if [ -L "./$plain" ] || [ ! -f "./$plain" ] || [ "$is" != "$kind" ] || [ "${sum%% *}" != "${rest%% *}" ]; then
				say differs "${rest#* }"
			fi
			;;
		esac
	done
}

count_tree() {
	find . ! -type d -print0 | tr -dc '\0' | wc -c
}

# Whether this run, or an earlier script of it, has put the release there.  An earlier version moved it from
# another file system by copying, so the existence of the name does not show that the folder is complete.
seen() {
	[ -d "$path" ] && is_ours && [ -f "$path/REVISION" ] &&
		read -r is <"$path/REVISION" && [ "$is" = "$revision" ] || return 1
	[ -n "$made" ] || is_whole
}

refuse_what_is_there() {
	if [ -e "$path" ] || [ -L "$path" ]; then
		fail "'$path' already exists and does not belong to this run"
	fi
}

# The manifest is written first, and only this run's checkout writes one for its release.
is_ours() {
	[ -f "$state/manifests/$release" ] && [ ! -L "$path" ]
}

# A subshell, because this changes the working folder.
is_whole() {
	(cd "$path" && verify_tree "$state/manifests/$release" && [ -z "$(printf '%s' "$wrong" | but_revision)" ])
}

# The repository's own files with these names were replaced.
but_revision() {
	sed '/^differs REVISION\(_TIME\)\{0,1\}$/d'
}

made=
act() {
	# The mark was lost, or an earlier script of this run finished after its connection was lost.
	if seen; then
		made=yes
		rm -rf "$incoming"
		cat >/dev/null
		return 0
	fi
	if [ -e "$path" ] || [ -L "$path" ]; then
		is_ours || refuse_what_is_there
		must "remove the incomplete folder '$path'" put_away "$path"
		empty_trash >/dev/null 2>&1
	fi
	rm -rf "$state/incoming/$run".* "$incoming_tree.$run".*
	must "create '$incoming'" mkdir -p "$incoming"
	# For commands that show the progress.
	ln -s "$tree" "$incoming/tree" 2>/dev/null
	take_blocks "$manifest_blocks" "$incoming/manifest"
	umask "$umask_was"
	must "create '$tree'" mkdir -p "$tree"
	cd "$tree" || fail "cannot enter '$tree'"
	if ! unpack; then
		cat >/dev/null
		cd / && rm -rf "$incoming" "$tree"
		cannot "unpack the revision in '$tree'" "$said"
	fi
	cat >/dev/null
	unsure=
	verify_tree "$incoming/manifest" || unsure=yes
	if [ -n "$unsure$wrong" ] || [ "$(count_tree)" -ne "$entries" ]; then
		cd / && rm -rf "$incoming" "$tree"
		[ -z "$unsure" ] || fail "the files received in '$tree' could not be verified"
		wrong=${wrong:-the number of files differs}
		fail "the files received are not those of the revision: ${wrong%%"$newline"*}"
	fi
	# Capistrano gave these names a meaning, so a file of the repository is replaced.
	if [ -d REVISION ] && [ ! -L REVISION ] || [ -d REVISION_TIME ] && [ ! -L REVISION_TIME ]; then
		fail "the repository has a folder named REVISION or REVISION_TIME, but crelease writes files with these names"
	fi
	must "remove '$tree/REVISION'" rm -f REVISION REVISION_TIME
	put "$tree/REVISION" "$revision"
	put "$tree/REVISION_TIME" "$revision_time"
	own_umask
	cd / || exit 70
	# The tree is on disk before it gets its name, and the name before its mark, so that a mark is true even
	# after a power failure.
	flush -f "$tree" "$incoming"
	fence
	must "create '$state/manifests/$release'" mv -f "$incoming/manifest" "$state/manifests/$release"
	flush "$state/manifests"
	must "create '$path'" mv "$tree" "$path"
	flush "$deploy_to/releases"
	made=yes
	rm -rf "$incoming"
	rmdir "$state/incoming" 2>/dev/null
	return 0
}

undo() {
	release_of "$deploy_to/current"
	if [ "$release_is" = "$release" ]; then
		# The release that was live before is gone (switch.sh), so this one stays.
		return 0
	fi
	rm -rf "$state/incoming/$run".* "$incoming_tree.$run".*
	# A release that was there before this run has no manifest of this run's.
	if [ -e "$path" ] && is_ours; then must "remove '$path'" put_away "$path"; fi
	said=$(empty_trash 2>&1) || what_is_left "${said%%"$newline"*}"
	if [ -n "$left" ]; then say warning "$left"; fi
	must "remove '$state/manifests/$release'" rm -f "$state/manifests/$release"
	rmdir "$state/incoming" 2>/dev/null
	return 0
}

case $verb in
verify) # of any release, at any time: changes nothing
	if [ ! -f "$state/manifests/$release" ]; then
		say manifest none
		exit 0
	fi
	cd "$path" || cannot_see "cannot enter '$path'"
	verify_tree "$state/manifests/$release" || cannot_see "'$path' could not be verified"
	say manifest there
	if [ -n "$wrong" ]; then printf '%s\n' "$wrong" | but_revision | sort -u; fi
	;;
*)
	# Checked before this stage writes a mark, because otherwise an abort would remove what is there.
	last_mark "$step"
	case $verb$mark in run | runundone) is_ours || refuse_what_is_there ;; esac
	refuse_link "$state/manifests/$release"
	stage_main
	;;
esac
