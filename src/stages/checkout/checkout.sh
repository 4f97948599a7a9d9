# shellcheck shell=sh disable=SC2154,SC2015,SC2030,SC2031
# Puts the revision's tree into the new release folder, and verifies it.
# Values: revision, revision_time, manifest_blocks, entries, digest (of the manifest), base, more,
# hardlink.
# Standard input: the manifest, padded to blocks of 512 bytes, then a tar.
#
# With a base, an earlier release that has an index, the difference arrives instead: what to change in the base's
# manifest, and a tar of what is not in it.  The other files are copied from the base, or linked.  If they are not what
# the manifest says, someone has changed them in the base: the answer names them ("need PATH"), and the next
# script, with "more", brings them.  The answer "need everything" asks for the whole tree.
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
# A difference has the first two lines, and:
#   - f SHA256 path            without this line of the base's manifest
#   +N f SHA256 path           with this one, after N lines of the base's that stay
# Of the base's manifest, only lines with f and x stay.
#
# An index tells what the files were like when they were verified, so that a file that is still the same need not be
# read again.  A file that was changed in the last instant before that is not in it: a later change in the same
# instant would not show.
#   crelease-index 1 UMASK
#   CTIME,MTIME,INODE,SIZE,MODE,TYPE ./path
# With hard links, CTIME does not count, and is 0, since each link and each removal of one changes it.

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

# tar may print one line for each file; keeps the first ones, and the exit status as the last line.  By default, root's
# tar and busybox's do not apply the umask; for what the modes in the tar (644 and 755) grant, it must.
unpack() {
	case $umask_was in
	*0[02][02]) set -- ;;
	*) set -- --no-same-permissions ;;
	esac
	said=$( { tar -x -o "$@" -f - 2>&1; echo "status $?"; } | sed -n -e '1,200p' -e '$p')
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

# Unpacks standard input into the working folder.
take_tar() {
	umask "$umask_was"
	if ! unpack; then
		cat >/dev/null
		cd / && rm -rf "$incoming" "$tree"
		cannot "unpack the revision in '$tree'" "$said"
	fi
	own_umask
	cat >/dev/null
}

# The whole tree, or what was missing in it: every file is read.
take_everything() {
	take_tar
	if [ -z "$more" ]; then must "create '$manifest'" mv -f "$incoming/received" "$manifest"; fi
	index_tree
	unsure=
	verify_tree "$manifest" || unsure=yes
	if [ -n "$unsure$wrong" ] || [ "$(count_tree)" -ne "$entries" ]; then
		cd / && rm -rf "$incoming" "$tree"
		[ -z "$unsure" ] || fail "the files received in '$tree' could not be verified"
		wrong=${wrong:-the number of files differs}
		fail "the files received are not those of the revision: ${wrong%%"$newline"*}"
	fi
}

# list_files PLACE...: what an index says of the files there, and of other things that are not folders.  find has
# -printf on hosts with GNU's tools.
list_files() {
	find "$@" ! -type d -printf '%C@,%T@,%i,%s,%m,%y %p\n'
}

# empty FILE: creates it, or empties it.
empty() {
	{ true >"$1"; } 2>/dev/null || cannot_write "$1"
}

# Before the files are read, so that a later change shows.
index_tree() {
	rm -f "$manifest.index"
	command -v awk >/dev/null 2>&1 || return 0
	empty "$incoming/clock"
	list_files "$incoming/clock" . 2>/dev/null | awk -v "umask=$umask_was" '
		NR == 1 { clock = $1; sub(/,.*/, "", clock); print "crelease-index 1", umask; next }
		{ changed = $1; sub(/,.*/, "", changed) }
		changed "" < clock "" && $1 ~ /,f$/
	' >"$manifest.index"
	[ -s "$manifest.index" ] || rm -f "$manifest.index"
}

# Without the base, since something is not as expected: nothing of it is used.
need_everything() {
	cat >/dev/null
	cd / && rm -rf "$incoming" "$tree"
	say need everything
	flush
	exit 75
}

take_difference() {
	was=$state/manifests/$base
	head='' umask_then=''
	if [ -f "$was" ] && [ -f "$was.index" ]; then read -r head _ umask_then <"$was.index"; fi
	if [ "$head$umask_then" != "crelease-index$umask_was" ]; then need_everything; fi
	cd "$incoming" || fail "cannot enter '$incoming'"
	make_manifest || need_everything
	cd "$tree" || fail "cannot enter '$tree'"
	umask "$umask_was"
	copy_from_base || need_everything
	take_tar
	# After the copying, so that a change in the meantime shows, too.
	(cd "$deploy_to/releases/$base" && list_files .) >"$incoming/now" 2>/dev/null
	empty "$incoming/clock"
	list_files "$incoming/clock" . >"$incoming/list" || need_everything
	cd "$incoming" || fail "cannot enter '$incoming'"
	lacking=$(compare_lists) || need_everything
	cd "$tree" || fail "cannot enter '$tree'"
	case $newline$lacking in *"${newline}extra "*) need_everything ;; esac
	case $newline$lacking in *"${newline}need "*) remove_wrong ;; esac
	case $newline$lacking in *"${newline}others"*) check_others ;; esac
	if [ -s "$incoming/check" ] && ! said=$(sha256sum -c --quiet "$incoming/check" 2>/dev/null); then
		said=$(printf '%s\n' "$said" | sed -n 's/^\(\.\/.*\): FAILED.*/need \1/p')
		[ -n "$said" ] || need_everything
		lacking=$lacking$newline$said
	fi
	case $newline$lacking in *"${newline}need "*) ask_for_more ;; esac
}

# From the base's manifest and the difference.  Also writes the names of the files that are in the base ("copied")
# and of those that are not ("sent").  False when the result is not what crelease expects.
make_manifest() {
	empty copied
	empty sent
	awk '
		function take(text) {
			print text
			if (text ~ /^[fx] /) print "./" substr(text, 68) >"sent"
		}
		part == "received" && /^- / { gone[substr($0, 3)]; next }
		part == "received" && /^\+/ { after[++n] = substr($1, 2) + 0; added[n] = substr($0, length($1) + 2); next }
		part == "received" { if (/./) print; next }
		/^[fx] / && !($0 in gone) {
			while (i < n && after[i + 1] <= kept) take(added[++i])
			kept++
			print
			print "./" substr($0, 68) >"copied"
		}
		END { while (i < n) take(added[++i]) }
	' part=received received part=base "$was" >"$release" 2>/dev/null || return 1
	said=$(sha256sum <"$release") && [ "${said%% *}" = "$digest" ]
}

# Into the working folder, with their modes, and two names of one file as two files.  A file that is no longer there is missing afterwards.
copy_from_base() {
	if [ ! -s "$incoming/copied" ]; then return 0; fi
	if [ -n "$hardlink" ]; then
		link_to_base
		return 0
	fi
	said=$({
		(cd "$deploy_to/releases/$base" && tar -c --no-recursion --hard-dereference -f - -T "$incoming/copied") 2>/dev/null |
			{ tar -x -p -o -f - 2>&1; echo "status $?"; }
	} | sed -n -e '1,200p' -e '$p')
	[ "${said##*"$newline"}" = 'status 0' ]
}

# The folders are made first, because cp would give them the modes of the base's.  What cannot be linked is missing
# afterwards.
link_to_base() {
	sed 's/\/[^/]*$//' "$incoming/copied" | uniq | tr '\n' '\0' | xargs -0 mkdir -p
	tr '\n' '\0' <"$incoming/copied" |
		(cd "$deploy_to/releases/$base" && xargs -0 cp -l --parents -t "$tree") 2>/dev/null
}

# Prints what is wrong in the new tree ("need PATH", "extra PATH"), and "others" when there is something that only
# check_others compares.  Writes what still has to be read ("check": the files that were sent, and copies of
# files that may have changed in the base), and the new index.
compare_lists() {
	empty check
	awk -v "umask=$umask_was" -v "hardlink=$hardlink" -v "index_file=$release.index" '
		function as_compared(file) {
			if (hardlink) sub(/^[^,]*/, "0", file)
			return file
		}
		BEGIN { print "crelease-index 1", umask >index_file }
		part == "manifest" && /^[fx] / { path = "./" substr($0, 68); kind[path] = $1; sum[path] = $2 }
		part == "manifest" && /^[FXl] / { others = 1 }
		part == "manifest" { next }
		part == "sent" { sent[$0]; next }
		{ path = substr($0, length($1) + 2); is = as_compared($1) }
		part == "index" { was[path] = is; next }
		part == "now" { now[path] = is; next }
		FNR == 1 { clock = $1; sub(/,.*/, "", clock); next }
		!(path in kind) { if (!others) print "extra " path; next }
		{
			# Asked first, because to name was[path] creates it.
			indexed = path in was
			split($1, here, ",")
			split(was[path], before, ",")
			runs = substr(here[5], length(here[5]) - 2, 1) % 2
			good = path in sent || !indexed ? runs == (kind[path] == "x") : here[5] == before[5]
			if (here[6] != "f" || !good || !(path in sent || path in now)) next
			found[path]
			if (path in sent || now[path] != was[path]) print sum[path] "  " path >"check"
			if (here[hardlink ? 2 : 1] "" < clock "") print is, path >index_file
		}
		END {
			if (others) print "others"
			for (path in kind) if (!(path in found)) print "need " path
		}
	' part=manifest "$release" part=sent sent part=index "$was.index" part=now now part=list list 2>/dev/null
}

# Links, and files whose names need escapes: they are sent each time.  The lists, which have a line for each file,
# cannot tell what is too much then.
check_others() {
	said=$(differing_others "$manifest")
	missing=$(printf '%s\n' "$lacking" | grep -c '^need ')
	if [ -n "$said" ] || [ "$(($(count_tree) + missing))" -ne "$entries" ]; then need_everything; fi
}

# What is wrong may be a folder.
remove_wrong() {
	must "remove what is wrong in '$tree'" remove_lacking
}

remove_lacking() {
	printf '%s\n' "$lacking" | sed -n 's/^need //p' | tr '\n' '\0' | xargs -0 rm -rf
}

ask_for_more() {
	lacking=$(printf '%s\n' "$lacking" | grep '^need ')
	case $lacking in *"$newline"*) [ "$(printf '%s\n' "$lacking" | wc -l)" -le 1000 ] || need_everything ;; esac
	printf '%s\n' "$lacking"
	flush
	exit 75
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
	manifest=$incoming/$release
	if [ -z "$more" ]; then
		set -- "$state/incoming/$run".* "$incoming_tree.$run".*
		if [ -e "$1" ] || [ -e "$2" ] || [ $# -gt 2 ]; then rm -rf "$@"; fi
		must "create '$incoming'" mkdir -p "$incoming"
		take_blocks "$manifest_blocks" "$incoming/received"
		umask "$umask_was"
		must "create '$tree'" mkdir "$tree"
		own_umask
	elif [ ! -f "$manifest" ] || [ ! -d "$tree" ]; then
		fail "'$incoming' or '$tree' is missing: something has removed it while files were sent"
	fi
	cd "$tree" || fail "cannot enter '$tree'"
	if [ -n "$base" ] && [ -z "$more" ]; then
		take_difference
	else
		take_everything
	fi
	umask "$umask_was"
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
	set -- "$manifest"
	if [ -f "$manifest.index" ]; then set -- "$manifest" "$manifest.index"; fi
	must "create '$state/manifests/$release'" mv -f "$@" "$state/manifests/"
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
	must "remove '$state/manifests/$release'" rm -f "$state/manifests/$release" "$state/manifests/$release.index"
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
