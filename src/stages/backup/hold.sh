# shellcheck shell=sh disable=SC2154,SC2015
# Keeps a session in the database that holds the lock of migrations, as long as standard input is
# open.  Values: client (the recipe's shell text), hold (what comes behind it), database (or empty), sql
# (tries the lock; its answer is a row "lock t" or "lock f") and encoding.
# Answers "held" or "busy"; else the session has ended, and "client STATUS" tells how.
PGAPPNAME=crelease-hold PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=$encoding
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
unset PGOPTIONS
# shellcheck disable=SC2034 # used in $hold
separator=$(printf '\037')

# Each line that comes is a sign of life from the holder.  Its end is the end of the session.
statements() {
	printf '%s\n' "$sql"
	while read -r _; do
		printf 'SELECT 1;\n'
	done
}

ask() {
	eval "$client$hold"
	say client "$?"
}

# The client sees with the next line that its session has ended; then the holder is told at once, and not
# when one more line wakes the other side.
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
