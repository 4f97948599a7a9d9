# shellcheck shell=sh disable=SC2154,SC2015,SC2030,SC2031
# The revision's tree, complete and verified, in the new release folder.
# Values: revision, revision_time, manifest_blocks, entries.
# Standard input: the manifest, padded to blocks of 512 bytes, then a tar.
#
# A manifest, one line an entry, the newest format 1:
#   crelease-manifest 1
#   revision 3f2a91c...
#   f SHA256 path            a file;  x SHA256 path  a program
#   F SHA256 path            the same for a name that needs escapes (\0ooo, as printf %b reads
#   X SHA256 path            them: control characters and backslashes)
#   l path target            a symbolic link, both with escapes, blanks too

incoming=$state/incoming/$run.$epoch

# take_blocks N FILE: two bytes at a time would be slow, and a tool that reads ahead would take of the tar.
take_blocks() {
	if said=$( { dd bs=512 count="$1" iflag=fullblock >"$2"; } 2>&1); then return 0; fi
	case $said in
	*writing* | *'rite error'* | *"$2"*) ;;
	*) if said=$( { dd bs=1 count=$(($1 * 512)) >"$2"; } 2>&1); then return 0; fi ;;
	esac
	cannot "write '$2'" "$said"
}

# What tar says may be as many lines as there are files: the first ones, and its exit status as the last.
unpack() {
	said=$( { tar -x -o -f - 2>&1; echo "status $?"; } | sed -n -e '1,200p' -e '$p')
	[ "${said##*"$newline"}" = 'status 0' ]
}

# In $plain the text that an escaped one stands for.
unescape() {
	plain=$(printf '%b.' "$1")
	plain=${plain%.}
}

# In the working folder: says what is not as the manifest wants it, one line "differs PATH" each.
# Without a temporary file, for which there may be no room.
#
# The shell reads a file byte by byte, so the thousands of plain entries are left to tools that
# take them all at once; line by line go only links and names that need escapes.
verify_tree() {
	sed -n 's/^[fx] \([0-9a-f]\{64\}\) /\1  .\//p' "$1" | sha256sum -c - 2>/dev/null |
		sed -n 's/^\.\/\(.*\): FAILED$/differs \1/p; s/^\.\/\(.*\): FAILED open or read$/differs \1/p'
	# Plain files that are programs, as they should be and as they are.  What is there counts twice, so that
	# what is only wanted is the one that stands alone.
	{
		sed -n 's/^x [0-9a-f]\{64\} /x /p; s/^f [0-9a-f]\{64\} /f /p' "$1"
		find . -type f -perm -100 -print | sed 's/^\.\//x /; p'
		find . -type f ! -perm -100 -print | sed 's/^\.\//f /; p'
	} | LC_ALL=C sort | LC_ALL=C uniq -u | sed 's/^[fx] /differs /'
	grep '^[FXl] ' "$1" | while IFS= read -r line; do
		kind=${line%% *} rest=${line#* }
		if [ "$kind" = l ]; then
			unescape "${rest%% *}"
			file=$plain
			unescape "${rest#* }"
			if [ -L "./$file" ]; then link_target "./$file"; else target=; fi
			if [ ! -L "./$file" ] || [ "$target" != "$plain" ]; then say differs "${rest%% *}"; fi
			continue
		fi
		unescape "${rest#* }"
		sum=$(sha256sum <"./$plain" 2>/dev/null)
		is=F
		if [ -x "./$plain" ]; then is=X; fi
		if [ -L "./$plain" ] || [ ! -f "./$plain" ] || [ "$is" != "$kind" ] || [ "${sum%% *}" != "${rest%% *}" ]; then
			say differs "${rest#* }"
		fi
	done
}

count_tree() {
	find . ! -type d -print0 | tr -dc '\0' | wc -c
}

# The folder appears under its name by a rename, after it was verified: there it is complete.
seen() {
	[ -d "$path" ] && [ -f "$state/manifests/$release" ] && [ -f "$path/REVISION" ] &&
		read -r is <"$path/REVISION" && [ "$is" = "$revision" ]
}

refuse_what_is_there() {
	if [ -e "$path" ] || [ -L "$path" ]; then
		fail "$path is there already and is not of this run"
	fi
}

act() {
	# Its mark was lost, or an earlier script of this run came to its end unheard.
	if seen; then
		cat >/dev/null
		return 0
	fi
	refuse_what_is_there
	rm -rf "$state/incoming/$run".*
	must "make '$incoming/tree'" mkdir -p "$incoming/tree"
	take_blocks "$manifest_blocks" "$incoming/manifest"
	cd "$incoming/tree" || fail "cannot enter $incoming/tree"
	if ! unpack; then
		cat >/dev/null
		cd / && rm -rf "$incoming"
		cannot "unpack the revision in '$incoming'" "$said"
	fi
	cat >/dev/null
	wrong=$(verify_tree "$incoming/manifest" | sed -n '1,3p')
	if [ -n "$wrong" ] || [ "$(count_tree)" -ne "$entries" ]; then
		cd / && rm -rf "$incoming"
		fail "what arrived is not the revision: ${wrong:-the number of files differs}"
	fi
	# Names that Capistrano gave a meaning: what the repository has there makes way for a file.
	if [ -d REVISION ] && [ ! -L REVISION ] || [ -d REVISION_TIME ] && [ ! -L REVISION_TIME ]; then
		fail "the repository has a folder named REVISION or REVISION_TIME, where these files go"
	fi
	must "remove '$incoming/tree/REVISION'" rm -f REVISION REVISION_TIME
	put "$incoming/tree/REVISION" "$revision"
	put "$incoming/tree/REVISION_TIME" "$revision_time"
	cd / || exit 70
	# On disk before it has its name: a host that loses its power keeps what it said it has.
	flush -f "$incoming/tree"
	fence
	must "make '$state/manifests/$release'" mv -f "$incoming/manifest" "$state/manifests/$release"
	must "make '$path'" mv "$incoming/tree" "$path"
	rm -rf "$incoming"
	rmdir "$state/incoming" 2>/dev/null
	return 0
}

undo() {
	if [ -L "$deploy_to/current" ]; then
		link_target "$deploy_to/current"
		if [ "$target" = "$path" ]; then
			# What was live before is gone (switch.sh): this one stays.
			return 0
		fi
	fi
	must "remove '$path'" rm -rf "$state/incoming/$run".* "$path" "$state/manifests/$release"
	rmdir "$state/incoming" 2>/dev/null
	return 0
}

case $verb in
verify) # of any release, at any time: changes nothing
	if [ ! -f "$state/manifests/$release" ]; then
		say manifest none
		exit 0
	fi
	cd "$path" || cannot_see "cannot enter $path"
	say manifest there
	verify_tree "$state/manifests/$release" | LC_ALL=C sort -u
	;;
*)
	# Before the mark of this stage, or an abort would remove what is there.
	last_mark "$step"
	case $verb$mark in run | runundone) seen || refuse_what_is_there ;; esac
	stage_main
	;;
esac
