# shellcheck shell=sh disable=SC2154,SC2034
# Finds the database of Flyway.  Part of the script that finds the application's database; find.sh comes after it.

# toml_setting SECTION KEY: sets $value to a string of flyway.toml, in $file.
toml_setting() {
	setting_of "$file" "$1" "$2" || return
	case $value in
	\"*\\*) return 1 ;; # an escape
	\"*) value=${value#?} value=${value%%\"*} ;;
	\'*) value=${value#?} value=${value%%\'*} ;;
	*) return 1 ;;
	esac
}

# The configuration since Flyway 10.  One in both forms is flyway.toml's.
read_flyway_toml() {
	file_of flyway.toml || file_of conf/flyway.toml || return
	environment=${FLYWAY_ENVIRONMENT-}
	for word in $migrates; do
		case $word in -environment=*) environment=${word#-environment=} ;; esac
	done
	if [ -z "$environment" ] && toml_setting flyway environment; then environment=$value; fi
	toml=environments.${environment:-default}
	if [ -z "$url" ] && toml_setting "$toml" url; then url=$value source=${file##*/}; fi
	if [ -z "$user" ] && toml_setting "$toml" user; then user=$value; fi
	if [ -z "$password" ] && toml_setting "$toml" password; then password=$value; fi
	return 0
}

find_flyway() {
	url=${FLYWAY_URL-} user=${FLYWAY_USER-} password=${FLYWAY_PASSWORD-}
	source=FLYWAY_URL
	for word in $migrates; do
		case $word in
		-url=*) url=${word#-url=} source=migrate.run ;;
		-user=*) user=${word#-user=} ;;
		esac
	done
	if read_flyway_toml; then :; elif file_of flyway.conf || file_of conf/flyway.conf; then
		if [ -z "$url" ] && setting_of "$file" '' flyway.url; then url=$value source=${file##*/}; fi
		if [ -z "$user" ] && setting_of "$file" '' flyway.user; then user=$value; fi
		if [ -z "$password" ] && setting_of "$file" '' flyway.password; then password=$value; fi
	fi
	[ -n "$url" ] || return
	read_url "$url" "the URL of Flyway"
	return 0
}
