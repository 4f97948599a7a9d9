# shellcheck shell=sh disable=SC2154,SC2015
# Touches the restart file through the new release.  Values: touch, last (no command follows).

# An existing file does not show that it was touched, so after a crash it is touched again, which is harmless.
begin_change
last_mark "$step"
if [ "$mark" != "done" ]; then
	if [ "$mark" != begun ]; then note_mark "$step" begun; fi
	touch_file "$path/$touch"
	if [ -n "$last" ]; then note_mark "$step" "done"; fi
fi
flush_at_end
