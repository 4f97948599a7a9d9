#!/bin/bash
# A different secret in every place where one may come from.  None may be seen where it does not belong: in an argument list
# or an environment, here or on the host; in files of the host or of crelease, in what is printed, in events and reports; in
# the memory of crelease once it has been used.
PASSWORD=${PLANTED_PASSWORD-plant-sudo-$$-$RANDOM}
export PASSWORD PLANTED_PASSWORD=$PASSWORD
# shellcheck source=tests/lib/accounts.sh
. "$(dirname "$0")/../lib/accounts.sh"
# shellcheck source=tests/lib/rig.sh
. "$(dirname "$0")/../lib/rig.sh"
export -n PASSWORD PLANTED_PASSWORD

PLACES=(env literal url ci webhook passphrase sudo yml dotenv linked key)
declare -A PLANT

plant() {
    local place
    for place in "${PLACES[@]}"; do
        PLANT[$place]=plant-$place-$$-$RANDOM$RANDOM
    done
    PLANT[sudo]=$PASSWORD
    # A line of the private key's text.
    ssh-keygen -q -t ed25519 -N "${PLANT[passphrase]}" -a 1 -f "$SITE/key"
    cat "$SITE/key.pub" >>"$RIG/authorized_keys"
    PLANT[key]=$(sed -n 3p "$SITE/key")
    for place in "${PLACES[@]}"; do
        printf '%s %s\n' "$place" "${PLANT[$place]}"
    done >"$SITE/planted"
    chmod 600 "$SITE/planted"
}

# site_planted NAME: the login is deployer, with a key that has a passphrase, and becomes app with a password.
site_planted() {
    site_new "$1" 1
    chmod 755 "$RIG" "$RIG/sites" "$SITE"
    plant
    git clone -q --bare "$REPO" "$SITE/git/served.git"
    printf %s "ann:${PLANT[url]}" >"$SITE/git/login"
    perl "$TOP/tests/lib/git-http.pl" "$SITE/git" </dev/null >/dev/null 2>&1 9>&- &
    disown
    wait_for 30 test -s "$SITE/git/port"
    start_receiver
    local role
    for role in yml dotenv; do
        sql "create role $role superuser login password '${PLANT[$role]}'"
    done
    printf 'production:\n  adapter: postgresql\n  host: %s\n  port: %s\n  database: %s\n  username: yml\n  password: %s\n' \
        "$PGHOST" "$PGPORT" "$DB" "${PLANT[yml]}" >"$SITE/app1/shared/config/database.yml"
    echo "DATABASE_URL=postgres://dotenv:${PLANT[dotenv]}@$PGHOST:$PGPORT/$DB" >"$SITE/app1/shared/.env"
    printf '%s\n' "${PLANT[linked]}" >"$SITE/master.key"
    chown -R 65530:65530 "$SITE/app1"
    mkdir -m 777 "$SITE/made"
    export CI=true GITLAB_CI=true CI_JOB_URL=https://ci.example.com/1 CI_JOB_TOKEN=${PLANT[ci]}
    export PLANT_ENV=${PLANT[env]} PLANT_HOOK=$at/${PLANT[webhook]}
}
# recipe_planted LINKED-FILE [HOOKS]
recipe_planted() {
    recipe_write <<END
become: app
repository: 'http://ann:${PLANT[url]}@127.0.0.1:$(cat "$SITE/git/port")/served.git'
env: {RAILS_ENV: production, TOKEN: '\${PLANT_ENV}', LITERAL: '${PLANT[literal]}'}
secrets: [LITERAL]
linked_files: [$1, {path: config/master.key, from: '$SITE/master.key'}]
database: auto
migrate:
  run: 'test -n "\$TOKEN\$LITERAL"; env of=the-job true; : >log/up'
  status: 'if [ -e log/up ]; then is=up; else is=down; fi; echo " Status   Migration ID    Migration Name"; echo " \$is 20260101000000  Create events"'
build: ['env of=the-job true; echo "the token is \$TOKEN and \$LITERAL"; : >$SITE_Q/made/begun; until [ -e $SITE_Q/made/go ]; do sleep 0.1; done']
notify: [{url: '\${PLANT_HOOK}', on: [begun, live, failed, aborted]}]
${2-}
END
    sed -i "/name: app1,/s|host: |user: deployer, identity: '$SITE/key', host: |" "$RECIPE"
}


# --- the hunt ------------------------------------------------------------------------------------

# Every execve of crelease and of the host's sshd, with its arguments and its environment.  What was given to crelease in
# its environment its children have as well.  On the host the jobs have the recipe's variables, and a database client its
# password; what supervises a job has both, but the job has not what is for that.
hunt_in_processes() {
    perl -e '
        my %plant;
        open my $p, "<", "planted" or die;
        while (<$p>) { chomp; my ($place, $value) = split / /, $_, 2; $plant{$place} = $value }
        my %allowed = ("here.trace" => qr/^(?:PLANT_ENV|PLANT_HOOK|CI_JOB_TOKEN)=/, "host.trace" => qr/^(?:TOKEN|LITERAL|PGPASSWORD)=/);
        my ($calls, $bad) = (0, 0);
        my $list = qr/\[((?:"(?:[^"\\]|\\.)*"(?:, )?)*)\]/;
        for my $file (sort keys %allowed) {
            open my $f, "<", $file or die "$file: $!";
            while (<$f>) {
                next unless /execve\(/;
                /execve\("(?:[^"\\]|\\.)*", $list, $list/ or die "$file: $_";
                $calls++;
                my ($argv, $environ) = ($1, $2);
                for my $place (keys %plant) {
                    my $value = $plant{$place};
                    $bad++, print "$place in an argument ($file): $argv\n" if index($argv, $value) >= 0;
                    for my $variable ($environ =~ /"((?:[^"\\]|\\.)*)"/g) {
                        next if index($variable, $value) < 0 or $variable =~ $allowed{$file};
                        next if $variable =~ /^crelease_(?:environment|watch)=/ and $argv !~ /of=the-job/;
                        $bad++, print "$place in the environment ($file) of $argv: $variable\n";
                    }
                }
            }
        }
        die "only $calls processes were seen\n" if $calls < 20;
        exit !!$bad' >"$SITE/hunted" 2>&1 || fail "a secret of a process: $(head -n 3 "$SITE/hunted")"
}

# Everything that the run may have written or printed, except for where a secret was planted.  What a job prints is kept
# on the host as it is, and where the database is as long as the run is unfinished, for the login alone.
hunt_in_files() {
    local place found
    for place in "${PLACES[@]}"; do
        found=$(grep -rlF -- "${PLANT[$place]}" "$SITE" "$RIG/home" "$RIG/login" "$RIG/app1" |
            grep -vE "^$SITE/(planted|key|master\.key|crelease\.yml|git/login|posted|(here|host)\.trace|app1/shared/(\.env|config/(database\.yml|master\.key)))\$" |
            case $place in
            env | literal) grep -vE '/jobs/[^/]*/[0-9]+/log$' ;;
            yml | dotenv) grep -vE '/runs/[^/]*/database$' ;;
            *) cat ;;
            esac) || true
        [ -z "$found" ] || fail "$place is in: $found"
    done
    [ -z "$(find app1/.crelease/runs -name database ! -perm 600)" ] || fail 'others may read where the database is'
    # The webhook knows its own address only.
    [ ! -s posted ] || ! sed 's/^[^ ]* //' posted | grep plant- || fail 'a secret was posted'
}

# copies_in_memory PLACE PID
copies_in_memory() {
    perl -e '
        my ($place, $pid) = @ARGV;
        open my $p, "<", "planted" or die;
        my ($value) = map { /^\Q$place\E (.*)/ ? $1 : () } <$p>;
        open my $maps, "<", "/proc/$pid/maps" or die; open my $memory, "<:raw", "/proc/$pid/mem" or die;
        my $n = 0;
        while (<$maps>) {
            next unless /^([0-9a-f]+)-([0-9a-f]+) rw/;
            my ($from, $to, $bytes) = (hex $1, hex $2, "");
            sysseek $memory, $from, 0 and sysread $memory, $bytes, $to - $from or next;
            $n++ while $bytes =~ /\Q$value\E/g;
        }
        print $n' "$1" "$2"
}
# A core dump has what the memory has: of what was typed one copy, for the next job and for logging in again after a lost
# connection; of files nothing.
hunt_in_memory() { # PID
    local place
    for place in linked key; do
        assert_equal "copies of $place in memory" "$(copies_in_memory "$place" "$1")" 0
    done
    for place in passphrase sudo; do
        assert_equal "copies of $place in memory" "$(copies_in_memory "$place" "$1")" 1
    done
}

# --- runs ----------------------------------------------------------------------------------------

typed_so_far() { [ "$(tr -d '\r' <"$SITE/typed" | grep -cE -- "$2")" -ge "$1" ]; } # TIMES TEXT

# start_planted ARGUMENTS: on a terminal, where the passphrase and the password are typed.
start_planted() {
    start_on_terminal "$@"
    wait_for 60 typed_so_far 1 'passphrase for '
    printf '%s\n' "${PLANT[passphrase]}" >&7
    wait_for 60 typed_so_far 1 'sudo password of deployer'
    printf '%s\n' "${PLANT[sudo]}" >&7
}
# deploy_planted ARGUMENTS: until its build job has begun.
deploy_planted() {
    rm -f made/begun made/go
    start_planted "$@"
    wait_for 60 test -e made/begun
    PROGRAM_PID=$(pgrep -o -x -f "$PROGRAM .*") # not a child that notifies
    hunt_in_memory "$PROGRAM_PID"
    hunt_in_files
}
finish_planted() { # STATUS
    finish_on_terminal "$1"
    hunt_in_files
    hunt_in_processes
    [ "$1" != 0 ] || assert_equal "what is kept of the database" "$(find app1/.crelease -name database)" ''
}

case_planted() {
    needs_root
    strace -o /dev/null true 2>/dev/null || skip 'strace is forbidden here'
    site_planted planted
    recipe_planted config/database.yml
    strace -f -qq -e trace=execve -e signal=none -v -s 1000000 -o host.trace -p "$(cat "$RIG/app1/sshd.pid")" 2>/dev/null 9>&- &
    local tracer=$!
    PROGRAM=$SITE/crelease
    ln -s "$(realpath "$CRELEASE")" "$PROGRAM"
    printf '#!/bin/sh\nexec strace -f -qq -e trace=execve -e signal=none -v -s 1000000 -A -o here.trace "%s" "$@"\n' "$PROGRAM" >traced
    chmod 755 traced
    CRELEASE=$SITE/traced

    # One that ends well, with every form of report.
    deploy_planted -v deploy production --report html:r.html --report junit:r.xml --report markdown:r.md --report json:r.json
    : >made/go
    finish_planted 0
    terminal_shows 'the token is \[secret\] and \[secret\]' || fail "the job's output is missing"
    grep -q . r.html r.xml r.md r.json
    assert_equal "the uploaded file" "$(cat app1/current/config/master.key)" "${PLANT[linked]}"
    grep -q "^/${PLANT[webhook]} .*live" posted || fail "nobody was told"

    # One that fails after its migration, as JSON; the database is found another way.
    recipe_planted .env 'hooks: {before switch: ["exit 7"]}'
    rm app1/shared/config/database.yml app1/shared/log/up
    git -C git/served.git update-ref refs/heads/main "$(git -C git/served.git commit-tree -p main -m Another "main^{tree}")"
    deploy_planted deploy --json production
    : >made/go
    finish_planted 1
    start_planted abort --json production
    finish_planted 0

    # One that is interrupted, then resumed.
    recipe_planted .env
    deploy_planted deploy production
    kill -TERM "$PROGRAM_PID"
    wait_for 30 terminal_shows 'or l to leave it running'
    printf l >&7
    finish_planted 143
    start_planted resume production
    : >made/go
    finish_planted 0
    kill "$tracer"
}

rig_open
start_postgres
start_hosts 1
run_cases "$@"
