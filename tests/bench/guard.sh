#!/bin/bash
# How long after the last lock of a pg_dump is gone the migration's command starts, on a host beside the
# database: RUNS=9 dumps, which end at different moments between two looks.  And where that time goes.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${RUNS-9} poll_ms=1000

# The time of the first event that jq selects, in ms of the unix clock.
event_ms() { jq -r "select($1) | .time" "$SITE/events" | head -n 1 | { read -r t && date -d "$t" +%s%3N; }; }
waits() { jq -e 'select(.event == "backup" and .state == "waiting")' "$SITE/events" >/dev/null 2>&1; }

one() { # NUMBER
    local phase gone started clear begun deploy
    commit_ruby_migration "202601030000$((10 + $1))" "AddColumn$1" "add_column :events, :column$1, :string"
    rm -f "$SITE/started" "$SITE/locks"
    start_dump
    probe_begin locks "$DB" "$SITE/locks"
    "$CRELEASE" deploy --json production >"$SITE/events" 2>"$SITE/said" </dev/null 8>&- &
    deploy=$!
    wait_for 60 waits
    # Past the first look, then evenly over the time between two.
    phase=$((poll_ms + poll_ms * $1 / runs))
    sleep "$((phase / 1000)).$(printf %03d $((phase % 1000)))"
    end_dump
    wait "$deploy" || { cat "$SITE/events" "$SITE/said" >&2; fail 'deploy failed'; }
    probe_end
    gone=$(sed -n 's/^free \([0-9]*\).*/\1/p' "$SITE/locks" | tail -n 1)
    started=$(head -n 1 "$SITE/started")
    clear=$(event_ms '.event == "stage" and .stage == "backup-clear" and .state == "done" and .host == null')
    begun=$(event_ms '.event == "stage" and .stage == "migrate" and .state == "begun"')
    echo $((started - gone)) >>"$RIG/guard"
    echo $((clear - gone)) >>"$RIG/clear"
    echo $((started - clear)) >>"$RIG/start"
    printf 'dump %s: clear after %4d ms, migrate begun %4d ms, its command started %4d ms, load %s\n' "$1" $((clear - gone)) \
        $((begun - gone)) $((started - gone)) "$(load)"
}

rig_open
start_postgres
start_hosts 1
site_new guard 1
recipe_write <<END
migrate: {run: 'date +%s%3N >>"$SITE/started"; rake db:migrate', status: rake db:migrate:status}
END
"$CRELEASE" deploy production >"$RIG/out" 2>&1 || { cat "$RIG/out" >&2; fail 'first deploy'; }
make_big_table
for i in $(seq "$runs"); do
    one "$i"
done
figure 'from the last lock gone to the start of the migration' "$(seconds "$(median <"$RIG/guard")")" "at most $(seconds "$(largest <"$RIG/guard")")"
figure 'of it until it is seen to be clear, twice' "$(seconds "$(median <"$RIG/clear")")" "at most $(seconds "$(largest <"$RIG/clear")")"
figure 'of it from then to the start' "$(seconds "$(median <"$RIG/start")")" "at most $(seconds "$(largest <"$RIG/start")")"
figures "From the end of a dump to the migration, $runs dumps, median:"
