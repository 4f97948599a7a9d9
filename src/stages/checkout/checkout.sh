# shellcheck shell=sh disable=SC2154,SC2015,SC2030,SC2031
# Puts the revision's tree into the new release folder, and verifies it.
# Values: revision, revision_time, manifest_blocks, entries, digest (of the manifest), base, more,
# hardlink, folders (one a line: those of the links that link.sh will make, if the revision does not have them),
# squeezed ("", gzip, zstd), upload (a name, or "": nothing is kept), upload_size, had.
# Standard input: the manifest, padded to blocks of 512 bytes, then a tar, which may be squeezed.  If they are small, they are
# values instead: head, and payload in base64.
#
# What arrives of a large tar is also kept in upload.NAME.  If it is interrupted, the next attempt sends the rest: `had`
# bytes of upload_size had arrived.
#
# While it works, its files are $new.NAME, in the run's folder; the end of the run removes them (unlock.sh).
# $new.named says whether the release may have its name already ("no", "yes").
#
# With a base, an earlier release that has an index, the difference arrives instead (difference.sh).  The answer "need
# PATH" asks for files, which the next script, with "more", brings; "need everything" asks for the whole tree.
#
# A manifest has one line for each entry; the newest format is 1:
#   crelease-manifest 1
#   revision 3f2a91c...
#   f SHA256 path            a file
#   x SHA256 path            an executable file
#   F SHA256 path            the same two for a name that needs escapes (\0ooo, as printf %b reads
#   X SHA256 path            them: control characters and backslashes)
#   l path target            a symbolic link, both with escapes, blanks too
#
# An index tells what the files were like when they were verified, so that a file that is still the same need not be
# read again.  A file that was changed in the last instant before that is not in it: a later change in the same
# instant would not show.
#   crelease-index 1 UMASK
#   CTIME,MTIME,INODE,SIZE,MODE,TYPE ./path
# With hard links, CTIME does not count, and is 0, since each link and each removal of one changes it.

new=$run_dir/new tree=$incoming_tree.$run.$epoch manifest=$state/manifests/$release left=
kept=${upload:+$run_dir/upload.$upload}

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

# bring_sent: what was sent.
bring_sent() {
	if [ -n "$payload" ]; then
		exec base64 -d "$new.payload"
	else
		exec cat
	fi
}

# bring_all: the same, behind what had arrived before.
bring_all() {
	if [ -z "$kept" ]; then bring_sent; fi
	if [ "$had" -gt 0 ]; then cat "$kept"; fi
	bring_sent | tee -a "$kept"
}

# bring_tar: the tar.
bring_tar() {
	if [ -n "$squeezed" ]; then
		bring_all | exec "$squeezed" -dc
	else
		bring_all
	fi
}

# What was kept is cut to what the sender knows of: a script that was cut off may have added to it since.
open_upload() {
	own_umask
	if [ -z "$kept" ]; then return 0; fi
	if [ "$had" -gt 0 ] && [ -f "$kept" ] && said=$(dd if=/dev/null of="$kept" bs=1 seek="$had" 2>&1); then return 0; fi
	if [ "$had" -gt 0 ]; then need_everything; fi
	rm -f "$run_dir"/upload.*
	empty "$kept"
}

# Unless the rest can be added: if all of it is there, it was no good, and a full disk needs the room.
forget_upload() {
	if [ -z "$kept" ] || [ ! -f "$kept" ]; then return 0; fi
	case $said in
	*'o space left'* | *uota*) ;;
	*) if [ "$(wc -c <"$kept")" -lt "$upload_size" ]; then return 0; fi ;;
	esac
	rm -f "$kept"
}

# Without what is there of it, since something is not as expected.
need_everything() {
	drain
	forget_upload
	remove_incoming
	say need everything
	flush
	exit 75
}

# What was sent is read to its end even if nobody needs it.
drain() {
	if [ -z "$payload" ]; then cat >/dev/null; fi
}

# What the modes in a tar (644 and 755) grant, the umask must grant.
grants_all() {
	case $umask_was in *0[02][02]) ;; *) return 1 ;; esac
}

# By default, root's tar and busybox's do not apply the umask.
unpack() {
	if grants_all; then set --; else set -- --no-same-permissions; fi
	if [ -n "$payload$squeezed$kept" ]; then
		said=$(bring_tar | tar -x -o "$@" -f - 2>&1)
	else
		said=$(tar -x -o "$@" -f - 2>&1)
	fi
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
# Before "$new.named" is "yes", what has the release's name is somebody else's.
is_ours() {
	if [ ! -f "$manifest" ] || [ -L "$path" ]; then return 1; fi
	named=yes
	if [ -f "$new.named" ]; then read -r named <"$new.named"; fi
	[ "$named" = yes ]
}

# A subshell, because this changes the working folder.
is_whole() {
	(cd "$path" && verify_tree "$manifest" && [ -z "$(printf '%s' "$wrong" | but_revision)" ])
}

# The repository's own files with these names were replaced.
but_revision() {
	sed '/^differs REVISION\(_TIME\)\{0,1\}$/d'
}

# Unpacks what was sent into the working folder.
take_tar() {
	open_upload
	umask "$umask_was"
	if ! unpack; then
		drain
		forget_upload
		if [ "$had" -gt 0 ] && [ ! -f "$kept" ]; then need_everything; fi
		remove_incoming
		cannot "unpack the revision in '$tree'" "$said"
	fi
	own_umask
	drain
}

remove_incoming() {
	cd / && rm -rf "$new".* "$tree" "$manifest" "$manifest.index"
}

# The whole tree, or what was missing in it: every file is read.
take_everything() {
	take_tar
	if [ -z "$more" ]; then must "create '$manifest'" mv -f "$new.received" "$manifest"; fi
	index_tree
	unsure=
	verify_tree "$manifest" || unsure=yes
	if [ -n "$unsure$wrong" ] || [ "$(count_tree)" -ne "$entries" ]; then
		forget_upload
		if [ "$had" -gt 0 ]; then need_everything; fi
		remove_incoming
		[ -z "$unsure" ] || fail "the files received in '$tree' could not be verified"
		wrong=${wrong:-the number of files differs}
		fail "the files received are not those of the revision: ${wrong%%"$newline"*}"
	fi
}

# list_files PLACE...: what an index says of the files there, and of other things that are not folders.  A place that
# is itself a file has no name.  find has -printf on hosts with GNU's tools.
list_files() {
	find "$@" ! -type d -printf '%C@,%T@,%i,%s,%m,%y ./%P\n'
}

# empty FILE: creates it, or empties it.
empty() {
	{ true >"$1"; } 2>/dev/null || cannot_write "$1"
}

# Before the files are read, so that a later change shows.
index_tree() {
	rm -f "$manifest.index"
	command -v awk >/dev/null 2>&1 || return 0
	empty "$new.clock"
	list_files "$new.clock" . 2>/dev/null | awk -v "umask=$umask_was" '
		NR == 1 { clock = $1; sub(/,.*/, "", clock); print "crelease-index 1", umask; next }
		{ changed = $1; sub(/,.*/, "", changed) }
		changed "" < clock "" && $1 ~ /,f$/
	' >"$manifest.index"
	[ -s "$manifest.index" ] || rm -f "$manifest.index"
}

made=
act() {
	# The mark was lost, or an earlier script of this run finished after its connection was lost.
	if seen; then
		made=yes
		drain
		return 0
	fi
	if [ -e "$path" ] || [ -L "$path" ]; then
		is_ours || refuse_what_is_there
		must "remove the incomplete folder '$path'" put_away "$path"
		empty_trash >/dev/null 2>&1
	fi
	if [ -z "$more" ]; then
		set -- "$incoming_tree.$run".* "$new".*
		if [ -e "$1" ] || [ -e "$2" ] || [ $# -gt 2 ]; then rm -rf "$@"; fi
		put "$new.named" no
		if [ -n "$payload" ]; then
			put "$new.received" "$head"
			{ echo "$payload" >"$new.payload"; } 2>/dev/null || cannot_write "$new.payload"
		else
			take_blocks "$manifest_blocks" "$new.received"
		fi
		make_tree
	elif [ ! -f "$manifest" ] || [ ! -d "$tree" ]; then
		fail "'$manifest' or '$tree' is missing: something has removed it while files were sent"
	elif [ -n "$payload" ]; then
		{ echo "$payload" >"$new.payload"; } 2>/dev/null || cannot_write "$new.payload"
	fi
	cd "$tree" || fail "cannot enter '$tree'"
	if [ -n "$base" ] && [ -z "$more" ]; then
		take_difference
	else
		take_everything
	fi
	if [ -n "$kept" ]; then rm -f "$kept"; fi
	umask "$umask_was"
	# Capistrano gave these names a meaning, so a file of the repository is replaced.
	if [ -d REVISION ] && [ ! -L REVISION ] || [ -d REVISION_TIME ] && [ ! -L REVISION_TIME ]; then
		fail "the repository has a folder named REVISION or REVISION_TIME, but crelease writes files with these names"
	fi
	for name in REVISION REVISION_TIME; do
		if [ -e "$name" ] || [ -L "$name" ]; then must "remove '$tree/$name'" rm -f "$name"; fi
	done
	put "$tree/REVISION" "$revision"
	put "$tree/REVISION_TIME" "$revision_time"
	own_umask
	cd / || exit 70
	put "$new.named" yes
	# The tree is on disk before it gets its name, and the name before its mark, so that a mark is true even
	# after a power failure.
	flush -f "$tree" "$state"
	fence
	if [ -e "$path" ] || [ -L "$path" ]; then
		put "$new.named" no
		refuse_what_is_there
	fi
	must "create '$path'" mv "$tree" "$path"
	flush "$deploy_to/releases"
	made=yes
	return 0
}

# The folders of links are made with it, by one process.
make_tree() {
	umask "$umask_was"
	set -f
	IFS=$newline
	set -- "$tree"
	for folder in $folders; do set -- "$@" "$tree/$folder"; done
	unset IFS
	set +f
	must "create '$tree'" mkdir -p "$@"
	own_umask
}

undo() {
	release_of "$deploy_to/current"
	if [ "$release_is" = "$release" ]; then
		# The release that was live before is gone (switch.sh), so this one stays.
		return 0
	fi
	rm -rf "$incoming_tree.$run".* "$state/incoming/$run".*
	# A release that was there before this run has no manifest of this run's.
	if [ -e "$path" ] && is_ours; then must "remove '$path'" put_away "$path"; fi
	said=$(empty_trash 2>&1) || what_is_left "${said%%"$newline"*}"
	if [ -n "$left" ]; then say warning "$left"; fi
	must "remove '$manifest'" rm -f "$manifest" "$manifest.index" "$new".* "$run_dir"/upload.*
	if [ -d "$state/incoming" ]; then rmdir "$state/incoming" 2>/dev/null; fi
	return 0
}

case $verb in
verify) # of any release, at any time: changes nothing
	if [ ! -f "$manifest" ]; then
		say manifest none
		exit 0
	fi
	cd "$path" || cannot_see "cannot enter '$path'"
	verify_tree "$manifest" || cannot_see "'$path' could not be verified"
	say manifest there
	if [ -n "$wrong" ]; then printf '%s\n' "$wrong" | but_revision | sort -u; fi
	;;
*)
	# Checked before this stage writes a mark, because otherwise an abort would remove what is there.
	last_mark "$step"
	case $verb$mark in run | runundone) is_ours || refuse_what_is_there ;; esac
	refuse_link "$manifest"
	stage_main
	;;
esac
