# shellcheck shell=sh disable=SC2154,SC2034
# Where a backup that is started again has its files: outside of the run, because it outlives the run.  In front of
# job.sh.  Of the backups that were started so before, and have ended, the newest ten are kept.
where=${HOME:-/} job_dir=$state/rerun/$run
# shellcheck disable=SC2012 # names of runs
ls -1t "$state/rerun" 2>/dev/null | tail -n +11 | while read -r old; do
	case $old in '' | *[!0-9a-z]*) continue ;; esac
	if [ -f "$state/rerun/$old/1/status" ]; then rm -rf "${state:?}/rerun/$old"; fi
done
