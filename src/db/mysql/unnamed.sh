# shellcheck shell=sh disable=SC2154
# Finds the migration's sessions: those whose client's end of the connection is open in a process of the
# command.  Sessions through a socket file cannot be told apart this way.  Part of the watchdog beside the
# command, before stages/migrate/watchdog.sh and after host/job/process.sh.

# Prints a statement that sets the ports and the addresses of the command's connections.
own_clients() {
	ports='' addresses='' inodes=' '
	{ read -r p t b <"$crelease_job/pid"; } 2>/dev/null || return 0
	members "$p" "$t" "$b"
	for one in $members; do
		# shellcheck disable=SC2012 # what counts are links
		inodes="$inodes$(ls -l "/proc/$one/fd" 2>/dev/null | sed -n 's/.*-> socket:\[\([0-9]*\)\]$/\1/p' | tr '\n' ' ')"
	done
	while read -r _ local _ is _ _ _ _ _ inode _; do
		case $is:$inodes in 01:*" $inode "*) ;; *) continue ;; esac
		hex=${local%:*}
		ports=$ports,$((0x${local##*:}))
		case $hex in
		00000000000000000000000001000000) addresses=$addresses,::1 ;;
		0000000000000000FFFF0000*) hex=${hex#0000000000000000FFFF0000} ;;
		esac
		case ${#hex} in 8) ;; *) continue ;; esac
		last=${hex#??????} third=${hex#????} second=${hex#??}
		third=${third%??} second=${second%????}
		addresses=$addresses,$((0x$last)).$((0x$third)).$((0x$second)).$((0x${hex%??????}))
	done <<END
$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
END
	echo "SET @crelease_ports = '$ports', @crelease_addresses = '$addresses';"
}

# The list is rebuilt when the database has reported something, which can be read on descriptor 6.
clients=
tell_clients() {
	while read -r line <&6 || [ -n "$line" ]; do clients=; done
	if [ -z "$clients" ]; then clients=$(own_clients); fi
	printf '%s\n' "$clients"
}
end_rest() { :; }
