#!/bin/bash
# The story crelease exists for, told twice: a real pg_dump | gzip runs, somebody deploys a revision with
# a pending migration, and a web request reads the migrated table every second.  First with Capistrano,
# then with crelease.  Each line that they print, with the seconds since the deploy began; the requests
# that took longer than usual are among them.  MB=400: the size of the database, about.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
mb=${MB-400} slow_ms=200

# stamp: each line of the standard input with the seconds since $begun.
stamp() { perl -MTime::HiRes=time -pe 'BEGIN { $| = 1; $b = shift } printf "%6.1f  ", time - $b / 1000; s/\e\[[0-9;]*[A-Za-z]//g; s/\r//g' "$begun"; }

fill() { # DATABASE
    sql "create table big as select g as id, (select string_agg(md5((g * 32 + i)::text), ' ') from generate_series(1, 32) i) as body
             from generate_series(1, $mb * 1000) g;
         insert into events (name) select 'event ' || g from generate_series(1, 1000) g" "$1"
}

# What a cron line starts: ends by itself, and says when.
backup_begin() { # DATABASE
    on_host app1 "pg_dump -d '$1' | gzip >'$SITE/$1.sql.gz'; date +%s%3N >'$SITE/dumped'" </dev/null &
    DUMP=$!
    wait_for 60 copying "$1"
    # Somebody deploys while it runs, not in the moment it begins.
    sleep 3
}

since() { awk -v b="$begun" -v t="$1" 'BEGIN { printf "%6.1f", (t - b) / 1000 }'; }

# told NAME DATABASE COMMAND...: the story, and its transcript in $SITE/NAME.
told() {
    local name=$1 database=$2
    shift 2
    backup_begin "$database"
    probe_begin web "$database" "$SITE/requests"
    begun=$(now_ms)
    # With a terminal's line buffering, without its colours.
    { "$@" 2>&1 </dev/null || echo "ended with status $?"; } | stamp >"$SITE/$name.lines"
    wait "$DUMP"
    sleep 1
    probe_end
    {
        cat "$SITE/$name.lines"
        printf '%s  [backup] pg_dump | gzip has ended\n' "$(since "$(cat "$SITE/dumped")")"
        awk -v b="$begun" -v slow=$slow_ms '
            { n++; took[n] = $2; at[n] = $1; if ($2 > slow) held++; else if ($2 > usual) usual = $2 }
            END {
                for (i = 1; i <= n; i++)
                    if (took[i] > slow) printf "%6.1f  [web] request answered after %.1f s\n", (at[i] + took[i] - b) / 1000, took[i] / 1000
                printf "        [web] %d of %d requests held up; the others took at most %.0f ms\n", held, n, usual
            }' "$SITE/requests"
    } | sort -n -s -k1,1 >"$SITE/$name.told"
}

# short REGEX: the lines that match, and how many others stand between them.  Requests are told together.
short() {
    awk -v keep="$1" '
        function others() { if (n) printf "        ... %d line%s\n", n, n == 1 ? "" : "s"; n = 0 }
        function web() {
            if (w > 1) printf "%s  [web] %d requests answered, after %.1f to %.1f s\n", at, w, least, most
            else if (w) printf "%s  [web] a request answered after %.1f s\n", at, most
            w = 0
        }
        /\[web\] request answered/ {
            at = substr($0, 1, 6)
            least = !w || $(NF - 1) < least ? $(NF - 1) : least
            most = !w || $(NF - 1) > most ? $(NF - 1) : most
            w++
            next
        }
        $0 ~ keep { others(); web(); print; next }
        !/\[web\]/ { n++ }
        END { others(); web() }'
}

rig_open
start_postgres
start_hosts 1
site_new shop 1
recipe_write <<<'migrate: {run: rake db:migrate, status: rake db:migrate:status}'
has_capistrano || exit 0
capistrano_write
for what in "$CRELEASE deploy production" capistrano; do
    $what >"$RIG/out" 2>&1 || { cat "$RIG/out" >&2; fail 'first deploy'; }
done
fill "$DB"
fill "$CAP_DB"
# An earlier night, of which crelease remembers how long it took.
commit_ruby_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
told earlier "$DB" "$CRELEASE" deploy production
capistrano >"$RIG/out" 2>&1
commit_ruby_migration 20260103000000 AddNoteToEvents 'add_column :events, :note, :string'
told cap "$CAP_DB" script -qefc "$(declare -f capistrano); SITE='$SITE'; capistrano" /dev/null
told crelease "$DB" "$CRELEASE" deploy production
for name in cap crelease; do
    printf '\n--- %s, all of it ---\n' "$name"
    sed "s|$SITE/cap-host|/var/www/shop|g; s|$SITE|/home/ann|g" "$SITE/$name.told"
done
for name in cap crelease; do
    printf '\n--- %s, shortened ---\n' "$name"
    sed "s|$SITE/cap-host|/var/www/shop|g; s|$SITE|/home/ann|g" "$SITE/$name.told" | grep -v '\[web\].*held up' |
        short 'git:wrapper|deploy:migrate|rake db:migrate$|\\[backup\\]|add_column|-> [0-9.]*s$|symlink:release|log_revision|revisions.log| -> production|backup-detect app1: [0-9]|backup app1|backup-clear app1: clear|rake db:migrate \\(|live on'
    grep 'held up' "$SITE/$name.told"
done
printf '\n(load at the end %s)\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
