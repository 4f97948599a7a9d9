# shellcheck shell=sh disable=SC2154,SC2034
# Finds the database that the application's migrations change, as the application itself would find it.  reach.sh
# runs it in the release, with the recipe's environment, through the recipe's shell; url.sh and flyway.sh come before it.
# Values: tool (the recipe's migrate.pending_when, or auto), migrates (its migrate.run), given (the names of the
# recipe's variables, separated by blanks), wanted (the name of one of several databases, or empty), own (the adapters for which the recipe has its own client), yml_text (that of config/database.yml in the revision that is to be deployed; or empty: it is
# in the folder), shared (the site's shared folder), rails_text, django_text (programs).
#
# Answers lines "crelease-db KEY VALUE", since the start-up files of a login shell may print lines, too: adapter,
# name, host, port, user, password, socket, sslmode and so on; source (where it was found), note, client (the
# program to ask it with); keep (yes when the answer may be kept on the host's disk: it contains nothing of the
# recipe's variables); password_in (the variable that is the password).  Or a line "problem" with the reason why
# there is nothing to ask.

# The wanted parts are compared byte by byte.  The application gets the login's locale back.
app_locale=${LC_ALL-}
LC_ALL=C
export LC_ALL

adapter='' host='' port='' user='' password='' name='' socket='' sslmode='' sslrootcert='' sslcert='' sslkey=''
service='' passfile='' source='' note='' problem='' url='' env_file=''

answer() {
	if [ -n "$2" ] && is_line "$2"; then printf 'crelease-db %s %s\n' "$1" "$2"; fi
}

# file_of NAME: sets $file to its path in the release, or else in the shared folder.
file_of() {
	file=$1
	[ -f "$file" ] || file=$shared/$1
	[ -f "$file" ] && [ -r "$file" ]
}

# text_of NAME: sets $text to the value of that variable of the environment.
text_of() {
	eval "text=\${$1-}"
}

is_given() {
	case " $given " in *" $1 "*) ;; *) return 1 ;; esac
}

# from_variable NAME: sets $from to where the environment has it from.
from_variable() {
	if [ -n "$env_file" ] && case $env_names in *" $1 "*) ;; *) false ;; esac then
		from="$1 in $env_file"
	elif is_given "$1"; then
		from="$1 of the recipe"
	else
		from="$1 of the login"
	fi
}

# ---- .env ----

# Sets $value to what stands behind the = of a line: quoted, or up to a comment.  A backslash stands for itself but
# before a double quote, a backslash and a dollar.
env_value() {
	value='' left=${1#"${1%%[! 	]*}"}
	case $left in
	\'*)
		left=${left#?}
		value=${left%%\'*}
		return
		;;
	\"*)
		left=${left#?}
		while :; do
			# shellcheck disable=SC1003 # a backslash
			case $left in
			'\"'* | '\\'* | '\$'*)
				value=$value${left%"${left#??}"} left=${left#??}
				value=${value%??}${value#"${value%?}"}
				;;
			'"'* | '') return ;;
			'$'*) env_reference ;;
			*) value=$value${left%"${left#?}"} left=${left#?} ;;
			esac
		done
		;;
	esac
	left=${left%%[ 	]#*}
	left=${left%"${left##*[! 	]}"}
	while :; do
		case $left in
		*'$'*) value=$value${left%%\$*} left=\$${left#*\$} && env_reference ;;
		*)
			value=$value$left
			return
			;;
		esac
	done
}

# Takes ${NAME} or $NAME at the beginning of $left.
env_reference() {
	left=${left#?}
	case $left in
	'{'*'}'*) referred=${left#?} referred=${referred%%\}*} after=${left#*\}} ;;
	*) referred=${left%%[!A-Za-z0-9_]*} after=${left#"${left%%[!A-Za-z0-9_]*}"} ;;
	esac
	case $referred in
	[A-Z]*) ;;
	*)
		value=$value\$
		return
		;;
	esac
	case $referred in *[!A-Z0-9_]*) value=$value\$ && return ;; esac
	text_of "$referred"
	value=$value$text left=$after
}

# read_env: takes the variables of .env that the environment does not have, as the usual libraries do.  Names of
# capital letters cannot be those of this script; what changes how programs are run is left out.
env_names=' '
read_env() {
	file_of .env || return
	env_file=$file
	case $file in "$shared"/*) env_file=shared/.env ;; esac
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%"$cr"}
		line=${line#"${line%%[! 	]*}"}
		line=${line#export }
		case $line in [A-Z]*=*) ;; *) continue ;; esac
		variable=${line%%=*}
		variable=${variable%% *}
		case $variable in
		*[!A-Z0-9_]* | PATH | IFS | ENV | HOME | SHELL | PS[0-9] | LD_* | LC_* | RUBY* | PYTHON* | PERL* | BASH*) continue ;;
		esac
		eval "is_set=\${$variable+yes}"
		if [ -n "$is_set" ]; then continue; fi
		env_value "${line#*=}"
		is_line "$value" || continue
		eval "$variable=\$value"
		export "${variable?}"
		env_names="$env_names$variable "
	done <"$file"
}
cr=$(printf '\r')

# ---- frameworks ----

# take_told TEXT: takes the settings that a program of the application's language has printed.
take_told() {
	each='' env='' more='' none='' urls=''
	while IFS= read -r line; do
		case $line in 'crelease-db '*) line=${line#crelease-db } ;; *) continue ;; esac
		told=${line#* }
		case ${line%% *} in
		adapter) name_adapter "$told" ;;
		each) each=$told ;;
		env) env=$told ;;
		more) more=$told ;;
		none) none=$told ;;
		problem) wrong "$told" ;;
		url) urls=$urls$told$newline ;;
		*) set_setting "${line%% *}" "$told" ;;
		esac
	done <<-EOF
		$1
	EOF
}
newline='
'

find_rails() {
	file_of config/database.yml || [ -n "$yml_text" ] || return
	yml=$file
	if [ -f Gemfile.lock ] && grep -q '^ *dotenv' Gemfile.lock; then read_env; fi
	source=config/database.yml
	if ! command -v ruby >/dev/null; then
		if [ -n "${DATABASE_URL-}" ]; then return 1; fi
		wrong "config/database.yml needs ruby, and there is none in PATH (the recipe's 'path' or 'shell: login' may change that)"
		return 0
	fi
	told=$(
		crelease_yml=$yml crelease_text=$yml_text crelease_database=$wanted LC_ALL=$app_locale
		export crelease_yml crelease_text crelease_database LC_ALL
		if [ -z "$LC_ALL" ]; then unset LC_ALL; fi
		printf '%s\n' "$rails_text" | ruby - 2>/dev/null
	)
	take_told "$told"
	if [ -z "$problem$adapter$urls" ]; then
		wrong "${none:-config/database.yml could not be evaluated (ruby ended without an answer)}"
	fi
	source="config/database.yml${env:+ ($env)}"
	if [ -n "${DATABASE_URL-}" ] && [ -n "$urls" ] && [ "${wanted:-primary}" = primary ]; then
		from_variable DATABASE_URL
		source="$from and $source"
	fi
	while [ -n "$urls" ] && [ -z "$problem" ]; do
		read_url "${urls%%"$newline"*}" 'the URL of the database'
		urls=${urls#*"$newline"}
	done
	if [ -n "$more" ]; then note="only the first database is guarded, not $more; add 'databases: {$each}' to the recipe to guard each"; fi
}

find_django() {
	manage='' python=python3
	for word in $migrates; do
		case $word in
		*manage.py)
			manage=$word
			break
			;;
		*python | *python[0-9]*) python=$word ;;
		esac
	done
	manage=${manage:-manage.py}
	[ -f "$manage" ] || return
	source="Django's settings"
	if ! command -v "$python" >/dev/null; then
		wrong "Django's settings need '$python', which is not there"
		return 0
	fi
	told=$(
		crelease_manage=$manage crelease_options=$migrates crelease_database=$wanted LC_ALL=$app_locale
		export crelease_manage crelease_options crelease_database LC_ALL
		if [ -z "$LC_ALL" ]; then unset LC_ALL; fi
		printf '%s\n' "$django_text" | "$python" - 2>/dev/null
	)
	take_told "$told"
	if [ -z "$problem$adapter" ]; then wrong "Django's settings have no database '${wanted:-default}'"; fi
	source="Django's settings${env:+ ($env)}"
	if [ -n "$more" ]; then note="only the database 'default' is guarded, not $more; add 'databases: {$each}' to the recipe to guard each"; fi
}

find_laravel() {
	[ -f artisan ] || file_of .env || return
	read_env
	text=${DB_CONNECTION-}
	if [ -z "$text" ]; then
		text=$(sed -n "s/.*'default' *=> *env('DB_CONNECTION', *'\([a-z]*\)').*/\1/p" config/database.php 2>/dev/null)
	fi
	if [ -z "$text${DB_URL-}${DATABASE_URL-}" ]; then return 1; fi
	source=${env_file:-the environment}
	if [ -n "$text" ]; then name_adapter "$text"; fi
	host=${DB_HOST-127.0.0.1} port=${DB_PORT-} name=${DB_DATABASE-} user=${DB_USERNAME-} password=${DB_PASSWORD-}
	socket=${DB_SOCKET-} sslmode=${DB_SSLMODE-} sslrootcert=${MYSQL_ATTR_SSL_CA-}
	if [ -n "${DB_URL-}${DATABASE_URL-}" ]; then
		read_url "${DB_URL:-${DATABASE_URL-}}" "$(if [ -n "${DB_URL-}" ]; then echo DB_URL; else echo DATABASE_URL; fi)"
	fi
	return 0
}

# setting_of FILE SECTION KEY: sets $value to that of an INI file; section: empty for none.  False when it has none.
setting_of() {
	value='' section='' found=''
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%"$cr"}
		line=${line#"${line%%[! 	]*}"}
		case $line in
		'#'* | ';'*) continue ;;
		'['*']'*)
			section=${line#?}
			section=${section%%]*}
			continue
			;;
		*=*) ;;
		*) continue ;;
		esac
		key=${line%%=*}
		key=${key%"${key##*[! 	]}"}
		if [ "$section" != "$2" ] || [ "$key" != "$3" ]; then continue; fi
		value=${line#*=}
		value=${value#"${value%%[! 	]*}"}
		value=${value%"${value##*[! 	]}"}
		found=yes
	done <"$1"
	[ -n "$found" ]
}

find_alembic() {
	file_of alembic.ini || return
	ini=$file
	read_env
	# env.py may take the URL from the environment.
	if setting_of "$ini" alembic script_location; then
		folder=${value#%(here)s/}
		if [ -n "${DATABASE_URL-}" ] && grep -q DATABASE_URL "$folder/env.py" 2>/dev/null; then return 1; fi
	fi
	setting_of "$ini" alembic sqlalchemy.url || return
	url=''
	while :; do
		case $value in
		*%%*) url=$url${value%%\%\%*}% value=${value#*%%} ;;
		*) break ;;
		esac
	done
	url=$url$value
	# As `alembic init` writes it.
	case $url in driver://* | '') return 1 ;; esac
	source=alembic.ini
	read_url "$url" 'sqlalchemy.url in alembic.ini'
	return 0
}

# sqitch_setting SECTION KEY: as git reads such files, the project's wins over the user's.
sqitch_setting() {
	if [ -f sqitch.conf ] && setting_of sqitch.conf "$1" "$2"; then return 0; fi
	[ -f "$HOME/.sqitch/sqitch.conf" ] && setting_of "$HOME/.sqitch/sqitch.conf" "$1" "$2"
}

find_sqitch() {
	[ -f sqitch.conf ] || [ -f sqitch.plan ] || return
	read_env
	url=${SQITCH_TARGET-} after=''
	for word in $migrates; do
		case $after:$word in
		*:db:* | --target:* | -t:*) url=$word ;;
		*:--target=*) url=${word#--target=} ;;
		esac
		after=$word
	done
	engine=pg
	if sqitch_setting core engine; then engine=$value; fi
	if [ -z "$url" ] && sqitch_setting "engine \"$engine\"" target; then url=$value; fi
	source=sqitch.conf
	# A target may be the name of a section.
	case $url in
	'' | db:*) ;;
	*) sqitch_setting "target \"$url\"" uri && url=$value ;;
	esac
	case $url in
	db:*://*) ;;
	db:*:?*) url=db:$(url=${url#db:}; echo "${url%%:*}:///${url#*:}") ;;
	*) return 1 ;;
	esac
	user=${SQITCH_USERNAME-} password=${SQITCH_PASSWORD-}
	read_url "$url" "the target of Sqitch"
	return 0
}

# url_of_wanted: sets $variable to the one that has the URL, $text to its value.  Of several databases, each has a
# variable of its own; DATABASE_URL is that of the first, as in Rails.
url_of_wanted() {
	variable=DATABASE_URL
	case $wanted in
	'') ;;
	*)
		variable=$(printf '%s' "$wanted" | tr '[:lower:]' '[:upper:]')_DATABASE_URL
		text_of "$variable"
		if [ -n "$text" ]; then return 0; fi
		case $wanted in
		primary | default) variable=DATABASE_URL ;;
		*) return 1 ;;
		esac
		;;
	esac
	text_of "$variable"
	[ -n "$text" ]
}

find_url() {
	url_of_wanted || read_env
	url_of_wanted || return
	adapter='' host='' port='' user='' password='' name='' socket=''
	from_variable "$variable"
	source=$from
	read_url "$text" "$variable"
	return 0
}

# What psql and other programs of libpq use, if the recipe sets it for its jobs.
find_libpq() {
	case $wanted in '' | primary | default) ;; *) return 1 ;; esac
	is_given PGDATABASE && [ -n "${PGDATABASE-}" ] || return
	adapter=postgresql name=$PGDATABASE host=${PGHOST-} port=${PGPORT-} user=${PGUSER-} password=${PGPASSWORD-} socket=''
	sslmode=${PGSSLMODE-} sslrootcert=${PGSSLROOTCERT-} sslcert=${PGSSLCERT-} sslkey=${PGSSLKEY-} passfile=${PGPASSFILE-}
	source='PGDATABASE of the recipe'
}

# These have one database in what crelease can read.
only_one() {
	case $wanted in
	'' | primary | default) return 1 ;;
	esac
	wrong "crelease cannot read where the application has its database '$wanted'; write its 'database' into the recipe" ||
		return 0
}

# The framework that migrate.pending_when or migrate.run names, else the one whose files are there.
find_any() {
	set -f
	named=yes
	case $tool in
	auto)
		case $migrates in
		*alembic*) tool=alembic ;;
		*sqitch*) tool=sqitch ;;
		*flyway*) tool=flyway ;;
		*artisan*) tool=laravel ;;
		*manage.py*) tool=django ;;
		*rake* | *rails*) tool=rails ;;
		esac
		;;
	esac
	case $tool in
	rails) find_rails && return ;;
	django) find_django && return ;;
	laravel)
		if only_one; then return 0; fi
		find_laravel && return
		;;
	alembic) [ -z "$wanted" ] && find_alembic && return ;;
	sqitch) find_sqitch && return ;;
	flyway) find_flyway && return ;;
	*)
		# Nothing says that it is Rails, whose configuration costs a start of ruby.
		named=no
		find_url && return
		find_libpq && return
		find_rails
		return
		;;
	esac
	find_url
}

# The program that asks the database; the application's PATH counts.
find_client() {
	client=''
	case " $own " in *" $adapter "*) return ;; esac
	case $adapter in
	postgresql) client=$(command -v psql) || wrong "there is no psql on this host to ask PostgreSQL with" ;;
	mysql) client=$(command -v mysql) || client=$(command -v mariadb) || wrong "there is no mysql on this host to ask MySQL with" ;;
	sqlite) wrong "the application uses SQLite, which has no server to ask" ;;
	'') wrong "$source does not say what kind of database it is" ;;
	*) wrong "crelease does not know the adapter '$adapter'" ;;
	esac
}

# May what was found be kept on disk?  Not what the recipe's variables contain, since these are not on disk.
find_keep() {
	keep=yes
	[ -n "$password" ] || return 0
	for variable in $given; do
		text_of "$variable"
		case $text in
		"$password")
			answer password_in "$variable"
			keep=yes password=''
			return
			;;
		'') ;;
		*"$password"*) keep='' ;;
		*%[0-9A-Fa-f][0-9A-Fa-f]*)
			decode "$text" || continue
			case $decoded in *"$password"*) keep='' ;; esac
			;;
		esac
	done
}

main() {
	if find_any; then
		[ -n "$problem" ] || find_client
		[ -n "$problem" ] || check_parts "$source"
	else
		problem="there is no ${variable:-DATABASE_URL}, and no configuration of a database that crelease can read"
	fi
	answer source "$source"
	answer adapter "$adapter"
	answer name "$name"
	answer host "$host"
	answer port "$port"
	answer user "$user"
	answer note "$note"
	answer named "$named"
	if [ -n "$problem" ]; then
		answer problem "$problem"
		return
	fi
	answer client "$client"
	answer socket "$socket"
	answer sslmode "$sslmode"
	answer sslrootcert "$sslrootcert"
	answer sslcert "$sslcert"
	answer sslkey "$sslkey"
	answer service "$service"
	answer passfile "$passfile"
	find_keep
	answer keep "$keep"
	answer password "$password"
	answer end yes
}

main
exit
