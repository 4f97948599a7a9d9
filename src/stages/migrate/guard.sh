# shellcheck shell=sh disable=SC2154
# Holds the lock of migrations beside a migration's command, in a session of the database.  The beginning
# of the watch (hold.c, migrate.c), behind the functions of job.sh; what comes behind it calls guard_beat now
# and then, and ends with guard_end.
# Values: guard_client (the recipe's shell text and what comes behind it), guard_name (what the session is
# called), guard_sql (tries the lock; its answer is a row "lock t" or "lock f"), guard_unknown (the word for
# the gate when there is no answer), database (or empty).
#
# A session that is lost while the command lives is told of, and the lock is taken again by another: lines
# "lock", then "lost" and what the client said, "again", or "taken" when somebody else has it by then, with
# $separator between them.
#
# In the attempt's folder:
#   guard        a pipe: what is to be asked in the session
#   guard.turn   "ask": its answer has come, it may be asked again; in four characters, written over
#   guard.said   what its client said since it has the lock
#   guard.over   it is to end

separator=$(printf '\037')
identity_of $$
guard_of_ticks=$ticks guard_of_boot=$boot

gate() {
	printf '%s\n' "$1" >"$crelease_job/gate.new" && mv -f "$crelease_job/gate.new" "$crelease_job/gate"
}

guard_tell() {
	printf 'lock%s%s\n' "$separator" "$1"
}

# In $said what the client said, as far as one line of it: a person is to hear of it.  It lies on the host
# from then on, so passwords are left out there.  Some clients repeat the statement first.
guard_said() {
	for sign in '^ERROR ' .; do
		said=$(sed -n "/$sign/{s,://[^ @]*@,://...@,g;s/\(pass[a-z]*[=:]\)[^ ]*/\1.../g;p;q;}" "$crelease_job/guard.said" | head -c 300)
		[ -z "$said" ] || break
	done
}

# A session, as long as its standard input is open.
guard_ask() {
	PGAPPNAME=$guard_name PGCONNECT_TIMEOUT=5
	export PGAPPNAME PGCONNECT_TIMEOUT
	unset PGOPTIONS
	: >"$crelease_job/guard.said"
	# shellcheck disable=SC2094 # whether that has said nothing
	{
		eval "$guard_client"
		status=$?
		[ -s "$crelease_job/guard.said" ] || echo "the client ended with exit status $status" >&2
	} 2>>"$crelease_job/guard.said"
}

# Its answers, to its end: 0 it had the lock, 1 another session has it, 2 it did not say.
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

# What a later session is asked.  The first reads from the pipe itself; but of one that ends before it has
# read all of its own, that would be left in the pipe.
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

# The one that was lost may still hold the lock when the next one asks for the first time.
guard_keep() {
	session=1
	guard_answers
	got=$?
	if [ ! -f "$crelease_job/gate" ]; then
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

# A client sees only when it is asked something that its session has ended.  One that does not answer is
# not asked again: once the pipe is full, who writes into it would wait, too.
guard_beat() {
	turn=
	{ read -r turn <"$crelease_job/guard.turn"; } 2>/dev/null
	if [ "$turn" = ask ]; then
		echo wait 1<>"$crelease_job/guard.turn"
		echo "SELECT 'alive';" 1<>"$crelease_job/guard"
	fi
}

# The session ends when the last who could write into the pipe has: this shell, however it ends.  exec: a
# redirection of a function is one that the shell takes back, and until then it keeps both.  Descriptor 7 is
# opened while there is one who writes, or that would wait for one.
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

# At its end it is told, since mksh may keep a copy of what exec closes, and what does not end then goes
# with this shell, since mksh waits for all of a pipeline: a client that is on its way to a server that does
# not answer.
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
