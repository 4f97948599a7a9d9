# shellcheck shell=sh disable=SC2154
# Which sessions of the database are the migration's though they do not bear its name: drivers that take
# neither PGAPPNAME nor PGOPTIONS.  Part of the watch beside the command (migrate.c), behind the functions
# of job.sh; $separator, $last and ask() are the watch's.
#
# The database tells of each session that waits for a lock and comes from this machine where its client
# is (adopt.c).  It is the migration's when a process of the command's session has that very TCP
# connection open: both of its ends are held against the kernel's table.  A session that was told of and
# is another's has ended before its port could be ours, and is not found any more by its start.
# Through a socket file there is no such table, and behind a pooler the client is the pooler: those stay
# unknown, and are left alone.

asked='(0,0)' adopted='(0,0)' rest='' answers=0

# In the kernel's table each four bytes of an address are a number in the machine's own order.
kernel_address() { # HEX
	case $(printf '\001\000' | od -An -v -tx2) in
	*0001*) printf '%s\n' "$1" | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/g' ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# socket_inode ADDRESS PORT SERVER SERVER_PORT: in $inode that of this connection, from the client's side.
# SERVER is - when the server is on this host: then the connection is one of the host with itself.
socket_inode() {
	mapped=00000000000000000000FFFF
	case $1 in ????????) ;; *) mapped='' ;; esac
	here=$(kernel_address "$1")
	case $3 in
	-)
		there=$here
		case $1 in 7F??????) there=$(kernel_address 7F......) ;; esac
		;;
	*) there=$(kernel_address "$3") ;;
	esac
	if [ -n "$mapped" ]; then mapped="\\($(kernel_address "$mapped")\\)\\{0,1\\}"; fi
	inode=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
		sed -n "s/^ *[0-9]*: $mapped$here:$2 $mapped$there:$4 01 /=/p" |
		sed -n 's/^=[^ ]* [^ ]* [^ ]* *[0-9]* *[0-9]* \([1-9][0-9]*\) .*/\1/p' | head -n 1)
}

# Whether a process of the command's session has it open.
is_of_command() { # INODE
	read -r p t b 2>/dev/null <"$crelease_job/pid" || return
	members "$p" "$t" "$b"
	for one in $members; do
		# shellcheck disable=SC2010 # what counts are links
		if ls -l "/proc/$one/fd" 2>/dev/null | grep -qF -- "-> socket:[$1]"; then return 0; fi
	done
	return 1
}

# Of what the database has answered since, on descriptor 6, the lines that tell of such a session.
adopt() {
	while :; do
		if ! read -r line <&6; then
			rest=$rest$line
			return
		fi
		line=$rest$line rest=''
		case $line in "maybe$separator"*) line=${line#maybe?} ;; *) continue ;; esac
		case $line in *[!0-9A-F"$separator"-]*) continue ;; esac
		adopt_one "$line"
	done
}

adopt_one() {
	IFS=$separator
	# shellcheck disable=SC2086 # digits and separators
	set -- $1
	unset IFS
	if [ $# -ne 6 ]; then return; fi
	case $1$2 in *[!0-9]*) return ;; esac
	answers=$((answers + 1))
	if [ "$((answers % 50))" -eq 0 ]; then asked=$adopted; fi
	asked="$asked,($1,$2)"
	socket_inode "$3" "$4" "$5" "$6"
	if [ -n "$inode" ] && is_of_command "$inode"; then
		adopted="$adopted,($1,$2)"
		echo "$adopted" >"$crelease_job/adopted"
	fi
}

# What goes before each look.
tell_clients() {
	adopt
	printf '\\set asked %s\n\\set adopted %s\n' "$asked" "$adopted"
}

# What the command has left in the server.
end_rest() {
	{
		found='(0,0)'
		{ read -r found <"$crelease_job/adopted"; } 2>/dev/null
		printf '\\set adopted %s\n' "$found"
		printf '%s\n' "$last"
	} | ask 5>&- >/dev/null
}
