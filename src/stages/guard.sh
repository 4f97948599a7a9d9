# shellcheck shell=sh disable=SC2154
# Holds the lock of migrations beside a migration's command, in a session of the database.  The beginning
# of the watch (hold.c, migrate.c), behind the functions of job.sh; what comes behind it ends with guard_end.
# Values: guard_client (the recipe's shell text and what comes behind it), guard_name (what the session is
# called), guard_sql (tries the lock; its answer is a row "lock t" or "lock f"), guard_unknown (the word for
# the gate when there is no answer), database (or empty).
# shellcheck disable=SC2034 # used in $guard_client
separator=$(printf '\037')

gate() {
	printf '%s\n' "$1" >"$crelease_job/gate.new" && mv -f "$crelease_job/gate.new" "$crelease_job/gate"
}

# What the client said goes with the word, as far as one line of it: a person is to hear of it.  It
# lies on the host from then on, so passwords are left out there.
guard_answer() {
	while read -r word what; do
		case $word:$what in
		lock:t) gate go ;;
		lock:f) gate busy ;;
		esac
	done
	[ -f "$crelease_job/gate" ] ||
		gate "$guard_unknown $(sed -n '/./{s,://[^ @]*@,://...@,g;s/\(pass[a-z]*[=:]\)[^ ]*/\1.../g;p;q;}' "$crelease_job/guard.said" | head -c 300)"
	rm -f "$crelease_job/guard.said"
}

guard_ask() {
	PGAPPNAME=$guard_name PGCONNECT_TIMEOUT=5
	export PGAPPNAME PGCONNECT_TIMEOUT
	unset PGOPTIONS
	# shellcheck disable=SC2094 # whether that has said nothing
	{
		eval "$guard_client"
		status=$?
		[ -s "$crelease_job/guard.said" ] || echo "the client ended with exit status $status" >&2
	} 2>"$crelease_job/guard.said"
}

# The session ends when the last who could write into the pipe has: this shell, however it ends.  exec: a
# redirection of a function is one that the shell takes back, and until then it keeps both.
guarding=
if mkfifo "$crelease_job/guard"; then
	exec 5<>"$crelease_job/guard"
	(exec 5>&-; guard_ask) <"$crelease_job/guard" | (exec 5>&-; guard_answer) >/dev/null &
	guarding=$!
	printf '%s\n' "$guard_sql" >&5
else
	echo 'cannot make a pipe' >"$crelease_job/guard.said"
	echo | guard_answer
fi

# At its end it is told, since mksh may keep a copy of what exec closes, and what does not end then goes
# with this shell: mksh waits for all of a pipeline.
guard_end() {
	[ -n "$guarding" ] || return 0
	printf '%s\n' '\q' >&5
	exec 5>&-
	(
		trap "kill -s KILL \$!; exit" TERM
		sleep 3 &
		wait $!
		kill -s KILL "$guarding" $$
	) &
	guard_limit=$!
	wait "$guarding"
	kill "$guard_limit"
}
