#!/bin/bash
# Migration tools: each is asked what is pending, run when something is, and not run when nothing is.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.
LONG='rails django alembic sqitch output exit'
MIGRATES=rake

# site_of TOOL NAME PENDING_WHEN STATUS RUN: a site with the application tests/apps/TOOL.  How often
# the tool was asked and run is in $SITE/asked and $SITE/ran; while $SITE/kill is there, the whole
# job dies as with its host, right after the migration, or right before when that file is not empty.
site_of() {
    site_new "$2" 1
    TOOL=$1 WHEN=$3 STATUS_COMMAND=$4 RUN_COMMAND=$5
    if [ "$1" != rails ]; then
        git -C "$REPO" rm -rq .
        cp -R "$TOP/tests/apps/$1/." "$REPO"
        commit_all "The application"
    fi
    mkdir "$SITE/applied"
    tool_recipe
}

tool_recipe() {
    local links="linked_files: []
linked_dirs: []"
    [ "$TOOL" != rails ] || links=
    cat >"$SITE/run" <<END
die() { if test -e $SITE_Q/kill; then kill -KILL \$PPID \$\$; fi; }
echo x >>$SITE_Q/ran
if test -s $SITE_Q/kill; then die; fi
$RUN_COMMAND || exit
die
END
    recipe_write <<END
$links
env: {PGDATABASE: $DB, PYTHONDONTWRITEBYTECODE: 1, RAILS_ENV: production, APPLIED: '$SITE/applied',
      SQITCH_FULLNAME: Ann, SQITCH_EMAIL: ann@example.com}
migrate:
  pending_when: $WHEN
  status: "echo x >>$SITE_Q/asked; $STATUS_COMMAND"
  run: ". $SITE_Q/run"
  lock_timeout: 500ms
END
}

times_of() { if [ -e "$SITE/$1" ]; then wc -l <"$SITE/$1"; else echo 0; fi; }
ran() { assert_equal "how often it was run" "$(times_of ran)" "$1"; }
state_of() {
    expect_status 0 status --json production
    assert_equal "migrations" "$(json '.migrations | "\(.pending) \(.state)"')" "$1"
}

# brings FIRST SECOND: names of the migrations there are and, after `add_second`, of the other one.
brings() {
    expect_status 0 deploy production
    ran 1
    state_of '0 none'
    commit_file other.txt two
    rm -f "$SITE/asked"
    expect_status 0 deploy production
    expect_output 'nothing pending'
    [ "$(times_of asked)" -ge 1 ] || fail "the tool was not asked"
    ran 1

    add_second
    rm -f "$SITE/ran"
    : >"$SITE/kill"
    # Nobody says how it ended; the tool says that nothing is pending any more.
    expect_status 0 deploy production
    expect_output "1 pending: $1"
    ran 1
    state_of '0 none'
    rm "$SITE/kill"
    assert_deployed "$(revision)"
}

# What the sessions of both migrations had.
lock_timeouts() { assert_equal "lock_timeout" "$(sql 'select distinct lock_timeout, count(*) from seen group by 1' "$DB")" '500ms|2'; }

# A command that says it went well, and something is pending all the same.
does_nothing() {
    RUN_COMMAND=true
    tool_recipe
    rm -f "$SITE/ran"
    add_third
    expect_status 1 deploy production
    expect_output "$1"
    ran 1
    state_of "${2-1 pending}"
    expect_status 0 abort production
}

case_rails() {
    site_of rails rails rails 'rake db:migrate:status' 'rake db:migrate'
    add_second() { commit_ruby_migration 20260102000000 AddPlaceToEvents "execute 'select 1'"; }
    add_third() { commit_ruby_migration 20260103000000 AddNoteToEvents "execute 'select 1'"; }
    brings '20260102000000 Add place to events'
    does_nothing 'succeeded, but 1 is still pending: 20260103000000 Add note to events'
}

django_migration() { # NAME BEFORE
    cat >"$REPO/shop/migrations/$1.py" <<END
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "$2")]
    operations = [migrations.RunSQL("INSERT INTO seen SELECT current_setting('lock_timeout')")]
END
    commit_all "Add $1"
}

case_django() {
    site_of django django django 'python3 manage.py showmigrations --plan' 'python3 manage.py migrate --noinput'
    add_second() { django_migration 0002_note 0001_initial; }
    add_third() { django_migration 0003_more 0002_note; }
    brings 'shop\.0002_note'
    lock_timeouts
    does_nothing 'succeeded, but 1 is still pending: shop\.0003_more'
}

alembic_migration() { # ID BEFORE TEXT
    cat >"$REPO/versions/$1.py" <<END
"""$3"""
from alembic import op

revision = "$1"
down_revision = "$2"


def upgrade():
    op.execute("INSERT INTO seen SELECT current_setting('lock_timeout')")
END
    commit_all "Add $1"
}

case_alembic() {
    site_of alembic alembic alembic 'alembic history && alembic current' 'alembic upgrade heads'
    add_second() { alembic_migration a2 a1 'add note'; }
    add_third() { alembic_migration b2 a1 'a branch'; }
    brings 'a2 add note'
    lock_timeouts
    does_nothing 'succeeded, but 1 is still pending: b2 a branch'
}

sqitch_change() { # NAME
    echo "$1 2026-01-02T00:00:00Z Ann <ann@example.com> # Change $1" >>"$REPO/sqitch.plan"
    echo "INSERT INTO seen SELECT current_setting('lock_timeout');" >"$REPO/deploy/$1.sql"
    commit_all "Add $1"
}

case_sqitch() {
    site_of sqitch sqitch sqitch 'sqitch status db:pg:' 'sqitch deploy db:pg:'
    add_second() { sqitch_change note; }
    add_third() { sqitch_change more; }
    brings note
    lock_timeouts
    does_nothing 'succeeded, but 1 is still pending: more'
}

# Of the built-in recipes, which bring their own words; the tools find their database by themselves.
case_built_in_recipes() {
    local tool
    for tool in alembic sqitch; do
        site_new "built_in_$tool" 1
        git -C "$REPO" rm -rq .
        cp -R "$TOP/tests/apps/$tool/." "$REPO"
        [ "$tool" = alembic ] || git config -f "$REPO/sqitch.conf" engine.pg.target db:pg:
        commit_all "The application"
        recipe_write <<END
extends: $tool
linked_files: []
linked_dirs: []
env: {PGDATABASE: $DB, SQITCH_FULLNAME: Ann, SQITCH_EMAIL: ann@example.com}
END
        sed -i '/^migrate: /d' "$RECIPE"
        expect_status 0 deploy production
        expect_output 'migrate [^:]*: '
        expect_no_output 'migrate [^:]*: skipped'
        commit_file other.txt two
        expect_status 0 deploy production
        expect_output 'nothing pending'
        if [ "$tool" = alembic ]; then alembic_migration a2 a1 'add note'; else sqitch_change note; fi
        expect_status 0 deploy production
        expect_output '1 pending: (a2 add note|note)'
        state_of '0 none'
    done
}

# A command of one's own: the lines say which, and the status whether.
case_output_and_exit() {
    site_of plain output_and_exit "{exit: [3, 4], output: '^todo: (.*)'}" bin/pending bin/migrate
    add_second() { commit_file todo/0002_note two; }
    add_third() { commit_file todo/0003_more three; }
    brings 0002_note
    does_nothing 'succeeded, but 1 is still pending: 0003_more'
}

case_output() {
    site_of plain output "{output: '^todo: (.*)'}" 'bin/pending || test $? = 3' bin/migrate
    add_second() { commit_file todo/0002_note two; }
    add_third() { commit_file todo/0003_more three; }
    brings 0002_note
    does_nothing 'succeeded, but 1 is still pending: 0003_more'
}

# Only the status: there is something, and nobody knows how much.
case_exit() {
    site_of plain exit '{exit: 3}' bin/pending bin/migrate
    expect_status 0 deploy production
    expect_output 'pending, number unknown'
    ran 1
    state_of '0 none'
    commit_file other.txt two
    expect_status 0 deploy production
    expect_output 'nothing pending'
    ran 1
    commit_file todo/0002_note two
    : >"$SITE/kill"
    expect_status 0 deploy production
    ran 2
    assert_deployed "$(revision)" 3
    rm "$SITE/kill"
    add_third() { commit_file todo/0003_more three; }
    does_nothing "but 'migrate.status' still reports pending migrations" 'null pending'
}

# It died before it had done anything: the status says that it is pending, and it is run again, once;
# what is lost twice is for a person.
case_lost_before_it_migrated() {
    local when
    for when in '{exit: 3}' "{exit: 3, output: '^todo: (.*)'}"; do
        site_of plain "lost_before_$((${#when} % 7))" "$when" bin/pending bin/migrate
        echo before >"$SITE/kill"
        expect_status 7 deploy production
        ran 2
        assert_gone "$SITE/applied/0001_events"
        rm "$SITE/kill"
        expect_status 0 resume production
        ran 3
        assert_exists "$SITE/applied/0001_events"
        assert_deployed "$(revision)" 1
    done
}

# What cannot be known is not "nothing": it fails, has no such program, or answers as another tool.
case_not_known() {
    local i=0 when status
    while IFS='|' read -r when status; do
        i=$((i + 1))
        site_of plain "not_known_$i" "$when" "$status" bin/migrate
        expect_status 0 deploy production
        ran 1
        commit_file other.txt two
        expect_status 0 deploy production
        expect_output 'pending migrations unknown'
        case $status in exit*) expect_output "unknown: '.*$status' ended with status 1" ;; esac
        ran 2
        state_of 'null unknown'
    done <<'END'
{exit: 3}|exit 1
{output: '^todo'}|no-such-program
auto|echo all is well
django|true
sqitch|exit 1
END
}

rig_open
start_postgres
start_hosts 1
run_cases "$@"
