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

incoming=$state/incoming/$run.$epoch tree=$incoming_tree.$run.$epoch left=

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

# verify_tree MANIFEST: in the working folder, what is not as it wants it: in $wrong, one line "differs PATH" each.
# False when not everything could be looked at: then an empty $wrong means nothing.  Without a temporary file,
# for which there may be no room.
#
# The shell reads a file byte by byte, so the thousands of plain entries are left to tools that take them all
# at once; line by line go only links and names that need escapes.
verify_tree() {
	wrong=
	sums=$(differing_sums "$1") && modes=$(differing_modes "$1") && others=$(differing_others "$1") || return 1
	for said in "$sums" "$modes" "$others"; do
		# The line that has come all the way.
		case $newline$said$newline in *"${newline}looked$newline"*) ;; *) return 1 ;; esac
		wrong=$wrong$said$newline
	done
	wrong=$(printf '%s' "$wrong" | sed '/^looked$/d')
}

# What is there is printed twice, so that what is only wanted stands alone behind it; what could not be read
# is not there.
only_wanted() {
	sort | uniq -u
}

differing_sums() {
	wanted='s/^[fx] \([0-9a-f]\{64\}\) /\1  .\//p'
	{
		echo looked
		sed -n "$wanted" "$1"
		sed -n "$wanted" "$1" | sed 's/^[0-9a-f]*  //' | tr '\n' '\0' | xargs -0 sha256sum /dev/null 2>/dev/null | sed p
	} | only_wanted | sed 's/^[0-9a-f]*  \.\//differs /'
}

# Plain files that are programs, as they should be and as they are.
differing_modes() {
	{
		echo looked
		sed -n 's/^x [0-9a-f]\{64\} /x /p; s/^f [0-9a-f]\{64\} /f /p' "$1"
		find . -type f -perm -100 -print | sed 's/^\.\//x /; p'
		find . -type f ! -perm -100 -print | sed 's/^\.\//f /; p'
	} | only_wanted | sed 's/^[fx] /differs /'
}

differing_others() {
	{
		grep '^[FXl] ' "$1"
		echo end
	} | while IFS= read -r line; do
		kind=${line%% *} rest=${line#* }
		case $kind in
		end)
			echo looked
			;;
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

# Whether the release is there as this run, or an earlier script of it, has put it.  A version before moved it
# from another file system, which copies, so the name alone says nothing of what is in the folder.
seen() {
	[ -d "$path" ] && is_ours && [ -f "$path/REVISION" ] &&
		read -r is <"$path/REVISION" && [ "$is" = "$revision" ] || return 1
	[ -n "$made" ] || is_whole
}

refuse_what_is_there() {
	if [ -e "$path" ] || [ -L "$path" ]; then
		fail "$path is there already and is not of this run"
	fi
}

# The manifest comes first, and nobody but this run's checkout writes one for the run's release.
is_ours() {
	[ -f "$state/manifests/$release" ] && [ ! -L "$path" ]
}

# In a shell of its own: the working folder is another one.
is_whole() {
	(cd "$path" && verify_tree "$state/manifests/$release" && [ -z "$(printf '%s' "$wrong" | but_revision)" ])
}

# What the repository has by these names was replaced.
but_revision() {
	sed '/^differs REVISION\(_TIME\)\{0,1\}$/d'
}

made=
act() {
	# Its mark was lost, or an earlier script of this run came to its end unheard.
	if seen; then
		made=yes
		rm -rf "$incoming"
		cat >/dev/null
		return 0
	fi
	if [ -e "$path" ] || [ -L "$path" ]; then
		is_ours || refuse_what_is_there
		must "remove '$path', which is not complete" put_away "$path"
		empty_trash >/dev/null 2>&1
	fi
	rm -rf "$state/incoming/$run".* "$incoming_tree.$run".*
	must "make '$incoming'" mkdir -p "$incoming"
	# For whoever looks at how far it is.
	ln -s "$tree" "$incoming/tree" 2>/dev/null
	take_blocks "$manifest_blocks" "$incoming/manifest"
	umask "$umask_was"
	must "make '$tree'" mkdir -p "$tree"
	cd "$tree" || fail "cannot enter $tree"
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
		[ -z "$unsure" ] || fail "what arrived in '$tree' could not be verified"
		wrong=${wrong:-the number of files differs}
		fail "what arrived is not the revision: ${wrong%%"$newline"*}"
	fi
	# Names that Capistrano gave a meaning: what the repository has there makes way for a file.
	if [ -d REVISION ] && [ ! -L REVISION ] || [ -d REVISION_TIME ] && [ ! -L REVISION_TIME ]; then
		fail "the repository has a folder named REVISION or REVISION_TIME, where these files go"
	fi
	must "remove '$tree/REVISION'" rm -f REVISION REVISION_TIME
	put "$tree/REVISION" "$revision"
	put "$tree/REVISION_TIME" "$revision_time"
	own_umask
	cd / || exit 70
	# On disk before it has its name, and the name before its mark: a host that loses its power keeps what it
	# said it has.
	flush -f "$tree" "$incoming"
	fence
	must "make '$state/manifests/$release'" mv -f "$incoming/manifest" "$state/manifests/$release"
	flush "$state/manifests"
	must "make '$path'" mv "$tree" "$path"
	flush "$deploy_to/releases"
	made=yes
	rm -rf "$incoming"
	rmdir "$state/incoming" 2>/dev/null
	return 0
}

undo() {
	release_of "$deploy_to/current"
	if [ "$release_is" = "$release" ]; then
		# What was live before is gone (switch.sh): this one stays.
		return 0
	fi
	rm -rf "$state/incoming/$run".* "$incoming_tree.$run".*
	# One that was there already, and is not of this run, has no manifest.
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
	cd "$path" || cannot_see "cannot enter $path"
	verify_tree "$state/manifests/$release" || cannot_see "'$path' could not be verified"
	say manifest there
	if [ -n "$wrong" ]; then printf '%s\n' "$wrong" | but_revision | sort -u; fi
	;;
*)
	# Before the mark of this stage, or an abort would remove what is there.
	last_mark "$step"
	case $verb$mark in run | runundone) is_ours || refuse_what_is_there ;; esac
	refuse_link "$state/manifests/$release"
	stage_main
	;;
esac
