# shellcheck shell=sh disable=SC2154,SC2015
# Asks the database.
# Values: client (the recipe's shell command), ask (its arguments), database (or empty), encoding (of the
# answers), sql, and connect (a command that sets the client's environment, see find/reach.sh; or empty).
# Answers "row ..." for each row, fields separated by the unit separator, then "client STATUS".
PGAPPNAME=crelease PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=$encoding
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
# shellcheck disable=SC2034 # used in $ask
separator=$(printf '\037')
rows=$(
	eval "${connect-}"
	printf '%s\n' "$sql" | eval "$client$ask"
)
status=$?
if [ -n "$rows" ]; then
	printf '%s\n' "$rows" | sed 's/^/row /'
fi
say client "$status"
exit 0
