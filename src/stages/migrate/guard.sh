# shellcheck shell=sh disable=SC2154
# Holds the migration lock in a database session of its own while the migration runs.  First part of the
# watchdog's script: it comes after watch.sh and process.sh of host/job, and before watchdog.sh, which calls
# guard_beat at intervals and guard_end at the end.
# Values: guard_client (the command that starts the client), guard_name (the session's application name),
# guard_sql (tries to take the lock; its answer is a row "lock t" or "lock f"), guard_unknown (the word for
# the gate when there is no answer), database (or empty), connect (as in db/client.sh).
#
# When the session is lost while the command is running, a new session takes the lock again.  This is reported
# in lines of fields separated by $separator: "lock", then "lost" and the client's message, "again", or
# "taken" when another session got the lock first.
#
# Files in the attempt's folder:
#   guard        a pipe with the statements for the session
#   guard.turn   "ask" when the last answer has come; four characters, overwritten in place
#   guard.said   error output of the client since it got the lock
#   guard.over   exists when the session is to end

separator=$(printf '\037')
identity_of $$
guard_of_ticks=$ticks guard_of_boot=$boot

# The supervisor waits for a complete line.
gate() {
	printf '%s\n' "$1" >"$crelease_job/gate"
}

guard_tell() {
	printf 'lock%s%s\n' "$separator" "$1"
}

# Sets $said to the line of the client's error output that explains most.  Passwords are removed, because the
# line is stored on the host.  Some clients repeat the statement before the error.
guard_said() {
	for sign in '^ERROR ' .; do
		said=$(sed -n "/$sign/{s,://[^ @]*@,://...@,g;s/\(pass[a-z]*[=:]\)[^ ]*/\1.../g;p;q;}" "$crelease_job/guard.said" | head -c 300)
		[ -z "$said" ] || break
	done
}

# Runs a session that lasts until its standard input is closed.
guard_ask() {
	PGAPPNAME=$guard_name PGCONNECT_TIMEOUT=5
	export PGAPPNAME PGCONNECT_TIMEOUT
	unset PGOPTIONS
	eval "${connect-}"
	: >"$crelease_job/guard.said"
	# shellcheck disable=SC2094 # whether that has said nothing
	{
		eval "$guard_client"
		status=$?
		[ -s "$crelease_job/guard.said" ] || echo "the client ended with exit status $status" >&2
	} 2>>"$crelease_job/guard.said"
}

# Reads the session's answers until it ends.  Returns 0 if it had the lock, 1 if another session has it, 2 if
# it did not say.
guard_answers() {
	got=2
	while read -r word what; do
		case $word:$what in
		lock:t)
			got=0
			: >"$crelease_job/guard.said"
			if [ "$session" -eq 1 ]; then gate go; else guard_tell again; fi
			;;
		lock:f)
			got=1
			[ "$session" -eq 1 ] || break
			gate busy
			;;
		alive:) ;;
		*) continue ;;
		esac
		echo 'ask ' 1<>"$crelease_job/guard.turn"
	done
	return "$got"
}

# Feeds every session after the first.  The first session reads the pipe directly; if a later one did, what it
# has not read when it ends would stay in the pipe for the next.
guard_statements() {
	printf '%s\n' "$guard_sql"
	while read -r line; do
		case $line in
		'\q' | "over $session") break ;;
		over*) ;;
		*) printf '%s\n' "$line" || break ;;
		esac
	done
}

guard_again() {
	guard_statements <&7 | guard_ask | {
		guard_answers
		got=$?
		echo 'ask ' 1<>"$crelease_job/guard.turn"
		echo "over $session" 1<>"$crelease_job/guard"
		exit "$got"
	}
}

guard_wanted() {
	[ ! -f "$crelease_job/guard.over" ] && is_alive $$ "$guard_of_ticks" "$guard_of_boot" && job_lives
}

# Opens a new session whenever the last one ended too early.  The lost session may still hold the lock when
# the new one first asks for it, so only the second refusal is reported.
guard_keep() {
	session=1
	guard_answers
	got=$?
	if [ ! -s "$crelease_job/gate" ]; then
		guard_said
		gate "$guard_unknown $said"
	fi
	if [ "$got" -ne 0 ]; then return; fi
	while guard_wanted; do
		case $got in
		0)
			guard_said
			guard_tell "lost$separator$said"
			refusals=0
			;;
		1)
			refusals=$((refusals + 1))
			if [ "$refusals" -eq 2 ]; then guard_tell taken; fi
			;;
		esac
		if [ "$session" -gt 1 ]; then
			sleep 1
			guard_wanted || return 0
		fi
		session=$((session + 1))
		guard_again
		got=$?
	done
}

# A client notices that its session has ended only when it sends a statement.  While an answer is outstanding,
# nothing more is written: once the pipe is full, the writer would block.
guard_beat() {
	turn=
	{ read -r turn <"$crelease_job/guard.turn"; } 2>/dev/null
	if [ "$turn" = ask ]; then
		echo wait 1<>"$crelease_job/guard.turn"
		echo "SELECT 'alive';" 1<>"$crelease_job/guard"
	fi
}

# The session ends when the last writer of the pipe has closed it, which is this shell, however it ends.  This
# uses exec because a redirection of a function keeps a saved copy of the descriptor.  Descriptor 7 is opened
# while a writer exists, since opening it would block otherwise.
guarding=
if said=$(mkfifo "$crelease_job/guard" 2>&1); then
	echo wait >"$crelease_job/guard.turn"
	exec 5<>"$crelease_job/guard"
	(exec 5>&-; guard_ask) <"$crelease_job/guard" |
		(exec 7<"$crelease_job/guard" 5>&-; guard_keep; rm -f "$crelease_job/guard.said") &
	guarding=$!
	printf '%s\n' "$guard_sql" >&5
else
	gate "$guard_unknown cannot make a pipe: ${said##*: }"
fi

# The session is also told to end with \q, since mksh may keep a copy of the descriptor that exec closes.
# What has not ended after three seconds is killed, such as a client that connects to a server that does not
# answer: mksh waits for every process of a pipeline.
guard_end() {
	[ -n "$guarding" ] || return 0
	echo >"$crelease_job/guard.over"
	printf '%s\n' '\q' >&5
	exec 5>&-
	(
		trap "kill -s KILL \$!; exit" TERM
		sleep 3 &
		wait $!
		rm -f "$crelease_job/guard.said"
		members $$ "$guard_of_ticks" "$guard_of_boot"
		signal_members KILL
		kill -s KILL "$guarding"
	) &
	guard_limit=$!
	wait "$guarding"
	kill "$guard_limit"
}
