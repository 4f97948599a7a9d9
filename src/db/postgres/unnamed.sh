# shellcheck shell=sh disable=SC2154
# Finds the migration's sessions that do not have its name, because their driver ignores PGAPPNAME and
# PGOPTIONS.  Part of the watchdog beside the command, before stages/migrate/watchdog.sh, whose $separator,
# $last and ask() it uses, and after host/job/process.sh.
#
# For each session that waits for a lock and connects from this machine, the database reports the address of
# the client (unnamed.sql).  The session is the migration's when a process of the command has that very TCP
# connection open: both of its ends are compared with the kernel's table.  Pid and start identify the session,
# so that one that has ended is not confused with the next one on its port.
#
# There is no such table for socket files, and behind a pooler the client is the pooler.  Those sessions
# cannot be attributed, and are left alone.

checked='(0,0)' unnamed='(0,0)' rest='' answers=0

# The kernel's table has each four bytes of an address as a number in the machine's byte order.
kernel_address() { # HEX
	case $(printf '\001\000' | od -An -v -tx2) in
	*0001*) printf '%s\n' "$1" | sed 's/\(..\)\(..\)\(..\)\(..\)/\4\3\2\1/g' ;;
	*) printf '%s\n' "$1" ;;
	esac
}

# socket_inode ADDRESS PORT SERVER SERVER_PORT: sets $inode to that of this connection, from the client's
# side.  SERVER is - when the server is on this host; the connection is then one from the host to itself.
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

# Whether a process of the command's session has the socket open.
is_of_command() { # INODE
	read -r p t b 2>/dev/null <"$crelease_job/pid" || return
	members "$p" "$t" "$b"
	for one in $members; do
		# shellcheck disable=SC2010 # what counts are links
		if ls -l "/proc/$one/fd" 2>/dev/null | grep -qF -- "-> socket:[$1]"; then return 0; fi
	done
	return 1
}

# Reads on descriptor 6 what the database has answered since the last poll, and keeps rows of such sessions.
read_sessions() {
	while :; do
		if ! read -r line <&6; then
			rest=$rest$line
			return
		fi
		line=$rest$line rest=''
		case $line in "maybe$separator"*) line=${line#maybe?} ;; *) continue ;; esac
		case $line in *[!0-9A-F"$separator"-]*) continue ;; esac
		check_session "$line"
	done
}

check_session() {
	IFS=$separator
	# shellcheck disable=SC2086 # digits and separators
	set -- $1
	unset IFS
	if [ $# -ne 6 ]; then return; fi
	case $1$2 in *[!0-9]*) return ;; esac
	answers=$((answers + 1))
	if [ "$((answers % 50))" -eq 0 ]; then checked=$unnamed; fi
	checked="$checked,($1,$2)"
	socket_inode "$3" "$4" "$5" "$6"
	if [ -n "$inode" ] && is_of_command "$inode"; then
		unnamed="$unnamed,($1,$2)"
		echo "$unnamed" >"$crelease_job/adopted"
	fi
}

# Prints what is sent before each poll.
tell_clients() {
	read_sessions
	printf '\\set checked %s\n\\set unnamed %s\n' "$checked" "$unnamed"
}

# Ends what the command left in the server.
end_rest() {
	{
		found='(0,0)'
		{ read -r found <"$crelease_job/adopted"; } 2>/dev/null
		printf '\\set unnamed %s\n' "$found"
		printf '%s\n' "$last"
	} | ask 5>&- >/dev/null
}
