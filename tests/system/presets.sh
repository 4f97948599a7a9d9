#!/bin/bash
# The presets as they are, with the real framework: a small application is deployed, then one with a new migration, then
# one with other code. The last one must not start the framework to look for migrations.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
# Variations that take long: `make test-all` runs them, too.  auto/rails_two_databases is the short one.
# shellcheck disable=SC2034
LONG='rails_several'

# preset_new NAME APPLICATION: a site on one host whose repository has only that.
preset_new() {
    site_new "$1" 1
    git -C "$REPO" rm -rq .
    cp -R "$TOP/tests/apps/$2/." "$REPO"
    commit_all "The application"
    STARTS=$SITE/starts
    : >"$STARTS"
}

# preset_recipe PRESET <<END: a recipe with the preset and what is on standard input, and no more than a site needs.
preset_recipe() {
    local own text
    IFS= read -r -d '' own || true
    recipe_hosts
    printf '%s\n' 'application: shop' "extends: $1" "repository: '$REPO'" "deploy_to: '$SITE/${HOSTS[0]}'" "$own" "$text" >"$RECIPE"
}

starts() { sort "$STARTS" | uniq -c | sed 's/^ *//' | paste -sd, ; }

case_rails() {
    preset_new preset_rails rails
    (cd "$REPO" && bundle lock --local >/dev/null 2>&1) || fail "bundle lock"
    commit_all lock
    # The gems are the system's, of which a bundle in vendor/bundle knows nothing.
    preset_recipe rails <<END
env: {STARTS: '$STARTS', BUNDLE_DEPLOYMENT: null, BUNDLE_PATH: null, PGDATABASE: null}
build: [bundle install --local --quiet]
END
    expect_status 0 check production
    expect_output "database +.*$DB.*found in config/database.yml"
    expect_status 0 deploy production
    expect_output 'CreateEvents: migrated'
    expect_no_output 'guard against backups is off'
    assert_equal "rows" "$(sql 'select count(*) from events' "$DB")" 0
    assert_exists "$SITE/${HOSTS[0]}/current/tmp/restart.txt"
    cat >"$REPO/db/migrate/20260102000000_add_place.rb" <<'END'
class AddPlace < ActiveRecord::Migration[6.1]
  def change
    add_column :events, :place, :string
  end
end
END
    commit_all place
    expect_status 0 deploy production
    assert_equal "columns" "$(sql 'select count(place) from events' "$DB")" 0
    : >"$STARTS"
    commit_file README code
    expect_status 0 deploy production
    assert_equal "starts of Rails" "$(starts)" ''
    assert_equal "live" "$(live_revision)" "$(revision)"
    expect_status 0 status production --verify
}

# write_databases NAME...: these in config/database.yml, and a replica of the first.  What needs the application is no
# obstacle to finding their names.
write_databases() {
    local name
    mkdir -p "$REPO/config"
    {
        printf '%s\n' 'default: &default' '  adapter: postgresql' '  host: 127.0.0.1' "  port: $PGPORT" \
            "  username: <%= Rails.env && 'rig' %>" 'production:'
        for name in "$@"; do
            printf '  %s: # one of several\n    <<: *default\n    database: %s\n    migrations_paths: db/%smigrate\n' \
                "$name" "$DB${name#primary}" "$(test "$name" = primary || echo "${name}_")"
        done
        printf '  %s_replica:\n    <<: *default\n    database: %s\n    replica: true\n' "$1" "$DB"
    } >"$REPO/config/database.yml"
}

# write_migration NAME VERSION CLASS TABLE: creates a table in that database.
write_migration() {
    mkdir -p "$REPO/db/$1_migrate"
    printf 'class %s < ActiveRecord::Migration[6.1]\n  def change\n    create_table :%s\n  end\nend\n' "$3" "$4" \
        >"$REPO/db/$1_migrate/2026020100000$2_$4.rb"
}
steps() { json "[.steps[].stage | select(startswith(\"$1\"))] | join(\" \")"; }
tables() { sql "select string_agg(tablename, ' ' order by tablename) from pg_tables where schemaname = 'public' and tablename !~ '_|big'" "$1"; }

# Several databases of which the recipe says nothing: each is guarded and migrated like one of 'databases', also the
# one that this revision adds.
case_rails_several() {
    preset_new preset_several rails
    write_databases primary animals
    write_migration animals 1 Cats cats
    (cd "$REPO" && bundle lock --local >/dev/null 2>&1) || fail "bundle lock"
    commit_all databases
    sql "create database ${DB}animals"
    sql "create database ${DB}plants"
    sql 'create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g' "${DB}plants"
    preset_recipe rails <<END
env: {BUNDLE_DEPLOYMENT: null, BUNDLE_PATH: null, PGDATABASE: null}
linked_files: []
build: []
migrate: {lock_timeout: 500ms}
END
    expect_status 0 plan --json production
    assert_equal "before anything is live" "$(steps migrate)" 'migrate-primary migrate-animals'
    expect_status 0 deploy production
    expect_output 'migrate-animals'
    assert_equal "tables" "$(tables "$DB"), $(tables "${DB}animals")" 'events, cats'
    expect_status 0 status --json production
    assert_equal "status" "$(json '[.databases[] | .database + " " + (.migrations.pending | tostring)] | join(", ")')" 'primary 0, animals 0'
    write_databases primary animals plants
    write_migration animals 2 Dogs dogs
    write_migration plants 3 Trees trees
    commit_all plants
    expect_status 0 plan production
    expect_output "database: plants: PostgreSQL [0-9]+, ${DB}plants on 127.0.0.1:$PGPORT|found in config/database.yml"
    DB=${DB}plants start_dump
    start_crelease deploy production
    wait_for 60 grep -q "backup ${HOSTS[0]}: pg_dump of ${DB}plants by rig, .* waited" "$CR_OUT"
    assert_equal "not yet" "$(tables "${DB}animals")" cats
    kill_crelease
    expect_status 0 status --json production
    assert_equal "stopped at" "$(json '.run.stage')" backup-clear-plants
    start_crelease resume production
    wait_for 60 grep -q "backup ${HOSTS[0]}: pg_dump of ${DB}plants by rig, .* waited" "$CR_OUT"
    DB=${DB}plants end_dump
    finish_crelease 0
    assert_equal "tables" "$(tables "$DB"), $(tables "${DB}animals"), $(tables "${DB}plants")" 'events, cats dogs, trees'
    assert_equal "live" "$(live_revision)" "$(revision)"
    expect_status 0 rollback production
    expect_output "the database 'animals' was last migrated for release"
    expect_output "the database 'plants' was last migrated for release"
}

case_django() {
    preset_new preset_django django
    cat >>"$REPO/settings.py" <<'END'
import sys
STATIC_URL = "/static/"
STATIC_ROOT = "static"
INSTALLED_APPS.append("django.contrib.staticfiles")
with open(os.environ["STARTS"], "a") as f:
    f.write(" ".join(sys.argv[1:2]) + "\n")
END
    echo '# Django is the system'\''s' >"$REPO/requirements.txt"
    commit_all settings
    preset_recipe django <<END
env: {STARTS: '$STARTS', PGDATABASE: $DB, PYTHONDONTWRITEBYTECODE: 1}
build:
  - python3 -m venv --system-site-packages --without-pip .venv
  - .venv/bin/python manage.py collectstatic --noinput
END
    expect_status 0 deploy production
    expect_output 'Applying shop.0001_initial... OK'
    expect_no_output 'guard against backups is off'
    commit_django_migration
    expect_status 0 deploy production
    assert_equal "columns" "$(sql 'select count(note) from events' "$DB")" 0
    : >"$STARTS"
    commit_file shop/views.py '# code'
    expect_status 0 deploy production
    assert_equal "starts of Django" "$(starts)" '1 collectstatic'
    # Another package can bring migrations.
    git -C "$REPO" mv shop/migrations shop/schema
    echo 'MIGRATION_MODULES = {"shop": "shop.schema"}' >>"$REPO/settings.py"
    sed 's/0001_initial/0002_note/; s/ADD note/ADD remark/' "$REPO/shop/schema/0002_note.py" >"$SITE/0003_remark.py"
    commit_file requirements.txt '# another'
    expect_status 0 deploy production
    [[ $(starts) == *showmigrations* ]] || fail "Django was not asked: $(starts)"
    # So can a folder with a name of its own.
    commit_file shop/schema/0003_remark.py "$(cat "$SITE/0003_remark.py")"
    expect_status 0 deploy production
    assert_equal "columns" "$(sql 'select count(remark) from events' "$DB")" 0
}

# laravel_migration VERSION NAME STATEMENT: as `php artisan make:migration` writes it.
laravel_migration() {
    printf '%s\n' '<?php' 'return new class extends Illuminate\Database\Migrations\Migration {' '    public function up()' \
        '    {' "        Illuminate\\Support\\Facades\\DB::unprepared(\"$3\");" '    }' '};' \
        >"$REPO/database/migrations/2026_$1_000000_$2.php"
    commit_all "$2"
}
laravel_answers() { assert_equal "$1" "$(cd "$SITE/${HOSTS[0]}/current" && php public/index.php)" "$2"; }
worker_runs() { pgrep -f "^php $SITE/${HOSTS[0]}/current/artisan queue:work" >/dev/null; }
worker_has_ended() { ! worker_runs; }

# The host has nothing but an empty folder: .env and what Laravel keeps in storage come with the first deploy.
case_laravel() {
    local shared
    preset_new preset_laravel laravel
    shared=$SITE/${HOSTS[0]}/shared
    printf '%s\n' APP_KEY=base64:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE= DB_CONNECTION=pgsql DB_HOST=127.0.0.1 \
        "DB_PORT=$PGPORT" "DB_DATABASE=$DB" DB_USERNAME=rig >"$SITE/.env.production"
    preset_recipe laravel <<END
env: {STARTS: '$STARTS', PGDATABASE: null, COMPOSER_ALLOW_SUPERUSER: "1", COMPOSER_HOME: '$SITE/composer'}
linked_files: [{path: .env, from: .env.production}]
health: {run: "php public/index.php | grep '^0 events'", attempts: 1}
backup: {policy: wait, schedule: [none]}
migrate: {lock_timeout: 1234ms}
END
    expect_status 0 deploy production
    expect_output "create_events"
    expect_no_output 'guard against backups is off'
    assert_equal "link" "$(readlink -f "$SITE/${HOSTS[0]}/current/public/storage")" "$shared/storage/app/public"
    expect_status 0 check production
    expect_output "database +.*$DB on 127.0.0.1:$PGPORT, found in .env"
    # A worker of the queue, which has to end when there is new code, and a dump in front of a migration.
    php "$SITE/${HOSTS[0]}/current/artisan" queue:work sync --sleep=1 >/dev/null 2>&1 &
    disown
    wait_for 30 worker_runs
    sql 'create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g' "$DB"
    laravel_migration 01_02 add_place "alter table events add place text; create table seen as select current_setting('lock_timeout') || ' ' || left(current_setting('application_name'), 8)"
    start_dump
    start_crelease deploy production
    wait_for 60 grep -q 'backup app1: pg_dump of .* waited' "$CR_OUT"
    end_dump
    finish_crelease 0
    OUT=$CR_OUT ERR=$CR_ERR
    expect_output '1 pending: 2026_01_02_000000_add_place'
    wait_for 30 worker_has_ended
    assert_equal "in the migration" "$(sql 'table seen' "$DB")" '1234ms crelease'
    : >"$STARTS"
    commit_file routes/api.php '<?php'
    expect_status 0 deploy production
    assert_equal "starts of Laravel" "$(starts)" '1 config:cache,1 optimize,1 package:discover,1 queue:restart,1 storage:link'
    # What is wrong with routes is found before users see it.
    # shellcheck disable=SC2016 # variables of PHP
    commit_file routes/web.php '<?php foreach (["a", "b"] as $path) Illuminate\Support\Facades\Route::get($path, "A@b")->name("twice");'
    expect_status 1 deploy production
    expect_output "stage 'build' on app1: 'optimize' ended with exit status 1"
    expect_output 'users see no change'
    expect_status 0 abort production
    echo 'APP_NAME=Renamed' >>"$shared/.env"
    laravel_answers "cached" '0 events, Shop'
    expect_status 0 rollback production
    laravel_answers "after a rollback" '0 events, Renamed'
}

# Started with systemd where that runs; here its unit is only checked.
case_node() {
    local socket
    preset_new preset_node node
    socket=$RIG/node.sock
    cat >"$REPO/restart" <<'END'
#!/bin/sh
[ ! -e "$SOCKET.pid" ] || kill "$(cat "$SOCKET.pid")"
rm -f "$SOCKET"
setsid node server.js >/dev/null 2>&1 </dev/null &
END
    cat >"$REPO/healthy.js" <<'END'
require('http').get({socketPath: process.env.SOCKET, path: '/'}, response => {
  response.on('data', data => process.exit(data.equals(require('fs').readFileSync('REVISION')) ? 0 : 1));
}).on('error', () => process.exit(1));
END
    commit_all restart
    preset_recipe node <<END
env: {SOCKET: '$socket', NPM_CONFIG_OFFLINE: "true", NPM_CONFIG_UPDATE_NOTIFIER: "false"}
restart: {run: sh restart}
health: {run: node healthy.js, attempts: 20, interval: 200ms}
$(type -P npm >/dev/null || echo 'build: []')
END
    expect_status 0 deploy production
    commit_file note code
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
    # shellcheck disable=SC2016 # the backquotes of Markdown
    sed -n '/^```ini$/,/^```$/p' "$TOP/recipes/node/README.md" | sed '/^```/d' >"$SITE/shop.service"
    if [ -n "$(type -P systemd-analyze)" ]; then
        ! systemd-analyze verify --user "$SITE/shop.service" 2>&1 | grep 'shop.service:' || fail "the unit is not valid"
    fi
}

case_static() {
    preset_new preset_static ../app/public
    preset_recipe static </dev/null
    expect_status 0 check production
    expect_status 0 deploy production
    assert_exists "$SITE/${HOSTS[0]}/current/index.html"
    assert_deployed "$(revision)" 1
}

rig_open
start_postgres
start_hosts 1
run_cases "$@"
