# shellcheck shell=sh disable=SC2154,SC2015,SC2034,SC2003
# What the database's host knows of a running backup and of earlier ones.
# Values: verb, database, name (of the processes that make such a backup: pg_dump, pg_dumpall, "mysqldump
# mariadb-dump", or empty), path, record and least.
#
# verb look, read only:
#   clients NUMBER          of processes on this host that are backing up this database
#   client PID TICKS BOOT   the process, if there is exactly one
#   age SECONDS             how long it has been running
#   through NAME            the process, and each one that its output is piped through
#   output SIZE PATH        where its output goes, if that is a readable file
#   birth UNIXTIME          when that file was created
#   earlier SIZE BIRTH MTIME   files beside it with the same name except for digits, the newest
#                           first (times in unix seconds, - if unknown)
#   past LINE               of the record below
#
# verb note: adds a line to the record, $state/backups, with the present size of `path`.  If `least` is not
# empty, it does so only when the file has at least that many bytes.  The record has one line for each backup
# that crelease saw to its end, the last 50:
#
#   1 ENDED SECONDS BYTES DB_BYTES KIND DATABASE
#   1 1795361412 3720 120394857 2411724800 pg_dump shop_production
#
# The first field is the version of the format; - stands for an unknown value; the name is the rest of the
# line.

kept=50 names_max=1000 earlier_max=5 pipes_max=4

size_of() { # FILE: in $size
	size=$(stat -L -c %s "$1" 2>/dev/null) || size=-
	case $size in '' | *[!0-9]*) size=- ;; esac
}

# is_at_most NUMBER LIMIT, both without a sign.  Compares as text, since not every shell counts beyond 2^31.
is_at_most() {
	[ "${#1}" -lt "${#2}" ] || { [ "${#1}" -eq "${#2}" ] && expr "$1" '<=' "$2" >/dev/null; }
}

# Whether its arguments name the database.  mysqldump takes one as a bare word, or several after an option.
is_of_database() {
	case $name in *mysqldump*)
		is_mysqldump_of_database "$1"
		return
		;;
	esac
	tr '\000' '\n' <"/proc/$1/cmdline" 2>/dev/null | {
		while IFS= read -r word; do
			case $word in
			"$database" | "-d$database" | "--dbname=$database" | */"$database" | */"$database"\?*) exit 0 ;;
			*dbname="$database" | *dbname="$database "* | *dbname=\'"$database"\'*) exit 0 ;;
			esac
		done
		exit 1
	}
}

is_mysqldump_of_database() {
	tr '\000' '\n' <"/proc/$1/cmdline" 2>/dev/null | {
		before='' words=0 several=''
		while IFS= read -r word; do
			words=$((words + 1))
			case $before in
			-u | -h | -P | -S | -r | -w | --user | --host | --port | --socket | --result-file | --where | --protocol)
				before=''
				continue
				;;
			esac
			before=$word
			case $word in
			-A | --all-databases) exit 0 ;;
			-B | --databases) several=yes ;;
			-*) ;;
			*)
				[ "$words" -gt 1 ] || continue
				if [ "$word" = "$database" ]; then exit 0; fi
				# Words after the first are tables.
				[ -n "$several" ] || exit 1
				;;
			esac
		done
		exit 1
	}
}

parent_of() {
	read -r stat <"/proc/$1/stat" || return 0
	stat=${stat##*) }
	stat=${stat#* }
	parent=${stat%% *}
}

comm_of() {
	comm=''
	read -r comm 2>/dev/null <"/proc/$1/comm" || return 0
}

find_client() {
	client='' clients=0
	for entry in /proc/[0-9]*; do
		comm=''
		read -r comm 2>/dev/null <"$entry/comm" || continue
		case " $name " in *" $comm "*) ;; *) continue ;; esac
		pid=${entry#/proc/}
		[ "$name" = pg_dumpall ] || is_of_database "$pid" || continue
		parent=''
		parent_of "$pid"
		comm_of "$parent"
		# Skip workers of a parallel dump, and the dumps of a pg_dumpall, which share its output.
		if [ "$comm" = pg_dump ] || [ "$comm" = pg_dumpall ]; then continue; fi
		client=$pid clients=$((clients + 1))
	done
	[ "$clients" -eq 1 ] || client=''
}

# The file named by -f, or by -r of mysqldump.
file_argument() {
	comm_of "$client"
	case $comm in mysqldump | mariadb-dump) short=-r long=--result-file ;; *) short=-f long=--file ;; esac
	output=$(tr '\000' '\n' <"/proc/$client/cmdline" 2>/dev/null | {
		before=''
		while IFS= read -r word; do
			case $before in "$short" | "$long")
				printf '%s\n' "$word"
				exit
				;;
			esac
			case $word in
			"$long"=*) printf '%s\n' "${word#*=}" && exit ;;
			"$short"?*) printf '%s\n' "${word#??}" && exit ;;
			esac
			before=$word
		done
	})
	case $output in
	'' | /*) ;;
	*)
		folder=$(readlink "/proc/$client/cwd" 2>/dev/null) || folder=''
		output=${folder:+$folder/$output}
		;;
	esac
}

# Follows the output through pipes to the file at the end.  A shell that reads from a pipe does so for its
# commands.
follow_pipes() {
	end=$(readlink "/proc/$client/fd/1" 2>/dev/null) || end=''
	at=0
	while [ "$at" -lt "$pipes_max" ]; do
		case $end in
		/*)
			output=$end
			return
			;;
		pipe:*) ;;
		*) return ;;
		esac
		# shellcheck disable=SC2010 # one process for all of them; what counts are numbers
		readers=$(ls -l /proc/[0-9]*/fd/0 2>/dev/null | grep -F -- "-> $end" | sed 's|.*/proc/\([0-9]*\)/fd/0 -> .*|\1|' | head -n 8)
		next=''
		for reader in $readers; do
			comm_of "$reader"
			case $comm in sh | dash | bash | ash | ksh | mksh | zsh | busybox) continue ;; esac
			next=$(readlink "/proc/$reader/fd/1" 2>/dev/null) || next=''
			[ -z "$next" ] || break
		done
		if [ -n "$next" ]; then say through "$comm"; fi
		end=$next
		at=$((at + 1))
	done
}

tell_earlier() {
	folder=${output%/*} own=${output##*/}
	case $own in *[0-9]*) ;; *) return 0 ;; esac
	# shellcheck disable=SC2012 # the order is wanted; a name with a newline matches nothing
	# Two lines for each name: its pattern and the name itself.  The first is that of the output.
	{
		printf '%s\n' "$own"
		ls -1t -- "${folder:-/}" 2>/dev/null | head -n "$names_max"
	} | sed -n 'h;s/[0-9][0-9]*/N/g;p;x;p' | {
		IFS= read -r pattern && IFS= read -r _ || return 0
		set --
		while [ $# -lt "$earlier_max" ] && IFS= read -r like && IFS= read -r file; do
			[ "$like" = "$pattern" ] && [ "$file" != "$own" ] || continue
			file=$folder/$file
			if [ -f "$file" ] && [ ! -L "$file" ]; then set -- "$@" "$file"; fi
		done
		[ $# -gt 0 ] || return 0
		stat -c '%s %W %Y' -- "$@" 2>/dev/null | while IFS= read -r times; do
			# busybox does not know when a file was created; elsewhere the time may be 0.
			case $times in *' W '* | *' ? '*) times="${times%% *} - ${times##* }" ;; esac
			case $times in *[!0-9\ -]*) continue ;; esac
			say earlier "$times"
		done
	}
}

# Linux always reports a hundred ticks a second to user space.  Not every shell counts beyond 2^31.
tell_age() {
	[ "$(getconf CLK_TCK 2>/dev/null || echo 100)" = 100 ] || return 0
	{ read -r up _ </proc/uptime; } 2>/dev/null || return 0
	up=${up%%.*} born=${ticks%??}
	case $up$born in '' | *[!0-9]*) return 0 ;; esac
	if [ "$up" -ge "${born:-0}" ]; then say age "$((up - ${born:-0}))"; fi
}

look() {
	if [ -f "$state/backups" ]; then
		# The verb note leaves no more lines than that.
		lines=0
		while [ "$lines" -lt "$kept" ] && IFS= read -r line; do
			say past "$line"
			lines=$((lines + 1))
		done <"$state/backups"
	fi
	if [ -z "$name" ]; then return; fi
	find_client
	say clients "$clients"
	if [ -z "$client" ]; then return; fi
	identity_of "$client"
	if [ -z "$ticks" ]; then return; fi
	say client "$client $ticks $boot"
	tell_age
	comm_of "$client"
	say through "$comm"
	output=''
	file_argument
	if [ -z "$output" ]; then follow_pipes; fi
	if [ -n "$output" ] && [ -f "$output" ]; then
		case $output in *"$newline"*) return ;; esac
		is=$(stat -L -c '%s %W' "$output" 2>/dev/null) || is='- 0'
		size=${is%% *} birth=${is##* }
		case $size in '' | *[!0-9]*) size=- ;; esac
		say output "$size $output"
		case $birth in 0 | *[!0-9]*) ;; *) say birth "$birth" ;; esac
		tell_earlier
	fi
}

note() {
	fence
	size=-
	if [ -n "$path" ] && [ -f "$path" ]; then size_of "$path"; fi
	if [ -n "$least" ]; then
		[ "$size" != - ] && is_at_most "$least" "$size" || return 0
	fi
	# SECONDS, then the fields after BYTES.
	replace "$state/backups" "$(
		tail -n "$((kept - 1))" "$state/backups" 2>/dev/null | grep '^1 .* .'
		printf '1 %s %s %s %s\n' "$(date +%s)" "${record%% *}" "$size" "${record#* }"
	)"
}

case $verb in
look) look ;;
note) note ;;
esac
say end backup_host
