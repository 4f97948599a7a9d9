#!/bin/bash
# What a database, a crontab and file names may have in them: nothing of it acts on a terminal, breaks
# --json, or shows a password.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='escapes_from_a_crontab escapes_from_a_file_name password_in_a_crontab password_in_a_statement
    history_without_end'
MIGRATES=rake

# site_hostile NAME [RECIPE]: one revision live, a migration committed.
site_hostile() {
    rm -f "$RIG/crontab"
    site_new "$1" 1
    recipe_write <<<"${2-backup: {policy: wait\}}"
    expect_status 0 deploy production
    commit_ruby_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
}

# Starts a backup on the host whose reader takes so little at a time that it outlasts the case.
host_dump() { # SHELL TEXT, with its output going to "$SITE/slowly"
    make_big_table
    cat >"$SITE/slowly" <<'END'
#!/usr/bin/perl
while (sysread STDIN, $_, 65536) { syswrite STDOUT, $_; select undef, undef, undef, 1 }
END
    chmod +x "$SITE/slowly"
    printf '%s\n' "$1" >"$SITE/backup.sh"
    on_host app1 "setsid sh $SITE_Q/backup.sh </dev/null >$SITE_Q/backup.out 2>&1 &" </dev/null
    wait_for 60 dump_runs
}

minute_in() { date -d "@$(($(date +%s) / 60 * 60 + $1 * 60))" '+%-M %-H * * *'; }

# --- escape sequences ----------------------------------------------------------------------------

ESC=$'\033'
EVIL="${ESC}[31m${ESC}]0;owned"$'\a'

# clean ARGUMENTS: nothing of what it says acts on a terminal.
clean() {
    run_crelease "$@"
    ! LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$OUT" "$ERR" || fail "crelease $*: a control character: $(LC_ALL=C grep -haP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$OUT" "$ERR" | head -n 2 | cat -v)"
    case " $* " in *' --json '*) jq -e . "$OUT" >/dev/null || fail "crelease $*: no JSON" ;; esac
}
clean_everywhere() {
    local command
    for command in backups status plan check; do
        clean $command production
        clean $command --json production
    done
}

# Looks like a dump: locks on most tables, and a statement of its own choice.
start_evil() {
    sql 'create table third as select 1 as id; create table fourth as select 1 as id' "$DB"
    mkfifo "$SITE/evil"
    exec 7<>"$SITE/evil"
    PGAPPNAME="nightly $EVIL" PGUSER="evil $EVIL" psql -XAtq -d "$DB" <"$SITE/evil" >/dev/null 2>&1 7>&- &
    disown
    {
        echo "begin; lock table events, schema_migrations, migration_runs, third, fourth in access share mode;"
        printf "copy (select '%s', 'hunter2', E'\\\\x1b[31m' /* %s */) to stdout;\n" "$EVIL" "$EVIL"
    } >&7
    wait_for 30 evil_runs
}
evil_runs() { [ -n "$(sql "select pid from pg_stat_activity where usename like 'evil%' and state = 'idle in transaction' and query ilike 'copy%'")" ]; }

case_escapes_from_the_database() {
    site_hostile escapes_from_the_database
    local password
    password=$(cut -d: -f5 "$PGPASSFILE")
    sql "create role \"evil $EVIL\" superuser login password '$password'"
    start_evil
    clean_everywhere
    clean backups --wait --wait-limit=1s production
    clean backups --wait --wait-limit=1s --json production
    clean deploy --on-backup=abort production
    assert_equal "status" "$STATUS" 4
    clean resume --json --on-backup=abort production
    clean status production
    expect_no_output hunter2
    clean backups production
    expect_no_output hunter2
    expect_output 'dump-like'
    clean abort production
}

case_escapes_from_a_crontab() {
    site_hostile escapes_from_a_crontab
    printf '%s\n' "$(minute_in 5) pg_dump $EVIL $DB" "$(minute_in 6) /opt/backup-$EVIL.sh" "99 99 * * * pg_dump $EVIL" \
        "CRON_TZ=$EVIL" "$(minute_in 7) pg_dump a" $'\xff\xfe'"$(minute_in 7) pg_dump b" "$(minute_in 8) pg_dump "$'\xff\xc2\x9b31m\xe2\x80\xae' >"$RIG/crontab"
    clean_everywhere
    clean backups production
    expect_output 'pg_dump \\x1b\[31m'
    clean deploy production
}

case_escapes_from_a_file_name() {
    site_hostile escapes_from_a_file_name "backup: {policy: kill, set_aside: true}"
    # As a script would make it: a blank at its end, too.
    host_dump "pg_dump $DB | $SITE_Q/slowly >$SITE_Q/\"\$(printf 'du \\033[31m\\377\\\\ mp ')\""
    clean_everywhere
    clean deploy production
    expect_output 'du \\x1b\[31m.* is incomplete.*incomplete now'
    clean_everywhere
    [ -n "$(find "$SITE" -maxdepth 1 -name '* .incomplete')" ] || fail "not set aside"
}

# --- passwords -----------------------------------------------------------------------------------

# Nothing that is said, or lies on the host or here in crelease's own files, has a password in it.
PASSWORD=hunter2
kept() { # ARGUMENTS
    run_crelease "$@"
    ! grep -q "$PASSWORD" "$OUT" "$ERR" || fail "crelease $*: the password is shown: $(grep -h "$PASSWORD" "$OUT" "$ERR" | head -n 1)"
}
kept_everywhere() {
    local command
    for command in backups status plan check history; do
        kept $command production
        kept $command --json production
    done
}
kept_on_host() {
    ! grep -rl "$PASSWORD" "$SITE/app1/.crelease" || fail "the password lies on the host"
}

case_password_in_psql() {
    site_hostile password_in_psql
    # What everybody may see of processes, looked at from the migration.
    cat >"$SITE/look" <<END
#!/bin/sh
for i in /proc/[0-9]*; do tr '\0' ' ' <\$i/cmdline; echo; done >>"$SITE/seen" 2>/dev/null
END
    recipe_write <<END
database: {adapter: postgresql, name: $DB, psql: 'OF_PASSWORD=$PASSWORD psql'}
migrate: {run: 'sh $SITE/look; rake db:migrate', status: 'sh $SITE/look; rake db:migrate:status'}
END
    kept_everywhere
    make_big_table
    start_dump
    kept backups --wait --wait-limit=1s production
    kept deploy --on-backup=abort production
    kept status production
    end_dump
    kept resume production
    assert_deployed "$(revision)" 2
    kept backups production --hold -- sh "$SITE/look"
    assert_exists "$SITE/seen"
    ! grep "$PASSWORD" "$SITE/seen" || fail "the password is in the arguments of a process"
    local psql
    for psql in "PGPASSWORD=$PASSWORD false" "psql postgresql://rig:$PASSWORD@[::1/$DB" "psql -d postgresql://rig:$PASSWORD@127.0.0.1:1/$DB" \
        "psql -d \\\"host=127.0.0.1 port=1 password=$PASSWORD nonsense\\\"" "env PGPASSWORD=$PASSWORD no-such-psql"; do
        commit_ruby_migration "2026010$((3 + $(git -C "$REPO" rev-list --count HEAD)))000000" "Add$(git -C "$REPO" rev-list --count HEAD)" "add_column :events, :c$(git -C "$REPO" rev-list --count HEAD), :string"
        recipe_write <<END
database: {adapter: postgresql, name: $DB, psql: "$psql"}
END
        kept_everywhere
        kept backups --wait production
        kept backups production --hold -- true
        kept deploy --json production
        kept_on_host_but_recipes
    done
}
# The recipe of a run is kept for its resume, for the login alone.
kept_on_host_but_recipes() {
    ! grep -rl "$PASSWORD" "$SITE/app1/.crelease" | grep -v '/runs/[0-9a-z]*/recipe$' || fail "the password lies on the host"
    [ -z "$(find "$SITE/app1/.crelease" -maxdepth 0 -perm /007)" ] || fail "others may read the recipe"
}

case_password_in_a_crontab() {
    site_hostile password_in_a_crontab "backup: {policy: kill, rerun: true}"
    cat >"$RIG/crontab" <<END
PGPASSWORD=$PASSWORD
$(minute_in 3) pg_dump postgresql://ann:$PASSWORD@db.example.com/neighbour >/dev/null
$(minute_in 4) sshpass -p $PASSWORD ssh x pg_dump neighbour >/dev/null
$(minute_in 5) mysqldump -p$PASSWORD neighbour >/dev/null; pg_dump neighbour
$(minute_in 6) curl -u ann:$PASSWORD https://x; pg_dump neighbour
$(minute_in 7) export PGPASSWORD="$PASSWORD"; pg_dump neighbour
$(minute_in 8) pg_dump "host=db password='$PASSWORD x' dbname=neighbour"
$(minute_in 9) pg_dump postgresql://ann:$PASSWORD%40x@db/neighbour
99 99 * * * PGPASSWORD=$PASSWORD pg_dump
$(minute_in 600) for i in /proc/[0-9]*; do tr '\0' ' ' <\$i/cmdline; echo; done >>$SITE/seen 2>/dev/null; PGPASSWORD=$PASSWORD pg_dump -s $DB >$SITE/second.sql; echo \$PGPASSWORD >$SITE/given
END
    kept_everywhere
    host_dump "PGPASSWORD=$PASSWORD pg_dump postgresql://rig:$(cut -d: -f5 "$PGPASSFILE")@$PGHOST:$PGPORT/$DB | $SITE_Q/slowly >$SITE_Q/dump.sql"
    kept_everywhere
    kept deploy production
    assert_deployed "$(revision)" 2
    wait_for 30 test -s "$SITE/given"
    assert_equal "what the crontab sets" "$(cat "$SITE/given")" "$PASSWORD"
    kept_everywhere
    kept_on_host
    PASSWORD=$(cut -d: -f5 "$PGPASSFILE")
    kept_on_host
    kept_everywhere
    PASSWORD=hunter2
    ! grep "$PASSWORD" "$SITE/seen" || fail "the password is in the arguments of a process"
}

# A statement that blocks, and one of a session that is taken for a backup.
case_password_in_a_statement() {
    site_hostile password_in_a_statement
    mkfifo "$SITE/evil"
    exec 7<>"$SITE/evil"
    psql -XAtq -d "$DB" <"$SITE/evil" >/dev/null 2>&1 7>&- &
    disown
    echo "begin; lock table events in access share mode; copy (select '$PASSWORD', \$\$$PASSWORD\$\$, 'postgresql://u:$PASSWORD@h') to stdout;" >&7
    wait_for 30 copies
    kept_everywhere
    run_crelease backups production
    expect_output 'copy'
    start_crelease deploy production
    wait_for 60 grep -q 'migration waits for' "$CR_OUT"
    echo 'rollback; \q' >&7
    finish_crelease ''
    ! grep "$PASSWORD" "$CR_OUT" "$CR_ERR" || fail "the password is shown"
    kept_everywhere
    kept_on_host
}
copies() { [ -n "$(sql "select pid from pg_stat_activity where datname = '$DB' and state = 'idle in transaction' and query ilike 'copy%'")" ]; }

# --- an owner of the database who is no superuser -------------------------------------------------

# What the application's role can put in the way of a superuser who looks at its database: operators that
# fit better than the server's own or stand before them, and a cast of its table.  Each tells who ran it.
snare() {
    sql "create role owner_$DB" postgres
    sql "alter database \"$DB\" owner to owner_$DB; alter schema public owner to owner_$DB;
         create table public.caught (who text, as_whom text); alter table events owner to owner_$DB;
         grant all on public.caught to public; alter database \"$DB\" set search_path = public, pg_catalog" "$DB"
    psql -XAtq -v ON_ERROR_STOP=1 -v owner="owner_$DB" -d "$DB" <<'END'
set session authorization :"owner";
create function public.caught() returns void language sql as
  $$ insert into public.caught values (pg_catalog.current_setting('application_name'), current_user) $$;
create function public.snare(name, name) returns boolean language plpgsql as
  $$ begin perform public.caught(); return $1 operator(pg_catalog.!~) $2::pg_catalog.text; end $$;
create function public.snare(bigint, numeric) returns boolean language plpgsql as
  $$ begin perform public.caught(); return $1::numeric operator(pg_catalog.>=) $2; end $$;
create function public.snare(text, text) returns boolean language plpgsql as
  $$ begin perform public.caught(); return $1 operator(pg_catalog.=) $2; end $$;
create function public.snare(public.events) returns text language plpgsql as
  $$ begin perform public.caught(); return ''; end $$;
create operator public.!~ (leftarg = name, rightarg = name, procedure = public.snare);
create operator public.>= (leftarg = bigint, rightarg = numeric, procedure = public.snare);
create operator public.= (leftarg = text, rightarg = text, procedure = public.snare);
create cast (public.events as text) with function public.snare(public.events) as implicit;
END
    sql "insert into public.events (name) values ('a')" "$DB"
}

case_owner_is_not_obeyed() {
    site_hostile owner
    make_big_table
    snare
    start_dump
    expect_status 0 backups production
    expect_output 'pg_dump of owner'
    start_crelease deploy production
    wait_for 30 grep -q 'backup app1: pg_dump' "$CR_OUT" "$CR_ERR"
    end_dump
    finish_crelease 0
    assert_equal caught "$(sql "select string_agg(distinct as_whom || ' as ' || who, ', ') from public.caught
        where who operator(pg_catalog.~) '^crelease(-watch|-hold|-migration-.*)?\$'" "$DB")" ''
}

rig_open
own_crontab
start_postgres
start_hosts 1
# --- history -------------------------------------------------------------------------------------

# What a host says of its past is counted by who reads it, and each line is held against its form.
case_history() {
    site_new history 1
    recipe_write
    expect_status 0 deploy production
    local release
    release=$(release)
    cat >>"$SITE/app1/revisions.log" <<'END'
Branch (at  main (at 3f2a) deployed as release 20261122153012 by ann
Branch x (at 3f2a) deployed as release 20261122153013 by
Branch (at ) deployed as release 20261122153014 by ann
Branch a (at b (at 5c1d) deployed as release 20261122153015 by bob
deployed as release  by  (at
END
    printf '%s\n' "aaaa01 9223372036854775808 done deploy 20261122153016 - - 5 ann" \
        "aaaa02 99999999999999 done deploy 20261122153017 - - 5 ann" \
        "aaaa03 1795361412 done deploy 20261122153018 - - -62135596800 ann" \
        "aaaa04 253402300799 done deploy 20261122153019 - - 1795361412 ann" \
        "$(printf 'aaaa05 \377\376 done')" "aaaa06" "" >>"$SITE/app1/.crelease/history"
    for command in history 'history --json'; do
        # shellcheck disable=SC2086
        clean $command production
        assert_equal "$command: status" "$STATUS" 0
    done
    assert_equal "runs" "$(json ".runs[] | select(.release != \"$release\") | .release + \" of \" + (.ref // \"-\")")" \
        $'20261122153019 of -\n20261122153015 of a (at b\n20261122153012 of (at  main'
    assert_equal "ended" "$(json '.runs[0].ended')" 9999-12-31T23:59:59Z

}

case_history_without_end() {
    site_new history_without_end 1
    recipe_write
    expect_status 0 deploy production
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "r%05d 17953614%02d done deploy 20261122153019 - main 1795361412 ann\n", i, i % 100 }' >"$SITE/lies"
    printf '#!/bin/sh\ncat "%s"\n' "$SITE/lies" >"$RIG/bin/tail"
    chmod +x "$RIG/bin/tail"
    run_crelease history --json production
    rm "$RIG/bin/tail"
    assert_equal "status" "$STATUS" 0
    expect_output 'more than 1000 runs'
    jq -e .runs "$OUT" >/dev/null || fail "no JSON"
}

run_cases "$@"
