# shellcheck shell=sh disable=SC2154,SC2015
# Prints the state of the host, read only.
# Values: deploy_to, linked_files, linked_dirs, tools ("" or "yes": look for them too), job_path (the
# assignment of PATH in the recipe's env, or empty), digest (of the recipe at hand: the run's own recipe is
# sent only when it differs), place ("yes": say which folder of which machine this is).

# A symbolic link in .crelease was made by someone else, so its target is not read.
refuse_links() {
	if [ -n "$linked" ]; then refuse_link "$linked"; fi
}
distrust_state
refuse_links

say survey 1
tell_time
say now "$now"
if [ -d "$deploy_to" ]; then
	say deploy_to there
	if [ -w "$deploy_to" ]; then say writable yes; else say writable no; fi
else
	say deploy_to missing
	up=$deploy_to
	while [ ! -e "$up" ]; do up=${up%/*} && up=${up:-/}; done
	if [ -d "$up" ] && [ -w "$up" ]; then say writable yes; else say writable no; fi
	say writable_at "$up"
fi

# The nearest existing folder and the rest of the path, which are equal for two names of one machine.  The
# numbers alone would not do, since cloned machines have the same ones.
if [ -n "$place" ] && [ -r /proc/sys/kernel/random/boot_id ]; then
	up=$deploy_to
	while [ ! -e "$up" ]; do up=${up%/*} && up=${up:-/}; done
	read -r boot </proc/sys/kernel/random/boot_id
	is=$(stat -L -c %d:%i "$up" 2>/dev/null) && say place "$boot $is ${deploy_to#"$up"}"
fi

current_target
if [ -L "$deploy_to/current" ]; then
	say current "$target"
	if [ -d "$deploy_to/current" ]; then say current_is there; else say current_is dangling; fi
elif [ -e "$deploy_to/current" ]; then
	say current_is folder
else
	say current_is none
fi
if [ -L "$deploy_to/releases/current" ]; then say leftover "$deploy_to/releases/current"; fi

# Which releases were finished, and which one was live after another: revisions.log records deploys and
# rollbacks.
# One sed for this and the last line of the history, behind it.
log='' last_run=''
# shellcheck disable=SC2016 # for sed
last='${s/^/last /p;d;}'
set --
if [ -r "$deploy_to/revisions.log" ]; then set -- "$deploy_to/revisions.log"; fi
if [ -s "$state/history" ] && [ -r "$state/history" ]; then set -- "$@" "$state/history"; else last=''; fi
if [ $# -gt 0 ]; then
	log=$(sed -n -e "$last" -e 's/.* deployed as release \([0-9]\{14\}\) by .*/deployed \1/p;t' \
		-e 's/.* rolled back to release \([0-9]\{14\}\)[[:space:]]*$/back \1/p' "$@")
	if [ -n "$last" ]; then
		last_run=${log##*"$newline"}
		log=${log%"$last_run"}
	fi
	# shellcheck disable=SC2086 # words, two a line
	set -- $log
	if [ $# -gt 400 ]; then shift "$(($# - 400))"; fi
	while [ $# -gt 0 ]; do
		say went "$1 $2"
		shift 2
	done
fi
if [ -s "$deploy_to/revisions.log" ]; then say log yes; else say log no; fi
for folder in "$deploy_to"/releases/*; do
	name=${folder##*/}
	is_release_name "$name" || continue
	if ! is_release "$folder"; then
		say taken "$name"
		continue
	fi
	revision=-
	if [ -f "$folder/REVISION" ]; then read -r revision _ <"$folder/REVISION"; fi
	manifest=- known=-
	if [ -f "$state/manifests/$name" ]; then manifest=manifest; fi
	if [ -f "$state/manifests/$name.index" ]; then manifest=indexed; fi
	case "$newline$log$newline" in *"${newline}deployed $name$newline"*) known=finished ;; esac
	say release "$name ${revision:--} $known $manifest"
	if [ "$name" = "$live" ]; then say live "$name ${revision:--}"; fi
done

if has_trash; then
	trash_size
	say trash "$trash_kb $trash"
fi

# lines_of_databases KEY FILE: the lines of a file for the only database, or of files for several.
lines_of_databases() {
	if [ -f "$2" ]; then
		while read -r line; do say "$1" "$line"; done <"$2"
	fi
	for file in "$2"-*; do
		case $file in *.new) continue ;; esac
		[ -f "$file" ] || continue
		while read -r line; do say "${1}_of" "${file#"$2-"} $line"; done <"$file"
	done
}
lines_of_databases migrated "$state/migrated"

# freeze.sh describes the file.  One without a line freezes, too.
if [ -f "$state/freeze" ]; then
	say freeze ''
	while read -r line; do say freeze "$line"; done <"$state/freeze"
fi

# The keeper lives, but crelease is suspended or has lost its connection.  Both times are from a clock of this
# host that nobody sets.
is_silent() {
	beat=
	if [ -f "$state/beat" ]; then read -r beat <"$state/beat"; fi
	case $beat in
	'' | *[!0-9]*) [ -f "$state/beat" ] && [ -n "$(find "$state/beat" -mmin +1 2>/dev/null)" ] ;;
	*)
		read -r up _ </proc/uptime
		[ "$((${up%%.*} - beat))" -gt 45 ]
		;;
	esac
}

# session_lives PID BOOT: whether a process is alive of the session that PID led, or another one with that
# number: this is read without starting a process.
session_lives() {
	[ -r "/proc/$$/stat" ] || return 1
	read -r boot </proc/sys/kernel/random/boot_id
	[ "$boot" = "$2" ] || return 1
	leader=$1
	for entry in /proc/[0-9]*/stat; do
		{ read -r stat <"$entry"; } 2>/dev/null || continue
		# shellcheck disable=SC2086 # words
		set -- ${stat##*) }
		case ${1-} in Z | X) continue ;; esac
		if [ "${4-}" = "$leader" ]; then return 0; fi
	done
	return 1
}

# Names the jobs of the run that are still running (job.sh describes the files).
look_at_jobs() {
	for attempt in "$state/runs/$lock_run/jobs"/*/*; do
		if [ ! -f "$attempt/supervisor" ] || [ -f "$attempt/status" ]; then continue; fi
		name=${attempt%/*} name=${name##*/}
		pid='' ticks_was='' boot_was=''
		read -r pid ticks_was boot_was <"$attempt/supervisor"
		if is_alive "$pid" "${ticks_was:--}" "$boot_was"; then
			say living "$name"
			continue
		fi
		if [ ! -f "$attempt/pid" ] || [ -f "$attempt/status" ]; then continue; fi
		read -r pid ticks_was boot_was <"$attempt/pid"
		if is_alive "$pid" "${ticks_was:--}" "$boot_was" || session_lives "$pid" "$boot_was"; then say living "$name"; fi
	done
}

# Sets lock to the text of the lock, and alive.
look_at_lock() {
	lock='' alive=no
	if [ -f "$state/lock" ]; then lock=$(tr '\000' '?' <"$state/lock"); fi 2>/dev/null
	if [ -z "$lock" ]; then return; fi
	parse_lock <<-END
		$lock
	END
	if is_alive "$keeper" "$keeper_ticks" "$keeper_boot" && ! is_silent; then alive=yes; fi
}

# The lock, whether its holder is alive, and its run.  A run that ends releases the lock and then lets its keeper
# go, so that a dead keeper counts only if the lock is still the same afterwards.
digest_was='' held='?' looks=0
while true; do
	if [ ! -e "$state/lock" ] && [ ! -L "$state/lock" ]; then
		lock=
		break
	fi
	look_at_lock
	looks=$((looks + 1))
	if [ "$alive" = yes ] || [ "$lock" = "$held" ] || [ "$looks" -eq 4 ]; then
		say lock_is there
		break
	fi
	held=$lock
done
if [ -n "$lock" ]; then
	printf '%s\n' "$lock" | sed 's/^/lock /'
	sum_of "$(printf '%s\n' "$lock" | sed '/^end /d')"
	say lock_sum "$sum"
	say alive "$alive"
	case $lock_run in
	'' | *[!0-9a-z]*) ;;
	*)
		distrust "$state/runs/$lock_run" "$state/runs/$lock_run"/*
		refuse_links
		if [ -f "$state/runs/$lock_run/plan" ]; then
			while IFS= read -r line; do
				say plan "$line"
				case $line in "recipe "*) digest_was=${line#recipe } ;; esac
			done <"$state/runs/$lock_run/plan"
		fi
		if [ -f "$state/runs/$lock_run/recipe" ] && [ "$digest_was" != "$digest" ]; then
			sed 's/^/recipe /' "$state/runs/$lock_run/recipe"
		fi
		lines_of_databases to_migrate "$state/runs/$lock_run/pending"
		if [ -f "$state/runs/$lock_run/marks" ]; then
			while read -r line; do say mark "$line"; done <"$state/runs/$lock_run/marks"
		fi
		for file in "$state/runs/$lock_run"/upload.*; do
			if [ -f "$file" ]; then say upload "${file##*/upload.} $(wc -c <"$file")"; fi
		done
		if [ -f "$state/runs/$lock_run/error" ]; then
			read -r line <"$state/runs/$lock_run/error"
			say last_error "$line"
		fi
		if [ "$alive" = no ]; then look_at_jobs; fi
		;;
	esac
fi

if [ -n "$last_run" ]; then say last_run "${last_run#last }"; fi

link_faults
printf '%s' "$faults"

if [ -n "$foreign" ]; then say unfit "$foreign"; fi

# What the run writes to, some of it only after the release is live.
for folder in "$deploy_to/releases" "$deploy_to/shared" "$state" "$state/runs" "$state/manifests"; do
	if [ -d "$folder" ]; then
		if [ "$folder" != "$deploy_to/shared" ] && { [ ! -w "$folder" ] || [ ! -x "$folder" ]; }; then
			say unfit "no permission to write to '$folder'"
		fi
	elif [ -e "$folder" ] || [ -L "$folder" ]; then
		say unfit "'$folder' is not a folder"
	fi
done
for file in "$deploy_to/revisions.log" "$state/history"; do
	if [ -L "$file" ]; then
		say unfit "'$file' $is_a_link"
	elif [ -f "$file" ]; then
		[ -w "$file" ] || say unfit "no permission to write to '$file'"
	elif [ -e "$file" ] || [ -L "$file" ]; then
		say unfit "'$file' is not a file"
	fi
done

if [ -n "$tools" ]; then
	# Which programs jobs find with the recipe's PATH.
	lacking=$(
		eval "$job_path"
		for tool in ls cat cp mkdir rm env; do command -v "$tool" >/dev/null 2>&1 || printf '%s ' "$tool"; done
	)
	if [ -n "$lacking" ]; then say path_lacks "${lacking% }"; fi
	for tool in tar sed grep find xargs sort uniq tail head wc tr dd tee sha256sum readlink; do
		command -v "$tool" >/dev/null 2>&1 || say no_tool "$tool"
	done
	command -v setsid >/dev/null 2>&1 || say no_tool setsid
	say system "$(uname -sr)"
	# The smallest free space of the disks that may be used.  A device's name may contain blanks, so columns
	# are counted from the percentage; a file system without a limit on inodes has none.
	way_to "$deploy_to"
	set -- "$up"
	for folder in "$deploy_to/releases" "$state"; do
		if [ -d "$folder" ]; then set -- "$@" "$folder"; fi
	done
	# shellcheck disable=SC2016 # for awk
	least='{
		for (i = 5; i <= NF; i++)
			if ($i ~ /^[0-9]+%$/ && $(i - 1) ~ /^-?[0-9]+$/ && $(i - 3) > 0 && (n == "" || $(i - 1) + 0 < n))
				n = $(i - 1) + 0
	}
	END { if (n != "") printf "%.0f\n", n }'
	say free_kb "$(df -Pk "$@" 2>/dev/null | awk "$least")"
	say free_inodes "$(df -Pi "$@" 2>/dev/null | awk "$least")"
	say user "$(id -un 2>/dev/null)"
fi
# For the difference to an earlier release and for what is compressed (checkout.sh), and for small payloads
# (core/trip.c).
for tool in gzip zstd; do
	if command -v "$tool" >/dev/null 2>&1; then say "$tool" yes; fi
done
if command -v awk >/dev/null 2>&1; then say awk yes; fi
if command -v base64 >/dev/null 2>&1; then say base64 yes; fi
say end survey
