#!/bin/bash
# How far off the expected end of a dump is, at 10, 50 and 90 % of it: the dumps of a database of text,
# jsonb and bytea whose dump has about MB=1200 million bytes, each after three earlier ones that a deploy waited
# for.  pg_dump to a file, into gzip, -Fc; into gzip while two other processes want the processor; and
# into gzip when the database has grown by a fifth.  Takes a quarter of an hour; KINDS='gzip grown'.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
kinds=${KINDS-plain gzip custom busy grown} mb=${MB-1200}

# rows N: the N-th part of the data, in rows of each kind; the tables are dumped in the order of their names.
tables_make() {
    sql "create table a_notes (id bigserial, at timestamptz, body text);
         create table b_profiles (id bigserial, data jsonb);
         create table c_files (id bigserial, name text, body bytea);
         create table d_lines (id bigserial, order_id bigint, price numeric, text text);
         alter table c_files alter body set storage external;
         create table blobs as select g as id, (select string_agg(sha256((g * 1000 + i)::text::bytea), '') from generate_series(1, 512) i) as body
             from generate_series(1, 64) g" "$DB"
}

tables_fill() { # MEGABYTES of dump: about a quarter text, a quarter jsonb, half bytea, and small rows
    sql "insert into a_notes (at, body) select now() - g * interval '1 s', 'GET /orders/' || g || ' of ' || md5(g::text) || repeat(' and so on', g % 12)
             from generate_series(1, $1 * 1900) g;
         insert into b_profiles (data) select jsonb_build_object('name', 'user ' || g, 'key', md5(g::text), 'tags', array['a', 'b', 'c' || g % 100], 'visits', g % 1000, 'address', jsonb_build_object('city', 'Town ' || g % 5000, 'street', md5((g * 7)::text)))
             from generate_series(1, $1 * 1150) g;
         insert into c_files (name, body) select 'file ' || g, substr(b.body, 1 + (g * 37) % 8192, 8192)
             from generate_series(1, $1 * 28) g join blobs b on b.id = 1 + g % 64 order by g;
         insert into d_lines (order_id, price, text) select g / 4, (g % 10000) / 100.0, 'line ' || g % 4
             from generate_series(1, $1 * 1000) g" "$DB"
}

dump_command() { # KIND
    case $1 in
    plain) echo "pg_dump -d '$DB' >'$SITE/backup.sql'" ;;
    custom) echo "pg_dump -Fc -d '$DB' -f '$SITE/backup.dump'" ;;
    *) echo "pg_dump -d '$DB' | gzip >'$SITE/backup.sql.gz'" ;;
    esac
}

dump_to_end() { on_host app1 "$(dump_command "$1")" </dev/null; }

# One dump, and a deploy that waits for it: its events in FILE, the time of its locks in FILE.locks.
waited_for() { # KIND FILE
    n=$((n + 1))
    commit_ruby_migration "$((20260103000000 + n))" "AddColumn$n" "add_column :events, :column$n, :string"
    probe_begin locks "$DB" "$2.locks" 0.1
    dump_to_end "$1" &
    local dump=$!
    wait_for 60 copying "$DB"
    "$CRELEASE" deploy --json production >"$2" 2>"$SITE/said" </dev/null || { cat "$2" "$SITE/said" >&2; fail 'deploy failed'; }
    wait "$dump"
    probe_end
}

# Of another night, so that the next one is not taken for the same.
night_passes() { awk '{ $2 -= 86400; print }' "$record" >"$record.new" && mv "$record.new" "$record"; }

# What was printed, against what came: lines "PERCENT_OF_THE_WAY ETA LOW HIGH LEFT", in seconds, - for nothing.
looks() { # FILE
    local begun ended
    begun=$(sed -n 's/^held //p' "$1.locks" | head -n 1)
    ended=$(sed -n 's/^free //p' "$1.locks" | tail -n 1)
    jq -r 'select(.event == "backup" and .state == "waiting") |
        [(.time | (sub("\\.[0-9]+Z"; "Z") | fromdateiso8601) * 1000 + (capture("\\.(?<ms>[0-9]+)Z").ms | tonumber)),
         .eta_s // "-", .eta_low_s // "-", .eta_high_s // "-"] | @tsv' "$1" |
        awk -v b="$begun" -v e="$ended" '$1 < e { printf "%.1f %s %s %s %.1f %.1f\n", 100 * ($1 - b) / (e - b), $2, $3, $4, (e - $1) / 1000, (e - b) / 1000 }'
}

# In the range, to the second that is printed.
judge() { # KIND FILE TITLE
    local at
    looks "$2" >"$2.looks"
    for at in 10 50 90; do
        awk -v at=$at -v title="$3" '
            function far(x) { return x < at ? at - x : x - at }
            NR == 1 || far($1) < far(best) { best = $1; eta = $2; low = $3; high = $4; left = $5; all = $6 }
            END {
                if (eta == "-") { printf "| %s, %d %% | no estimate | %.0f s left of %.0f s (at %.0f %%) |\n", title, at, left, all, best; exit }
                inside = low == "-" ? "no range" : left >= low - 1 && left <= high + 1 ? "in" : "not in"
                printf "| %s, %d %% | %+.1f %% | said %d s (%s-%s), %.0f s were left of %.0f s (at %.0f %%); %s |\n", title, at, 100 * (eta - left) / all, eta, low, high, left, all, best, inside
            }' "$2.looks"
    done
    awk -v title="$3" '$2 != "-" { n++; d = 100 * ($2 - $5) / $6; sum += d < 0 ? -d : d; if ($3 != "-" && $5 >= $3 - 1 && $5 <= $4 + 1) inside++ }
        END { printf "| %s, all %d looks | %.1f %% mean | in the range: %.0f %% |\n", title, n, n ? sum / n : 0, n ? 100 * inside / n : 0 }' "$2.looks"
}

rig_open
start_postgres
start_hosts 1
site_new nightly 1
n=0 record=$SITE/app1/.crelease/backups
"$CRELEASE" deploy production >"$RIG/out" 2>&1 || { cat "$RIG/out" >&2; fail 'first deploy'; }
echo "filling the database ..."
tables_make
tables_fill "$mb"
sql 'vacuum analyze' "$DB"
printf 'database: %s\n' "$(sql "select pg_size_pretty(pg_database_size('$DB'))")"

for kind in $kinds; do
    hogs=()
    case $kind in
    plain | gzip | custom)
        rm -f "$record"
        for i in 1 2 3; do
            waited_for "$kind" "$SITE/$kind.$i"
            night_passes
        done
        [ "$kind" != gzip ] || cp "$record" "$SITE/gzip.record"
        ;;
    busy | grown)
        [ -e "$SITE/gzip.record" ] || fail "KINDS: gzip comes before $kind"
        cp "$SITE/gzip.record" "$record"
        ;;
    esac
    case $kind in
    busy)
        for i in 1 2; do
            perl -e '1 while 1' &
            hogs+=($!)
        done
        ;;
    grown) tables_fill $((mb / 5)) ;;
    esac
    sed 's/^/  earlier: /' "$record"
    waited_for "$kind" "$SITE/$kind"
    [ ${#hogs[@]} -eq 0 ] || kill "${hogs[@]}"
    tail -n 1 "$record" | sed 's/^/  this one: /'
    rm -f "$SITE"/backup.*
    printf '%s: load %s\n' "$kind" "$(load)"
    judge "$kind" "$SITE/$kind" "$kind" | tee "$SITE/$kind.judged"
    mapfile -t -O ${#FIGURES[@]} FIGURES <"$SITE/$kind.judged"
done
figures 'The expected end of a dump, its error in % of the whole dump (+: said too long):'
