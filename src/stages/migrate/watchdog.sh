# shellcheck shell=sh disable=SC2154
# The watch beside a migration's command.  Behind guard.sh, which holds the lock of migrations, and what
# tells which sessions are the command's (adopt.sh); the functions of job.sh are before them.
# Values: watch_client (the recipe's shell text and what comes behind it), database (or empty), encoding (of
# the answers), look (what is asked again and again; empty where the server has no words for it), pause
# (between two looks, in seconds), last (what is asked when the command has ended).
#
# watching in the attempt's folder: there as long as looks are to be asked for.

PGAPPNAME=crelease-watch PGCONNECT_TIMEOUT=5 PGCLIENTENCODING=$encoding
export PGAPPNAME PGCONNECT_TIMEOUT PGCLIENTENCODING
unset PGOPTIONS

ask() {
	eval "$watch_client"
}

# The client ends when the feed does, also where sudo stands between us and it.
feed() {
	exec 6<"$crelease_job/watched"
	while [ -f "$crelease_job/watching" ] && job_lives; do
		guard_beat
		tell_clients
		printf '%s\n' "$look"
		sleep "$pause" 2>/dev/null || sleep 1
	done
}

# What was cancelled just now is still to be told: the feed stops, the client comes to its end, or is ended.
watch_end() {
	trap '' TERM
	rm -f "$crelease_job/watching"
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
	guard_end
	exit 0
}

if [ -n "$look" ]; then
	asking=
	trap watch_end TERM
	: >"$crelease_job/watching"
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
	trap 'guard_end; exit 0' TERM
	while job_lives; do
		guard_beat
		sleep 1 5>&- &
		wait $!
	done
fi
guard_end
