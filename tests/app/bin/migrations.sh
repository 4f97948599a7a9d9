# shellcheck shell=sh disable=SC2034
# Sourced by migrate and migrate-status: $database, and what of db/migrate has been carried out there.
database=$(sed -n 's/^ *database: "\(.*\)"$/\1/p' config/database.yml)
up=" $(psql -XAtq -v ON_ERROR_STOP=1 -d "$database" -c "set client_min_messages = warning" \
    -c "create table if not exists schema_migrations (version text primary key)" -c "select version from schema_migrations" | tr '\n' ' ')"

is_up() { # VERSION
    case $up in *" $1 "*) ;; *) return 1 ;; esac
}

# name_of FILE: sets $version, and $name as people read it.
name_of() {
    name=${1##*/}
    version=${name%%_*}
    name=${name#*_}
    name=${name%.sql}
    case $name in create_*) name="Create ${name#create_}" ;; add_*) name="Add ${name#add_}" ;; esac
}
