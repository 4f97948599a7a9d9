# shellcheck shell=sh disable=SC2154,SC2015
# Keeps a database session that holds the migration lock, as long as standard input is open.
# Values: client (the recipe's shell command), hold (its arguments), database (or empty), sql (tries to take
# the lock; its answer is a row "lock t" or "lock f"), encoding, and connect (as in db/client.sh).
# Answers "held" or "busy"; when the session has ended, "client STATUS" says how.
PGAPPNAME=crelease-hold PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=$encoding
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
unset PGOPTIONS
# shellcheck disable=SC2034 # used in $hold
separator=$(printf '\037')

# Every line on standard input is a heartbeat of the holder.  End of file ends the session.
statements() {
	printf '%s\n' "$sql"
	while read -r _; do
		printf 'SELECT 1;\n'
	done
}

ask() {
	eval "${connect-}"
	eval "$client$hold"
	say client "$?"
}

# The client notices a lost session only when it sends a statement.  The holder is told at once, not when the
# next heartbeat wakes the other side.
answer() {
	while read -r word what; do
		case $word:$what in
		lock:t) say held "$database" ;;
		lock:f)
			say busy "$database"
			break
			;;
		client:*)
			say client "$what"
			break
			;;
		esac
	done
	kill -s TERM 0
}
trap 'exit 0' TERM
statements 2>/dev/null | ask | answer
exit 0
