# shellcheck shell=sh disable=SC2154
# The processes of a job: which ones belong to it, how they are ended, how one is recorded.  It comes after
# identity.sh.  The file `process` of an attempt; job.sh, the supervisor, the command's first shell and the
# watchdog all use it.
# Value: crelease_run, the run.
#
# A command leads a session of its own.  What it starts is in that session, in one process group or in
# several.

# members PID TICKS BOOT: sets $members to the live processes of the session that PID leads or led, $groups to
# their process groups, and $unsure to processes that may or may not belong to it.  The kernel does not reuse
# the number of a session while one of its processes is alive, so if one process is known to be ours, all are.
members() {
	members='' groups='' unsure=''
	case $1 in "" | *[!0-9]*) return 0 ;; esac
	if [ "$2" = - ]; then
		if kill -0 "$1" 2>/dev/null; then members=" $1" groups=$1; fi
		return 0
	fi
	identity_of "$1"
	known=
	case $ticks in
	"$2") known=yes ;;
	"") read -r boot </proc/sys/kernel/random/boot_id ;;
	*) return 0 ;;
	esac
	[ "$boot" = "$3" ] || return 0
	if [ -n "$known" ] && [ -z "$ended" ]; then members=" $1" groups=$1; fi
	# shellcheck disable=SC2013 # no spaces in them
	for entry in $(cat /proc/[0-9]*/stat 2>/dev/null | sed -n "s/^\([0-9]*\) (.*) [^ZX] [0-9]* \([0-9]*\) $1 .*/\1:\2/p"); do
		one=${entry%:*} group=${entry#*:}
		if [ -z "$known" ]; then
			if environ=$( { tr "\0" "\n" <"/proc/$one/environ"; } 2>/dev/null); then
				case "
$environ
" in
				*"
CRELEASE_RUN=$crelease_run
"*) known=yes ;;
				esac
			elif [ -d "/proc/$one" ]; then
				unsure="$unsure $one"
			fi
		fi
		case " $members " in *" $one "*) ;; *) members="$members $one" ;; esac
		case " $groups " in *" $group "*) ;; *) groups="$groups $group" ;; esac
	done
	if [ -n "$known" ]; then unsure=; else members='' groups=''; fi
}

# signal_members SIGNAL.  Without setsid the command has no process group of its own.
signal_members() {
	for group in $groups; do
		kill -s "$1" -- "-$group" 2>/dev/null || kill -s "$1" "$group" 2>/dev/null
	done
}

# ended_within TENTHS PID TICKS BOOT: whether all of the session ends within that many tenths of a second.
ended_within() {
	tenths=$1
	shift
	while members "$@"; [ -n "$members" ]; do
		[ "$tenths" -gt 0 ] || return 1
		if sleep 0.2 2>/dev/null; then tenths=$((tenths - 2)); else sleep 1; tenths=$((tenths - 10)); fi
	done
}

# finish PID TICKS BOOT: sends TERM, and KILL after a grace period, to processes that were just identified.
# False when some of them, listed in $members, are still alive then.
finish() {
	members "$@"
	[ -n "$members" ] || return 0
	signal_members TERM
	ended_within 100 "$@" && return
	signal_members KILL
	ended_within 50 "$@"
}

# note FILE: records this process in FILE, which is complete on disk before it is linked into place.  False
# when FILE already exists.  The caller removes FILE.$$.
note() {
	identity_of $$
	echo "$$ $ticks $boot" >"$1.$$" && { sync "$1.$$" 2>/dev/null || sync; } &&
		{ ln "$1.$$" "$1" 2>/dev/null || { [ ! -e "$1" ] && ln "$1.$$" "$1"; }; }
}

# size_of FILE: sets $size to its length in bytes.
size_of() {
	size=0
	[ -s "$1" ] || return 0
	size=$(stat -c %s "$1" 2>/dev/null || wc -c <"$1") 2>/dev/null
	size=$((size))
}

# place_of PID FD FILE: sets $place to the position of the process's descriptor.  Empty if that cannot be read or if the
# descriptor is not FILE.  The position is shared by all processes that inherited the descriptor, so it tells whether
# they have written anything, and reading it starts no process.
place_of() {
	place=
	# shellcheck disable=SC3013 # without -ef the size is looked at instead
	[ "/proc/$1/fd/$2" -ef "$3" ] 2>/dev/null || return 0
	{ read -r _ place <"/proc/$1/fdinfo/$2"; } 2>/dev/null
	return 0
}
