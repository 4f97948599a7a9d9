#!/bin/bash
# Completion in bash, zsh and fish: keys are typed into the real shells, which run what they completed.
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"

# A folder with a recipe, and in PATH a crelease that notes its arguments and lets the real one complete.
completion_new() { # NAME
    SITE=$RIG/$1
    mkdir -p "$SITE/bin" "$SITE/home"
    # shellcheck disable=SC2016 # expanded by the script that it writes
    printf '#!/bin/sh\n[ "$1" != completion ] || exec %q "$@"\nprintf "[%%s]" "$@" >>%q\necho >>%q\n' \
        "$CRELEASE" "$SITE/ran" "$SITE/ran" >"$SITE/bin/crelease"
    chmod +x "$SITE/bin/crelease"
    : >"$SITE/ran"
    cat >"$SITE/crelease.yml" <<'YAML'
application: shop
repository: .
deploy_to: /var/www/shop
tasks: {reindex: {run: bin/reindex}, report: {run: bin/report}}
environments:
  production: {hosts: [{host: web1, roles: [app]}, {host: web2, roles: [db]}]}
  staging: {hosts: [web3]}
YAML
    cp "$SITE/crelease.yml" "$SITE/other.yml"
    sed -i 's/staging/nightly/' "$SITE/other.yml"
}

candidates() { # WORDS..., the last one is completed
    (cd "$SITE" && "$CRELEASE" completion words -- "$@" | cut -f1 | paste -sd' ')
}

# What the tables and the recipe say, without a shell.
case_words() {
    completion_new words
    assert_equal "commands" "$(candidates ro)" rollback
    assert_equal "all commands" "$(candidates '' | wc -w)" "$("$CRELEASE" help --json | jq '.commands | length')"
    assert_equal "environments" "$(candidates deploy '')" 'production staging'
    assert_equal "an option before" "$(candidates --recipe other.yml deploy '')" 'production nightly'
    assert_equal "tasks" "$(candidates run production re)" 'reindex report'
    assert_equal "hosts" "$(candidates deploy production --hosts web1,)" 'web1,web1 web1,web2'
    assert_equal "roles" "$(candidates deploy production --roles=d)" '--roles=db'
    assert_equal "values" "$(candidates deploy --on-backup '')" 'wait kill abort ask'
    assert_equal "options of another command" "$(candidates status --on-b)" ''
    assert_equal "keys" "$(candidates help keep_)" keep_releases
    assert_equal "shells" "$(candidates completion '')" 'bash zsh fish'
    assert_equal "files" "$(candidates deploy -f '')" ':files'
    assert_equal "a command of the host" "$(candidates exec production -- '')" ':files'
    assert_equal "too many" "$(candidates deploy production '')" ''
    # A recipe with mistakes has no environments, and nothing is said into the command line.
    echo 'nonsense: [' >"$SITE/crelease.yml"
    assert_equal "a broken recipe" "$(candidates deploy '' 2>&1)" ''
    expect_status 2 completion csh
    expect_output "unknown shell 'csh', expected bash, zsh or fish"
    expect_status 2 completion
    expect_output 'no shell given; expected bash, zsh or fish'
}

# A shell on a terminal, its keys are what is written to descriptor 7.
start_shell() { # COMMAND
    rm -f "$SITE/keys" "$SITE/typed"
    mkfifo "$SITE/keys"
    exec 7<>"$SITE/keys"
    (cd "$SITE" && exec env -i TERM=xterm HOME="$SITE/home" ZDOTDIR="$SITE/home" PATH="$SITE/bin:/usr/bin:/bin" \
        LC_ALL=C.UTF-8 SHELL=/bin/bash script -qefc "$1" "$SITE/typed" <"$SITE/keys" >/dev/null 2>&1) &
    TYPED=$!
}
ran() { [ "$(tail -n 1 "$SITE/ran")" = "$1" ]; }
type_keys() { # KEYS EXPECTED
    printf '%b' "$1" >&7
    wait_for 20 ran "$2" || { sed 's/^/  t | /' "$SITE/typed" >&2; fail "'$1' ran '$(tail -n 1 "$SITE/ran")', expected '$2'"; }
}
type_all() {
    type_keys 'crelease rol\tprod\t\r' '[rollback][production]'
    type_keys 'crelease --recipe other.yml deploy ni\t\r' '[--recipe][other.yml][deploy][nightly]'
    type_keys 'crelease run staging rei\t\r' '[run][staging][reindex]'
    type_keys 'crelease deploy staging --on-b\tki\t\r' '[deploy][staging][--on-backup][kill]'
    type_keys 'crelease deploy production --roles=d\t\r' '[deploy][production][--roles=db]'
    type_keys 'crelease deploy production --hosts web1,web2\t\r' '[deploy][production][--hosts][web1,web2]'
    type_keys 'crelease deploy staging --recipe oth\t\r' '[deploy][staging][--recipe][other.yml]'
    type_keys 'crelease deploy staging --recipe=oth\t\r' '[deploy][staging][--recipe=other.yml]'
    printf 'exit 0\r' >&7
    finish_on_terminal 0
}

case_bash() {
    completion_new bash
    # shellcheck disable=SC2016 # for the shell of the test
    echo 'eval "$(crelease completion bash)"; bind "set bell-style none"; echo ready' >"$SITE/home/rc"
    start_shell "bash --noprofile --rcfile $SITE/home/rc -i"
    wait_for 20 terminal_shows '^ready'
    type_all
}

# Found as 'make install' leaves it: by its name, in a folder of functions.
case_zsh() {
    completion_new zsh
    mkdir "$SITE/functions"
    "$CRELEASE" completion zsh >"$SITE/functions/_crelease"
    echo "fpath=($SITE/functions \$fpath); autoload -U compinit; compinit -u; unsetopt beep; echo ready" >"$SITE/home/.zshrc"
    start_shell 'zsh -i'
    wait_for 20 terminal_shows '^ready'
    type_all
}

# fish asks its terminal questions that script(1) does not answer, so its own completion is asked instead.
case_fish() {
    completion_new fish
    mkdir -p "$SITE/home/.config/fish/completions"
    "$CRELEASE" completion fish >"$SITE/home/.config/fish/completions/crelease.fish"
    fish_completes 'crelease rol' rollback
    fish_completes 'crelease deploy ' 'production staging'
    fish_completes 'crelease --recipe other.yml deploy ni' nightly
    fish_completes 'crelease run staging rei' reindex
    fish_completes 'crelease deploy --on-backup k' kill
    fish_completes 'crelease deploy production --roles=d' --roles=db
    fish_completes 'crelease deploy staging --recipe=oth' --recipe=other.yml
    fish_completes 'crelease deploy staging --recipe oth' other.yml
}
fish_completes() { # LINE EXPECTED
    assert_equal "$1" "$(cd "$SITE" && env -i TERM=xterm HOME="$SITE/home" PATH="$SITE/bin:/usr/bin:/bin" LC_ALL=C.UTF-8 \
        fish -c "complete -C '$1'" | cut -f1 | paste -sd' ')" "$2"
}

rig_open
run_cases "$@"
