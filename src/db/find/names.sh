# shellcheck shell=sh disable=SC2154,SC2034
# Prints the names of the application's databases if there are several: "crelease-name NAME" (names.rb).  It comes
# after host/command.sh.
# Values: yml (as in host/several.sh), names_text (the program for ruby), and those of command.sh.
where=$deploy_to/current
[ -d "$where" ] || where=$deploy_to/shared
[ -d "$where" ] || where=/
for file in "$where/config/database.yml" "$deploy_to/shared/config/database.yml"; do
	if [ -z "$yml" ] && [ -f "$file" ] && [ -r "$file" ]; then yml=$(cat "$file"); fi
done
if [ -n "$yml" ]; then
	command='exec ruby -'
	printf '%s\n__END__\n%s\n' "$names_text" "$yml" | run_command input 2>/dev/null
fi
exit 0
