#!/bin/bash
# A redeploy of an application of 2,000 files and 20 MB on one host, over a loopback sshd: crelease, and
# Capistrano doing the same work.  RUNS=5 each, taken in turn; medians.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${RUNS-5}

two_thousand_files() {
    local folder file
    for folder in $(seq 40); do
        mkdir -p "$REPO/app/part$folder"
        for file in $(seq 50); do
            # Text of about 10 KB which no two files share.
            head -c 7500 /dev/urandom | base64 >"$REPO/app/part$folder/file$file.rb"
        done
    done
    commit_all 'Two thousand files'
}

# measure NAME COMMAND...: for each run a change made by COMMAND NUMBER, deployed by both.
measure() {
    local name=$1 i
    shift
    for i in $(seq "$runs"); do
        "$@" "$i"
        timed "$RIG/$name" "$CRELEASE" deploy production
        [ -z "$with_cap" ] || timed "$RIG/$name.cap" capistrano
    done
    printf '%s: crelease %s; Capistrano %s; load %s\n' "$name" "$(paste -sd' ' "$RIG/$name")" "$(paste -sd' ' "$RIG/$name.cap" 2>/dev/null)" "$(load)"
}
row() { # NAME WHAT
    figure "$2" "$(seconds "$(median <"$RIG/$1")")" "${with_cap:+$(seconds "$(median <"$RIG/$1.cap")")}"
}

change() { commit_file "app/part1/file$1.rb" "changed $1"; }
change_again() { commit_file "app/part2/file$1.rb" "changed $1"; }
migration() { commit_ruby_migration "202601030000$((10 + $1))" "AddColumn$1" "add_column :events, :column$1, :string"; }

rig_open
start_postgres
start_hosts 1
site_new bench 1
# As recipes/rails/recipe.yml has it: rake is started when something under db/migrate has changed.
recipe_write <<<'migrate: {run: rake db:migrate, status: rake db:migrate:status, paths: [db/migrate]}'
two_thousand_files
with_cap=
! has_capistrano || with_cap=yes
[ -z "$with_cap" ] || capistrano_write
printf 'application: %s files, %s\n' "$(git -C "$REPO" ls-files | wc -l)" "$(du -sh --apparent-size "$REPO/app" | cut -f1)"
for _ in 1 2 3 4 5 6 7 8 9; do
    timed "$RIG/version" "$CRELEASE" --version
done
timed "$RIG/first" "$CRELEASE" deploy production
[ -z "$with_cap" ] || timed "$RIG/first.cap" capistrano
measure redeploy change
# Without paths: rake is asked each time what is pending, as Capistrano starts it each time.
recipe_write </dev/null
measure asking change_again
measure migrating migration
# shellcheck disable=SC2016 # for a table
{
    row redeploy 'redeploy, a small change, nothing under `db/migrate`'
    row asking 'the same without `migrate.paths`, so that rake is asked what is pending'
    row migrating 'with a migration'
    row first 'first deploy'
    figure '`crelease --version`' "$(seconds "$(median <"$RIG/version")")"
}
figures "$runs runs each, taken in turn; medians:" crelease Capistrano
