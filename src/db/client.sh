# shellcheck shell=sh disable=SC2154,SC2015
# Asks the database.
# Values: client (the recipe's shell command), ask (its arguments), database (or empty), encoding (of the
# answers) and sql.
# Answers "row ..." for each row, fields separated by the unit separator, then "client STATUS".
PGAPPNAME=crelease PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=$encoding
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
# shellcheck disable=SC2034 # used in $ask
separator=$(printf '\037')
rows=$(printf '%s\n' "$sql" | eval "$client$ask")
status=$?
# A few rows need no process.  Splitting would lose an empty line, and not every shell has printf built in.
few=$rows
case $rows in "$newline"* | *"$newline$newline"*) few='' ;; esac
if [ "${#rows}" -gt 20000 ]; then few=''; fi
if [ -n "$few" ]; then
	IFS=$newline
	set -f
	# shellcheck disable=SC2086 # lines
	printf 'row %s\n' $rows
else
	printf '%s\n' "$rows" | sed 's/^/row /'
fi
say client "$status"
exit 0
