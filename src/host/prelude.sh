# shellcheck shell=sh disable=SC2154,SC2015,SC2034
# Sent before every script and after identity.sh: who holds the lock, what was started and what is done.
# Values come before it as assignments: deploy_to, run, epoch, step, and what the script needs.
#
# On a host (all plain text, readable with `cat`), in $deploy_to/.crelease:
#   lock            who holds the site; exists exactly as long as a run does (lock.sh)
#   beat            written by the holder's keeper every ten seconds (lock.sh)
#   runs/RUN/plan   the plan of the run, with a checksum (written by crelease)
#   runs/RUN/recipe the recipe as it was when the run began
#   runs/RUN/marks  "crelease-marks 1", then one line a mark: STEP STATE UNIXTIME; the last one
#                   of a step counts
#   runs/RUN/acting.EPOCH   the script that is changing something: PID TICKS BOOT GROUP (lock.sh ends it
#                   when the run is taken over)
#   runs/RUN/jobs/  the user's commands that were started (job.sh)
#   manifests/RELEASE   the files that a release must contain (checkout.sh)
#   manifests/RELEASE.index   their sizes and times when they were verified (checkout.sh)
#   migrated        what the database was last migrated to
#   history         one line for each run that ended
#   times           how long the steps of the last runs took (unlock.sh)
#
# Answers are lines "key value" on standard output.  Exit statuses: 0 done, 70 failed (a line "error ..." says
# why), 71 could not be checked, 72 the lock is not this run's, 73 locked, 75 something has to be sent first.

# begin_script [END [UMASK ASKED ASKED_AT]]: what every script begins with, after its values.  In a session, these are
# what its shell knows: variables of the recipe may have overwritten that (core/script.c).
begin_script() {
	half_replaced='' followed=''
	case ${1-} in chained*) followed=yes ;; esac
	if [ $# -eq 1 ]; then
		# It follows another script in its frame, whose shell and knowledge it has (core/chain.c).
		frame_end=$1
		own_umask
		return 0
	fi
	session='' asked_at='' unflushed='' unflushed_marks=''
	if [ $# -gt 0 ]; then session=yes frame_end=$1 login_umask=$2 asked=$3 asked_at=$4; fi
	newline='
'
	is_a_link='is a symbolic link, which crelease does not follow: put the file itself there, or remove it'
	# The output of tools is parsed here, and names are bytes: both need the C locale.  The user's commands
	# get the locale of the login back (as_at_login).
	login_locale=${LC_ALL-}
	LC_ALL=C
	export LC_ALL
	state=$deploy_to/.crelease
	run_dir=$state/runs/$run
	path=$deploy_to/releases/$release
	incoming_tree=$deploy_to/releases/.incoming
	umask_was=${files_umask:-$login_umask}
	own_umask
	# The last line proves that the answer is complete; a connection that closes early prints none.
	trap 'end_script "$?"' EXIT
}

# In a session, the end is also marked on both streams (session.sh).
end_script() {
	if [ -n "$half_replaced" ]; then rm -f "$half_replaced"; fi
	echo "ended $1"
	if [ -n "$session" ]; then tell_end "$1"; fi
	# The scripts behind it are not run.
	if [ -n "$followed" ]; then
		frame_end=$whole_frame
		tell_end "$1"
	fi
}

tell_end() {
	printf '%s %s\n' "$frame_end" "$1"
	printf '%s %s\n' "$frame_end" "$1" >&2
}

# ends_well: the end of a script that another one follows in its frame.
ends_well() {
	echo 'ended 0'
	tell_end 0
}

# Only the login user may write crelease's own files, whatever the login's umask is.  The files of the site
# (releases, shared folders, revisions.log) and the user's commands get the recipe's umask or, without one, the
# login's: umask "$umask_was".
login_umask=''
if [ -r /proc/self/status ]; then
	while read -r key value; do
		case $key in Umask:) login_umask=$value && break ;; esac
	done </proc/self/status
fi
case $login_umask in '' | *[!0-7]*) login_umask=$(umask) ;; esac
own_umask() {
	umask "$login_umask"
	umask g-w,o-rwx
}

say() {
	printf '%s %s\n' "$1" "$2"
}

fail() {
	say error "$1"
	exit 70
}

cannot_see() {
	say error "$1"
	exit 71
}

# reason_of TEXT: sets $reason to the system's message in what tools wrote to standard error: the end of the
# first line that has one, since tar begins with remarks and ends with a line without a cause.  If no line has
# one, the first line.
reason_of() {
	reason=''
	set -f
	IFS=$newline
	# shellcheck disable=SC2086 # lines
	set -- $1
	unset IFS
	set +f
	for said; do
		case ${said##*: } in
		"$said" | *[0-9]* | Exiting*) ;;
		[A-Z]*)
			reason=${said##*: }
			return
			;;
		esac
	done
	reason=${1:-no reason given}
}

# must WHAT COMMAND...: runs a tool; when it fails, reports that it cannot do WHAT, and why.  The tool's
# output is kept in a variable, since there may be no room for a file.
must() {
	doing=$1
	shift
	said=$("$@" 2>&1 >/dev/null) || cannot "$doing" "$said"
}

cannot() { # WHAT SAID
	reason_of "$2"
	fail "cannot $1: $reason"
}

# make_folders FOLDER...: creates those that do not exist.
make_folders() {
	for folder; do
		shift
		if [ ! -d "$folder" ]; then set -- "$@" "$folder"; fi
	done
	if [ $# -eq 0 ] || said=$(mkdir -p "$@" 2>&1); then return 0; fi
	for folder; do
		if [ ! -d "$folder" ]; then cannot "create '$folder'" "$said"; fi
	done
}

# put FILE TEXT and add FILE TEXT: write lines to a file without starting a process.  The reason of a failure
# is found afterwards with a tool that reports it, because dash calls any failed write an "I/O error".  A
# symbolic link is refused, since it would redirect the text into another file.
put() {
	refuse_link "$1"
	{ printf '%s\n' "$2" >"$1"; } 2>/dev/null || cannot_write "$1"
}

add() {
	refuse_link "$1"
	{ printf '%s\n' "$2" >>"$1"; } 2>/dev/null || cannot_write "$1"
}

refuse_link() { # FILE
	if [ -L "$1" ]; then fail "'$1' $is_a_link"; fi
}

# replace FILE TEXT: writes all of the file or nothing, and flushes it to disk.  The new file of a script that fails
# here is removed (end_script); that of one that is killed, when the run ends (unlock.sh).
replace() {
	half_replaced=$1.new
	put "$1.new" "$2"
	flush "$1.new"
	must "replace '$1'" mv -f "$1.new" "$1"
	half_replaced=''
}

cannot_write() {
	said='the reason is gone again'
	if [ ! -e "$1" ] || said=$( (exec >>"$1") 2>&1); then
		# -C creates only a file that did not exist before.
		said=$( (set -C && printf '%8192s' '' | cat >"$1.probe") 2>&1) && said='it can be written now'
		rm -f "$1.probe"
	fi
	cannot "write '$1'" "$said"
}

# flush_later FILE...: they have to be on disk when the script ends, or at the next flush.
flush_later() {
	for file; do
		case $newline$unflushed$newline in
		*"$newline$file$newline"*) ;;
		*) unflushed=$unflushed${unflushed:+$newline}$file ;;
		esac
	done
}

# flush [-f] [FILE...]: flushes these files, and those that flush_later was told of, to disk before anything that
# depends on them; with -f, all of their file systems.  A sync that takes no file names flushes everything.
flush() {
	set -f
	IFS=$newline
	# shellcheck disable=SC2086 # lines
	set -- "$@" $unflushed
	unset IFS
	set +f
	# Marks come last: they must not be there before what they are about.
	if [ -n "$unflushed_marks" ]; then set -- "$@" "$run_dir/marks"; fi
	unflushed='' unflushed_marks=''
	if [ $# -eq 0 ]; then return 0; fi
	said=$(sync "$@" 2>&1) && return
	case $said in
	*'No space left'* | *uota\ exceeded* | *'nput/output error'* | *'I/O error'*) cannot "write '$*' to the disk" "$said" ;;
	esac
	sync
}

# A script that is followed leaves this to those behind it.  If the host goes down before, a resume finds what was
# begun, and checks whether it is done.
flush_at_end() {
	if [ -z "$followed" ]; then flush; fi
}

# end_group PID TICKS BOOT [GROUP]: ends a process that was identified, and the others of its group, which is
# its own or, for a script of a session, the session's.
end_group() {
	if [ "$2" = - ]; then return 0; fi
	rounds=0
	while is_alive "$1" "$2" "$3"; do
		case $rounds in
		0) kill -s TERM -- "-${4:-$1}" 2>/dev/null || kill -s TERM "$1" 2>/dev/null ;;
		40) kill -s KILL -- "-${4:-$1}" 2>/dev/null || kill -s KILL "$1" 2>/dev/null ;;
		80) fail "process $1 of an earlier step of this run is still running after KILL; stop it by hand" ;;
		esac
		rounds=$((rounds + 1))
		sleep 0.05 2>/dev/null || sleep 1
	done
}

# Every script that changes something begins with this.  It first records who it is and then checks the lock,
# while a takeover first replaces the lock and then looks for such scripts.  So either this script sees the
# new lock and stops, or the takeover sees this script and ends it before the new holder continues.
#
# Another script of the same holder that is still running has lost its connection, so its trip is over, too.
begin_change() {
	trust_state
	if [ -f "$run_dir/acting.$epoch" ]; then
		other='' other_ticks='' other_boot='' other_group=''
		read -r other other_ticks other_boot other_group <"$run_dir/acting.$epoch"
		# In this session, the script before this one has ended.
		if [ "${other_group:-$other}" != $$ ]; then
			end_group "$other" "${other_ticks:--}" "$other_boot" "$other_group"
		fi
	fi
	# When the run was taken over, that is the reason to report.
	trap 'fence; exit 143' TERM
	# In a session, $$ is the session's shell, which ends before this script when crelease is killed.
	me=$$
	if [ -n "$session" ] && [ -r /proc/self/stat ]; then read -r me _ </proc/self/stat; fi
	identity_of "$me"
	if [ -d "$run_dir" ]; then
		put "$run_dir/acting.$epoch" "$me $ticks $boot $$"
	fi
	fence
}

# Whether the lock is still this run's.
is_ours_still() {
	lock_run='' lock_epoch='' lock_by=nobody
	if [ -f "$state/lock" ]; then read_lock "$state/lock"; fi
	[ "$lock_run" = "$run" ] && [ "$lock_epoch" = "$epoch" ]
}

# Stops here if the run was taken over.
fence() {
	if ! is_ours_still; then
		rm -f "$run_dir/acting.$epoch"
		say fenced "$lock_by"
		exit 72
	fi
}

# Writes the file beat in place: a rename needs room on the disk, and a holder whose beat is old counts as dead.
# A symbolic link in its place is not written through; the run's next script fails and names it.
beat() {
	if [ -L "$state/beat" ]; then return; fi
	if [ -r /proc/uptime ]; then
		read -r up _ </proc/uptime
		echo "${up%%.*}" >"$state/beat"
	else
		: >"$state/beat"
	fi
}

# last_mark STEP: sets $mark to its last state, empty when it never began.  A line that was cut off by a crash
# has no newline and is ignored.
last_mark() {
	mark='' torn=''
	[ -f "$run_dir/marks" ] || return 0
	while read -r mark_step mark_state _; do
		if [ "$mark_step" = "$1" ]; then
			mark=$mark_state
		fi
	done <"$run_dir/marks"
	torn=$mark_step
}

# note_mark STEP STATE: to be called after last_mark.  An incomplete last line is ended first, so that the new
# mark has a line of its own.  It is on disk after the next flush.
note_mark() {
	fence
	tell_time
	if [ ! -s "$run_dir/marks" ]; then
		put "$run_dir/marks" "crelease-marks 1$newline$1 $2 $now"
	else
		if [ -n "$torn" ]; then replace "$run_dir/marks" "$(sed '$d' "$run_dir/marks")"; fi
		add "$run_dir/marks" "$1 $2 $now"
	fi
	torn='' unflushed_marks=yes
}

# The same, on disk at once: before what must not be done twice.
put_mark() {
	note_mark "$1" "$2"
	flush
}

# tell_time: sets $now to the unix time.  A process is started for it once: afterwards the time since then is
# read from the host's uptime, where it has one.
tell_time() {
	uptime=
	if [ -r /proc/uptime ]; then read -r uptime _ </proc/uptime; fi
	uptime=${uptime%%.*}
	if [ -z "$uptime" ] || [ -z "$asked_at" ]; then
		asked=$(date +%s) asked_at=$uptime
	fi
	now=$((asked + ${uptime:-0} - ${asked_at:-0}))
}

# sum_of TEXT: sets $sum to the checksum of all lines of the lock but the last, which states it.  cksum is in
# POSIX.  Some shells need a file for a here-document, for which there may be no room.
sum_of() {
	{
		sum=$(
			cksum <<-END
				$1
			END
		)
	} 2>/dev/null || sum=$(printf '%s\n' "$1" | cksum)
	sum=${sum%% *}
}

# read_lock FILE: sets keeper, keeper_ticks and keeper_boot to the process that keeps the lock, and lock_run,
# lock_epoch and lock_by to its owner.
read_lock() {
	parse_lock <"$1"
}

parse_lock() {
	lock_run='' lock_epoch=0 lock_by=somebody keeper='' keeper_ticks=- keeper_boot=-
	while read -r key value; do
		case $key in
		run) lock_run=$value ;;
		epoch) lock_epoch=$value ;;
		by) lock_by=$value ;;
		keeper)
			keeper=${value%% *}
			keeper_ticks=${value#* } keeper_boot=${keeper_ticks#* } keeper_ticks=${keeper_ticks%% *}
			;;
		esac
	done
}

# claim EPOCH: of several that want this epoch of the run, to take it over or to end it, the one whose link to
# $own is made first gets it.  A claim whose maker has died is void.  Sets $claimed to the claim's name.
# False when another has it.
claim() {
	claimed=$state/lock.$run.$1
	until said=$(ln "$own" "$claimed" 2>&1); do
		if [ ! -f "$claimed" ]; then
			case $said in *'File exists'*) return 1 ;; esac
			cannot "create '$claimed'" "$said"
		fi
		read_lock "$claimed"
		if is_alive "$keeper" "$keeper_ticks" "$keeper_boot"; then return 1; fi
		rm -f "$claimed"
	done
}

# Points the link $1 at $2 by a rename, so that it is valid at every instant.  mv needs -T (not in POSIX), or
# it would move the new link into the folder that the old one points at.
point() {
	new=${1%/*}/.${1##*/}.$run.$epoch
	if [ -e "$new" ] || [ -L "$new" ]; then must "remove '$new'" rm -f "$new"; fi
	must "create '$new'" ln -s "$2" "$new"
	if ! said=$(mv -fT "$new" "$1" 2>&1) && ! other=$(mv -fh "$new" "$1" 2>&1); then
		rm -f "$new"
		cannot "point '$1' at '$2'" "$said$newline$other"
	fi
	flush_later "$deploy_to"
}

# Touches the restart file; makes its folder if necessary.
touch_file() {
	umask "$umask_was"
	if [ ! -d "${1%/*}" ]; then must "create '${1%/*}'" mkdir -p "${1%/*}"; fi
	if [ -e "$1" ] || [ -L "$1" ] || ! { true >"$1"; } 2>/dev/null; then must "touch '$1'" touch "$1"; fi
	own_umask
}

# Restores the locale and umask of the login, for the user's commands.
as_at_login() {
	umask "$umask_was"
	if [ -n "$login_locale" ]; then LC_ALL=$login_locale; else unset LC_ALL; fi
}

# What every stage does on a host, in this order: check whether something that was started is already done,
# record the intention, then act.  A script defines the functions seen, act and undo.  The marks are on disk at the
# end of the script, and before an act that flushes.
stage_main() {
	begin_change
	last_mark "$step"
	case $verb in
	run)
		case $mark in
		done) ;;
		begun)
			if ! seen; then
				act
				seen || fail "the result of '$step' could not be verified"
			fi
			note_mark "$step" "done"
			;;
		*)
			note_mark "$step" begun
			act
			seen || fail "the result of '$step' could not be verified"
			note_mark "$step" "done"
			;;
		esac
		;;
	undo)
		case $mark in
		'' | undone) ;;
		*)
			undo
			note_mark "$step" undone
			;;
		esac
		;;
	esac
	flush_at_end
}
