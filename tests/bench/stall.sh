#!/bin/bash
# The longest that an ordinary SELECT on the migrated table takes during a deploy, one every 10 ms, with
# a pg_dump of DUMP_S=11 seconds: one that runs already, and one that begins when the migration has, just
# before its ALTER TABLE.  crelease with the default lock_timeout, and Capistrano beside it.  RUNS=3 each.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${RUNS-3} dump_s=${DUMP_S-11}

# The migration stops at the door, once, until the dump of the other kind is there.
migration() { # VERSION
    commit_ruby_migration "$1" "AddColumn${1#20260103}" "if File.exist?('$SITE/armed')
      File.write('$SITE/door', '')
      sleep 0.005 while File.exist?('$SITE/armed')
    end
    add_column :events, :column${1#20260103}, :string"
}

# story NAME DATABASE DEPLOY...: one deploy with the next migration; appends the longest SELECT.
story() {
    local name=$1 database=$2 begun
    shift 2
    version=$((version + 1))
    migration "$version"
    rm -f "$SITE/armed" "$SITE/door" "$SITE/selects"
    probe_begin select "$database" "$SITE/selects"
    if [[ $name == during* ]]; then
        touch "$SITE/armed"
        (
            wait_for 120 test -e "$SITE/door"
            dump_for "$dump_s" "$database"
            rm "$SITE/armed"
            wait "$DUMP"
        ) &
    else
        dump_for "$dump_s" "$database"
    fi
    begun=$(now_ms)
    "$@" >"$SITE/said" 2>&1 </dev/null || { cat "$SITE/said" >&2; fail "$* failed"; }
    probe_end
    wait
    local longest
    longest=$(cut -d' ' -f2 "$SITE/selects" | largest)
    echo "$longest" >>"$RIG/$name"
    printf '%-18s deploy %8s, %5s SELECTs, longest %8s ms, load %s\n' "$name" "$(seconds $(($(now_ms) - begun)))" \
        "$(wc -l <"$SITE/selects")" "$longest" "$(load)"
}

rows() { # WHAT TITLE
    local a b
    a=$(median <"$RIG/$1-crelease")
    figure "longest SELECT, $2, crelease" "$(seconds "$a")" "at most $(seconds "$(largest <"$RIG/$1-crelease")")"
    [ -n "$with_cap" ] || return 0
    b=$(median <"$RIG/$1-cap")
    figure "the same, Capistrano" "$(seconds "$b")" "at most $(seconds "$(largest <"$RIG/$1-cap")"); $(awk -v a="$a" -v b="$b" 'BEGIN { printf "%.0f", b / a }') times as long"
}

rig_open
start_postgres
start_hosts 1
site_new stall 1
recipe_write <<<'migrate: {run: rake db:migrate, status: rake db:migrate:status}'
with_cap='' version=20260103000000
! has_capistrano || with_cap=yes
"$CRELEASE" deploy production >"$RIG/out" 2>&1 || { cat "$RIG/out" >&2; fail 'first deploy'; }
[ -z "$with_cap" ] || { capistrano_write && capistrano >"$RIG/out" 2>&1; } || { cat "$RIG/out" >&2; fail 'first deploy'; }
for database in "$DB" ${with_cap:+"$CAP_DB"}; do
    sql "insert into events (name) select 'event ' || g from generate_series(1, 1000) g" "$database"
    DB=$database make_big_table
done
for _ in $(seq "$runs"); do
    story before-crelease "$DB" "$CRELEASE" deploy production
    [ -z "$with_cap" ] || story before-cap "$CAP_DB" capistrano
    story during-crelease "$DB" "$CRELEASE" deploy production
    [ -z "$with_cap" ] || story during-cap "$CAP_DB" capistrano
done
rows before "a dump of $dump_s s runs"
rows during "it begins just before the ALTER TABLE"
figures "The longest SELECT on the migrated table during a deploy, $runs runs each, median:"
