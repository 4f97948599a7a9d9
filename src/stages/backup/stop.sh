# shellcheck shell=sh disable=SC2154,SC2015,SC2034,SC2030,SC2031,SC2012,SC2003
# Stops a backup: its client process, its output, and the record of it.  It comes after progress.sh, whose
# functions it uses.
# Values: verb, database, programs (names of the processes that make backups), sessions, record, aside, how,
# outputs.
#
# sessions: the backup's sessions in the database, one a line: KIND PORT START.  PORT is its client's port
# (-1: through a socket file; -: not permitted to see it), START in unix seconds.
#
# verb stop-find, read only:
#   client PID NAME    a process on this host that made one of the sessions and that this login user may signal
# verb stop-begin: the same; records that the backup is about to be stopped, then sends TERM to these clients:
#   output INODE PATH  where its output goes, a file or a folder
#   termed PID         TERM was sent
# verb stop-end: judges the outputs and records how the backup ended:
#   output VERDICT MOVED PATH
#                      VERDICT: complete or incomplete.  MOVED: the number after NAME.incomplete, 0 if not
#                      moved, "no" if that failed, or "gone".  Only PATH may contain blanks.
# verb stop-told, read only:
#   stopped LINE       of the record
#   rerun RUN STATE STATUS SINCE   of a backup that was started again: running, ended or lost
#
# The record, $state/stopped, has one line for each stop, the newest 50, with tabs between the fields:
#   1 TIME HOW RUN KIND PID DATABASE ROLE WHY BY JUDGED OUTPUT
#
# 1 is the version of the format.  HOW: stopping (about to be stopped), client, cancel or terminate (what
# ended it), ended (by itself in the meantime).  PID is that of the server's session.  WHY: policy, option,
# limit or key.  JUDGED: complete, incomplete or -.  OUTPUT: a path or -.

stops_kept=50 judged_max=268435456 tail_max=800
tab=$(printf '\t')

uid_of() {
	uid=$(stat -c %u "/proc/$1" 2>/dev/null) || uid=''
}

is_program() {
	case " $programs " in *" $1 "*) ;; *) return 1 ;; esac
}

# Nothing is known of another user's processes, and no signal is sent to them.
is_ours() {
	uid_of "$1"
	[ -n "$uid" ] && { [ "$me" = 0 ] || [ "$uid" = "$me" ]; } || return 1
	program=$(readlink "/proc/$1/exe" 2>/dev/null) || return 1
	program=${program##*/}
	is_program "${program%" (deleted)"}"
}

# The process's TCP connections, as listed in the kernel's table.
tcp_of() {
	inodes=$(ls -l "/proc/$1/fd" 2>/dev/null | sed -n 's/.*-> socket:\[\([0-9]*\)\]$/\1/p' | tr '\n' '|')
	inodes=${inodes%|}
	[ -n "$inodes" ] || return 0
	grep -hE " ($inodes) " "/proc/$1/net/tcp" "/proc/$1/net/tcp6" 2>/dev/null | while read -r _ local _ _ _ _ _ _ _ inode _; do
		case "|$inodes|" in *"|$inode|"*) printf '%s\n' "${local##*:}" ;; esac
	done
}

# Whether the process has a connection from that port.
has_port() {
	tcp_of "$1" | {
		while read -r port_is; do
			if [ "$((0x$port_is))" -eq "$2" ]; then exit 0; fi
		done
		exit 1
	}
}

# For a session through a socket file: a process of this database that started just before the session may
# have made it.  That is no proof.
began_with() { # PID NAME START
	[ "$2" = pg_dumpall ] || is_of_database "$1" || return 1
	[ -z "$(tcp_of "$1")" ] || return 1
	identity_of "$1"
	case $ticks in '' | -) return 1 ;; esac
	up=$(sed -n 's/^btime //p' /proc/stat)
	hz=$(getconf CLK_TCK 2>/dev/null) || hz=100
	# Not every shell counts beyond 2^31, which ticks reach after eight months.
	began=$(expr "$up" + "$ticks" / "$hz") || return 1
	[ "$began" -le $(($3 + 1)) ] && [ "$began" -ge $(($3 - 10)) ]
}

# Both names of the MySQL program are one kind.
is_of_kind() { # KIND NAME
	[ "$1" = "$2" ] || { [ "$1" = mysqldump ] && is_program "$2"; }
}

# 0: yes, 3: it may have made one through a socket file, 1: no.
makes_a_session() { # PID NAME
	printf '%s\n' "$sessions" | {
		while read -r kind port start; do
			case $port$start in *[!0-9-]* | '') continue ;; esac
			case $port in
			-) ;;
			-1)
				case $start in - | '') continue ;; esac
				if is_of_kind "$kind" "$2" && began_with "$1" "$2" "$start"; then exit 3; fi
				;;
			*) if has_port "$1" "$port"; then exit 0; fi ;;
			esac
		done
		exit 1
	}
}

# With more candidates than sessions through socket files, it is unknown which process made the session that
# is to be stopped.
is_doubtful() { # PROGRAM
	may=0
	for entry in /proc/[0-9]*; do
		comm=''
		read -r comm 2>/dev/null <"$entry/comm" || continue
		[ "$comm" = "$1" ] || continue
		made=0
		makes_a_session "${entry#/proc/}" "$comm" || made=$?
		if [ "$made" = 3 ]; then may=$((may + 1)); fi
	done
	[ "$may" -gt "$(printf '%s\n' "$sessions" | {
		while read -r kind port _; do
			if [ "$port" = -1 ] && is_of_kind "$kind" "$1"; then echo; fi
		done
	} | wc -l)" ]
}

# Sets $top to the pg_dump or pg_dumpall at the top of the process tree, skipping the shell in between.
top_of() {
	top=$1 above=$1
	while :; do
		parent=''
		parent_of "$above"
		above=$parent
		case $above in '' | 0 | 1) return ;; esac
		comm_of "$above"
		if is_program "$comm"; then
			top=$above
			continue
		fi
		case $comm in
		sh | dash | bash | ash | busybox) ;;
		*) return ;;
		esac
	done
}

# Sets $clients to lines "PID TICKS BOOT NAME".  A pg_dumpall comes before its pg_dump, so that it does not
# start another.
find_clients() {
	clients='' tops='' all='' me=$(id -u) name=$programs doubtful=''
	for one in $programs; do
		if is_doubtful "$one"; then doubtful="$doubtful $one"; fi
	done
	for entry in /proc/[0-9]*; do
		comm=''
		read -r comm 2>/dev/null <"$entry/comm" || continue
		is_program "$comm" || continue
		pid=${entry#/proc/} is=$comm
		is_ours "$pid" || continue
		top_of "$pid"
		all="$all $pid:$is:$top"
		made=0
		makes_a_session "$pid" "$is" || made=$?
		if [ "$made" = 3 ]; then
			case "$doubtful " in *" $is "*) ;; *) made=0 ;; esac
		fi
		if [ "$made" = 0 ] && is_ours "$top"; then
			case " $tops " in *" $top "*) ;; *) tops="$tops $top" ;; esac
		fi
	done
	for top in $tops; do
		comm_of "$top"
		add_client "$top" "$comm"
		[ "$comm" = pg_dumpall ] || continue
		for one in $all; do
			pid=${one%%:*}
			[ "${one##*:}" = "$top" ] && [ "$pid" != "$top" ] || continue
			parent_of "$pid"
			comm_of "$parent"
			# A worker ends with its leader.
			[ "$comm" = pg_dump ] || add_client "$pid" pg_dump
		done
	done
}

add_client() {
	identity_of "$1"
	case $ticks in '' | -) return ;; esac
	clients="$clients$1 $ticks $boot $2$newline"
}

tell_outputs() {
	for top in $tops; do
		client=$top output=''
		file_argument
		if [ -z "$output" ]; then follow_pipes; fi
		case $output in '' | *"$newline"* | *"$tab"*) continue ;; esac
		while [ "$output" != "${output%/}" ]; do output=${output%/}; done
		# Another user's process may name any file as its output, and root would rename that file.
		uid_of "$top"
		if [ "$uid" != 0 ] && [ "$uid" != "$(stat -L -c %u "$output" 2>/dev/null)" ]; then continue; fi
		if [ -f "$output" ] || [ -d "$output" ]; then
			say output "$(stat -L -c %i "$output" 2>/dev/null || echo 0) $output"
		fi
	done
}

# Checks each process once more right before it is signalled.
term_clients() {
	printf '%s' "$clients" | while read -r pid was_ticks was_boot is; do
		is_alive "$pid" "$was_ticks" "$was_boot" || continue
		comm_of "$pid"
		[ "$comm" = "$is" ] && is_ours "$pid" || continue
		if kill -s TERM "$pid" 2>/dev/null; then say termed "$pid"; fi
	done
}

# put_record LINE: replaces the line that announced this stop.
put_record() {
	pid_of=${record#*"$tab"}
	pid_of=${pid_of%%"$tab"*}
	replace "$state/stopped" "$({
		tail -n "$stops_kept" "$state/stopped" 2>/dev/null | grep "^1$tab.*$tab.*$tab" |
			while IFS= read -r line; do
				rest=${line#1"$tab"*"$tab"}
				case $rest in
				"stopping$tab$run$tab"*) ;;
				*)
					printf '%s\n' "$line"
					continue
					;;
				esac
				rest=${rest#*"$tab"*"$tab"*"$tab"}
				if [ "${rest%%"$tab"*}" != "$pid_of" ]; then printf '%s\n' "$line"; fi
			done
		printf '%s\n' "$1"
	} | tail -n "$stops_kept")"
	flush "$state"
}

# Newer versions add lines after the one that marks the end of a dump; no others may follow it.
ends_well() {
	ended=no
	while IFS= read -r line; do
		case $line in
		'-- PostgreSQL database dump complete' | '-- PostgreSQL database cluster dump complete') ended=yes ;;
		'-- Dump completed' | '-- Dump completed on '*) ended=yes ;;
		'' | -- | '\unrestrict '*) ;;
		*) ended=no ;;
		esac
	done
	[ "$ended" = yes ]
}

last_of() {
	{ tail -c "$tail_max" && echo; } | tr -d '\000\r'
}

# unpacked PROGRAM FILE: the end of a compressed file can be read only by unpacking all of it.
unpacked() {
	size_of "$2"
	[ "$size" != - ] && is_at_most "$size" "$judged_max" && command -v "$1" >/dev/null 2>&1 || return 0
	"$1" -dc <"$2" 2>/dev/null | last_of
}

# Sets $verdict.  Archives of pg_dump and folders have no reliable mark at their end, so they count as
# incomplete.
judge() {
	verdict=incomplete
	[ -f "$1" ] && [ -r "$1" ] || return 0
	if end_of "$1" | ends_well; then verdict=complete; fi
}

end_of() {
	case $(head -c 4 "$1" | od -An -tx1 | tr -d ' \n') in
	1f8b*) unpacked gzip "$1" ;;
	28b52ffd) unpacked zstd "$1" ;;
	fd377a58) unpacked xz "$1" ;;
	425a68*) unpacked bzip2 "$1" ;;
	04224d18) unpacked lz4 "$1" ;;
	*) last_of <"$1" ;;
	esac
}

# The compressor may still be writing.
settle() {
	rounds=0 before=''
	while [ "$rounds" -lt 15 ]; do
		size_of "$1"
		if [ "$size" = "$before" ]; then return; fi
		before=$size rounds=$((rounds + 1))
		sleep 0.3 2>/dev/null || sleep 1
	done
}

# Sets $moved.
set_aside() { # FILE INODE
	moved=0
	[ -n "$aside" ] && [ "$verdict" = incomplete ] && [ ! -L "$1" ] || return 0
	# Judging took a while, so check that it is still the same file.
	if [ "$(inode_of "$1")" != "$2" ]; then
		moved=gone
		return
	fi
	at=1
	while [ "$at" -lt 100 ]; do
		to=$1.incomplete
		if [ "$at" -gt 1 ]; then to=$to.$at; fi
		if [ ! -e "$to" ] && [ ! -L "$to" ]; then
			if mv -- "$1" "$to" 2>/dev/null; then moved=$at; else moved=no; fi
			return
		fi
		at=$((at + 1))
	done
	moved=no
}

inode_of() {
	stat -L -c %i "$1" 2>/dev/null
}

judge_outputs() {
	first='' judged=-
	while IFS= read -r line; do # a name may end with a blank
		inode=${line%% *} file=${line#* }
		[ -n "$file" ] || continue
		settle "$file"
		verdict=incomplete moved=gone
		if [ "$(inode_of "$file")" = "$inode" ]; then
			judge "$file"
			set_aside "$file" "$inode"
		fi
		say output "$verdict $moved $file"
		if [ -z "$first" ]; then first=$file judged=$verdict; fi
	done <<END
$outputs
END
}

tell_reruns() {
	for again in "$state"/rerun/*/1; do
		[ -f "$again/supervisor" ] || continue
		id=${again%/1} id=${id##*/}
		since=$(stat -c %Y "$again/supervisor" 2>/dev/null) || since=0
		is=lost status=-
		read -r pid was_ticks was_boot <"$again/supervisor" || continue
		if [ ! -f "$again/status" ] && is_alive "$pid" "$was_ticks" "$was_boot"; then
			is=running
		elif [ -f "$again/status" ]; then
			is=ended
			read -r status <"$again/status" || status=-
		fi
		say rerun "$id $is $status $since"
	done
}

case $verb in
stop-find)
	find_clients
	printf '%s' "$clients" | while read -r pid _ _ is; do say client "$pid $is"; done
	;;
stop-begin)
	begin_change
	find_clients
	printf '%s' "$clients" | while read -r pid _ _ is; do say client "$pid $is"; done
	tell_outputs
	put_record "1$tab$(date +%s)${tab}stopping$tab$run$tab$record$tab-$tab-"
	term_clients
	;;
stop-end)
	begin_change
	judge_outputs
	put_record "1$tab$(date +%s)$tab$how$tab$run$tab$record$tab$judged$tab${first:--}"
	;;
stop-told)
	if [ -f "$state/stopped" ]; then tail -n "$stops_kept" "$state/stopped" | sed 's/^/stopped /'; fi
	tell_reruns
	;;
esac
say end stop
exit 0
