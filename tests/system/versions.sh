#!/bin/bash
# The servers of each version, as they have once answered: tests/recorded has what real ones said, and
# tests/recorded/record records it anew, by these same cases with such a server.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='s6_8_4 s6_9_0 s7_8_4 s7_9_1 s7_9_2 s7_9_3 s7_9_4 s7_9_5 s7_10 s7_12 s22_9_0 s22_9_1 s22_9_2 rights_9_1
    rights_9_2 watch_9_1 watch_9_2 watch_9_3 watch_9_4 watch_9_5 watch_9_6 watch_10 watch_12 watch_14 helpless_9_0
    s33_8_4 s33_9_1'

# Of the one who records: RECORD is the folder for the answers, and RECORD_PORT where the server is,
# RECORD_DUMP its pg_dump.
recording() { [ -n "${RECORD-}" ]; }
server() { PGHOST=127.0.0.1 PGPORT=$RECORD_PORT PGUSER=rig psql -XAtq -d "${2-rec}" -c "$1"; }
server_count() { [ "$(server "$1")" != 0 ]; }

phase() {
    echo "$1" >"$SITE/answers/phase.new"
    mv "$SITE/answers/phase.new" "$SITE/answers/phase"
}

# site_of VERSION NAME ROLE: a site whose database is such a server, asked as that role.  Standard
# input: the section migrate, or nothing.
site_of() {
    local name=${1//./_}_$2 rows migrate
    migrate=$(cat)
    VERSION=$1 NAME=$2
    site_new "$name" 1
    mkdir -p "$SITE/answers"
    cp "$TOP/tests/recorded/psql.pl" "$SITE/answers/psql.pl"
    phase quiet
    if recording; then
        rows=/dev/null
        : >"$SITE/answers/journal"
        printf 'PGHOST=127.0.0.1\nPGPORT=%s\nPGUSER=%s\n' "$RECORD_PORT" "$3" >"$SITE/answers/server"
        server "drop database if exists rec" postgres
        server "create database rec" postgres
        server "create table t1 as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, ${ROWS-1000}) g;
                create table t2 (id int); create table t3 (id int); create table t4 (id int)"
    else
        rows=$(echo "$TOP/tests/recorded/postgresql-$VERSION".*"/$NAME.rows")
        [ -f "$rows" ] || fail "there is no recording $rows"
    fi
    cp "$rows" "$SITE/answers/rows"
    recipe_write <<END
database: {adapter: postgresql, name: rec, psql: 'perl $SITE/answers/psql.pl $SITE/answers'}
${migrate:-"migrate: {run: 'echo run >>$SITE/migrated', lock_timeout: 500ms}"}
END
}

# What was asked was what had been recorded; of a recording, the last answer that each got in its phase.
site_ends() {
    if [ -s "$SITE/answers/unrecorded" ]; then
        fail "not asked so when it was recorded (tests/recorded/record): $(head -c 300 "$SITE/answers/unrecorded")"
    fi
    recording || return 0
    perl -e '
        my (%answer, @order, $key);
        while (<>) {
            if (/^ask (\S+ \S+)/) { $key = $1; push @order, $key if !exists $answer{$key}; $answer{$key} = $_ }
            else { $answer{$key} .= $_ }
        }
        print $answer{$_} for @order;
    ' "$SITE/answers/journal" | cat "$RECORD/head" - >"$RECORD/$NAME.rows"
}

migrated() { assert_equal "times migrated" "$({ cat "$SITE/migrated" || true; } 2>/dev/null | wc -l)" "$1"; }

# dump_begin [ROLE]: the server's own pg_dump, whose reader stands still; it is on no host of the site.
# Of the 1000 rows of site_of all was sent by the server already: it is idle in its transaction.
dump_begin() {
    if recording; then
        mkfifo "$SITE/gate"
        exec 8<>"$SITE/gate"
        { $RECORD_DUMP -h 127.0.0.1 -p "$RECORD_PORT" -U "${1-rig}" rec 2>"$SITE/dump.err" | { read -r _ <&8; cat >/dev/null; }; } &
        disown
        wait_for 60 server_count "select count(*) from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 't4'
            and l.mode = 'AccessShareLock'"
        local last='' now
        # Until no more goes through.
        until now=$(server "select max(relation::oid::text) || count(*) from pg_locks") && [ "$now" = "$last" ]; do
            last=$now
            sleep 1
        done
    fi
    phase dump
}

dump_end() {
    phase ended
    recording || return 0
    echo go >&8
    wait_for 60 dump_is_gone
}
dump_is_gone() { ! server_count "select count(*) from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 't4'"; }

waits() { grep -qE 'waiting for|blocks the migration|still running|, waited' "$CR_OUT" "$CR_ERR" && kill -0 "$CR_PID"; }

# As a superuser, while the dump is idle in its transaction: it is seen, and waited for.
seen_idle() { # VERSION KIND
    site_of "$1" idle rig </dev/null
    dump_begin
    expect_status 0 backups --json production
    assert_equal "kind" "$(json '.backups[0].kind')" "$2"
    assert_equal "blocks" "$(json '.backups[0].blocks_migrations')" true
    assert_equal "age" "$(json '.backups[0].running_s | type')" number
    assert_equal "statement" "$(json '.backups[0].query')" null # there "<IDLE> in transaction" stands in its place
    start_crelease deploy production
    wait_for 60 waits
    migrated 0
    dump_end
    finish_crelease 0
    migrated 1
    site_ends
}

case_s6_8_4() {
    seen_idle 8.4 dump-like
    grep -q 'PostgreSQL 8.4 does not show which sessions' "$CR_OUT" "$CR_ERR" || fail "does not tell that nothing is watched"
}
case_s6_9_0() { seen_idle 9.0 pg_dump; }
case_s6_9_1() { seen_idle 9.1 pg_dump; }

# Asked as a role without any grant, which sees no age and may stop nothing.
seen_plain() { # VERSION KIND
    ROWS=30000 site_of "$1" plain plain </dev/null
    dump_begin
    expect_status 0 backups --json production
    assert_equal "kind" "$(json '.backups[0].kind')" "$2"
    assert_equal "blocks" "$(json '.backups[0].blocks_migrations')" true
    assert_equal "age" "$(json '.backups[0] | .running_s, .since, .query | tostring')" $'null\nnull\nnull'
    expect_status 4 deploy --on-backup=kill production
    expect_output "$3"
    migrated 0
    start_crelease resume production
    wait_for 60 waits
    dump_end
    finish_crelease 0
    migrated 1
    site_ends
}
SUPER="it belongs to a superuser"
case_s7_8_4() { seen_plain 8.4 dump-like 'dump-like'; }
case_s7_9_0() { seen_plain 9.0 pg_dump "$SUPER"; }
case_s7_9_1() { seen_plain 9.1 pg_dump "$SUPER"; }
case_s7_9_2() { seen_plain 9.2 pg_dump "$SUPER"; }
case_s7_9_3() { seen_plain 9.3 pg_dump "$SUPER"; }
case_s7_9_4() { seen_plain 9.4 pg_dump "$SUPER"; }
case_s7_9_5() { seen_plain 9.5 pg_dump "$SUPER"; }
case_s7_9_6() { seen_plain 9.6 pg_dump "$SUPER"; }
case_s7_10() { seen_plain 10 pg_dump "$SUPER"; }
case_s7_12() { seen_plain 12 pg_dump "$SUPER"; }
case_s7_14() { seen_plain 14 pg_dump "$SUPER"; }
case_s7_17() { seen_plain 17 pg_dump "$SUPER"; }

# To be cancelled it would have to be doing something: the server says yes, and it is there as before.
ended() { # VERSION
    site_of "$1" ended rig </dev/null
    dump_begin
    expect_status 0 deploy --on-backup=kill production
    assert_equal "how" "$(cut -f 3 "$SITE/app1/.crelease/stopped")" terminate
    migrated 1
    dump_end
    site_ends
}
case_s22_9_0() { ended 9.0; }
case_s22_9_1() { ended 9.1; }
case_s22_9_2() { ended 9.2; }
case_s22_9_6() { ended 9.6; }

# A role's own dump: it may end that from 9.2 on.
own_dump() { # VERSION
    site_of "$1" own_dump plain </dev/null
    if recording; then
        server "alter table t1 owner to plain; alter table t2 owner to plain; alter table t3 owner to plain; alter table t4 owner to plain"
    fi
    dump_begin plain
}
case_rights_9_1() {
    own_dump 9.1
    expect_status 4 deploy --on-backup=kill production
    expect_output 'on PostgreSQL 9.1 only a superuser can stop it; database.psql in the recipe must run as'
    migrated 0
    dump_end
    expect_status 0 resume production
    site_ends
}
own_ended() {
    own_dump "$1"
    expect_status 0 deploy --on-backup=kill production
    assert_equal "how" "$(cut -f 3 "$SITE/app1/.crelease/stopped")" terminate
    dump_end
    site_ends
}
case_rights_9_2() { own_ended 9.2; }
case_rights_9_5() { own_ended 9.5; }

# A statement of the migration waits for somebody's transaction, and a reader behind it.
watched() { # VERSION NAME ROLE
    site_of "$1" "$2" "$3" <<END
migrate: {run: 'sh $RIG/sites/${1//./_}_$2/alter', lock_timeout: 2s}
END
    if recording; then
        server "alter table t2 owner to plain"
        cat >"$SITE/alter" <<END
cd $SITE_Q && export PGHOST=127.0.0.1 PGPORT=$RECORD_PORT PGUSER=$3 PGOPTIONS=
psql -XAtq -d rec -c 'alter table t2 add column c int' &
alter=\$!
until [ "\$(psql -XAtq -d rec -c 'select 1 from pg_locks where not granted')" ] || ! kill -0 \$alter; do sleep 0.1; done
if [ ! -e reader ]; then
    : >reader
    PGAPPNAME=web psql -XAtq -d rec -c 'select * from t2' &
fi
wait \$alter
END
    else
        cat >"$SITE/alter" <<END
cd $SITE_Q/answers
until read -r phase <phase && [ "\$phase" = ended ]; do
    case \$phase in *+) echo 'ERROR:  canceling statement due to user request'; exit 1 ;; esac
    sleep 0.1
done
END
    fi
    hold_begin
    start_crelease deploy production
}

# Somebody's transaction, with a share lock on t2 and an advisory lock, until hold_end.
hold_begin() {
    if recording; then
        mkfifo "$SITE/hold"
        PGHOST=127.0.0.1 PGPORT=$RECORD_PORT PGUSER=rig PGAPPNAME=console psql -XAtq -d rec <"$SITE/hold" >/dev/null 2>&1 &
        HOLD=$!
        exec 7>"$SITE/hold"
        printf "begin;\nselect count(*) from t2;\nselect pg_advisory_lock(42);\n" >&7
        wait_for 10 server_count "select count(*) from pg_locks where locktype = 'advisory' and objid = 42"
    fi
    phase held
}
hold_end() {
    phase ended
    recording || return 0
    printf '\\q\n' >&7
    exec 7>&-
    wait "$HOLD" || true
}
told() { grep -qE -- "$1" "$CR_OUT" "$CR_ERR"; }

cancelled() { # VERSION ROLE BY
    watched "$1" watch "$2" </dev/null
    wait_for 60 told 'attempt 1 of '
    told "waits for 'console' of rig, pid [0-9]+$3" || fail "the one that is waited for is not named"
    # It came only after that had been told, but into what is recorded as the last answer.
    recording || told '1 queues behind it' || fail "the reader is not told of"
    hold_end
    finish_crelease 0
    site_ends
}
IDLE=', idle in transaction for'
case_watch_9_0() { cancelled 9.0 rig "$IDLE"; }
case_watch_9_1() { cancelled 9.1 rig "$IDLE"; }
case_watch_9_2() { cancelled 9.2 plain ''; }
case_watch_9_3() { cancelled 9.3 plain ''; }
case_watch_9_4() { cancelled 9.4 plain ''; }
case_watch_9_5() { cancelled 9.5 plain ''; }
case_watch_9_6() { cancelled 9.6 plain ''; }
case_watch_10() { cancelled 10 plain ''; }
case_watch_12() { cancelled 12 plain ''; }
case_watch_14() { cancelled 14 plain ''; }
case_watch_17() { cancelled 17 plain ''; }

# Where only superusers may, who is none says so, and the statement waits on.
helpless() { # VERSION
    watched "$1" helpless plain </dev/null
    wait_for 60 told 'only a superuser can'
    told "waits for 'console' of rig" || fail "the one that is waited for is not named"
    hold_end
    finish_crelease 0
    site_ends
}
case_helpless_9_0() { helpless 9.0; }
case_helpless_9_1() { helpless 9.1; }

# The migration tool found its own lock taken: who has it is told, and waited for.
taken() { # VERSION
    site_of "$1" taken rig <<END
migrate: {run: 'grep -q ended $RIG/sites/${1//./_}_taken/answers/phase || { echo ConcurrentMigrationError; exit 1; }'}
END
    hold_begin
    start_crelease deploy production
    wait_for 60 told 'attempt 1 of '
    told "waits for $2 of rig, pid [0-9]+, idle in transaction" || fail "the one that has it is not named"
    hold_end
    finish_crelease 0
    site_ends
}
case_s33_8_4() { taken 8.4 'a session'; }
case_s33_9_1() { taken 9.1 "'console'"; }
case_s33_9_6() { taken 9.6 "'console'"; }

rig_open
start_hosts 1
run_cases "$@"
