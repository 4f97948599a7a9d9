#!/bin/bash
# database: auto -- the guard without a line about it in the recipe: found from what the application itself reads.
# shellcheck disable=SC2016 # what stands in single quotes is for the shells of hosts
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# Variations that take long: `make test-all` runs them, too.
LONG='rights login_shell django'

password() { IFS=: read -r _ _ _ _ PASSWORD <"$PGPASSFILE"; printf '%s' "$PASSWORD"; }
url() { printf 'postgresql://rig:%s@127.0.0.1:%s/%s?sslmode=disable' "${2-$(password)}" "$PGPORT" "$1"; }

# Never in what crelease prints, nor in what it leaves on the host, but in the file of a run that lives.
keeps_password() {
    ! grep -qF -- "${1-$(password)}" "$OUT" "$ERR" || fail "the password was printed"
    ! grep -rqF -- "${1-$(password)}" "$SITE"/app*/.crelease || fail "the password is in $(grep -rlF -- "${1-$(password)}" "$SITE"/app*/.crelease | tr '\n' ' ')"
}

# Plain migrations by psql and a URL: $2 is how the command gets at it.
write_migrator() { # COMMAND-LINE-OF-PSQL
    mkdir -p "$REPO/todo" "$REPO/bin"
    cat >"$REPO/bin/sql" <<END
#!/bin/sh
exec env PGPASSFILE=/dev/null psql -X -q -v ON_ERROR_STOP=1 $1 "\$@"
END
    cat >"$REPO/bin/up" <<'END'
#!/bin/sh
for file in todo/*.sql; do
    [ "$(bin/sql -Atc "select count(*) from done where name = '$file'")" = 0 ] || continue
    bin/sql -1 -f "$file" -c "insert into done values ('$file')" || exit
done
END
    cat >"$REPO/bin/todo" <<'END'
#!/bin/sh
for file in todo/*.sql; do
    [ "$(bin/sql -Atc "select count(*) from done where name = '$file'")" != 0 ] || echo "todo $file"
done
END
    chmod +x "$REPO"/bin/*
    todo 1 'create table events (id int)'
    sql 'create table done (name text); create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g' "$DB"
}
todo() { commit_file "todo/$1.sql" "$2;"; }
MIGRATE="migrate: {run: bin/up, status: bin/todo, pending_when: {output: '^todo (.*)'}, lock_timeout: 500ms}"

# A dump is running: the deploy sees it, waits, and goes on when it has ended.  Nobody else waits meanwhile.  What was
# found is kept as long as that takes, for nobody else to read; but not what the recipe's variables contain.
waits_for_dump() { # FILES
    start_dump
    start_crelease deploy production
    wait_for 60 grep -q "backup app1: pg_dump of $DB by rig, pid $(dump_pid).* waited" "$CR_OUT"
    assert_equal "what is kept" "$(cd "$SITE/app1/.crelease/runs" && find . -name 'database*' -printf '%f %m %u\n')" "${1+database 600 $(id -un)}"
    ! grep -alF -f <(password) /proc/[0-9]*/cmdline || fail "the password is in an argument list"
    if [ $# -eq 0 ]; then OUT=$CR_OUT ERR=$CR_ERR keeps_password; fi
    PGOPTIONS='-c lock_timeout=3000' sql 'select count(*) from events' "$DB"
    end_dump
    finish_crelease 0
    OUT=$CR_OUT ERR=$CR_ERR
    expect_output 'ended on its own'
    keeps_password
}

# A framework's preset and nothing else: config/database.yml, whose ERB only the application's ruby can evaluate.
case_rails_erb() {
    MIGRATES=rake site_new rails_erb 1
    sed -i "s/YAML.load_file('config\/database.yml')/YAML.unsafe_load(ERB.new(File.read('config\/database.yml')).result)/; s/^require 'yaml'/require 'yaml'\nrequire 'erb'/" "$REPO/Rakefile"
    commit_all erb
    cat >"$SITE/app1/shared/config/database.yml" <<END
<% secrets = { 'production' => '$(password)' } %>
default: &default
  adapter: postgresql
  host: 127.0.0.1
  port: <%= 10 * ${PGPORT%?} + ${PGPORT: -1} %>
production:
  <<: *default
  database: $DB
  username: rig
  password: "<%= secrets['production'] %>"
END
    # The recipe of the rig without a database.
    recipe_write <<END
extends: rails
build: []
restart: {run: 'true'}
env: {RAILS_ENV: production}
database:
migrate: {run: rake db:migrate, status: 'rake db:migrate:status', lock_timeout: 500ms}
END
    sed -i '/^database:$/d' "$RECIPE"
    sql 'create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g' "$DB"
    expect_status 0 check production
    expect_output 'nothing is live yet|PostgreSQL [0-9]+, rails_erb on 127.0.0.1:[0-9]+, found in config/database.yml \(production\), as rig: a superuser'
    expect_status 0 deploy production
    expect_no_output 'the guard against backups is off'
    commit_ruby_migration 20260102000000 AddPlaceToEvents 'add_column :events, :place, :string'
    expect_status 0 plan production
    expect_output 'database: PostgreSQL [0-9]+, rails_erb on 127.0.0.1:[0-9]+, found in config/database.yml \(production\), as rig: a superuser'
    keeps_password
    waits_for_dump kept
}

# Rails with two databases, of which the recipe says nothing: each is found, guarded, and migrated by its own task.  A run
# keeps those with which it began.
case_rails_two_databases() {
    MIGRATES=rake site_new rails_two 1
    ANIMALS=${DB}_animals
    sql "create database $ANIMALS"
    # rake has a task for each database where there is a Rails, of which it needs no more than this.
    cat >"$REPO/lib/rails_stub.rb" <<'END'
module Rails
  def self.env = ENV.fetch('RAILS_ENV')
  def self.application = self
  def self.config = self
  def self.load_database_yaml = YAML.unsafe_load_file('config/database.yml')
end
END
    sed -i "s/^load 'active_record/require_relative 'lib\/rails_stub'\n&/; s/YAML.load_file/YAML.unsafe_load_file/" "$REPO/Rakefile"
    mkdir -p "$REPO/db/animals_migrate" "$REPO/bin"
    sed 's/CreateEvents/CreateCats/; s/:events/:cats/' "$REPO/db/migrate/20260101000000_create_events.rb" >"$REPO/db/animals_migrate/20260101000000_create_cats.rb"
    printf '#!/bin/sh\nshift\nexec "$@"\n' >"$REPO/bin/bundle"
    chmod +x "$REPO/bin/bundle"
    commit_all 'Two databases'
    cat >"$SITE/app1/shared/config/database.yml" <<END
default: &default
  adapter: postgresql
  host: 127.0.0.1
  port: $PGPORT
  username: rig
  password: "$(password)"
production:
  primary:
    <<: *default
    database: $DB
    migrations_paths: db/migrate
  animals:
    <<: *default
    database: $ANIMALS
    migrations_paths: db/animals_migrate
  replica:
    <<: *default
    database: $DB
    replica: true
END
    recipe_write <<END
extends: rails
build: []
restart: {run: 'true'}
env: {RAILS_ENV: production, PATH: "$REPO/bin:\$PATH"}
database:
migrate: {lock_timeout: 500ms}
END
    sed -i '/^database:$/d' "$RECIPE"
    # A command of which nothing is known but that it migrates: the first is guarded, and that is told.
    cp "$RECIPE" "$RECIPE.preset"
    sed -i 's|^migrate: {|&run: bin/up, status: null, pending_when: null, |' "$RECIPE"
    expect_status 0 check production
    expect_output 'only the first database is guarded, not animals; add .databases: \{primary: \{\}, animals: \{\}\}. to the recipe to guard each'
    mv "$RECIPE.preset" "$RECIPE"
    sql 'create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g' "$ANIMALS"
    expect_status 0 deploy production
    assert_equal "tables" "$(sql "select count(*) from pg_tables where tablename = 'events'" "$DB") $(sql "select count(*) from pg_tables where tablename = 'cats'" "$ANIMALS")" '1 1'
    expect_status 0 check production
    expect_output "primary: PostgreSQL [0-9]+, $DB on 127.0.0.1:[0-9]+, found in config/database.yml \\(production\\), as rig: a superuser"
    expect_output "animals: PostgreSQL [0-9]+, $ANIMALS on 127.0.0.1:[0-9]+, found in config/database.yml"
    cat >"$REPO/db/animals_migrate/20260102000000_add_place_to_cats.rb" <<'END'
class AddPlaceToCats < ActiveRecord::Migration[6.1]
  def change
    add_column :cats, :place, :string
  end
end
END
    commit_all 'Add place'
    DB=$ANIMALS start_dump
    start_crelease deploy production
    wait_for 60 grep -q "backup app1: pg_dump of $ANIMALS by rig, pid $(DB=$ANIMALS dump_pid).* waited" "$CR_OUT"
    assert_equal "what is kept" "$(cd "$SITE/app1/.crelease/runs" && find . -name 'database*' -printf '%f %m\n' | sort | tr '\n' ' ')" 'database-animals 600 '
    kill_crelease
    sed -i '/^  animals:/,$d' "$SITE/app1/shared/config/database.yml"
    expect_status 0 status --json production
    assert_equal "stopped at" "$(json '.run.stage')" backup-clear-animals
    printf '  animals: {adapter: postgresql, host: 127.0.0.1, port: %s, database: %s, username: rig, password: "%s", migrations_paths: db/animals_migrate}\n  plants: {adapter: sqlite3, database: x}\n' \
        "$PGPORT" "$ANIMALS" "$(password)" >>"$SITE/app1/shared/config/database.yml"
    start_crelease resume production
    wait_for 60 grep -q "backup app1: pg_dump of $ANIMALS by rig, .* waited" "$CR_OUT"
    DB=$ANIMALS end_dump
    finish_crelease 0
    OUT=$CR_OUT ERR=$CR_ERR
    expect_no_output 'migrate-plants'
    expect_output 'migrate-primary app1: (skipped: )?nothing'
    assert_equal "columns" "$(sql "select count(*) from information_schema.columns where table_name = 'cats' and column_name = 'place'" "$ANIMALS")" 1
    keeps_password
    assert_equal "what is kept" "$(cd "$SITE/app1/.crelease/runs" && find . -name 'database*')" ''
}

# DATABASE_URL in the recipe's env, from the environment of crelease: never on the host's disk.
case_url_of_recipe() {
    site_new url_of_recipe 1
    write_migrator '"$DATABASE_URL"'
    recipe_write <<END
env: {DATABASE_URL: '\${SHOP_URL}'}
database: auto
$MIGRATE
END
    SHOP_URL=$(url "$DB")
    export SHOP_URL
    expect_status 0 deploy production
    expect_no_output 'guard against backups is off'
    todo 2 'alter table events add place text'
    expect_status 0 check production
    expect_output 'found in DATABASE_URL of the recipe, as rig'
    expect_status 0 plan --json production
    assert_equal "database" "$(json '.database | test("^PostgreSQL .*url_of_recipe on 127.0.0.1:.*found in DATABASE_URL of the recipe")')" true
    waits_for_dump
}

# Scripts of psql, and the variables of libpq in the recipe: found before there is anything on the host.
case_libpq() {
    site_new libpq 1
    write_migrator ''
    rm -rf "$SITE/app1/shared"
    recipe_write <<END
linked_files: []
linked_dirs: []
database: auto
$MIGRATE
END
    local command
    for command in check plan; do
        expect_status 0 $command production
        expect_output "nothing is live yet; the deploy looks for the database in the new release, and the guard against backups is off if that names none \(for psql scripts write 'database: \{adapter: postgresql, name: NAME\}'"
    done
    recipe_write <<END
env: {PGHOST: 127.0.0.1, PGPORT: '$PGPORT', PGDATABASE: $DB, PGUSER: rig, PGPASSWORD: '\${PASSWORD_OF_SHOP}'}
linked_files: []
linked_dirs: []
database: auto
$MIGRATE
END
    PASSWORD_OF_SHOP=$(password)
    export PASSWORD_OF_SHOP
    expect_status 0 check production
    expect_output "$DB on 127.0.0.1:$PGPORT, found in PGDATABASE of the recipe, as rig"
    expect_status 0 deploy production
    expect_no_output 'guard against backups is off'
    todo 2 'alter table events add place text'
    waits_for_dump kept
}

case_env_file() {
    site_new env_file 1
    write_migrator '"$(sed -n s/^DATABASE_URL=//p .env | tr -d \\\")"'
    printf 'export OTHER=x\n# a comment\nDATABASE_URL="%s"\n' "$(url "$DB")" >"$SITE/app1/shared/.env"
    recipe_write <<END
linked_files: [.env]
database: auto
$MIGRATE
END
    expect_status 0 deploy production
    todo 2 'alter table events add place text'
    expect_status 0 check production
    expect_output 'found in DATABASE_URL in .env, as rig'
    waits_for_dump kept
}

# What the role may see and stop, and what would change that.
case_rights() {
    site_new rights 1
    write_migrator '"$REAL_URL"'
    sql "create role plain login password 'plain-one'; create role signals login password 'signals-one' in role pg_signal_backend;
        create role sees login password 'sees-one' in role pg_signal_backend, pg_read_all_stats"
    export SHOP_URL REAL_URL
    REAL_URL=$(url "$DB")
    recipe_write <<END
env: {DATABASE_URL: '\${SHOP_URL}', REAL_URL: '\${REAL_URL}'}
database: auto
$MIGRATE
END
    local role
    for role in plain signals sees; do
        SHOP_URL="postgresql://$role:$role-one@127.0.0.1:$PGPORT/$DB?sslmode=disable"
        expect_status 0 check production
        case $role in
        plain) expect_output "as plain: recognises every dump, but can stop only those of its own role; 'GRANT pg_signal_backend TO plain'" ;;
        signals) expect_output "as signals: recognises every dump and can stop it, but not a superuser's" ;;
        sees) expect_output "as sees: sees every session and can stop it, but not a superuser's" ;;
        esac
    done

    # A command of the recipe's own, which reaches the database that was found as a superuser.
    SHOP_URL="postgresql://nobody:nothing@127.0.0.1:$PGPORT/$DB?sslmode=disable"
    sed -i "s|^database: .*|database: {psql: 'env PGUSER=rig PGPASSWORD=$(password) psql'}|" "$RECIPE"
    expect_status 0 check production
    expect_output "PostgreSQL [0-9]+, $DB on 127.0.0.1:$PGPORT, found in DATABASE_URL of the recipe, as rig: a superuser"
}

# Only the start-up files of a login shell have it.  The dump is stopped; a backup under the same lock is possible.
case_login_shell() {
    site_new login_shell 1
    write_migrator '"$DATABASE_URL"'
    printf 'echo a greeting\nexport DATABASE_URL="%s"\n' "$(url "$DB")" >"$RIG/login/.bash_profile"
    recipe_write <<END
shell: login
database: auto
$MIGRATE
END
    expect_status 0 deploy production
    expect_no_output 'guard against backups is off'
    expect_status 0 backups --hold production -- sh -c "PGPASSFILE=$PGPASSFILE psql -h 127.0.0.1 -p $PGPORT -U rig -XAtc \"select count(*) from pg_locks where locktype = 'advisory'\" $DB"
    expect_output '^1$'
    todo 2 'alter table events add place text'
    start_dump
    expect_status 0 deploy --on-backup kill production
    expect_output "pg_dump of $DB by rig.*: stopped"
    keeps_password
    rm "$RIG/login/.bash_profile"
}

# What it finds is wrong, or cannot be asked: said in plan, check and before the migration, which is bounded all the same.
case_off() {
    site_new off 1
    write_migrator '"$REAL_URL"'
    export REAL_URL SHOP_URL
    REAL_URL=$(url "$DB") SHOP_URL=$(url "$DB" not-it)
    recipe_write <<END
env: {DATABASE_URL: '\${SHOP_URL}', REAL_URL: '\${REAL_URL}'}
$(if [ -n "${1-}" ]; then echo "$1"; fi)
$MIGRATE
END
    sed -i '/^database: /d' "$RECIPE"
    local bounded="do \$\$ begin if current_setting('lock_timeout') <> '500ms' then raise exception 'not bounded: %', current_setting('lock_timeout'); end if; end \$\$"
    todo 0 "$bounded"
    expect_status 0 deploy production
    expect_output 'could not check for backups: .*password authentication failed.*the connection of DATABASE_URL of the recipe'
    keeps_password not-it

    # Nothing at all.
    SHOP_URL=nonsense
    todo 2 "$bounded"
    expect_status 0 check production
    expect_output 'note .*database .*the guard against backups is off: DATABASE_URL of the recipe is not the URL of a database|is not the URL of a database'
    expect_output "write 'database: \{adapter: postgresql, name: NAME\}'"
    expect_status 0 plan production
    expect_output 'warning: the guard against backups is off: .*is not the URL'
    expect_status 0 deploy production
    expect_output 'warning: .*the guard against backups is off: .*is not the URL'

    # No client.
    SHOP_URL=$REAL_URL
    mkdir -p "$SITE/tools"
    local tool
    for tool in /usr/bin/* /bin/*; do
        case ${tool##*/} in psql) ;; *) [ -e "$SITE/tools/${tool##*/}" ] || ln -s "$tool" "$SITE/tools/" ;; esac
    done
    sed -i "s|^env: {|env: {PATH: '$SITE/tools', |" "$RECIPE"
    run_crelease plan production
    todo 3 'select 1'
    expect_status 0 plan production
    expect_output 'guard against backups is off: there is no psql on this host'

    # The recipe may forbid that.
    sed -i 's/^backup:.*/backup: {unknown: abort}/' "$RECIPE"
    expect_status 1 check production
}

# A minute, for the watchdog, is over soon.
case_seen_from_outside() {
    site_new seen_from_outside 1
    write_migrator '"$REAL_URL"'
    touch "$SITE/block"
    printf '%s\n' '#!/bin/sh' 'if [ "$1" = 10 ]; then set -- 0.1; fi' 'exec /bin/sleep "$@"' >"$SITE/sleep"
    mkdir "$SITE/tools"
    mv "$SITE/sleep" "$SITE/tools/sleep"
    chmod +x "$SITE/tools/sleep"
    export REAL_URL
    REAL_URL=$(url "$DB")
    printf '%s\n' "\\! while test -e $SITE_Q/block; do sleep 0.05; done" >"$REPO/todo/1.sql"
    commit_all 'Wait'
    recipe_write <<END
env: {DATABASE_URL: nonsense, REAL_URL: '\${REAL_URL}'}
path: ['$SITE/tools']
database: auto
$MIGRATE
END
    start_crelease deploy production
    wait_for 60 grep -qE "migrate app1: bin/up: waiting: running for .*: waits for .*psql \(pid [0-9]+\).*, connected to 127.0.0.1:$PGPORT" "$CR_OUT"
    rm "$SITE/block"
    finish_crelease 0
    wait_for 30 hosts_are_quiet app1
}

# The URL is somebody else's text.
case_hostile_url() {
    site_new hostile_url 1
    write_migrator '"$REAL_URL"'
    export REAL_URL SHOP_URL
    REAL_URL=$(url "$DB") SHOP_URL="postgresql://rig:x@\$(touch $SITE/ran):1/\`touch $SITE/ran\`"
    recipe_write <<END
env: {DATABASE_URL: '\${SHOP_URL}', REAL_URL: '\${REAL_URL}'}
database: auto
$MIGRATE
END
    expect_status 0 check production
    expect_output 'the host in DATABASE_URL of the recipe is not a name'
    # A name is only a name: not a connection string, and no shell text.
    SHOP_URL="postgresql://rig:$(password)@127.0.0.1:$PGPORT/%24%28touch%20$SITE_Q%2Fran%29%27%20host=nowhere"
    expect_status 0 check production
    expect_output 'database ".*touch .*" does not exist'
    assert_gone "$SITE/ran"
    keeps_password
}

case_django() {
    site_new django 1
    git -C "$REPO" rm -rq .
    cp -R "$TOP/tests/apps/django/." "$REPO"
    cat >"$REPO/settings.py" <<'END'
import os

SECRET_KEY = "of no use"
INSTALLED_APPS = ["shop"]
USE_TZ = True
print("the settings print something")
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "django", "USER": "rig", "HOST": "127.0.0.1",
    "PORT": int(os.environ["SHOP_PORT"]), "PASSWORD": os.environ["SHOP_PASSWORD"]}}
END
    commit_all django
    export SHOP_PASSWORD
    SHOP_PASSWORD=$(password)
    recipe_write <<END
linked_files: []
linked_dirs: []
env: {SHOP_PORT: '$PGPORT', SHOP_PASSWORD: '\${SHOP_PASSWORD}', PYTHONDONTWRITEBYTECODE: 1}
migrate: {run: python3 manage.py migrate --noinput, status: python3 manage.py showmigrations --plan, lock_timeout: 500ms}
END
    sed -i '/^database: /d' "$RECIPE"
    sql 'create table big as select g as id, repeat(md5(g::text), 32) as body from generate_series(1, 30000) g' "$DB"
    expect_status 0 deploy production
    expect_no_output 'guard against backups is off'
    commit_django_migration
    expect_status 0 check production
    expect_output "found in Django's settings \(settings\), as rig"
    waits_for_dump kept
}

mariadb_dump_runs() { [ -n "$(mariadb_sql "select id from information_schema.processlist where db = '$DB' and info like 'SELECT /*!40001%' and state = 'Writing to net'")" ]; }
mariadb_dump_is_gone() { ! mariadb_dump_runs; }

# Laravel's .env, MariaDB, and a password that a shell would stumble over.
case_mariadb() {
    start_mariadb
    site_new mariadb 1
    mariadb_sql "create database $DB; create user shop@'127.0.0.1' identified by 'o\$(id) \"\\''; grant all on $DB.* to shop@'127.0.0.1'; grant process on *.* to shop@'127.0.0.1'"
    mariadb_sql 'create table a (id int primary key); create table done (name varchar(99) primary key); create table big (id int, body longtext);
        insert into big select seq, repeat(md5(seq), 128) from seq_1_to_20000' "$DB"
    mkdir -p "$REPO/todo"
    cat >"$REPO/artisan" <<END
sql() { "$(mariadb_program mariadb)" --defaults-file="$MARIADB_TCP" -N -B $DB; }
for file in todo/*.sql; do
    [ -z "\$(echo "select name from done where name = '\$file'" | sql)" ] || continue
    if [ "\$1" = status ]; then echo "todo \$file"; continue; fi
    sql <"\$file" || exit
    echo "insert into done values ('\$file')" | sql || exit
done
END
    todo 1 'alter table a add column place int'
    cat >"$SITE/app1/shared/.env" <<END
APP_NAME=Laravel
DB_CONNECTION=mysql
DB_HOST=127.0.0.1
DB_PORT=$MARIADB_PORT
DB_DATABASE=$DB
DB_USERNAME="shop"
DB_PASSWORD="o\$(id) \"'"
END
    recipe_write <<END
linked_files: [.env]
path: ['$(dirname "$(mariadb_program mariadb)")']
backup: {policy: wait, schedule: [none]}
migrate: {run: sh artisan migrate, status: sh artisan status, pending_when: {output: '^todo (.*)'}, lock_timeout: 1s}
END
    sed -i '/^database: /d' "$RECIPE"
    expect_status 0 check production
    expect_output "MariaDB [0-9.]+, $DB on 127.0.0.1:$MARIADB_PORT, found in .env, as shop@127.0.0.1: sees every session, but can stop only its own"
    DUMP_GATE=$SITE/gate
    mkfifo "$DUMP_GATE"
    exec 8<>"$DUMP_GATE"
    { "$(mariadb_program mariadb-dump)" --defaults-file="$MARIADB_FILE" --single-transaction "$DB" 8>&- | { read -r _ <&8; cat >"$SITE/dump.sql"; }; } &
    disown
    wait_for 30 mariadb_dump_runs
    start_crelease deploy production
    wait_for 60 grep -q 'backup app1: mysqldump of .* waited' "$CR_OUT"
    echo go >&8
    wait_for 60 mariadb_dump_is_gone
    finish_crelease 0
    OUT=$CR_OUT ERR=$CR_ERR
    expect_output 'ended on its own'
    expect_no_output 'warning'
    keeps_password 'o$(id)'
}

# Which config/database.yml is worth a start of ruby (host/several.sh).
case_may_have_several() {
    site_new may_have_several 0
    local expected text shell
    for shell in dash busybox\ sh mksh; do
        while IFS='|' read -r expected text; do
            printf '%b\n' "$text" >"$SITE/yml"
            assert_equal "$shell: $text" "$(yml=$(cat "$SITE/yml") $shell -c "say() { echo \"\$2\"; }; deploy_to=/; . $TOP/src/host/several.sh")" "${expected#no}"
        done <<'END'
no|production:\n  adapter: postgresql\n  database: shop\n  password:\n  host: <%= ENV['HOST'] %>
no|default: &default\n  adapter: postgresql\n\nproduction:\n  <<: *default\n  password: "a: b"
no|production: {adapter: postgresql, database: shop}
no|production: postgres://db1/shop
no|# production:\n#   primary:\n#     database: x\nproduction:\n  database: x
yes|production:\n  primary:\n    database: shop\n  animals:\n    database: animals
yes|production:\n  primary: &primary # the first\n    database: shop
yes|production:\n\tprimary: # the first\n\n\t\tdatabase: shop
yes|production:\n  primary: {database: shop}
yes|production: {primary: {database: shop}, animals: {database: animals}}
yes|production:\n<% %w[a b].each do \|name\| %>\n  <%= name %>: *default\n<% end %>
END
    done
}

# finds EXPECTED TOOL MIGRATE.RUN [VARIABLES]: what is found in $SITE/app, whose client is anybody's.
finds() {
    local expected=$1 tool=$2 migrates=$3 key value adapter='' name='' host='' port='' user='' password='' source='' problem='' note='' said
    shift 3
    said=$({
        printf '%s=%q\n' tool "$tool" migrates "$migrates" own 'postgresql mysql' given "${GIVEN-}"
        printf 'rails_text=$(cat "%s/rails.rb")\ndjango_text=$(cat "%s/django.py")\n' "$TOP/src/db/find" "$TOP/src/db/find"
        cat "$TOP/src/db/find/url.sh" "$TOP/src/db/find/flyway.sh" "$TOP/src/db/find/find.sh"
    } | (cd "$SITE/app" && env shared="$SITE/shared" "$@" bash -s))
    while read -r _ key value; do
        case $key in adapter | name | host | port | user | password | source | problem | note) printf -v "$key" %s "$value" ;; esac
    done <<<"$said"
    assert_equal "$tool $migrates $*" "$adapter $user:$password@$host:$port/$name, $source${note:+ ($note)}${problem:+: $problem}" "$expected"
}

# file PATH TEXT
file() {
    mkdir -p "$(dirname "$SITE/app/$1")"
    printf '%s\n' "$2" >"$SITE/app/$1"
}

case_configurations() {
    SITE=$RIG/sites/configurations
    mkdir -p "$SITE/app" "$SITE/shared"
    finds " :@:/, : there is no DATABASE_URL, and no configuration of a database that crelease can read" auto bin/up
    GIVEN='PGHOST PGDATABASE' finds 'postgresql ann:@/run/pg:5433/shop, PGDATABASE of the recipe' auto 'psql -f up.sql' PGDATABASE=shop PGHOST=/run/pg PGPORT=5433 PGUSER=ann
    GIVEN='PGDATABASE DATABASE_URL' finds 'mysql :@db1:/x, DATABASE_URL of the recipe' auto up PGDATABASE=shop DATABASE_URL=mysql://db1/x
    finds " :@:/, : there is no DATABASE_URL, and no configuration of a database that crelease can read" auto up PGDATABASE=shop

    file config/database.yml "production: {adapter: postgis, database: shop, username: ann, password: '%$ x'}"
    finds 'postgresql ann:%$ x@:/shop, config/database.yml (production)' auto 'rake db:migrate' RAILS_ENV=production
    finds " :@:/, config/database.yml (development): config/database.yml has no 'development'" rails up
    finds 'postgresql ann:%$ x@db1:1/shop, DATABASE_URL of the login and config/database.yml (production)' rails up RAILS_ENV=production DATABASE_URL=postgres://db1:1
    file config/database.yml 'production: {primary: {adapter: mysql2, database: a}, animals: {adapter: mysql2, database: b}}'
    finds 'mysql :@:/a, config/database.yml (production) (only the first database is guarded, not animals; add '\''databases: {primary: {}, animals: {}}'\'' to the recipe to guard each)' rails up RAILS_ENV=production
    finds 'mysql :@db1:/c, config/database.yml (production) (only the first database is guarded, not animals; add '\''databases: {primary: {}, animals: {}}'\'' to the recipe to guard each)' rails up RAILS_ENV=production PRIMARY_DATABASE_URL=mysql2://db1/c
    # What Rails does not migrate needs no guard.
    file config/database.yml 'production: {primary: {adapter: mysql2, database: a}, copy: {adapter: mysql2, database: a, replica: true}}'
    finds 'mysql :@:/a, config/database.yml (production)' rails up RAILS_ENV=production
    file config/database.yml 'production: {primary: {adapter: mysql2, database: a}, animals: {adapter: mysql2, database: b}}'
    # One of several databases, by its name in the recipe.
    finds 'mysql :@:/b, config/database.yml (production)' rails up RAILS_ENV=production wanted=animals
    finds 'mysql :@db2:/b, config/database.yml (production)' rails up RAILS_ENV=production wanted=animals ANIMALS_DATABASE_URL=mysql2://db2 DATABASE_URL=mysql2://db9/z
    finds " :@:/, config/database.yml (production): config/database.yml has no database 'plants' in 'production'" rails up RAILS_ENV=production wanted=plants
    finds 'postgresql :@db2:/b, PLANTS_DATABASE_URL of the login' auto bin/up wanted=plants PLANTS_DATABASE_URL=postgres://db2/b DATABASE_URL=postgres://db1/a
    finds 'postgresql :@db1:/a, DATABASE_URL of the login' auto bin/up wanted=primary DATABASE_URL=postgres://db1/a
    finds " :@:/, : crelease cannot read where the application has its database 'plants'; write its 'database' into the recipe" laravel up wanted=plants DB_CONNECTION=mysql
    file config/database.yml 'production: <%= ENV.fetch("SHOP") %>'
    finds 'postgresql ann:@db1:/shop, config/database.yml (production)' rails up RAILS_ENV=production SHOP=postgres://ann@db1/shop
    finds ' :@:/, config/database.yml: config/database.yml could not be evaluated (KeyError)' rails up RAILS_ENV=production
    file config/database.yml 'production: {adapter: sqlite3, database: x.sqlite3}'
    finds 'sqlite :@:/x.sqlite3, config/database.yml (production): the application uses SQLite, which has no server to ask' rails up RAILS_ENV=production
    file config/database.yml 'production: {adapter: oracle_enhanced, database: x}'
    finds "oracle_enhanced :@:/x, config/database.yml (production): crelease does not know the adapter 'oracle_enhanced'" rails up RAILS_ENV=production
    # What only the application knows; what it prints is not an answer.
    file config/database.yml 'production: {adapter: postgresql, password: <%= Rails.application.credentials.password %>}'
    file config/application.rb 'puts "crelease-db adapter mysql"
module Rails
  def self.application; self; end
  def self.config; self; end
  def self.database_configuration; { "production" => { "adapter" => "postgresql", "database" => "shop", "password" => "kept" } }; end
end'
    finds 'postgresql :kept@:/shop, config/database.yml (production)' rails up RAILS_ENV=production
    # .env counts where the application reads it.
    file config/database.yml 'production: {adapter: postgresql, database: shop, password: "<%= ENV["PASSWORD"] %>"}'
    file .env 'PASSWORD=of-env # a comment'
    finds 'postgresql :@:/shop, config/database.yml (production)' rails up RAILS_ENV=production
    file Gemfile.lock '    dotenv-rails (2.8.1)'
    finds 'postgresql :of-env@:/shop, config/database.yml (production)' rails up RAILS_ENV=production
    rm -r "$SITE/app/config" "$SITE/app/.env"

    file .env "A='b'
  export DB_USER=ann
DATABASE_URL=\"postgres://\${DB_USER}:x@db1/shop\"
PATH=/nowhere
lower=x"
    finds 'postgresql ann:x@db1:/shop, DATABASE_URL in .env' auto bin/up
    finds 'postgresql :@db2:/shop, DATABASE_URL of the login' auto bin/up DATABASE_URL=postgres://db2/shop
    rm "$SITE/app/.env"

    file alembic.ini '# x
[other]
sqlalchemy.url = postgresql://no/no
[alembic]
script_location = %(here)s/versions
sqlalchemy.url = postgresql+asyncpg://ann:a%%40b@db1/shop'
    finds 'postgresql ann:a@b@db1:/shop, alembic.ini' auto 'alembic upgrade heads'
    file versions/env.py 'url = os.environ["DATABASE_URL"]'
    finds 'postgresql :@db2:/shop, DATABASE_URL of the login' alembic up DATABASE_URL=postgres://db2/shop

    file sqitch.conf '[core]
	engine = pg
[engine "pg"]
	target = live
[target "live"]
	uri = db:pg://ann@db1/shop'
    finds 'postgresql ann:@db1:/shop, sqitch.conf' auto 'sqitch deploy'
    finds 'postgresql :pw@:/other, sqitch.conf' sqitch 'sqitch deploy db:pg:other' SQITCH_PASSWORD=pw
    finds 'mysql :@db3:/x, sqitch.conf' sqitch 'sqitch deploy --target db:mysql://db3/x'

    file flyway.conf 'flyway.url=jdbc:mariadb://db1:3307/shop
flyway.user=ann
flyway.password=a=b'
    finds 'mysql ann:a=b@db1:3307/shop, flyway.conf' auto 'flyway migrate'
    finds 'mysql ann:of-env@db1:3307/shop, flyway.conf' flyway 'flyway migrate' FLYWAY_PASSWORD=of-env
    # The form since Flyway 10 wins; the environment is its own or the command's.
    file flyway.toml '[flyway]
environment = "live"
[environments.default]
url = "jdbc:postgresql://db1/d"
[environments.live]
url = "jdbc:postgresql://db2:5433/shop"  # a comment
user = '\''ann'\''
password = "a=b#c"
[environments.orders]
url = "jdbc:mariadb://db3/orders"'
    finds 'postgresql ann:a=b#c@db2:5433/shop, flyway.toml' auto 'flyway migrate'
    finds 'postgresql ann:of-env@db2:5433/shop, flyway.toml' flyway 'flyway migrate' FLYWAY_PASSWORD=of-env
    finds 'mysql :@db3:/orders, flyway.toml' flyway 'flyway -environment=orders migrate'
    finds 'postgresql :@db1:/d, flyway.toml' flyway up FLYWAY_ENVIRONMENT=default
}

# parse URL: the parts that each shell finds in it, or why it is refused.
parse() {
    local shell said
    PARSED=
    for shell in dash bash 'busybox sh' mksh; do
        command -v "${shell%% *}" >/dev/null || continue
        # shellcheck disable=SC2086,SC2016 # words; for that shell
        said=$({
            echo "adapter='' host='' port='' user='' password='' name='' socket='' sslmode='' service='' passfile=''
                sslrootcert='' sslcert='' sslkey='' problem='' note=''"
            cat "$TOP/src/db/find/url.sh"
            echo 'LC_ALL=C; if read_url "$1" U && check_parts U; then echo "$adapter $user:$password@$host:$port/$name $sslmode$note"; else echo "$problem"; fi'
        } | $shell -s "$1")
        PARSED=${PARSED:-$said}
        assert_equal "$1 in $shell" "$said" "$PARSED"
    done
}

case_url() {
    local url expected
    while IFS='|' read -r url expected; do
        parse "$url"
        assert_equal "$url" "$PARSED" "$expected"
    done <<'END'
postgres://ann:p%40ss@db1:5432/shop|postgresql ann:p@ss@db1:5432/shop 
postgresql://ann:a:b@c@db1/shop?sslmode=require&pool=5|postgresql ann:a:b@c@db1:/shop require
postgresql+psycopg2://ann@[::1]:5433/shop|postgresql ann:@::1:5433/shop 
postgresql:///shop?host=/run/postgresql&user=ann|postgresql ann:@/run/postgresql:/shop 
postgres://%2Frun%2Fpostgresql/shop|postgresql :@/run/postgresql:/shop 
postgres://h1:1,h2:2/shop|postgresql :@h1:1/shop U names several hosts, of which only the first is asked
postgres://h/shop?host=h1,h2|postgresql :@h1:/shop U names several hosts, of which only the first is asked
jdbc:postgresql://db1/shop?user=ann&password=a%26b|postgresql ann:a&b@db1:/shop 
db:pg://ann@db1/shop|postgresql ann:@db1:/shop 
mysql2://ann:x@db1:3306/shop|mysql ann:x@db1:3306/shop 
postgres://ann:%zz@h/shop|the password in U is not encoded correctly (% must be %25)
postgres://ann:50%@h/shop|the password in U is not encoded correctly (% must be %25)
postgres://ann%0a@h/shop|the user name in U is not encoded correctly
postgres://h/a%00b|the name of the database in U is not encoded correctly
postgres://h/a?host=%2|a setting in U is not encoded correctly
postgres://h$(id)/shop|the host in U is not a name, an address or a folder
postgres://-h/shop|the host in U is not a name, an address or a folder
postgres://h:80a/shop|the port in U is not a number
postgres://h/|U does not name a database
postgres://h/shop?sslmode=a;b|the sslmode in U is not a word
h=db1 dbname=shop|U is not the URL of a database
END
}

rig_open
start_hosts 1
# Only now: a login on the host knows nothing of the server.
start_postgres
run_cases "$@"
