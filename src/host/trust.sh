# shellcheck shell=sh disable=SC2154,SC2034
# Sent after prelude.sh and before every script: whose files in .crelease are.  What another user could have
# written is not read.  Functions only.

# owner_of FILE: sets $owner to the uid of its owner, and $others_write to "yes" when its mode lets group or
# others write.  For a symbolic link they are the link's own.
owner_of() {
	owner='' others_write=''
	set -f
	# shellcheck disable=SC2046 # words
	set -- $(ls -ldn "$1" 2>/dev/null)
	set +f
	owner=${3-}
	case ${1-} in ?????w* | ????????w*) others_write=yes ;; esac
}

# distrust FILE...: checks files in .crelease.  Sets $linked to the first one that is a symbolic link, and
# $foreign to a message about the first one that a user other than the login user and root may write.  A file
# of the login user costs no process.  An earlier version that was killed leaves a harmless link
# link.RUN.EPOCH behind.
distrust() {
	for file; do
		if [ -L "$file" ] && [ -z "$linked" ]; then
			case $file in "$state"/link.*) ;; *) linked=$file ;; esac
		elif [ -e "$file" ] && [ ! -O "$file" ] && [ -z "$foreign" ]; then
			owner_of "$file"
			case $owner$others_write in
			'' | 0) ;;
			0yes) foreign="'$file' belongs to root, and other users may write it: run 'chmod go-w' on it" ;;
			*) foreign="'$file' belongs to another user (uid $owner): log in as that user, or give it to the login user with 'chown -R'" ;;
			esac
		fi
	done
}

# The same for .crelease and everything directly in it.  It may be a link to another disk if the login user or
# root made the link.
distrust_state() {
	linked='' foreign=''
	if [ -L "$state" ]; then
		owner_of "$state"
		case $owner in 0 | "$(id -u)") ;; *) linked=$state ;; esac
		distrust "$state/."
	else
		distrust "$state"
	fi
	if [ -z "$linked$foreign" ]; then distrust "$state"/*; fi
}

# Fails when what this run relies on cannot be trusted.
trust_state() {
	distrust_state
	if [ -z "$linked$foreign" ]; then distrust "$run_dir" "$run_dir"/*; fi
	refuse_distrusted
}

refuse_distrusted() {
	if [ -n "$linked" ]; then refuse_link "$linked"; fi
	if [ -n "$foreign" ]; then fail "$foreign"; fi
}
