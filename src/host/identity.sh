# shellcheck shell=sh disable=SC2034
# Tells a process from a later one with the same number, by its start time and the boot of the host.  Sent
# before prelude.sh, and written beside each job (job/process.sh).

# identity_of PID: sets $ticks to when the process started and $boot to the boot of the host.  Without /proc
# both are "-".  $ticks is empty when no process has that number.  $ended is "yes" when it has ended but its
# parent has not waited for it yet.
identity_of() {
	ticks=- boot=- ended=
	[ -r "/proc/$$/stat" ] || return 0
	ticks=
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 0
	stat=${stat##*) }
	# shellcheck disable=SC2086 # words
	set -- $stat
	case $1 in Z | X) ended=yes ;; esac
	shift 19
	ticks=$1
	read -r boot </proc/sys/kernel/random/boot_id
}

# is_alive PID TICKS BOOT: 0 yes, 1 no.  Without /proc only the number can be checked.
is_alive() {
	case $1 in "" | *[!0-9]*) return 1 ;; esac
	if [ "$2" = - ]; then
		kill -0 "$1" 2>/dev/null
		return
	fi
	identity_of "$1"
	[ "$ticks" = "$2" ] && [ "$boot" = "$3" ] && [ -z "$ended" ]
}
