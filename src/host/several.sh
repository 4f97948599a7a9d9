# shellcheck shell=sh disable=SC2154
# Answers "several yes" when config/database.yml of a Rails application may say more than one database for an
# environment: only then is ruby asked (db/find/names.sh).  survey.sh comes after it.
# Values: yml (the text of that file; or empty: the file of the live release, or the shared one).

# has_several FILE: whether something in the text is nested more than one level deep, or may be: a key without a value
# that has deeper lines, a map in braces, or Ruby that prints lines.
has_several() {
	opened='' tab=$(printf '\t')
	while IFS= read -r line || [ -n "$line" ]; do
		indent=${line%%[! "$tab"]*} text=${line#"${line%%[! "$tab"]*}"}
		case $text in
		'' | '#'*) continue ;;
		*'<%'[!=#]*) return 0 ;;
		*:*'{'*) if [ -n "$indent" ]; then return 0; fi ;;
		esac
		case $text in *'{'*'{'*) return 0 ;; esac
		if [ -n "$opened" ] && [ "${#indent}" -gt "${#opened}" ]; then return 0; fi
		opened=''
		# Neither a comment nor an anchor is a value.
		text=${text%%[ "$tab"]#*}
		text=${text%"${text##*[! "$tab"]}"}
		case $text in *: | *:[\ "$tab"]*\&*) opened=$indent ;; esac
	done
	return 1
}

if [ -n "$yml" ]; then
	if printf '%s\n' "$yml" | has_several; then say several yes; fi
else
	for file in "$deploy_to/current/config/database.yml" "$deploy_to/shared/config/database.yml"; do
		if [ -f "$file" ] && [ -r "$file" ]; then
			if has_several <"$file"; then say several yes; fi
			break
		fi
	done
fi
