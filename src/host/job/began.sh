# shellcheck shell=sh disable=SC2154
# Answers "began N" for each job of the step that was started on this host, and "began N" too for those that the
# deploying machine ran (core/job/undo.c).
# Values: jobs (their numbers).
for n in $jobs; do
	if [ -d "$run_dir/jobs/$step.$n" ]; then say began "$n"; fi
done
exit 0
