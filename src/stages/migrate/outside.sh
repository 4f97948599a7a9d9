# shellcheck shell=sh disable=SC2154
# What can be seen of a migration whose database cannot be asked: once a minute, how long it has been running, its
# processes, the other ends of their connections, and the dumps that are running on this host.  Part of the watchdog
# beside the command; it comes after watch.sh and process.sh of host/job.
# Prints lines of fields separated by $separator: "outside", seconds, text.

separator=$(printf '\037')

# at_uptime: sets $uptime to the seconds since the host started, or else to the time of day.
at_uptime() {
	if [ -r /proc/uptime ]; then read -r uptime _ </proc/uptime; else uptime=$(date +%s); fi
	uptime=${uptime%%.*}
}

# address HEX PORT: sets $address to the kernel's form of an address, as people write it.  What is not IPv4 stays as
# it is.
address() {
	hex=$1 port=$(printf %d "0x$2")
	case $hex in 0000000000000000FFFF0000????????) hex=${hex#0000000000000000FFFF0000} ;; esac
	case $hex in
	00000000000000000000000001000000) address="[::1]:$port" ;;
	????????)
		ab=${hex%????} cd=${hex#????}
		case $(printf '\001\000' | od -An -v -tx2) in
		*0001*) set -- "${cd#??}" "${cd%??}" "${ab#??}" "${ab%??}" ;;
		*) set -- "${ab%??}" "${ab#??}" "${cd%??}" "${cd#??}" ;;
		esac
		address=$(printf '%d.%d.%d.%d:%d' "0x$1" "0x$2" "0x$3" "0x$4" "$port")
		;;
	*) address="[$hex]:$port" ;;
	esac
}

# connections PID: adds the other ends of its TCP connections to $peers.
connections() {
	# shellcheck disable=SC2010,SC2012 # what counts are links
	for inode in $(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.* -> socket:\[\([0-9]*\)\]$/\1/p'); do
		peer=$(printf '%s\n' "$table" | sed -n "s/^ *[0-9]*: [^ ]* \([0-9A-F]*\):\([0-9A-F]*\) 01 [^ ]* [^ ]* [^ ]* *[0-9]* *[0-9]* $inode .*/\1 \2/p")
		[ -n "$peer" ] || continue
		# shellcheck disable=SC2086 # words
		address ${peer%%"
"*}
		case " $peers " in *" $address "*) ;; *) peers="$peers $address" ;; esac
	done
}

# name_of PID: sets $name to the name of its program; empty when it has ended.
name_of() {
	name=''
	{ read -r name <"/proc/$1/comm"; } 2>/dev/null
}

outside_look() {
	processes='' peers='' dumps=''
	read -r p t b 2>/dev/null <"$crelease_job/pid" || return
	members "$p" "$t" "$b"
	table=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null)
	for one in $members; do
		name_of "$one"
		case $name in '' | sh | bash | dash | sleep) ;; *) processes="$processes, $name (pid $one)" ;; esac
		connections "$one"
	done
	for one in /proc/[0-9]*/comm; do
		one=${one%/comm}
		name_of "${one#/proc/}"
		case $name in pg_dump | pg_dumpall | mysqldump | mariadb-dump | mydumper) dumps="$dumps, $name (pid ${one#/proc/})" ;; esac
	done
	at_uptime
	text=${processes:+waits for ${processes#, }}
	if [ -n "$peers" ]; then text="$text, connected to${peers}"; fi
	if [ -n "$dumps" ]; then text="$text; on this host run ${dumps#, }"; fi
	printf 'outside%s%s%s%s\n' "$separator" "$((uptime - outside_since))" "$separator" "${text#, }"
}

# Ends with the command, or by TERM.  After a crash nobody sends TERM, so it looks more often than it reports.
outside() {
	trap 'kill -s KILL $!; exit 0' TERM
	at_uptime
	outside_since=$uptime
	looks=0
	while job_lives; do
		sleep 10 &
		wait $!
		looks=$((looks + 1))
		if [ "$((looks % 6))" -eq 0 ]; then outside_look; fi
	done
}
