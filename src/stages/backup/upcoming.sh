# shellcheck shell=sh disable=SC2154,SC2015,SC2034
# When backups will start, read only.  Value: read_all ("yes": crontabs and timers; "": only the clock and its
# time zone).
#
# Answers, in this order:
#   now UNIXTIME, offset +0100, zone HEX (/etc/localtime), cron_tz yes|no (whether cron honours CRON_TZ)
#   migration SECONDS          of each recorded run
#   source STATE FORM NAME     STATE: read, none or unreadable (followed by a line "why TEXT").
#                              FORM: own (no column of users), system or timers
#   line TEXT                  of a crontab, or of list-timers
#   unit TEXT                  of systemctl show: Id=... and ExecStart=...
#   script KIND WORD           what a word of a command names: a script that contains pg_dump, mysqldump,
#                              xtrabackup or the like, or some "other" backup program; "named" (a
#                              folder of run-parts in which a name suggests a backup), none or
#                              unreadable.  A script of several kinds has a line for each
#   tz NAME HEX                a time zone that a crontab names

files_max=100 lines_max=500 line_max=1000 words_max=200 bytes_max=262144
LC_ALL=C
export LC_ALL
unset TZ

hex() {
	head -c 65536 "$1" 2>/dev/null | od -An -v -tx1 | tr -d ' \n'
}

source_is() { # STATE FORM NAME [WHY]
	say source "$1 $2 $3"
	if [ -n "${4-}" ]; then say why "$(printf '%s\n' "$4" | head -n 1 | cut -c1-300)"; fi
}

# look_into FILE: sets $kind to the kinds of backup in its text, one word each.
look_into() {
	kind=none
	if [ ! -r "$1" ] || [ "$(head -c 4 "$1" 2>/dev/null | tail -c 3)" = ELF ]; then
		kind=unreadable
		return
	fi
	has=''
	has_program pg_dump 'pg_dump(all)?' "$1"
	has_program mysqldump 'mysqldump|mariadb-dump|mydumper|mysqlpump' "$1"
	has_program xtrabackup 'xtrabackup|mariabackup|mariadb-backup' "$1"
	has_program other 'pg_basebackup|pgbackrest|barman|wal-g' "$1"
	kind=${has:-none}
}

has_program() { # KIND PATTERN FILE: adds it to $has
	if head -c "$bytes_max" "$3" 2>/dev/null | grep -v '^[[:space:]]*#' |
		grep -qE "(^|[^A-Za-z0-9_-])($2)([^A-Za-z0-9_]|\$)"; then
		has=${has:+$has }$1
	fi
}

# The same for a folder of run-parts: the kinds in all its scripts.
look_into_folder() {
	found='' named='' files=0
	for member in "$1"/*; do
		[ -f "$member" ] && [ "$files" -lt "$files_max" ] || continue
		files=$((files + 1))
		look_into "$member"
		case $kind in
		none | unreadable)
			case ${member##*/} in
			*[Bb][Aa][Cc][Kk][Uu][Pp]* | *[Dd][Uu][Mm][Pp]*) named=named ;;
			esac
			;;
		*) found="$found $kind" ;;
		esac
	done
	# shellcheck disable=SC2086 # words
	if [ -n "$found" ]; then found=$(printf '%s\n' $found | sort -u); fi
	kind=${found:-${named:-none}}
}

# words_of TEXT FORM: looks into the files that words with a slash name.
words_of() {
	printf '%s\n' "$1" | tr '();&|<>"`=\047 \t' '\n' | grep / | sort -u | head -n "$words_max" |
		while read -r word; do
			file=$word
			case $word in
			/*) ;;
			\~/*) file=$HOME/${word#*/} ;;
			\$HOME/* | \$\{HOME\}/*) file=$HOME/${word#*/} ;;
			*) file=$HOME/$word ;;
			esac
			case $word in
			/*) ;;
			*) [ "$2" = own ] || continue ;;
			esac
			if [ -f "$file" ]; then
				look_into "$file"
			elif [ -d "$file" ]; then
				case $1 in *run-parts*) look_into_folder "$file" ;; *) continue ;; esac
			else
				continue
			fi
			for one in $kind; do say script "$one $word"; done
		done
}

# table TEXT FORM NAME: prints a crontab that was read.
table() {
	source_is read "$2" "$3"
	text=$(printf '%s\n' "$1" | grep -v '^[[:space:]]*\(#\|$\)' | head -n "$lines_max" | cut -c1-$line_max)
	[ -n "$text" ] || return 0
	printf '%s\n' "$text" | sed 's/^/line /'
	words_of "$text" "$2"
	printf '%s\n' "$text" | sed -n 's/^[[:space:]]*CRON_TZ[[:space:]]*=[[:space:]]*//p' | tr -d "\"' \t" | sort -u |
		head -n 10 | while read -r name; do
		case $name in '' | /* | *..* | *[!A-Za-z0-9_/+-]*) continue ;; esac
		if [ -f "/usr/share/zoneinfo/$name" ]; then say tz "$name $(hex "/usr/share/zoneinfo/$name")"; fi
	done
}

# file FILE FORM NAME: prints a crontab file.
file() {
	if [ ! -e "$1" ]; then
		source_is none "$2" "$3"
	elif [ ! -r "$1" ] || [ ! -f "$1" ]; then
		source_is unreadable "$2" "$3" "no right to read it"
	elif text=$(head -c "$bytes_max" "$1" 2>&1); then
		table "$text" "$2" "$3"
	else
		source_is unreadable "$2" "$3" "$text"
	fi
}

own_crontab() {
	if ! command -v crontab >/dev/null 2>&1; then
		source_is none own crontab
	elif text=$(crontab -l 2>&1); then
		table "$text" own crontab
	else
		case $text in
		*'no crontab for'* | *'No such file'*) source_is none own crontab ;;
		*) source_is unreadable own crontab "${text:-crontab -l failed}" ;;
		esac
	fi
}

# Only names that cron reads.  Outside of Debian, these exclude the leftovers of packages.
folder_of_tables() {
	files=0
	for table in /etc/cron.d/*; do
		[ -e "$table" ] && [ "$files" -lt "$files_max" ] || continue
		name=${table##*/}
		if [ -e /etc/debian_version ]; then
			case $name in *[!A-Za-z0-9_-]*) continue ;; esac
		else
			case $name in *\~ | *.rpm* | *.swp) continue ;; esac
		fi
		files=$((files + 1))
		file "$table" system "$table"
	done
	if [ -d /etc/cron.d ] && [ ! -r /etc/cron.d ]; then
		source_is unreadable system /etc/cron.d "no right to read it"
	fi
}

# The crontabs of other users, which only root may read.
tables_of_others() {
	me=$(id -un) files=0
	for spool in /var/spool/cron/crontabs /var/spool/cron /etc/crontabs; do
		[ -d "$spool" ] || continue
		if [ ! -r "$spool" ] || [ ! -x "$spool" ]; then
			source_is unreadable own "crontabs of other users" "only root may read them"
			return
		fi
		for table in "$spool"/*; do
			[ -f "$table" ] && [ "${table##*/}" != "$me" ] && [ "$files" -lt "$files_max" ] || continue
			files=$((files + 1))
			file "$table" others "crontab of ${table##*/}"
		done
		return
	done
}

# Reorders the output of systemctl show on standard input, where a unit's commands come before its name and a
# blank line ends the unit, so that the name comes first.  A command with line breaks becomes one line.
names_first() {
	id='' commands=''
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		Id=*) id=$line ;;
		ExecStart=*) commands=$commands$line$newline ;;
		'')
			[ -n "$id" ] || continue
			printf '%s\n%s' "$id" "$commands"
			id='' commands=''
			;;
		*) if [ -n "$commands" ]; then commands="${commands%"$newline"} ; $line$newline"; fi ;;
		esac
	done
	if [ -n "$id" ]; then printf '%s\n%s' "$id" "$commands"; fi
}

# timers NAME [--user]
timers() {
	if text=$(TZ=UTC0 systemctl ${2+"$2"} list-timers --all --no-legend --no-pager 2>&1); then
		source_is read timers "$1"
		text=$(printf '%s\n' "$text" | grep '\.timer' | head -n "$files_max" | cut -c1-$line_max)
		[ -n "$text" ] || return 0
		printf '%s\n' "$text" | sed 's/^/line /'
		units=$(printf '%s\n' "$text" | sed 's/.*[[:space:]]//' | grep '^[A-Za-z0-9@_.:\-]*\.service$')
		[ -n "$units" ] || return 0
		# shellcheck disable=SC2086 # a list of words
		text=$(systemctl ${2+"$2"} show -p Id -p ExecStart -- $units 2>/dev/null | cut -c1-$line_max | names_first)
		printf '%s\n' "$text" | sed 's/^/unit /'
		words_of "$text" timers
	elif [ ! -d /run/systemd/system ] || { [ $# -gt 1 ] && [ ! -d "${XDG_RUNTIME_DIR:-/nowhere}/systemd" ]; }; then
		source_is none timers "$1"
	else
		source_is unreadable timers "$1" "$text"
	fi
}

say now "$(date +%s)"
say offset "$(date +%z)"
if [ -r /etc/localtime ]; then say zone "$(hex /etc/localtime)"; fi
for daemon in /usr/sbin/cron /usr/sbin/crond /sbin/crond /usr/bin/crond; do
	[ -r "$daemon" ] || continue
	if grep -q CRON_TZ "$daemon"; then say cron_tz yes; else say cron_tz no; fi
	break
done
for marks in "$state"/runs/*/marks; do
	[ -f "$marks" ] || continue
	begun=''
	while read -r mark_step mark_state at _; do
		case $mark_step.$mark_state.$at in
		*[!0-9a-z.]*) ;;
		migrate.begun.?*) begun=${begun:-$at} ;;
		migrate.done.?*)
			if [ -n "$begun" ]; then say migration $((at - begun)); fi
			;;
		esac
	done <"$marks"
done
if [ -n "$read_all" ]; then
	own_crontab
	file /etc/crontab system /etc/crontab
	folder_of_tables
	tables_of_others
	if command -v systemctl >/dev/null 2>&1; then
		# pam_systemd sets this, but not every login goes through it.
		if [ -z "${XDG_RUNTIME_DIR-}" ] && [ -d "/run/user/$(id -u)/systemd" ]; then
			XDG_RUNTIME_DIR=/run/user/$(id -u)
			export XDG_RUNTIME_DIR
		fi
		timers "systemd's timers"
		timers "the user's systemd timers" --user
	fi
fi
say end schedule
