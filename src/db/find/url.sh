# shellcheck shell=sh disable=SC2154,SC2034
# Parses the URL of a database.  Part of the script that finds the application's database; find.sh comes after it.
# A URL usually contains a password, so no message quotes any of it.
#
# The parts of a connection are kept in variables: adapter (postgresql, mysql, sqlite, or the word as it was
# written), host, port, user, password, name, socket, and the settings of TLS.

# wrong WHAT: remembers the first reason why what was found cannot be used.
wrong() {
	problem=${problem:-$1}
	return 1
}

# is_line TEXT: whether it has no control character.
is_line() {
	case $1 in *[[:cntrl:]]*) return 1 ;; esac
}

# decode TEXT: sets $decoded to the text with its percent escapes replaced.  False when one is malformed or
# stands for a control character.
decode() {
	decoded='' undecoded=$1
	while :; do
		case $undecoded in
		*%*) ;;
		*)
			decoded=$decoded$undecoded
			return 0
			;;
		esac
		decoded=$decoded${undecoded%%\%*} undecoded=${undecoded#*%}
		two=${undecoded%"${undecoded#??}"}
		case $two in
		[01]? | 7[Ff]) return 1 ;;
		[2-9A-Fa-f][0-9A-Fa-f]) ;;
		*) return 1 ;;
		esac
		undecoded=${undecoded#??}
		# shellcheck disable=SC2059 # an octal escape
		decoded=$decoded$(printf "\\$(printf %03o "0x$two")")
	done
}

# name_adapter WORD: sets $adapter to the kind of server that a scheme or an adapter of a framework means.
name_adapter() {
	case $1 in
	cockroach*) adapter=$1 ;;
	*postgres* | postgis | pgsql | pg | psql) adapter=postgresql ;;
	*mysql* | *mariadb* | trilogy) adapter=mysql ;;
	*sqlite* | *spatialite*) adapter=sqlite ;;
	*) adapter=$1 ;;
	esac
}

# set_setting KEY VALUE: takes one setting of the query, or of an application's configuration.  Those that do not
# change where and how to connect, such as the size of a pool, are ignored.
set_setting() {
	case $1 in
	host) host=$2 ;;
	port) port=$2 ;;
	user | username) user=$2 ;;
	password) password=$2 ;;
	dbname | database) name=$2 ;;
	socket | unix_socket | unixSocket) socket=$2 ;;
	service) service=$2 ;;
	passfile) passfile=$2 ;;
	sslmode | ssl-mode | sslMode | ssl_mode) sslmode=$2 ;;
	sslrootcert | sslca | ssl_ca | ssl-ca) sslrootcert=$2 ;;
	sslcert | ssl_cert | ssl-cert) sslcert=$2 ;;
	sslkey | ssl_key | ssl-key) sslkey=$2 ;;
	esac
}

# read_query TEXT SEPARATOR: takes the settings "key=value" of a URL.
read_query() {
	query=$1
	while [ -n "$query" ]; do
		pair=${query%%"$2"*}
		case $query in *"$2"*) query=${query#*"$2"} ;; *) query='' ;; esac
		case $pair in *=*) ;; *) continue ;; esac
		decode "${pair#*=}" || return 1
		if [ -n "$decoded" ]; then set_setting "${pair%%=*}" "$decoded"; fi
	done
}

# read_host TEXT: takes HOST, HOST:PORT, [ADDRESS]:PORT or a folder of sockets.
read_host() {
	case $1 in
	'['*']') host=${1#?} host=${host%?} ;;
	'['*']:'*) host=${1#?} port=${1##*]:} host=${host%%]*} ;;
	*:*) host=${1%:*} port=${1##*:} ;;
	?*) host=$1 ;;
	*) return 0 ;;
	esac
	case $host in '' | *%*) decode "$host" && host=$decoded ;; esac
}

# read_url URL WHERE: takes every part that the URL has; the others keep their values.
read_url() {
	# A password may contain anything but a slash and a question mark, so the last @ counts.
	case $1 in
	jdbc:*) set -- "${1#jdbc:}" "$2" ;;
	db:*://*) set -- "${1#db:}" "$2" ;;
	esac
	is_line "$1" || wrong "$2 contains a control character" || return
	case $1 in
	sqlite*:*)
		adapter=sqlite
		return
		;;
	[A-Za-z]*://*) ;;
	*)
		wrong "$2 is not the URL of a database"
		return
		;;
	esac
	name_adapter "${1%%://*}"
	rest=${1#*://} settings=''
	case $rest in *\?*) settings=${rest#*\?} rest=${rest%%\?*} ;; esac
	authority=${rest%%/*} folder=''
	case $rest in */*) folder=${rest#*/} ;; esac
	case $authority in
	*@*)
		userinfo=${authority%@*} authority=${authority##*@}
		decode "${userinfo%%:*}" || wrong "the user name in $2 is not encoded correctly" || return
		if [ -n "$decoded" ]; then user=$decoded; fi
		case $userinfo in
		*:?*)
			decode "${userinfo#*:}" || wrong "the password in $2 is not encoded correctly (% must be %25)" || return
			password=$decoded
			;;
		esac
		;;
	esac
	case $authority in
	*,*)
		authority=${authority%%,*}
		note="$2 names several hosts, of which only the first is asked"
		;;
	esac
	read_host "$authority" || wrong "the host in $2 is not encoded correctly" || return
	decode "$folder" || wrong "the name of the database in $2 is not encoded correctly" || return
	if [ -n "$decoded" ]; then name=$decoded; fi
	read_query "$settings" '&' || wrong "a setting in $2 is not encoded correctly"
}

# check_parts WHERE: everything here goes into environment variables and arguments of a client, so what could mean
# something else there is refused.
check_parts() {
	case $host in *,*) host=${host%%,*} note="$1 names several hosts, of which only the first is asked" ;; esac
	case $port in *,*) port=${port%%,*} ;; esac
	case $host in
	/*) ;;
	-* | *[!A-Za-z0-9._:%-]*) wrong "the host in $1 is not a name, an address or a folder" || return ;;
	esac
	case $port in
	*[!0-9]* | ??????*) wrong "the port in $1 is not a number" || return ;;
	esac
	for part in "$host" "$user" "$password" "$name" "$socket" "$service" "$passfile" "$sslmode" "$sslrootcert" "$sslcert" "$sslkey"; do
		is_line "$part" || wrong "a setting in $1 contains a control character" || return
	done
	case $sslmode in *[!A-Za-z_-]*) wrong "the sslmode in $1 is not a word" || return ;; esac
	if [ -z "$name$service" ]; then wrong "$1 does not name a database" || return; fi
}
