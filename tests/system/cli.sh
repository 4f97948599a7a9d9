#!/bin/bash
# The command line by itself: help, suggestions, where the recipe is looked for, one machine.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

case_version() {
    expect_status 0 --version
    assert_equal "version" "$(grep -c '^crelease [0-9]*\.[0-9]' "$OUT")" 1
    local version
    version=$(sed 's/^crelease //' "$OUT")
    expect_status 0 --version -v
    expect_output "crelease $version"
    expect_output '^libssh2 [0-9.]+$'
    expect_output '^openssl [0-9.]+$'
    expect_status 0 --version --json
    assert_equal "version" "$(json .version)" "$version"
    assert_equal "libraries" "$(json '.libraries | keys | join(" ")')" 'jansson libcurl libgit2 libssh2 libuv libyaml libzstd openssl zlib'
    # What is loaded is what pkg-config knows, since both are this system's.
    assert_equal "libssh2" "$(json .libraries.libssh2.version)" "$(pkg-config --modversion libssh2)"
    assert_equal "ed25519" "$(json '.libraries.libssh2.features | index("ssh-ed25519") != null')" true
    assert_equal "https" "$(json '.libraries.libgit2.features | index("https") != null')" true
    "$CRELEASE" --version >/dev/full 2>"$OUT" && fail "status 0 although nothing was written"
    expect_output 'cannot write to standard output'
}

case_help() {
    local topic
    expect_status 0 help
    [ -s "$OUT" ] || fail "nothing said"
    for topic in recipe exit deploy resume rollback abort status plan check backups history exec run init \
        keep_releases linked_files backup; do
        expect_status 0 help "$topic"
        [ -s "$OUT" ] || fail "help $topic says nothing"
    done
    # An option, for each of the commands that take it; and a word that is a key, too.
    expect_status 0 help wait-limit
    expect_output '^--wait-limit LIMIT'
    expect_output '^    of deploy, resume, rollback, plan$'
    expect_output '^    of backups$'
    expect_status 0 help report
    expect_output '^    of every command$'
    expect_status 0 help older
    expect_output '^  default: warn'
    expect_output '^--older POLICY'
    expect_status 0 --help
    expect_status 0 deploy --help
}

case_suggestions() {
    site_new suggestions 0
    expect_status 2 delpoy production
    expect_output 'deploy'
    expect_status 2 deploy --fource production
    expect_output -- '--force'
    expect_status 2 deploy producton
    expect_output 'production'
    expect_status 2
    expect_status 2 deploy
    expect_status 2 deploy production extra
    expect_output -- '--ref names a branch'
    expect_status 2 production deploy
    expect_output "did you mean 'crelease deploy production'"
    expect_status 2 deploy --on-backup perhaps production
    expect_output 'wait'
    recipe_write <<<'lnked_files: []'
    expect_status 2 deploy production
    expect_output linked_files
    expect_status 2 help nosuchtopic
    local word
    for word in revert:rollback deploy:rollback:rollback cancel:abort doctor:check releases:history statuses:status; do
        expect_status 2 "${word%:*}" production
        expect_output "did you mean '${word##*:}'"
    done
    for word in branch:ref recipes:recipe if-wating:if-waiting wait_limt:backup.wait_limit repo_url:repository hots:hosts; do
        expect_status 2 help "${word%:*}"
        expect_output "did you mean '${word#*:}'"
    done
    recipe_write <<<'host: app1'
    expect_status 2 deploy production
    expect_output "unknown key 'host'; 'hosts' belongs in an environment"
    sed -i 's/^host: app1//; s/^    hosts:/    host:/' "$RECIPE"
    expect_status 2 deploy production
    expect_output "unknown key 'host'; did you mean 'hosts'"
}

# A host without roles has all of them: one that nobody names would be that of every host.
case_roles() {
    site_new roles 0
    recipe_write <<<'tasks: {t: {run: "true", roles: [worker]}}'
    expect_status 2 deploy --roles web1 production
    expect_output "environment 'production' has no role 'web1'$"
    expect_status 2 plan --roles app,wrker production
    expect_output "has no role 'wrker'; did you mean 'worker'"
    expect_status 2 status --hosts her production
    expect_output "environment 'production' has no host 'her'; did you mean 'here'"
    expect_status 2 status --hosts here, --roles , production
    expect_status 0 plan --roles worker production
    expect_status 0 plan --roles db,app --hosts here production
    assert_gone "$SITE/here/current"
    recipe_write </dev/null
    sed -i 's/name: here,/name: here, roles: [web, db],/' "$RECIPE"
    expect_status 2 exec --roles web1 production -- true
    expect_output "has no role 'web1'; did you mean 'web'"
    expect_status 2 plan --roles app production
    expect_output "no host of 'production' has the role 'app'"
}

init_says() { # KEY VALUE, as a line of the recipe without its comment
    assert_equal "$1" "$(sed -n "s/^$1: *//p" crelease.yml | sed 's/ *# .*//')" "$2"
}

# The recipe is one that crelease reads: nothing is wrong but the example host.
init_reads() {
    expect_status 2 resume nosuchenvironment
    expect_output "no environment 'nosuchenvironment' in crelease.yml, expected one of: production"
}

case_init() {
    mkdir -p "$RIG/init"
    cd "$RIG/init"
    expect_status 0 init
    assert_exists crelease.yml
    init_reads
    local before
    before=$(cksum <crelease.yml)
    expect_status 2 init
    expect_output "'crelease.yml' already exists; '.*init --force'"
    assert_equal "an existing recipe" "$(cksum <crelease.yml)" "$before"
    echo 'mine: 1' >crelease.yml
    expect_status 0 init --force
    expect_output "overwrote 'crelease.yml'"
    assert_equal "the recipe" "$(cksum <crelease.yml)" "$before"
    expect_status 0 init --force --json
    assert_equal "JSON" "$(json '.recipe, .overwritten' | paste -sd' ')" 'crelease.yml true'
    assert_equal "files" "$(ls)" crelease.yml
    mkdir config
    mv crelease.yml config
    expect_status 2 init
    expect_output "'config/crelease.yml' already exists"
    expect_status 2 init --force -f config
    expect_output "'config' is not a regular file"
    rm config/crelease.yml
    ln -s nowhere crelease.yml
    expect_status 2 init
    expect_status 0 init --force
    assert_equal "files" "$(ls)" 'config
crelease.yml'
}

# Everything that can be read of Capistrano's configuration is in the recipe, the rest in a list with its lines.
case_init_from_capistrano() {
    mkdir -p "$RIG/cap/config/deploy"
    cd "$RIG/cap"
    expect_status 2 init --from-capistrano
    expect_output "cannot read 'config/deploy.rb' here: No such file"
    printf "require 'capistrano/%s'\n" rails rbenv >Capfile
    cat >config/deploy.rb <<'END'
lock '~> 3.17'
set :application, 'shop'
set :repo_url, "git@git.example.com:team/#{fetch(:application)}.git"
set :user, 'deploy'
set :deploy_to, -> { "/srv/#{fetch(:stage)}/#{fetch(:application)}" }
set :branch, ENV.fetch('BRANCH', 'stable')
set :linked_files, fetch(:linked_files, []).push('config/database.yml')
append :linked_files, 'config/master.key', 'config/database.yml'
set :linked_dirs, %w[log tmp/pids tmp/pids/old] +
  ['storage']
set :keep_releases, 7
set :rbenv_type, :user
set :rbenv_ruby, '3.2.2'
set :default_env, { path: '/opt/ruby/bin:$PATH', 'API_HOST' => "api.#{fetch(:stage)}.example.com",
                    token: ENV['TOKEN'] }
set :log_level, :info
set :migration_role, :app
set :sidekiq_roles, :worker
set :secret_key, `cat key`
if ENV['CANARY']
  set :keep_releases, 1
end
namespace :deploy do
  task :restart do
    on roles(:app) do
      execute :sudo, :systemctl, :restart, "shop-web"
    end
  end
end
END
    cat >config/deploy/production.rb <<'END'
server 'app1.example.com', user: fetch(:user), roles: %w[app web], port: 2222
server 'app2.example.com', roles: %w[app web], primary: true, ssh_options: { user: 'ops', forward_agent: true }
role :db, %w[pg@db1.example.com], no_release: true
END
    cat >config/deploy/staging.rb <<'END'
set :branch, :develop
set :rails_env, 'qa'
server 'staging.example.com', roles: :all
END
    echo '# nothing yet' >config/deploy/later.rb
    expect_status 0 init --from-capistrano
    expect_output "converted 17 settings; ignored, because crelease does not need them: lock, log_level; look at these 8, also listed at the end of the recipe:"
    expect_output 'config/deploy.rb:19  set :secret_key, .cat key'
    sed -n 's/^#   \([^ ][^ ]*\)  .*/\1/p' crelease.yml >left
    assert_equal "what is left" "$(paste -sd' ' left)" "config/deploy.rb:6 config/deploy.rb:14$(
        ) config/deploy.rb:18 config/deploy.rb:19 config/deploy.rb:20$(
        ) config/deploy.rb:24 config/deploy/production.rb:3 config/deploy/later.rb:1"
    sed '/^# /d; /^$/d' crelease.yml >recipe
    diff -u - recipe <<'END' || fail "not the recipe"
application: shop
extends: rails
repository: git@git.example.com:team/shop.git
ref: stable   # Capistrano took it from BRANCH; here: crelease deploy production --ref BRANCH
deploy_to: /srv/production/shop
keep_releases: 7
linked_files: [config/database.yml, config/master.key]
linked_dirs: [log, tmp/pids, storage, public/assets, vendor/bundle]
path: ["~/.rbenv/shims", "~/.rbenv/bin"]
build:
  - {name: bundle install, run: bundle install --quiet, timeout: 30m}
  - {name: "assets:precompile", run: "bundle exec rake assets:precompile", roles: [web], timeout: 30m}
restart: {touch: null, run: "sudo -n systemctl restart shop-web"}
env:
  RAILS_ENV: production
  RBENV_VERSION: "3.2.2"
  PATH: "/opt/ruby/bin:$PATH"
  API_HOST: api.production.example.com
  # TOKEN: ${TOKEN}   # its value came from the environment of 'cap'
environments:
  production:
    hosts:
      - {host: app2.example.com, user: ops, roles: [app, web, db]}   # first, because it is the primary database server
      - {host: app1.example.com, user: deploy, port: 2222, roles: [app, web, db]}
  staging:
    ref: develop
    deploy_to: /srv/staging/shop
    env:
      RAILS_ENV: qa
      API_HOST: api.staging.example.com
    hosts:
      - {host: staging.example.com, user: deploy}
END
    expect_status 2 exec --hosts none production -- true
    expect_output "has no host 'none'"
    expect_status 0 init --from-capistrano --force --json
    assert_equal JSON "$(json '"\(.read) \(.settings) \(.left[2].file):\(.left[2].line)"')" '19 23 config/deploy.rb:18'
    # A branch that cannot be read is not the one that is checked out here.
    git init -q -b topic .
    sed -i "s/^set :branch, .*/ask :branch, \`git name\`/" config/deploy.rb
    expect_status 0 init --from-capistrano --force
    grep -qx "# ref: BRANCH   # 'branch' could not be read: write the branch that is deployed" crelease.yml || fail "ref: $(grep ref: crelease.yml)"
    git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/trunk
    expect_status 0 init --from-capistrano --force
    grep -qx "ref: trunk   # 'branch' could not be read: this is the default branch of origin" crelease.yml || fail "ref: $(grep ref: crelease.yml)"
}

# Bytes of these files are never a command, a line of the recipe, or a sequence for the terminal.
case_init_from_capistrano_is_inert() {
    mkdir -p "$RIG/hostile cap/config/deploy"
    cd "$RIG/hostile cap"
    git init -q -b main .
    # shellcheck disable=SC2016 # for Ruby
    printf '%b' 'set :application, "x\\n- y"\nset :deploy_to, "/srv/a\xe2\x80\xa8hooks: {before lock: [touch a]}"\n' \
        'set :branch, "a: ${HOME}"\nset :repo_url, "$(touch b)`touch c`"\nset :a, `touch d`\n' \
        'set :linked_dirs, ["../x", "ok", "a\\nb", "\\e[31m"]\n' \
        "set :x, 'a' if system('touch e') \x1b[31m # \xe2\x80\xa8 hooks: 1\n" \
        'set :l, "xxxxxxxx"\n' >config/deploy.rb
    {
        for _ in {1..60}; do echo 'set :l, "#{fetch(:l)}#{fetch(:l)}"'; done
        for i in {1..60}; do echo "set :m$i, -> { fetch(:m$((i + 1))) + fetch(:m$((i + 1))) }"; done
        echo "set :deploy_to, fetch(:m1)"
    } >>config/deploy.rb
    # shellcheck disable=SC2016 # for Ruby
    printf 'server "-oProxyCommand=touch$IFS/f", user: "a b", roles: %%w[app]\nserver "h1", roles: ["x y"]\n' \
        >config/deploy/production.rb
    echo "server 'h2', roles: :app" >$'config/deploy/a\nb: 1.rb'
    timeout 20 "$CRELEASE" init --from-capistrano >"$RIG/said" || fail "status $?"
    ! LC_ALL=C grep -q $'\e' "$RIG/said" crelease.yml || fail "an escape sequence"
    assert_equal "keys" "$(sed -n 's/^\([a-z_]*\):.*/\1/p' crelease.yml | paste -sd' ')" \
        'application repository deploy_to linked_files linked_dirs environments'
    init_says application hostile-cap
    init_says deploy_to /var/www/hostile-cap
    init_says linked_dirs '[ok]'
    init_says '# ref' BRANCH
    expect_status 2 exec --hosts none production -- true
    expect_output "has no host 'none'"
    assert_equal files "$(ls)" 'config
crelease.yml'
    printf 'set :application\0, "x"\n' >config/deploy.rb
    expect_status 2 init --from-capistrano --force
    expect_output "cannot read 'config/deploy.rb' here: it is not a text file of at most 256 KiB"
}

case_init_fits_the_folder() {
    local fit kind file
    mkdir -p "$RIG/init fits/My  Shop!"
    cd "$RIG/init fits/My  Shop!"
    git init -q -b main .
    expect_status 0 init
    init_says application My-Shop
    init_says repository .
    init_says ref main
    init_says deploy_to /var/www/My-Shop
    # shellcheck disable=SC2016 # a name that would be expanded
    git symbolic-ref HEAD 'refs/heads/feature/${HOME}"x'
    git remote add origin https://ann:s3cret@git.example.com/shop.git?token=1
    expect_status 0 init --force
    init_says repository https://git.example.com/shop.git
    # shellcheck disable=SC2016
    init_says ref '"feature/$${HOME}\"x"'
    init_reads
    git remote set-url origin ssh://git:s3cret@git.example.com:2222/shop.git
    expect_status 0 init --force
    init_says repository ssh://git@git.example.com:2222/shop.git
    git remote set-url origin git@git.example.com:shop.git
    git config url.https://s3cret@x.example.com/.insteadOf git@git.example.com:
    expect_status 0 init --force
    init_says repository git@git.example.com:shop.git
    git remote set-url origin ../elsewhere
    expect_status 0 init --force
    init_says repository .
    for fit in rails:config/application.rb laravel:artisan django:manage.py node:package.json static:index.html \
        alembic:alembic.ini flyway:flyway.conf sqitch:sqitch.conf; do
        kind=${fit%%:*} file=${fit#*:}
        mkdir -p "$RIG/init fits/$kind/$(dirname "$file")"
        cd "$RIG/init fits/$kind"
        touch "$file"
        expect_status 0 init
        init_says extends "$kind"
        init_reads
    done
    cd ../rails
    printf "gem 'rails'\ngem 'mysql2'\n" >Gemfile
    touch config/credentials.yml.enc package.json
    expect_status 0 init --force
    init_says extends rails
    init_says linked_files '[config/database.yml, config/master.key]'
    grep -q 'adapter: mysql, name: rails_production' crelease.yml || fail "not the database of the application"
    cd ../node
    touch .env.example
    expect_status 0 init --force
    init_says linked_files '[.env]'
    mkdir -p ../symfony/bin
    cd ../symfony
    touch bin/console composer.json
    expect_status 0 init
    init_reads
    expect_no_output unknown
    mkfifo Gemfile
    expect_status 0 init --force
}

case_where_the_recipe_is() {
    site_new where_the_recipe_is 0
    expect_status 0 deploy production
    mkdir -p sub/folder
    cd sub/folder
    expect_status 0 status production
    mkdir -p "$SITE/config"
    mv "$RECIPE" "$SITE/config/crelease.yml"
    expect_status 0 status production
    cd /
    expect_status 2 status production
    expect_status 0 status -f "$SITE/config/crelease.yml" production
}

# Whoever can write a recipe runs commands as the user, so one that was found and not named is refused then.
refused() { # WHY [FILE, as it is named with -f]
    expect_status 2 status production
    expect_output "is not trusted: $1; to use it anyway, add '-f ${2-crelease.yml}'"
    expect_status 0 status production -f "${2-crelease.yml}"
}

private_group() { [[ $(getent group "$(id -g)") =~ ^$(id -un):[^:]*:[^:]*:($(id -un))?$ ]]; }

case_recipe_that_others_can_write() {
    site_new others_can_write 0
    local file=$SITE/crelease.yml mode
    chmod 666 crelease.yml
    refused "file '$file' is writable by others"
    chmod 664 crelease.yml
    if private_group; then expect_status 0 status production; else refused "file '$file' is writable by g.*"; fi
    chmod 644 crelease.yml
    chmod 757 .
    refused "folder '$SITE' is writable by others"
    chmod 1777 .
    expect_status 0 status production
    chmod 755 .

    mkdir -p sub/folder
    cd sub/folder
    chmod 646 "$file"
    refused "file '$file' is writable by others" ../../crelease.yml
    chmod 644 "$file"
    chmod 777 . ..
    expect_status 0 status production
    chmod 757 "$SITE"
    refused "folder '$SITE' is writable by others" ../../crelease.yml
    cd "$SITE"
    chmod 755 .

    mkdir config
    mv crelease.yml config
    for mode in . config; do
        chmod 757 "$mode"
        refused "folder '$SITE(/config)?' is writable by others" config/crelease.yml
        chmod 755 "$mode"
    done
    expect_status 0 status production

    # Through links: each of them, and where the last one leads.
    mv config open
    ln -s open/ config
    expect_status 0 status production
    chmod 757 open
    refused "folder '$SITE/(open|config)' is writable by others" config/crelease.yml
    mkdir closed
    mv open/crelease.yml closed
    rm config
    ln -s ../closed/crelease.yml open/link
    ln -s "$SITE/open/link" crelease.yml
    refused "folder '$SITE/open' is writable by others"
    chmod 755 open
    expect_status 0 status production
    chmod 757 closed
    refused "folder '$SITE/(open/../)?closed' is writable by others"
    chmod 755 closed
    chmod 646 closed/crelease.yml
    refused "file '$file' is writable by others"
}

case_recipe_of_somebody_else() {
    root || return 0
    site_new somebody_else 0
    local file=$SITE/crelease.yml what
    for what in . crelease.yml; do
        chown 65531 "$what"
        refused "f(older|ile) '$SITE(/crelease.yml)?' is owned by .*, not by root"
        SUDO_UID=65531 expect_status 0 status production
        for SUDO_UID in 65532 '' -1 65531x 4295032827; do
            export SUDO_UID
            expect_status 2 status production
        done
        unset SUDO_UID
        chown 0 "$what"
    done
    expect_status 0 status production
    chmod 664 crelease.yml
    chgrp 65531 crelease.yml
    refused "file '$file' is writable by g.*"
    chmod 644 crelease.yml

    # As in /tmp.
    mkdir -m 1777 tmp
    mkdir tmp/project
    cp crelease.yml tmp
    chown 65531 tmp/crelease.yml
    cd tmp/project
    refused "file '$SITE/tmp/crelease.yml' is owned by .*" ../crelease.yml
    rm ../crelease.yml
    ln -s "$file" ..
    expect_status 0 status production
    chown -h 65531 ../crelease.yml
    refused "link '$SITE/tmp/crelease.yml' is owned by .*" ../crelease.yml
    rm ../crelease.yml
    mkdir "$SITE/config"
    cp "$file" "$SITE/config"
    ln -s ../config ..
    expect_status 0 status production
    chown -h 65531 ../config
    refused "link '$SITE/tmp/config' is owned by .*" ../config/crelease.yml
}

case_local() {
    site_new local 0
    expect_status 0 check production
    expect_status 0 deploy production
    assert_deployed "$(revision)" 1
    commit_file public/index.html two
    expect_status 0 deploy production
    assert_deployed "$(revision)" 2
    expect_status 0 rollback production
    assert_equal "colours without a terminal" "$(grep -c $'\033' "$OUT" "$ERR" | cut -d: -f2 | paste -sd' ')" '0 0'
}

# What check, plan and deploy say before a revision goes live that is not what it seems to be.
notes_are_said() { # PART...
    local part
    expect_status 0 check production
    for part; do expect_output "note .*$part"; done
    expect_status 0 check --json production
    assert_equal "checks" "$(json '.ok, ([.checks[] | select(.host == null and .check != "repository" and .ok)] | length)' | paste -sd' ')" "true $#"
    expect_status 0 plan production
    for part; do expect_output "warning: .*$part"; done
    expect_status 0 plan --json production
    assert_equal "warnings of the plan" "$(json '.warnings | length')" $#
    expect_status 0 deploy --json production
    for part; do [[ $(json 'select(.event == "warning").detail') =~ $part ]] || fail "no event '$part'"; done
    expect_status 0 deploy --force production
    for part; do expect_output "warning: .*$part"; done
}

case_notes() {
    site_new notes 0
    git clone -q --bare "$REPO" "$SITE/origin.git"
    git -C "$REPO" remote add origin "$SITE/origin.git"
    git -C "$REPO" fetch -q
    expect_status 0 deploy production
    expect_no_output warning
    git -C "$REPO" checkout -q -b elsewhere
    commit_file public/index.html two
    git -C "$REPO" push -q origin elsewhere:main
    git -C "$REPO" checkout -q main
    expect_status 0 deploy production
    expect_output "branch 'main' is 1 commit behind its upstream 'origin/main'"
    expect_output 'nothing to do'
    git -C "$REPO" merge -q --ff-only origin/main
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 1\n' 0 >"$REPO/logo.png"
    git -C "$REPO" update-index --add --cacheinfo "160000,$(revision),vendor/sub"
    git -C "$REPO" add logo.png
    git -C "$REPO" commit -qm assets
    echo x >"$REPO/new"
    echo x >>"$REPO/public/index.html"
    notes_are_said "'main' is 1 commit ahead of its upstream 'origin/main'" 'uncommitted changes .1 changed file, 1 untracked file: .*public/index.html' \
        '1 submodule .*vendor/sub' '1 file .*Git LFS pointer.*logo.png'
}

# The repository is a URL, and what was committed in the clone beside the recipe has not been pushed there.
case_unpushed() {
    site_new unpushed 0
    git clone -q --bare "$REPO" "$SITE/origin.git"
    recipe_write <<<"repository: 'file://$SITE/origin.git'"
    cp "$RECIPE" "$REPO/mine.yml"
    sed -i "s|^deploy_to: *here|deploy_to: $SITE_Q/here|" "$REPO/mine.yml"
    expect_status 0 deploy -f "$REPO/mine.yml" production
    expect_no_output warning
    commit_file public/index.html two
    commit_file public/index.html three
    expect_status 0 deploy -f "$REPO/mine.yml" production
    expect_output "nothing to do"
    expect_output "branch 'main' of this clone has 2 commits that the repository does not have"
    git -C "$REPO" checkout -q -b other
    expect_status 0 deploy -f "$REPO/mine.yml" production
    expect_no_output warning
}

case_ambiguous_ref() {
    site_new ambiguous_ref 0
    git -C "$REPO" tag live
    commit_file public/index.html two
    git -C "$REPO" branch live
    expect_status 2 deploy --ref live production
    expect_output "'refs/tags/live' or 'refs/heads/live'"
    expect_status 2 plan --ref live production
    assert_gone "$SITE/here/current"
    expect_status 0 deploy --ref heads/live production
    assert_equal "revision" "$(cat "$SITE/here/current/REVISION")" "$(revision)"
    expect_status 0 deploy --ref refs/tags/live production
    assert_equal "revision" "$(cat "$SITE/here/current/REVISION")" "$(git -C "$REPO" rev-parse main~1)"
}

# It writes nothing into the home folder that other programs own, and nothing beside the recipe.
case_leaves_nothing_here() {
    site_new leaves_nothing_here 0
    local before
    before=$(cd "$SITE" && find . -path ./here -prune -o -path ./repo -prune -o -print | LC_ALL=C sort)
    expect_status 0 deploy production
    assert_equal "beside the recipe" "$(cd "$SITE" && find . -path ./here -prune -o -path ./repo -prune -o -print | LC_ALL=C sort)" "$before"
    git -C "$REPO" status --porcelain >"$RIG/porcelain"
    assert_equal "the repository" "$(cat "$RIG/porcelain")" ''
}

# --- a terminal --------------------------------------------------------------------------------

site_slow() {
    site_new "$1" 0
    recipe_write <<<"build: ['while test -e $SITE_Q/block; do sleep 0.05; done']"
    touch "$SITE/block"
}
typed_shell() { # what is typed into a shell of its own, on a terminal, by descriptor 7
    rm -f "$SITE/keys" "$SITE/typed"
    mkfifo "$SITE/keys"
    exec 7<>"$SITE/keys"
    script -qefc "bash --norc -i" "$SITE/typed" <"$SITE/keys" >/dev/null 2>&1 &
    TYPED=$!
}

# Keys that are typed while lines are drawn are not seen among them, and are there for who reads next; the
# terminal is as it was afterwards.
case_typed_keys_leave_no_trace() {
    site_slow typed_keys
    typed_shell
    printf 'PS1="ready> "; %q deploy production; echo "status=$?"; stty -a\n' "$CRELEASE" >&7
    wait_for 60 terminal_shows 'build .*test -e'
    printf 'echo gu""essed\n\n' >&7
    # The loop has drawn again since.
    wait_for 60 terminal_shows 'test -e.*[2-9]\.[0-9] s'
    if terminal_shows 'echo gu'; then fail 'what was typed is echoed'; fi
    rm "$SITE/block"
    wait_for 60 terminal_shows 'status=0'
    wait_for 60 terminal_shows ' echo '
    wait_for 60 terminal_shows 'guessed'
    printf 'exit\n' >&7
    finish_on_terminal 0
}

# Stopped by Ctrl-Z and continued: the shell in between has its terminal as it was.
case_ctrl_z() {
    site_slow ctrl_z
    typed_shell
    printf 'PS1="ready> "; %q deploy production\n' "$CRELEASE" >&7
    wait_for 60 terminal_shows 'build .*test -e'
    printf '\032' >&7
    wait_for 60 terminal_shows 'Stopped'
    printf 'stty -a | grep -o "[-]*echo " | head -n 1 | sed "s/^/is=/"\n' >&7
    wait_for 60 terminal_shows 'is=echo '
    printf 'fg\n' >&7
    wait_for 60 terminal_shows 'fg'
    printf 'unseen' >&7
    rm "$SITE/block"
    wait_for 60 terminal_shows 'live on 1 host'
    printf '\025echo "left=$?"\n' >&7
    wait_for 60 terminal_shows 'left=0'
    # In the background it does not touch the terminal, and ends.
    touch "$SITE/block"
    printf '%q deploy --force production\n' "$CRELEASE" >&7
    wait_for 60 terminal_shows '(build .*test -e.*){1}'
    wait_for 60 test -e "$SITE/here/.crelease/lock"
    printf '\032' >&7
    wait_for 60 stopped_twice
    printf 'bg\n' >&7
    rm "$SITE/block"
    wait_for 60 gone_lock
    printf 'wait; echo "waited=$?"\n' >&7
    wait_for 60 terminal_shows 'waited=0'
    printf 'exit\n' >&7
    finish_on_terminal 0
}
stopped_twice() { [ "$(grep -c Stopped "$SITE/typed")" -ge 2 ]; }
gone_lock() { [ ! -e "$SITE/here/.crelease/lock" ]; }

# The screen at several widths and while it is resized, with output that moves the cursor, colors, and clears the screen.
case_terminal_sizes() {
    local columns offset
    site_new terminal_sizes 0
    cat >"$REPO/noise" <<'END'
#!/bin/sh
i=0
while [ $i -lt 20 ]; do
    i=$((i + 1))
    printf '\033[31mdownloading\033[0m %s of 20 a-file-with-a-rather-long-name-%s.tar.gz from https://files.example.com/pool/main/\r' $i $i
done
printf '\n\033[2J\033[H\033]0;title\007\tdone\b\b\n'
while [ -e "$1" ]; do sleep 0.05; done
END
    commit_all noise
    recipe_write <<<"build: ['sh noise $SITE_Q/block']"
    for columns in 20 40 80 200; do
        on_columns "$columns" deploy --force production
        finish_on_terminal 0
        "$TOP/tests/lib/terminal.py" "$SITE/typed" "$columns" >"$SITE/screen" || fail "$columns columns"
        sed "s/^/  $columns | /" "$SITE/screen" >&2
        tr -s ' \n' ' ' <"$SITE/screen" | grep -qE 'switch .*unlock .*live on 1 host in' || fail "$columns columns: not the stages"
        ! grep -q '^[|/\\-] ' "$SITE/screen" || fail "$columns columns: a live line is left"
    done
    touch "$SITE/block"
    on_columns 100 deploy --force production
    wait_for 60 terminal_shows 'build .*noise'
    stty cols 30 <"$(cat "$SITE/pts")"
    offset=$(stat -c %s "$SITE/typed")
    # What was being written then has the old width.
    wait_for 60 has_grown "$offset"
    offset=$(stat -c %s "$SITE/typed")
    wait_for 60 has_grown "$offset"
    rm "$SITE/block"
    finish_on_terminal 0
    "$TOP/tests/lib/terminal.py" "$SITE/typed" 100 "$offset:30" >"$SITE/screen" || fail "resized"
    grep -q '^live on 1 host in' "$SITE/screen" || fail "resized: $(cat "$SITE/screen")"
}
on_columns() { # COLUMNS ARGS: the program on a terminal of that width, whose name is in $SITE/pts
    local columns=$1
    shift
    rm -f "$SITE/keys" "$SITE/typed" "$SITE/pts"
    mkfifo "$SITE/keys"
    exec 7<>"$SITE/keys"
    TERM_PROGRAM=ghostty script -qefc "stty cols $columns rows 24; tty >$(printf %q "$SITE/pts"); exec $(printf '%q ' "$CRELEASE" "$@")" \
        "$SITE/typed" <"$SITE/keys" >/dev/null 2>&1 &
    TYPED=$!
}
has_grown() { [ "$(stat -c %s "$SITE/typed")" -gt "$1" ]; }

rig_open
run_cases "$@"
