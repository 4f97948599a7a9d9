# shellcheck shell=sh disable=SC2154,SC2034
# Passes what reach.sh has found on to the script that comes after this one, client.sh or hold.sh.
# Values: client_postgresql, ask_postgresql, sql_postgresql, and the same for mysql; hold (the arguments of hold.sh's
# client); tell ("yes": answer what was found).
# Answers "found KEY VALUE" (reach.sh), and "found again yes" when the text that finds it has to be sent again.
db_again=''
if ! find_database; then
	if [ -n "$db_again" ]; then say found 'again yes'; else tell_found; fi
	say client 2
	exit 0
fi
if [ -n "$tell" ]; then tell_found; fi
connect=export_found
case $db_adapter in
postgresql) client=$client_postgresql ask=$ask_postgresql hold=$hold_postgresql sql=${sql:-$sql_postgresql} ;;
mysql) client=$client_mysql ask=$ask_mysql hold=$hold_mysql sql=${sql:-$sql_mysql} ;;
esac
