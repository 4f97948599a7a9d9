#!/bin/sh
# manual.sh PROGRAM -- compare the manuals and the examples in the documents with the program.
#
# crelease(1) must have exactly the commands, options and exit statuses that the program's help
# lists, and crelease-recipe(5) exactly its keys, with the same defaults. Every example of a key,
# and every recipe in a README, must be a recipe that the program accepts. Every link must lead
# somewhere.
#
# Both sides are turned into sorted lists of lines, so a failure shows as a diff: '-' is what the
# program says, '+' is what the manual says.
set -u

program=$1
manual=src/cli/crelease.1
recipe_manual=src/recipe/crelease-recipe.5
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

compare() { # WHAT: $work/program against $work/manual
    sort -u "$work/program" >"$work/program.sorted"
    sort -u "$work/manual" >"$work/manual.sorted"
    [ -s "$work/program.sorted" ] || { echo "$1: the program lists nothing"; failed=1; }
    diff -u --label "$1, the program" --label "$1, the manual" \
        "$work/program.sorted" "$work/manual.sorted" || failed=1
}

# The lines of one .Sh section of a manual.
section() { # FILE NAME
    awk -v name="$2" '/^\.Sh / { inside = ($0 == ".Sh " name); next } inside' "$1"
}

# --- crelease(1) -----------------------------------------------------------------------------------

commands() { "$program" help --json | jq -r '.commands[].command'; }

# The options in a piece of help, as "--long" or "-s --long", with the argument behind it.
options_in_help() {
    sed -n -e 's/^ *-\([a-zA-Z]\), --\([a-z-]*\) \([A-Z,]*\)  *.*/-\1 --\2 \3/p' \
        -e 's/^ *--\([a-z-]*\) \([A-Z,]*\)  *.*/--\1 \2/p' | sed 's/ *$//'
}

own_options() { # COMMAND
    [ "$1" = help ] || "$program" "$1" --help | sed '/^Options of every command/,$d' | options_in_help
}

# The heads of the commands are '.It Xo Cm NAME' to '.Xc', one option in each line.
options_in_heads() {
    section "$manual" COMMANDS | awk '
        /^\.It Xo Cm / { command = $4; print command; head = 1; next }
        /^\.Xc/ { head = 0 }
        head && /^\.Op Fl - Ar CMD/ { next }
        head && /^\.Op Fl / {
            line = $0
            sub(/^\.Op Fl /, "", line)
            sub(/ Fl - Ar CMD/, "", line)       # what follows --hold
            gsub(/ \| /, " -", line)
            gsub(/ Ar /, " ", line)
            print command " -" line
        }'
}

options_in_list() { # the .It lines of OPTIONS
    section "$manual" OPTIONS | sed -n 's/^\.It Fl //p' | sed 's/ , / -/; s/ Ar / /; s/^/-/'
}

{
    commands
    for command in $(commands); do
        own_options "$command" | sed "s/^/$command /"
    done
} >"$work/program"
options_in_heads >"$work/manual"
compare 'commands and their options'

{
    "$program" help | options_in_help
    for command in $(commands); do own_options "$command"; done
} >"$work/program"
options_in_list >"$work/manual"
compare options

"$program" help exit --json | jq -r '.exit[] | "\(.status) \(.word)"' >"$work/program"
section "$manual" 'EXIT STATUS' | sed -n 's/^\.It \([0-9]*\) Pq /\1 /p' >"$work/manual"
compare 'exit statuses'

# A table in a document repeats the statuses with what to do about each.
sed -n 's/^| \([0-9][0-9, ]*\) | \([a-z]*\) .*/\1 \2/p' README.md |
    sed 's/^\([0-9]*\), \([0-9]*\) \(.*\)/\1 \3\n\2 \3/' >"$work/manual"
compare 'exit statuses (README.md)'

grep -rhoE 'getenv\("[A-Za-z_]+"' src --include='*.c' | sed 's/.*"\(.*\)"/\1/' >"$work/program"
grep -rhoE '\b(CRELEASE_(APPLICATION|ENVIRONMENT|RELEASE|REVISION|RUN|HOST)|PGAPPNAME|PGOPTIONS)\b' src \
    --include='*.[ch]' --include='*.sh' >>"$work/program"
printf '%s\n' USER LOGNAME USERNAME >>"$work/program" # a list in cli/session.c
section "$manual" ENVIRONMENT | sed -n 's/^\.It Ev //p' | sed 's/ , /\n/g' >"$work/manual"
compare 'environment variables'

# --- crelease-recipe(5) ----------------------------------------------------------------------------

keys() { "$program" help recipe | sed -n 's/^  \([a-z][a-z_.]*\) .*/\1/p'; }

for key in $(keys); do
    "$program" help "$key" | awk -v key="$key" '
        /^  default: / && !/^  default: none$/ { sub(/^  default: /, ""); rest = " default " $0 }
        /^  required$/ { rest = " required" }
        END { print key rest }'
done >"$work/program"
sed -n 's/^\.It Cm \([a-z_.]*\) Pq "\{0,1\}\([^"]*\)"\{0,1\}$/\1 \2/p' "$recipe_manual" | sed 's/\\&//g' | awk '
    { key = $1; rest = "" }
    match($0, /[,;] default .*/) { rest = " " substr($0, RSTART + 2) }
    /, required/ { rest = " required" }
    { print key rest }' >"$work/manual"
compare 'keys and defaults'

# --- examples --------------------------------------------------------------------------------------

# Puts in front of an example what makes it a whole recipe. The task does not exist, so no host is
# contacted.
accepted() { # WHAT EXAMPLE
    rest=
    before "application:" "$2" || rest="application: shop"
    before "transport:" "$2" || rest="$rest
transport: local"
    before "environments:" "$2" || rest="$rest
environments: {production: {hosts: [localhost]}}"
    environment=production
    case $2 in *production*) ;; *'environments: {staging'*) environment=staging ;; esac
    printf '%s\n' "$rest" "$2" >"$work/crelease.yml"
    case $(API_TOKEN=secret "$program" run "$environment" no-such-task -f "$work/crelease.yml" 2>&1) in
    *"no task 'no-such-task'"*) ;;
    *)
        echo "$1: crelease does not accept this example:"
        cat "$work/crelease.yml"
        API_TOKEN=secret "$program" run "$environment" no-such-task -f "$work/crelease.yml"
        return 1
        ;;
    esac
}

# Does a line of the text begin with this key?
before() { # KEY TEXT
    case "
$2" in *"
$1"*) return 0 ;; esac
    return 1
}

# One .Dl line each, which for a host or a job is an entry of a list.
sed -n '/^\.It Cm /h; /^\.Dl /{s/^\.Dl //;x;p;x;p;}' "$recipe_manual" | while read -r it && IFS= read -r example; do
    key=${it#.It Cm }
    key=${key%% *}
    example=$(printf '%s\n' "$example" | sed 's/\\(dq/"/g; s/\\&//g')
    case $key in
    hosts) example="environments: {production: {$example}}" ;;
    hosts.*) example="environments: {production: {hosts: [${example#- }]}}" ;;
    job.undo | job.keep_if_half_migrated) ;;
    job | job.*) example="build: [${example#- }]" ;;
    *) case $example in
        "${key%%.*}":*) ;;
        *)
            echo "crelease-recipe.5: the example of $key is about something else: $example"
            echo "$key" >>"$work/refused"
            ;;
        esac ;;
    esac
    accepted "crelease-recipe.5: $key" "$example" || echo "$key" >>"$work/refused"
    echo "$key" >>"$work/exemplified"
done
[ ! -e "$work/refused" ] || failed=1
keys >"$work/program"
cp "$work/exemplified" "$work/manual"
compare 'keys with an example'

for file in README.md recipes/README.md recipes/*/README.md; do
    awk -v dir="$work" '
        /^```yaml$/ { inside = 1; out = dir "/block." ++n; next }
        /^```$/ { inside = 0 }
        inside { print >out }' "$file"
    for block in "$work"/block.*; do
        [ -e "$block" ] || continue
        accepted "$file" "$(cat "$block")" || failed=1
        rm "$block"
    done
done

# --- links -----------------------------------------------------------------------------------------

# Every relative link of a document leads to a file or folder.
for file in README.md */README.md */*/README.md src/*/*/README.md; do
    [ -e "$file" ] || continue
    # shellcheck disable=SC2016 # the backquotes of Markdown
    sed 's/`[^`]*`//g' "$file" | grep -o '](\([^)]*\))' | sed 's/^](//; s/)$//; s/#.*//' | grep -v '^$\|^https*:' |
        while read -r link; do
            [ -e "$(dirname "$file")/$link" ] || echo "$file: no such file: $link"
        done
done >"$work/links"
[ ! -s "$work/links" ] || { cat "$work/links"; failed=1; }

# Each case that a document names, as `script/case`, is there, and so is each unit test, as `test_x` (`test_y`).
for file in src/README.md tests/README.md; do
    # shellcheck disable=SC2016 # the backquotes of Markdown
    grep -o '`[a-z_0-9]*/[a-z_0-9][a-z_0-9]*`' "$file" | tr -d '`' | while IFS=/ read -r script name; do
        [ ! -e "tests/system/$script.sh" ] || grep -q "^case_$name()" "tests/system/$script.sh" || echo "$file: no such case: $script/$name"
    done
    # shellcheck disable=SC2016
    sed -n 's/.*`\(test_[a-z_]*\)` (\(`test_[^)]*\)).*/\1 \2/p' "$file" | tr -d '`,' | while read -r program names; do
        for name in $names; do
            grep -q "void $name(" "tests/unit/$program.c" || echo "$file: no such test: $program $name"
        done
    done
done >"$work/cases"
[ ! -s "$work/cases" ] || { cat "$work/cases"; failed=1; }

[ "$(wc -c <README.md)" -le 12288 ] || { echo "README.md is larger than 12 kB"; failed=1; }

exit $failed
