# shellcheck shell=sh disable=SC2154,SC2015
# Asks the database.  Values: psql (the recipe's shell text), database (or empty), sql, and job_env.
# Answers: "row ..." for each row, fields separated by the unit separator, then "psql STATUS".
job_env
PGAPPNAME=crelease PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=UTF8
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
# shellcheck disable=SC2034 # used in the command line of eval
separator=$(printf '\037')
rows=$(printf '%s\n' "$sql" | eval "$psql"' -XAtq -F "$separator" -v ON_ERROR_STOP=1 ${database:+-d "$database"} -f -')
status=$?
if [ -n "$rows" ]; then
	printf '%s\n' "$rows" | sed 's/^/row /'
fi
say psql "$status"
exit 0
