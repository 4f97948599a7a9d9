# shellcheck shell=sh disable=SC2154,SC2034
# Prepares the connection to the database that find.sh finds.  It comes after host/command.sh, and before the script
# that asks the database, whose $client then uses the variables and the environment that are set here.
# Values: find_text (the script that finds it; empty when it was found before, and kept), find_want (the adapter that
# was found before; empty when it is not known yet), found_file (where the answer is kept as long as the run lasts; or
# empty), own_psql ("yes": database.psql is the recipe's own), and those of command.sh.
#
# find_database sets db_adapter, db_name, db_host, db_port, db_user, db_socket and so on, and db_problem when there
# is nothing to ask.  tell_found prints these, without the password, as lines "found KEY VALUE".

db_keys='adapter name host port user socket sslmode sslrootcert sslcert sslkey service passfile client source note problem named later'

# The parts never contain a newline.
take_found() {
	db_password='' db_end='' db_keep='' db_password_in=''
	for key in $db_keys; do eval "db_$key=''"; done
	while IFS= read -r line; do
		case $line in 'crelease-db '*) line=${line#crelease-db } ;; *) continue ;; esac
		case " $db_keys password password_in keep end " in
		*" ${line%% *} "*) eval "db_${line%% *}=\${line#* }" ;;
		esac
	done
}

# Reads what is kept.  False when there is nothing that can be trusted.
read_found() {
	[ -n "$found_file" ] && [ -f "$found_file" ] && [ ! -L "$found_file" ] && [ -O "$found_file" ] || return
	take_found <"$found_file"
	[ -n "$db_end" ]
}

# Only the login user can read the file.
keep_found() {
	if [ -z "$found_file" ] || [ -z "$db_keep" ] || [ ! -d "${found_file%/*}" ]; then return 0; fi
	(
		umask 077
		rm -f "$found_file.$$"
		set -C
		{ printf '%s\n' "$found" >"$found_file.$$"; } 2>/dev/null && mv -f "$found_file.$$" "$found_file"
	) || rm -f "$found_file.$$"
}

# The new release, once it is there; else the live one; else what will be linked into the first one; else a folder
# without files of an application, as only the environment can tell then.
application_folder() {
	db_where=$path
	if [ -z "$release" ] || [ ! -d "$path" ]; then db_where=$deploy_to/current; fi
	[ -d "$db_where" ] || db_where=$deploy_to/shared
	[ -d "$db_where" ] || db_where=/dev
}

find_database() {
	db_kept=''
	if read_found; then
		db_kept=yes
	elif [ -z "$find_text" ]; then
		db_again=yes
		return 1
	else
		application_folder
		found=$(
			where=$db_where command='exec sh -s' shared=$deploy_to/shared
			export shared
			printf '%s\n' "$find_text" | run_command input 2>/dev/null
		)
		take_found <<-EOF
			$found
		EOF
		if [ -n "$db_end" ]; then
			keep_found
			if read_found; then db_kept=yes; fi
		elif [ -z "$db_problem" ]; then
			db_problem='the search for the application'"'"'s database ended early'
		fi
		if [ -n "$db_problem" ]; then
			case $db_where:$db_source in
			"$deploy_to/shared:" | /dev:*) db_later=yes db_problem='nothing is live yet; the deploy looks for the database in the new release' ;;
			esac
		fi
	fi
	if [ -n "$db_password_in" ]; then eval "db_password=\${$db_password_in-}"; fi
	if [ -n "$own_psql" ] && [ "$db_adapter" = postgresql ]; then
		case $db_name in
		-* | *=* | *://*) db_problem="the name of the database cannot be an argument of database.psql" ;;
		esac
	fi
	if [ -n "$find_want" ] && [ -z "$db_problem" ] && [ "$db_adapter" != "$find_want" ]; then
		db_problem="the application's database is of another kind than before"
	fi
	[ -z "$db_problem" ]
}

tell_found() {
	if [ -n "$db_kept" ]; then say found 'kept yes'; fi
	for key in $db_keys; do
		eval "value=\$db_$key"
		if [ -n "$value" ]; then say found "$key $value"; fi
	done
}

# export_found: the client's environment.  The password is in the environment of the client only, which nobody but
# its user and root can read.
export_found() {
	case $db_adapter in
	postgresql)
		database=''
		if [ -n "$own_psql" ]; then database=$db_name; fi
		if [ -n "$db_name" ]; then export PGDATABASE="$db_name"; fi
		if [ -n "${db_socket:-$db_host}" ]; then export PGHOST="${db_socket:-$db_host}"; fi
		if [ -n "$db_port" ]; then export PGPORT="$db_port"; fi
		if [ -n "$db_user" ]; then export PGUSER="$db_user"; fi
		if [ -n "$db_password" ]; then export PGPASSWORD="$db_password"; fi
		if [ -n "$db_sslmode" ]; then export PGSSLMODE="$db_sslmode"; fi
		if [ -n "$db_sslrootcert" ]; then export PGSSLROOTCERT="$db_sslrootcert"; fi
		if [ -n "$db_sslcert" ]; then export PGSSLCERT="$db_sslcert"; fi
		if [ -n "$db_sslkey" ]; then export PGSSLKEY="$db_sslkey"; fi
		if [ -n "$db_service" ]; then export PGSERVICE="$db_service"; fi
		if [ -n "$db_passfile" ]; then export PGPASSFILE="$db_passfile"; fi
		;;
	mysql)
		database=$db_name
		if [ -n "$db_password" ]; then export MYSQL_PWD="$db_password"; fi
		;;
	esac
}

# quoted TEXT: sets $quoted to the text as a word of the shell.
quoted() {
	quoted='' unquoted=$1
	while :; do
		case $unquoted in *\'*) ;; *) break ;; esac
		quoted=$quoted${unquoted%%\'*}"'\\''" unquoted=${unquoted#*\'}
	done
	quoted="'$quoted$unquoted'"
}

# found_assigned: sets $watch_found to assignments from which the watchdog can make the same connection.
found_assigned() {
	watch_found=''
	find_database || :
	for key in $db_keys password; do
		eval "value=\$db_$key"
		quoted "$value"
		watch_found="${watch_found}db_$key=$quoted$newline"
	done
	quoted "$own_psql"
	watch_found="${watch_found}own_psql=$quoted$newline"
}
