# shellcheck shell=sh disable=SC2154
# The watchdog that runs beside the migration's command.  It comes after watch.sh and process.sh of host/job, after
# guard.sh, which holds the migration lock, and after unnamed.sh, which finds the command's sessions.
# Values: watch_client (the command that starts the client), database (or empty), encoding (of the answers),
# look (the query that is repeated; empty if the server has none), pause (between two queries, in seconds),
# last (the statement to run when the command has ended).
#
# The file "watching" in the attempt's folder has content as long as queries are to be sent.

PGAPPNAME=crelease-watch PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=$encoding
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
unset PGOPTIONS

ask() {
	eval "${connect-}"
	eval "$watch_client"
}

# The client ends when its standard input does, even if sudo runs between it and this shell.
feed() {
	exec 6<"$crelease_job/watched"
	while [ -s "$crelease_job/watching" ] && job_lives; do
		guard_beat
		tell_clients
		printf '%s\n' "$look"
		sleep "$pause" 2>/dev/null || sleep 1
	done
}

# Stops feeding queries and lets the client finish, so that what it just cancelled is still reported.  A
# client that does not finish is killed.
watch_end() {
	trap '' TERM
	: >"$crelease_job/watching"
	(
		trap "kill -s KILL \$!; exit" TERM
		sleep 3 &
		wait $!
		kill -s KILL "$asking"
	) 5>&- &
	limit=$!
	[ -z "$asking" ] || wait "$asking"
	kill "$limit"
	end_rest
	outside_end
	guard_end
	exit 0
}

# As long as the database does not answer, it is looked at from outside (outside.sh).
outsider=
if command -v outside >/dev/null; then
	(exec 5>&-; outside) &
	outsider=$!
fi

outside_end() {
	[ -z "$outsider" ] || kill "$outsider"
}

if [ -n "$look" ]; then
	asking=
	trap watch_end TERM
	echo yes >"$crelease_job/watching"
	while job_lives; do
		(exec 5>&-; feed) | (exec 5>&-; ask) &
		asking=$!
		wait "$asking"
		sleep 1 5>&- &
		asking=$!
		wait "$asking"
	done
	end_rest
else
	trap 'outside_end; guard_end; exit 0' TERM
	while job_lives; do
		guard_beat
		sleep 1 5>&- &
		wait $!
	done
fi
outside_end
guard_end
