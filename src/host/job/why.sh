# shellcheck shell=sh disable=SC2154,SC2015
# Finds the lines of a failed job's log that say why it failed.  It comes before job.sh, which calls tell_why;
# its output is read by src/core/job/excerpt.c.

# How error messages begin in the output of the tools that a deploy runs.
signs='(rails|rake|cap) aborted!
^ *Traceback \(most recent call last\)
(^|[[:space:](])([A-Za-z_][A-Za-z0-9_]*(::|\.|\\))*[A-Z][A-Za-z0-9_]*(Error|Exception)(:| \[| \()
^[[:space:]]*([A-Za-z_][A-Za-z0-9_]*(::|\.|\\))+[A-Z][A-Za-z0-9_]*(Error|Exception)[[:space:]]*$
^[A-Z][A-Za-z0-9]*(::[A-Z][A-Za-z0-9]*)+: 
(^|[^A-Za-z0-9_-])([Ee]rror|ERROR|[Ff]atal|FATAL|PANIC|CRITICAL|FAILED)(\[[A-Za-z0-9]+\])?[:!]([[:space:]]|$)
(Fatal|Parse) error:
(^|[[:space:]])(npm|pnpm|yarn) (ERR!|error)|ERR_PNPM
^error |^ERROR in |^ERROR [0-9]+ |\[(ERROR|error|CRITICAL|FATAL)\]
Exception in thread |Uncaught |Unhandled ?[Pp]romise ?[Rr]ejection|Unhandled exception
make(\[[0-9]+\])?: \*\*\* 
An error occurred|^Could not find |Module not found|Failed to compile|Compilation failed
SQLSTATE\[|^[[:space:]]*In [A-Za-z]+\.php line [0-9]+
^panic: |panicked at |^\*\* \('
# Used when no line has one of these.  Harmless lines contain such words too, so the last such line counts.
hints='error|exception|fatal|failed|failure|cannot|could not|unable to|denied|not found|no such|not permitted|undefined|out of memory|no space left|refused|timed out|killed|segmentation'

# The log without terminal colours, and without what a progress bar has overwritten.
plain_log() {
	LC_ALL=C sed "s/$esc\[[0-9;?]*[A-Za-z]//g; s/$cr\$//; s/.*$cr//" "$dir/$n/log" 2>/dev/null | tr -d '\000'
}

# Sends the part of the log that probably says why the command failed: "why FIRST LAST TOTAL" (the first and the last
# line that look like an error, 0 for none, and the number of lines of the log), then "why N:LINE" for the lines around
# these two and for the end.
tell_why() {
	esc=$(printf '\033') cr=$(printf '\r')
	total=$(plain_log | LC_ALL=C grep -a -c '')
	first=$(plain_log | LC_ALL=C grep -a -n -E -e "$signs" | cut -d: -f1 | sed -n '1p;$p')
	[ -n "$first" ] || first=$(plain_log | LC_ALL=C grep -a -n -i -E -e "$hints" | cut -d: -f1 | tail -n 1)
	last=${first##*"$newline"} first=${first%%"$newline"*}
	first=${first:-0} last=${last:-0} total=${total:-0}
	say why "$first $last $total"
	{
		plain_log | LC_ALL=C grep -a -n '' | LC_ALL=C sed -n \
			-e "$((first > 2 ? first - 2 : 1)),$((first + 120))p" -e "$((last > 1 ? last - 1 : 1)),$((last + 8))p" \
			-e "$((total > 12 ? total - 11 : 1)),\$p" | LC_ALL=C cut -b 1-4000 | head -c 200000
		echo
	} | sed 's/^/why /'
}
