# shellcheck shell=bash
# lib.sh -- what the measures of tests/bench have in common.  A script that has `. lib.sh` in place of
# rig.sh has a rig of its own, too.
#
#     figure 'redeploy' '1.0 s' '3.9 s'       one line of the table at the end
#     figures TITLE COLUMN COLUMN             prints them, with the machine and its load
# shellcheck source=tests/lib/rig.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/rig.sh"
MIGRATES=rake

now_ms() { date +%s%3N; }
median() { sort -n | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
largest() { sort -n | tail -n 1; }
seconds() { awk -v ms="$1" 'BEGIN { if (ms < 100) printf "%.0f ms", ms; else printf "%.2f s", ms / 1000 }'; }
load() { cut -d' ' -f1 /proc/loadavg; }

# timed FILE COMMAND...: appends the milliseconds it took.
timed() {
    local file=$1 begun
    shift
    begun=$(now_ms)
    "$@" </dev/null >"$RIG/out" 2>&1 || { cat "$RIG/out" >&2; fail "$* failed"; }
    echo $(($(now_ms) - begun)) >>"$file"
}

FIGURES=()
figure() { # WHAT FIGURE [NOTE]
    FIGURES+=("$(printf '| %s | %s | %s |' "$1" "$2" "${3-}")")
}

figures() { # TITLE COLUMN COLUMN
    printf '\n%s\n(%s processors, %s, load at the end %s)\n\n| | %s | %s |\n|---|---|---|\n' "$1" "$(nproc)" \
        "$(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' /etc/os-release)" "$(cut -d' ' -f1-3 /proc/loadavg)" "${2-}" "${3-}"
    printf '%s\n' "${FIGURES[@]}"
}

# --- Capistrano ----------------------------------------------------------------------------------

has_capistrano() {
    command -v cap >/dev/null && return 0
    echo 'Capistrano is not installed (apt-get install capistrano): not compared.'
    return 1
}

# Its own deploy with the same linked folders and the same migration in the same order, on the site's
# last host, beside crelease's, with a database of its own.
capistrano_write() {
    local host=${SITE_HOSTS[-1]}
    CAP_DB=${DB}_cap
    mkdir -p "$SITE/cap/config/deploy" "$SITE/cap-home"
    cat >"$SITE/cap/Capfile" <<'END'
require 'capistrano/setup'
require 'capistrano/deploy'
require 'capistrano/scm/git'
install_plugin Capistrano::SCM::Git
END
    cat >"$SITE/cap/config/deploy.rb" <<END
set :application, 'shop'
set :repo_url, '$REPO'
set :branch, 'main'
set :deploy_to, '$SITE/cap-host'
set :tmp_dir, '$SITE/cap-tmp'
set :keep_releases, 3
set :linked_files, %w[config/database.yml]
set :linked_dirs, %w[log tmp/pids]
set :default_env, { 'RAILS_ENV' => 'production' }
set :format_options, log_file: '$SITE/cap.log'
namespace :deploy do
  task :migrate do
    on primary(:db) do
      within(release_path) { execute :rake, 'db:migrate' }
    end
  end
  task :restart do
    on roles(:app) do
      within(release_path) { execute :mkdir, '-p', 'tmp'; execute :touch, 'tmp/restart.txt' }
    end
  end
  after :updated, :migrate
  after :publishing, :restart
end
END
    cat >"$SITE/cap/config/deploy/production.rb" <<END
server '$(host_address "$host")', port: $(host_port "$host"), user: '$(id -un)', roles: %w[app web db],
  ssh_options: { keys: ['$HOME/.ssh/id_ed25519'], keys_only: true, config: false, verify_host_key: :always,
                 user_known_hosts_file: '$HOME/.ssh/known_hosts', forward_agent: false }
END
    mkdir -p "$SITE/cap-tmp" "$SITE/cap-host/shared/config"
    sed "s/database: .*/database: \"$CAP_DB\"/" "$SITE/$host/shared/config/database.yml" >"$SITE/cap-host/shared/config/database.yml"
    sql "create database \"$CAP_DB\""
}

capistrano() { (cd "$SITE/cap" && cap production deploy); }

# --- a backup, and those who notice ----------------------------------------------------------------

# probe_begin KIND DATABASE FILE...: probe.pl beside what is measured, until probe_end.
probe_begin() {
    perl "$TOP/tests/bench/probe.pl" "$@" &
    PROBE=$!
    wait_for 10 test -e "$3"
}

probe_end() {
    kill "$PROBE"
    wait "$PROBE" || fail "the probe ended with status $?"
}

copying() { [ -n "$(sql "select pid from pg_stat_activity where application_name = 'pg_dump' and datname = '$1' and query ilike 'copy %'")" ]; }
not_copying() { ! copying "$1"; }

# dump_for SECONDS DATABASE: a real pg_dump on the last host whose reader lets it go on after so long.
# Returns when it holds its locks.
dump_for() {
    on_host "${SITE_HOSTS[-1]}" "pg_dump -d '$2' | { sleep $1; cat >/dev/null; }" </dev/null &
    # shellcheck disable=SC2034 # for the scripts
    DUMP=$!
    wait_for 60 copying "$2"
}
