# shellcheck shell=sh disable=SC2154,SC2015,SC2034
# When backups will start, read only.  Values: migrate_step (the name of the migration's marks), read_all ("yes": crontabs and timers; "": only the clock and its
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
blanks=$(printf ' \t\r\v\f.')
blanks=${blanks%.} between="$blanks();&|<>\"\`='"
LC_ALL=C
export LC_ALL
unset TZ

# hex_of FILE: sets $hex to its first bytes.
hex_of() {
	# shellcheck disable=SC2046 # words
	set -- $(od -An -v -tx1 -N 65536 "$1" 2>/dev/null)
	IFS=''
	hex="$*"
	unset IFS
}

source_is() { # STATE FORM NAME [WHY]
	say source "$1 $2 $3"
	if [ -n "${4-}" ]; then printf 'why %.300s\n' "${4%%"$newline"*}"; fi
}

# put_line TEXT and put_lines: prints many lines with few writes.  Where printf is a program, it takes no more
# than so much.
put_line() {
	lines_put=$lines_put$1$newline
	[ "${#lines_put}" -lt 8192 ] || put_lines
}

put_lines() {
	printf '%s' "$lines_put"
	lines_put=''
}

# say_lines KEY TEXT: an answer for each line that is not empty.
say_lines() {
	lines_put='' key=$1
	set -f
	IFS=$newline
	for line in $2; do put_line "$key $line"; done
	unset IFS
	set +f
	put_lines
}

# trim TEXT: sets $trimmed to it without the blanks in front.  Slow with many.
trim() {
	trimmed=$1
	case $1 in ["$blanks"]*) trimmed=${1#"${1%%[!"$blanks"]*}"} ;; esac
}

# Sets $line to its first bytes.
cut_line() {
	[ "${#line}" -le "$line_max" ] || line=$(printf "%.${line_max}s" "$line")
}

# For sed: prints the kind of backup that a line of a script names.  A line may name several.
kinds_of='1{
/^.ELF/{
s/.*/unreadable/p
q
}
}
/^[[:space:]]*#/d
s/.*/ & /
h'
for pair in pg_dump:pg_dump pg_dump:pg_dumpall mysqldump:mysqldump mysqldump:mariadb-dump mysqldump:mydumper \
	mysqldump:mysqlpump xtrabackup:xtrabackup xtrabackup:mariabackup xtrabackup:mariadb-backup \
	other:pg_basebackup other:pgbackrest other:barman other:wal-g; do
	kinds_of="$kinds_of
/[^A-Za-z0-9_-]${pair#*:}[^A-Za-z0-9_]/{
s/.*/${pair%%:*}/p
g
}"
done

# look_into FILE: sets $kind to the kinds of backup in its text, one word each.
look_into() {
	kind=unreadable
	[ -r "$1" ] || return 0
	all=$(head -c "$bytes_max" "$1" 2>/dev/null | sed -n "$kinds_of")
	kind=''
	for one in unreadable pg_dump mysqldump xtrabackup other; do
		case $newline$all$newline in *"$newline$one$newline"*) kind="$kind $one" ;; esac
	done
	kind=${kind# }
	kind=${kind:-none}
}

# The same for a folder of run-parts: the kinds in all its scripts.
look_into_folder() {
	found='' named='' members=0
	for member in "$1"/*; do
		[ -f "$member" ] && [ "$members" -lt "$files_max" ] || continue
		members=$((members + 1))
		look_into "$member"
		case $kind in
		none | unreadable)
			case ${member##*/} in
			*[Bb][Aa][Cc][Kk][Uu][Pp]* | *[Dd][Uu][Mm][Pp]*) named=named ;;
			esac
			;;
		*) found="$found $kind " ;;
		esac
	done
	kind=''
	for one in mysqldump other pg_dump xtrabackup; do
		case $found in *" $one "*) kind="$kind $one" ;; esac
	done
	kind=${kind:-${named:-none}}
}

# slashed TEXT: prints its words that have a slash, one a line.
slashed() {
	lines_put=''
	set -f
	IFS="$between$newline"
	for word in $1; do
		case $word in */*) put_line "$word" ;; esac
	done
	put_lines
}

# words_of TEXT FORM: looks into the files that words with a slash name.
words_of() {
	in_text=$1 in_form=$2
	set -f
	IFS=$newline
	# shellcheck disable=SC2046 # lines
	set -- $(slashed "$1" | sort -u)
	unset IFS
	set +f
	left=$words_max
	for word; do
		[ "$left" -gt 0 ] || return 0
		left=$((left - 1))
		file=$word
		case $word in
		/*) ;;
		\~/*) file=$HOME/${word#*/} ;;
		\$HOME/* | \$\{HOME\}/*) file=$HOME/${word#*/} ;;
		*) file=$HOME/$word ;;
		esac
		case $word in
		/*) ;;
		*) [ "$in_form" = own ] || continue ;;
		esac
		if [ -f "$file" ]; then
			look_into "$file"
		elif [ -d "$file" ]; then
			case $in_text in *run-parts*) look_into_folder "$file" ;; *) continue ;; esac
		else
			continue
		fi
		for one in $kind; do say script "$one $word"; done
	done
}

# zones_of LINES: prints the time zones that these lines of a crontab set.
zones_of() {
	zones='' left=10
	set -f
	IFS=$newline
	# shellcheck disable=SC2086 # lines
	set -- $1
	unset IFS
	set +f
	for line; do
		trim "$line"
		trim "${trimmed#CRON_TZ}"
		case $trimmed in =*) ;; *) continue ;; esac
		bare "${trimmed#=}"
		case $newline$zones in *"$newline$bare$newline"*) continue ;; esac
		zones=$zones$bare$newline
		[ "$left" -gt 0 ] || return 0
		left=$((left - 1))
		case $bare in '' | /* | *..* | *[!A-Za-z0-9_/+-]*) continue ;; esac
		[ -f "/usr/share/zoneinfo/$bare" ] || continue
		hex_of "/usr/share/zoneinfo/$bare"
		say tz "$bare $hex"
	done
}

# bare TEXT: sets $bare to it without quotes and blanks.
bare() {
	set -f
	IFS="$blanks\"'"
	# shellcheck disable=SC2086 # words
	set -- $1
	IFS=''
	bare="$*"
	unset IFS
	set +f
}

# table TEXT FORM NAME: prints a crontab that was read.
table() {
	source_is read "$2" "$3"
	text='' zones='' left=$lines_max
	set -f
	IFS=$newline
	for line in $1; do
		case $line in '#'*) continue ;; esac
		cut_line
		trim "$line"
		case $trimmed in '' | '#'*) continue ;; esac
		[ "$left" -gt 0 ] || break
		left=$((left - 1))
		text=$text$line$newline
		case $trimmed in CRON_TZ*) zones=$zones$line$newline ;; esac
	done
	unset IFS
	set +f
	[ -n "$text" ] || return 0
	say_lines line "$text"
	words_of "$text" "$2"
	zones_of "$zones"
}

# file FILE FORM NAME: prints a crontab file.
file() {
	if [ ! -e "$1" ]; then
		source_is none "$2" "$3"
	elif [ ! -r "$1" ] || [ ! -f "$1" ]; then
		source_is unreadable "$2" "$3" "permission denied"
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
		source_is unreadable system /etc/cron.d "permission denied"
	fi
}

# The crontabs of other users, which only root may read.
tables_of_others() {
	files=0
	for spool in /var/spool/cron/crontabs /var/spool/cron /etc/crontabs; do
		[ -d "$spool" ] || continue
		if [ ! -r "$spool" ] || [ ! -x "$spool" ]; then
			source_is unreadable own "crontabs of other users" "only root can read them"
			return
		fi
		me=$(id -un)
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
		cut_line
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
		lines='' units='' left=$files_max
		set -f
		IFS=$newline
		for line in $text; do
			case $line in *.timer*) ;; *) continue ;; esac
			[ "$left" -gt 0 ] || break
			left=$((left - 1))
			cut_line
			lines=$lines$line$newline
			unit=${line##*["$blanks"]}
			case $unit in
			*[!A-Za-z0-9@_.:\\-]*) ;;
			*.service) units="$units $unit" ;;
			esac
		done
		unset IFS
		set +f
		say_lines line "$lines"
		[ -n "$units" ] || return 0
		# shellcheck disable=SC2086 # a list of words
		text=$(systemctl ${2+"$2"} show -p Id -p ExecStart -- $units 2>/dev/null | names_first)
		say_lines unit "$text"
		words_of "$text" timers
	elif [ ! -d /run/systemd/system ] || { [ $# -gt 1 ] && [ ! -d "${XDG_RUNTIME_DIR:-/nowhere}/systemd" ]; }; then
		source_is none timers "$1"
	else
		source_is unreadable timers "$1" "$text"
	fi
}

now=$(date '+%s %z')
say now "${now% *}"
say offset "${now#* }"
if [ -r /etc/localtime ]; then
	hex_of /etc/localtime
	say zone "$hex"
fi
for daemon in /usr/sbin/cron /usr/sbin/crond /sbin/crond /usr/bin/crond; do
	[ -r "$daemon" ] || continue
	if grep -q CRON_TZ "$daemon"; then say cron_tz yes; else say cron_tz no; fi
	break
done
for marks in "$state"/runs/*/marks; do
	[ -f "$marks" ] || continue
	begun=''
	while read -r mark_step mark_state at _; do
		case $at in '' | *[!0-9]*) continue ;; esac
		case $mark_step.$mark_state in
		"$migrate_step.begun") begun=${begun:-$at} ;;
		"$migrate_step.done")
			# Two shells round the time on their own, so the end may be a second before the start.
			if [ -n "$begun" ]; then say migration $((at < begun ? 0 : at - begun)); fi
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
		if [ -z "${XDG_RUNTIME_DIR-}" ] && [ -d /run/user ] && uid=$(id -u) && [ -d "/run/user/$uid/systemd" ]; then
			XDG_RUNTIME_DIR=/run/user/$uid
			export XDG_RUNTIME_DIR
		fi
		timers "systemd's timers"
		timers "the user's systemd timers" --user
	fi
fi
say end schedule
