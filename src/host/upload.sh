# shellcheck shell=sh disable=SC2154
# Looks at linked files in shared, or stores one there.  No lock is needed: a file appears whole or not at all.
# Values: verb ("look" or "put"), and then
#   look   names (one a line); answers "file INDEX STATE DIGEST": missing, there, unreadable, or other for what is
#          not a regular file
#   put    name, digest (SHA-256 of the content, which is standard input), replaces (the digest of the file that may
#          be replaced, or empty: only a missing file is created)

digest_of() { # FILE: sets $is
	is=$(sha256sum <"$1" 2>/dev/null) || is=''
	is=${is%% *}
}

look() {
	set -f
	IFS=$newline
	# shellcheck disable=SC2086 # lines
	set -- $names
	unset IFS
	set +f
	n=0
	for name; do
		at=$deploy_to/shared/$name
		if [ -f "$at" ]; then
			digest_of "$at"
			if [ -n "$is" ]; then say file "$n there $is"; else say file "$n unreadable -"; fi
		elif [ -e "$at" ] || [ -L "$at" ]; then
			say file "$n other -"
		else
			say file "$n missing -"
		fi
		n=$((n + 1))
	done
}

# Removes what an upload that was killed left behind.  $$ is in the name, so another one that is alive keeps its own.
remove_left() {
	for old in "${at%/*}/.${at##*/}.upload."*; do
		case ${old##*.} in
		'' | *[!0-9]*) ;;
		*) if [ -f "$old" ] && ! kill -0 "${old##*.}" 2>/dev/null; then rm -f "$old"; fi ;;
		esac
	done
}

# The mode and the owner of a file that is replaced stay; a new one is readable for its owner alone.
put_content() {
	if [ -n "$replaces" ]; then
		if [ -L "$at" ] || [ ! -f "$at" ]; then fail "'$at' is not a regular file, so it is not replaced"; fi
		digest_of "$at"
		if [ "$is" != "$replaces" ]; then fail "'$at' was changed meanwhile, so it is not replaced"; fi
		must "create '$new'" cp -p "$at" "$new"
		said=$( (exec cat >"$new") 2>&1) || cannot "write '$new'" "$said"
	else
		said=$( (umask 077 && set -C && exec cat >"$new") 2>&1) || cannot "write '$new'" "$said"
	fi
	digest_of "$new"
	if [ "$is" != "$digest" ]; then fail "'$name' changed while it was sent, or did not arrive whole"; fi
	flush "$new"
}

store() {
	at=$deploy_to/shared/$name
	umask "$umask_was"
	make_folders "${at%/*}"
	own_umask
	remove_left
	new=${at%/*}/.${at##*/}.upload.$$
	half_replaced=$new
	put_content
	if [ -n "$replaces" ]; then
		must "replace '$at'" mv -f "$new" "$at"
	elif ! said=$(ln "$new" "$at" 2>&1); then
		# A link, unlike a rename, replaces nothing that was made meanwhile.
		if [ -e "$at" ] || [ -L "$at" ]; then fail "'$at' was created meanwhile, so it is not replaced"; fi
		cannot "create '$at'" "$said"
	fi
	rm -f "$new"
	half_replaced=''
	flush "${at%/*}"
}

case $verb in
look) look ;;
put) store ;;
esac
exit 0
