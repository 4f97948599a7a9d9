# shellcheck shell=sh disable=SC2154
# Prints the output of a run's jobs (job.sh describes the files), read only, whoever began the run.
# Values: wanted (a run, or empty for the one that holds the lock or, without one, the last one), job (its name, or
# that of a step for all of its jobs; empty for all), follow ("yes": goes on until the run has ended).
#
# Answers: "run ID" ("run -": it is not known here), then for each attempt "job JOB ATTEMPT", any number of "out N" and
# N bytes, "cut" where output is missing, and "job_is STATE STATUS"; "other JOB" for jobs that were not asked for;
# "tick" now and then, so that this script ends with its connection.
rounds=0
nap() {
	rounds=$((rounds + 1))
	if [ $((rounds % 25)) -eq 0 ]; then say tick ''; fi
	sleep 0.4 2>/dev/null || sleep 1
}

find_run() {
	of=$wanted
	if [ -z "$of" ] && [ -f "$state/lock" ]; then
		read_lock "$state/lock"
		of=$lock_run
	fi
	if [ -z "$of" ] && [ -s "$state/history" ]; then
		of=$(tail -n 1 "$state/history")
		of=${of%% *}
	fi
	case $of in '' | *[!0-9a-z]*) of=- ;; esac
	if [ ! -d "$state/runs/$of" ]; then of=-; fi
	say run "$of"
}

# Or nobody is working on it any more.
run_is_over() {
	[ -f "$state/lock" ] || return 0
	read_lock "$state/lock"
	[ "$lock_run" != "$of" ] || ! is_alive "$keeper" "$keeper_ticks" "$keeper_boot"
}

# Sets $is to running, ended or lost, and $status.
look_at() { # FOLDER
	is=ended status=-
	if [ -f "$1/status" ]; then
		read -r status <"$1/status"
		return
	fi
	pid='' ticks_was='' boot_was=''
	{ read -r pid ticks_was boot_was <"$1/supervisor"; } 2>/dev/null
	if is_alive "$pid" "${ticks_was:--}" "$boot_was"; then
		is=running
	elif [ -f "$1/status" ]; then
		read -r status <"$1/status"
	else
		is=lost
	fi
}

show_to() { # FOLDER SIZE
	cut=
	if [ -f "$1/cut" ]; then read -r cut <"$1/cut"; fi
	while [ "$offset" -lt "$2" ]; do
		part=$(($2 - offset))
		if [ "$part" -gt 1048576 ]; then part=1048576; fi
		if [ -n "$cut" ] && [ "$offset" = "$cut" ]; then say cut "$cut"; fi
		if [ -n "$cut" ] && [ "$offset" -lt "$cut" ] && [ "$part" -gt $((cut - offset)) ]; then part=$((cut - offset)); fi
		say out "$part"
		tail -c "+$((offset + 1))" "$1/log" | head -c "$part"
		offset=$((offset + part))
	done
}

show_attempt() { # JOB/ATTEMPT
	at=$state/runs/$of/jobs/$1
	offset=0
	say job "${1%/*} ${1##*/}"
	while :; do
		# In this order: nothing is printed after the end.
		look_at "$at"
		size=0
		if [ -f "$at/log" ]; then size=$(($(wc -c <"$at/log"))); fi
		show_to "$at" "$size"
		if [ "$is" != running ] || [ -z "$follow" ]; then break; fi
		nap
	done
	say job_is "$is $status"
}

is_wanted() { # JOB
	case $job in
	'' | "$1") return 0 ;;
	*) [ "$job" = "${1%.*}" ] ;;
	esac
}

# Shows the attempts that were not shown yet, in the order in which they were started.
show_new() {
	# shellcheck disable=SC2012 # names of our own; find has no portable way to sort by time
	list=$(cd "$state/runs/$of/jobs" 2>/dev/null && ls -dtr -- */*/supervisor 2>/dev/null)
	for one in $list; do
		one=${one%/supervisor}
		case " $shown " in *" $one "*) continue ;; esac
		shown="$shown $one"
		if is_wanted "${one%/*}"; then show_attempt "$one"; else say other "${one%/*}"; fi
	done
}

distrust_state
refuse_distrusted
find_run
[ "$of" != - ] || exit 0
distrust "$state/runs/$of" "$state/runs/$of/jobs" "$state/runs/$of/jobs"/*/*
refuse_distrusted
shown=
while :; do
	over=
	if [ -z "$follow" ] || run_is_over; then over=yes; fi
	show_new
	if [ -n "$over" ]; then break; fi
	nap
done
exit 0
