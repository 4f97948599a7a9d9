# shellcheck shell=sh disable=SC2154,SC2034
# Gives a backup that is started again a folder outside of the run, because it outlives the run.
# In front of job.sh.  Values: of (as in mark.sh).  The newest ten of the earlier ones that have ended are kept.
where=${HOME:-/} job_dir=$state/rerun/$run$of
# shellcheck disable=SC2012 # names of runs
ls -1t "$state/rerun" 2>/dev/null | tail -n +11 | while read -r old; do
	case $old in '' | *[!0-9A-Za-z_-]*) continue ;; esac
	if [ -f "$state/rerun/$old/1/status" ]; then rm -rf "${state:?}/rerun/$old"; fi
done
