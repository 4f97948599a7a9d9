#!/bin/bash
# What a deploy to one host costs besides time: SSH channels (one a script), round trips, processes on
# the host.  A redeploy with `migrate.paths` unchanged, one for which rake is asked what is pending, and one
# with a migration to be run.  The round trips are how much longer it takes when each byte is RTT_MS=200
# on the way and back, medians of RUNS=3; the processes are those that strace sees, without sshd's own.
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
runs=${RUNS-3} rtt_ms=${RTT_MS-200}

recipe() { # [PATHS]: through the relay
    recipe_write <<END
migrate: {run: rake db:migrate, status: rake db:migrate:status${1:+, paths: [$1]}}
environments:
  production:
    hosts:
      - {host: $(host_address app1), port: $(cat "$RIG/late.port"), name: app1, roles: [app, web, db], deploy_to: '$SITE/app1'}
END
}

# A change of that kind is committed, and the recipe is made for it.
change() { # redeploy|asking|migrating
    n=$((n + 1))
    case $1 in
    redeploy) recipe db/migrate ;;
    *) recipe ;;
    esac
    if [ "$1" = migrating ]; then
        commit_ruby_migration "$((20260103000000 + n))" "AddColumn$n" "add_column :events, :column$n, :string"
    else
        commit_file public/index.html "$n"
    fi
}

deploy() { # FILE: appends the milliseconds
    timed "$1" "$CRELEASE" deploy production
}

sessions() { grep -c 'Starting session' "$RIG/app1/sshd.log" || true; }

# Which scripts they are: what the host reads from us goes through a dd of ours.
scripts_begin() {
    mkdir -p "$RIG/bin"
    cat >"$RIG/bin/dd" <<END
#!/bin/sh
exec 9>"$RIG/scripts/\$(date +%s%N)"
/usr/bin/dd "\$@" | tee /dev/fd/9
END
    chmod +x "$RIG/bin/dd"
    rm -rf "$RIG/scripts"
    mkdir "$RIG/scripts"
}

scripts_end() {
    local file script said
    rm "$RIG/bin/dd"
    for file in "$RIG"/scripts/*; do
        said=
        for script in "$TOP"/src/*/*.sh "$TOP"/src/*/*/*.sh; do
            # These are part of others.
            case ${script#"$TOP"/src/host/} in
            prelude.sh | releases.sh | identity.sh | job/follow.sh | command.sh | job/process.sh | job/supervise.sh | job/child.sh | job/command.sh | job/watch.sh | job/why.sh) continue ;;
            esac
            if grep -aqxF -- "$(grep '^# ' "$script" | grep -v '^# shellcheck' | head -n 1)" "$file"; then
                said=${script##*/}
            fi
        done
        # What is not one of ours is what a script read further.
        [ -z "$said" ] || printf '    %-14s %-10s %s\n' "$said" "$(sed -n "s/.*\bstep='\{0,1\}\([a-z-]*\)'\{0,1\}.*/\1/p" "$file" | head -n 1)" \
            "$(grep -ao "\bverb='\{0,1\}[a-z]*\|^sql=.*\|AS kind\|pg_database_size\|indisvalid\|lock_timeout'" "$file" | sort -u | head -n 3 | paste -sd' ' | cut -c1-90)"
    done
}

# processes TRACE: how many there were, without those of sshd.
processes() {
    perl -ne '
        next unless /^(\d+)\s+(.*)/;
        my ($pid, $what) = ($1, $2);
        if ($what =~ /^(clone3?|fork|vfork)\(.*<unfinished/) { $flags{$pid} = $what; next }
        if ($what =~ /^(?:<\.\.\. )?(?:clone3?|fork|vfork)\b.*= (\d+)(?: \/\* (\d+) in strace.s PID NS \*\/)?$/) {
            my $child = $2 // $1;
            my $thread = ($what . ($flags{$pid} // "")) =~ /CLONE_THREAD/;
            delete $flags{$pid};
            push @lines, [$pid, "fork", $child] unless $thread;
        }
        elsif ($what =~ /^execve\("([^"]*)".*= 0$/) { push @lines, [$pid, "exec", $1] }
        elsif ($what =~ /^<\.\.\. execve resumed.*= 0$/) { push @lines, [$pid, "exec", "?"] }
        END {
            $parent{$_->[2]} = $_->[0] for grep { $_->[1] eq "fork" } @lines;
            sub ours { my ($p) = @_; return $ours{$p} //= exists $parent{$p} ? ours($parent{$p}) : 0 }
            for (@lines) {
                my ($pid, $what, $arg) = @$_;
                if ($what eq "fork") { $n++ if ours($pid); $parent{$arg} = $pid }
                elsif ($arg !~ m{/sshd$} && !ours($pid)) { $ours{$pid} = 1; $n++ }
            }
            print $n + 0, "\n";
        }' "$1"
}

traced() { # FILE: a deploy under strace; how many processes it started there
    strace -f -qq --pidns-translation -e trace=execve,clone,clone3,fork,vfork -o "$1" -p "$(cat "$RIG/app1/sshd.pid")" 2>"$RIG/strace.err" &
    local tracer=$!
    wait_for 10 grep -q '^TracerPid:[[:space:]]*[1-9]' "/proc/$(cat "$RIG/app1/sshd.pid")/status"
    deploy "$RIG/traced.ms"
    kill -INT "$tracer"
    wait "$tracer" || true
    processes "$1"
}

# shellcheck disable=SC2016 # for a table
declare -A title=([redeploy]='redeploy, `migrate.paths` unchanged' [asking]='rake is asked, nothing pending' [migrating]='with a migration')
rig_open
start_postgres
start_hosts 1
site_new trips 1
n=0
echo 0 >"$RIG/late"
perl "$TOP/tests/bench/late.pl" "$RIG/late" "$(host_address app1)" "$(host_port app1)" </dev/null &
disown
wait_for 5 test -e "$RIG/late.port"
printf '[%s]:%s %s\n' "$(host_address app1)" "$(cat "$RIG/late.port")" "$(cut -d' ' -f1,2 "$RIG/app1/key.pub")" >>"$HOME/.ssh/known_hosts"
change redeploy
deploy "$RIG/first"
for kind in redeploy asking migrating; do
    change $kind
    scripts_begin
    before=$(sessions)
    deploy "$RIG/named"
    channels=$(($(sessions) - before))
    echo "$kind: $channels channels:"
    scripts_end
    for _ in $(seq "$runs"); do
        for late in 0 $((rtt_ms / 2)); do
            echo $late >"$RIG/late"
            change $kind
            deploy "$RIG/$kind.$late"
        done
    done
    echo 0 >"$RIG/late"
    trips=$(awk -v a="$(median <"$RIG/$kind.$((rtt_ms / 2))")" -v b="$(median <"$RIG/$kind.0")" -v rtt="$rtt_ms" 'BEGIN { printf "%.1f", (a - b) / rtt }')
    echo "    $trips round trips: $(paste -sd' ' "$RIG/$kind.0") ms, with $rtt_ms ms on the way: $(paste -sd' ' "$RIG/$kind.$((rtt_ms / 2))") ms"
    started='-'
    if command -v strace >/dev/null; then
        change $kind
        started=$(traced "$RIG/$kind.trace")
    fi
    figure "${title[$kind]}" "$channels, $trips" "$started"
done
figures 'One deploy to one host, without the connection of TCP itself:' 'channels, round trips' 'processes on the host'
