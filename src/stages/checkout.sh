# shellcheck shell=sh disable=SC2154,SC2015
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

incoming=$state/incoming/$run

# Two bytes at a time would be slow, and a tool that reads ahead would take of the tar.
take_blocks() {
	dd bs=512 count="$1" iflag=fullblock 2>/dev/null || dd bs=1 count=$(($1 * 512)) 2>/dev/null
}

# In $plain the text that an escaped one stands for.
unescape() {
	plain=$(printf '%b.' "$1")
	plain=${plain%.}
}

# In the working folder: says what is not as the manifest wants it, one line "differs PATH" each.
verify_tree() {
	sed -n 's/^[fx] \([0-9a-f]\{64\}\) /\1  .\//p' "$1" >"$1.sums"
	if [ -s "$1.sums" ]; then
		sha256sum -c "$1.sums" 2>/dev/null | sed -n 's/^\.\/\(.*\): FAILED.*$/differs \1/p'
	fi
	rm -f "$1.sums"
	while IFS= read -r line; do
		kind=${line%% *} rest=${line#* }
		case $kind in
		f | x) file=${rest#* } ;;
		F | X)
			unescape "${rest#* }"
			file=$plain
			sum=$(sha256sum <"./$file" 2>/dev/null)
			if [ "${sum%% *}" != "${rest%% *}" ]; then say differs "${rest#* }"; fi
			;;
		l)
			unescape "${rest%% *}"
			file=$plain
			unescape "${rest#* }"
			if [ -L "./$file" ]; then link_target "./$file"; else target=; fi
			if [ ! -L "./$file" ] || [ "$target" != "$plain" ]; then say differs "${rest%% *}"; fi
			continue
			;;
		*) continue ;;
		esac
		if [ -L "./$file" ] || [ ! -f "./$file" ]; then
			say differs "${rest#* }"
		elif [ -x "./$file" ]; then
			case $kind in f | F) say differs "${rest#* }" ;; esac
		else
			case $kind in x | X) say differs "${rest#* }" ;; esac
		fi
	done <"$1"
}

count_tree() {
	find . ! -type d -print0 | tr -dc '\0' | wc -c
}

# The folder appears under its name by a rename, after it was verified: there it is complete.
seen() {
	[ -d "$path" ] && [ -f "$state/manifests/$release" ] && [ -f "$path/REVISION" ] &&
		read -r is <"$path/REVISION" && [ "$is" = "$revision" ]
}

act() {
	if [ -e "$path" ] || [ -L "$path" ]; then
		fail "$path is there already and is not of this run"
	fi
	rm -rf "$incoming"
	mkdir -p "$incoming/tree" || fail "cannot make $incoming"
	take_blocks "$manifest_blocks" >"$incoming/manifest" || fail "cannot write in $incoming (is the disk full?)"
	cd "$incoming/tree" || fail "cannot enter $incoming/tree"
	if ! tar -x -o -f - 2>"$incoming/errors"; then
		said=$(tail -n 1 "$incoming/errors")
		cat >/dev/null
		rm -rf "$incoming"
		fail "tar could not unpack the revision: $said"
	fi
	cat >/dev/null
	wrong=$(verify_tree "$incoming/manifest" | sed -n '1,3p')
	if [ -n "$wrong" ] || [ "$(count_tree)" -ne "$entries" ]; then
		cd / && rm -rf "$incoming"
		fail "what arrived is not the revision: ${wrong:-the number of files differs}"
	fi
	printf '%s\n' "$revision" >REVISION && printf '%s\n' "$revision_time" >REVISION_TIME ||
		fail "cannot write REVISION (is the disk full?)"
	cd / || exit 70
	mv -f "$incoming/manifest" "$state/manifests/$release" && mv "$incoming/tree" "$path" ||
		fail "cannot move the release to $path"
	rm -rf "$incoming"
	rmdir "$state/incoming" 2>/dev/null
	return 0
}

undo() {
	if [ -L "$deploy_to/current" ]; then
		link_target "$deploy_to/current"
		if [ "$target" = "$path" ]; then
			fail "$path is live and is not removed"
		fi
	fi
	rm -rf "$incoming" "$path" "$state/manifests/$release" || fail "cannot remove $path"
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
	copy=$(mktemp) || cannot_see "cannot make a temporary file"
	cat "$state/manifests/$release" >"$copy"
	say manifest there
	verify_tree "$copy"
	rm -f "$copy"
	;;
*) stage_main ;;
esac
