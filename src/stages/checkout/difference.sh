# shellcheck shell=sh disable=SC2154,SC2015,SC2030,SC2031,SC2034
# Makes the release from the difference to a base, an earlier release that has an index.  Sent in front of checkout.sh,
# whose values and functions it uses, if there is a base.
# Standard input (or head and payload): what to change in the base's manifest, and a tar of what is not in it.
# Value: patched, files of the tar, one a line, that contain what zstd makes them of from those of the base.
#
# The other files are copied from the base, or linked.  If they are not what the manifest says, someone has changed them
# in the base: the answer asks for them, or for everything.
#
# A difference has the first two lines, and:
#   - f SHA256 path            without this line of the base's manifest
#   +N f SHA256 path           with this one, after N lines of the base's that stay
# Of the base's manifest, only lines with f and x stay.

take_difference() {
	was=$state/manifests/$base base_path=$deploy_to/releases/$base
	format='' umask_then=''
	if [ -f "$was" ] && [ -f "$was.index" ]; then read -r format _ umask_then <"$was.index"; fi
	if [ "$format$umask_then" != "crelease-index$umask_was" ]; then need_everything; fi
	make_manifest || need_everything
	umask "$umask_was"
	if [ -n "$hardlink" ] || [ ! -s "$new.copied" ] || ! grants_all; then
		copy_from_base || need_everything
		take_tar
	else
		open_upload
		umask "$umask_was"
		copy_and_unpack || need_everything
		own_umask
		drain
	fi
	if [ -n "$patched" ]; then patch_files; fi
	# After the copying, so that a change in the meantime shows, too.
	empty "$new.clock"
	list_files "$base_path/" "$new.clock" . "$new.clock" >"$new.list" 2>/dev/null
	compare_lists || need_everything
	lacking=''
	if [ -s "$new.lacking" ]; then lacking=$(cat "$new.lacking"); fi
	case $newline$lacking in *"${newline}extra "*) need_everything ;; esac
	case $newline$lacking in *"${newline}need "*) remove_wrong ;; esac
	case $newline$lacking in *"${newline}others"*) check_others ;; esac
	# The name "-" is the manifest.
	if ! said=$(sha256sum -c --quiet "$new.check" <"$manifest" 2>/dev/null); then
		case $newline$said in *"$newline-: FAILED"*) need_everything ;; esac
		said=$(printf '%s\n' "$said" | sed -n 's/^\(\.\/.*\): FAILED.*/need \1/p')
		[ -n "$said" ] || need_everything
		lacking=$lacking$newline$said
	fi
	case $newline$lacking in *"${newline}need "*) ask_for_more ;; esac
}

# Makes the files that were sent as patches.  What goes wrong shows in their sums.
patch_files() {
	set -f
	IFS=$newline
	for file in $patched; do
		if zstd -dqc --patch-from="$base_path/$file" "$file" >"$new.patched" 2>/dev/null; then
			cat "$new.patched" >"$file"
		fi
	done
	unset IFS
	set +f
}

# From the base's manifest and the difference.  Also writes the names of the files that are in the base ("copied")
# and of those that are not ("sent").
make_manifest() {
	empty "$new.copied"
	empty "$new.sent"
	new_files=$new awk '
		BEGIN { sent = ENVIRON["new_files"] ".sent"; copied = ENVIRON["new_files"] ".copied" }
		function take(text) {
			print text
			if (text ~ /^[fx] /) print "./" substr(text, 68) >sent
		}
		part == "received" && /^- / { gone[substr($0, 3)]; next }
		part == "received" && /^\+/ { after[++n] = substr($1, 2) + 0; added[n] = substr($0, length($1) + 2); next }
		part == "received" { if (/./) print; next }
		/^[fx] / && !($0 in gone) {
			while (i < n && after[i + 1] <= kept) take(added[++i])
			kept++
			print
			print "./" substr($0, 68) >copied
		}
		END { while (i < n) take(added[++i]) }
	' part=received "$new.received" part=base "$was" >"$manifest" 2>/dev/null
}

# Into the working folder, with their modes, and two names of one file as two files.  A file that is no longer there is missing afterwards.
bring_base() {
	(cd "$base_path" && exec tar -c --no-recursion --hard-dereference -f - -T "$new.copied") 2>/dev/null
}

copy_from_base() {
	if [ ! -s "$new.copied" ]; then return 0; fi
	if [ -n "$hardlink" ]; then
		link_to_base
		return 0
	fi
	said=$(bring_base | tar -x -p -o -f - 2>&1)
}

# Both at once: two archives, one behind the other.
copy_and_unpack() {
	{
		bring_base
		bring_tar
	} | tar -x -i -p -o -f - 2>/dev/null
}

# The folders are made first, because cp would give them the modes of the base's.  What cannot be linked is missing
# afterwards.
link_to_base() {
	sed 's/\/[^/]*$//' "$new.copied" | uniq | tr '\n' '\0' | xargs -0 mkdir -p
	tr '\n' '\0' <"$new.copied" |
		(cd "$base_path" && xargs -0 cp -l --parents -t "$tree") 2>/dev/null
}

# Prints what is wrong in the new tree ("need PATH", "extra PATH"), and "others" when there is something that only
# check_others compares.  Writes what still has to be read ("check": the files that were sent, and copies of
# files that may have changed in the base), and the new index.
compare_lists() {
	new_files=$new new_manifest=$manifest awk -v "umask=$umask_was" -v "hardlink=$hardlink" -v "digest=$digest" '
		function as_compared(file) {
			if (hardlink) sub(/^[^,]*/, "0", file)
			return file
		}
		BEGIN {
			index_file = ENVIRON["new_manifest"] ".index"
			check = ENVIRON["new_files"] ".check"
			print "crelease-index 1", umask >index_file
			print digest "  -" >check
		}
		part == "manifest" && /^[fx] / { path = "./" substr($0, 68); kind[path] = $1; sum[path] = $2 }
		part == "manifest" && /^[FXl] / { others = 1 }
		part == "manifest" { next }
		part == "sent" { sent[$0]; next }
		{ path = substr($0, length($1) + 2); is = as_compared($1) }
		part == "index" { was[path] = is; next }
		# The clock stands between the files of the base and the new ones, and at the end.
		!clock && path == "./" { clock = $1; sub(/,.*/, "", clock); next }
		!clock { now[path] = is; next }
		path == "./" { complete = 1; next }
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
			if (path in sent || now[path] != was[path]) print sum[path] "  " path >check
			if (here[hardlink ? 2 : 1] "" < clock "") print is, path >index_file
		}
		END {
			if (!complete) exit 1
			if (others) print "others"
			for (path in kind) if (!(path in found)) print "need " path
		}
	' part=manifest "$manifest" part=sent "$new.sent" part=index "$was.index" part=list "$new.list" >"$new.lacking" 2>/dev/null
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

