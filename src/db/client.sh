# shellcheck shell=sh disable=SC2154,SC2015
# Asks the database.
# Values: client (the recipe's shell command), ask (its arguments), database (or empty), encoding (of the
# answers), separator, sql, and connect (a command that sets the client's environment, see find/reach.sh; or empty).
# Answers "row ..." for each row, fields separated by the unit separator, then "client STATUS".
PGAPPNAME=crelease PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=$encoding
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
# The last line is the status, before which there may be rows of any text.
{
	eval "${connect-}"
	eval "$client$ask" <<-END
		$sql
	END
	say client "$?"
} | sed '$!s/^/row /'
exit 0
