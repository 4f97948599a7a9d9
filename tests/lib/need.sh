#!/bin/sh
# need.sh build|test|deb|deb-test|format|fuzz|servers|bench... -- see that what a make target needs is there.
#
# What is missing is named, then installed with apt-get (through sudo when not root).
# Elsewhere, or without the right to, the list is printed and this fails.
#
# What apt-get and dpkg say is kept in build/packages.log, and its end shown when they fail.
#
# The servers that the tests start are never installed when they are missing, since
# their packages would start services: they are unpacked beside, into build/servers.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
servers=$root/build/servers
log=$root/build/packages.log

# The programs that count are the distribution's: what the hosts of the tests see as well.
PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

has_module() { pkg-config --exists "$1" 2>/dev/null; }
has_command() { command -v "$1" >/dev/null 2>&1; }
has_cmocka() { has_module cmocka || [ -e /usr/include/cmocka.h ]; }
# MariaDB's client, which is only unpacked, needs it.
has_ncurses() { [ -n "$(ls /usr/lib/*/libncurses.so.6 /lib/*/libncurses.so.6 2>/dev/null)" ]; }
has_python() { /usr/bin/python3 -c "import $1" 2>/dev/null; }
has_jsonschema() { has_python jsonschema; }
has_fuzzer() { echo 'int LLVMFuzzerTestOneInput(void); int LLVMFuzzerTestOneInput(void) { return 0; }' | clang -fsanitize=fuzzer -x c - -o /dev/null 2>/dev/null; }
# Of the package clang, which may not be there yet.
clang_version() { apt-cache depends --important clang | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p'; }
has_perl() { /usr/bin/perl "-M$1" -e 1 2>/dev/null; }
has_ruby() { ruby -ractive_record -rpg -e 1 >/dev/null 2>&1; }
has_laravel() { php -r 'require "Illuminate/autoload.php"; exit(extension_loaded("pdo_pgsql") ? 0 : 1);' >/dev/null 2>&1; }
has_rails() { ruby -rrails -e 1 >/dev/null 2>&1; }

# One line each: the Debian package, and how to see that it is there.
wanted() {
    case $1 in
    build) cat <<-'LIST' ;;
	pkg-config has_command pkg-config
	gcc has_command gcc
	libc6-dev test -e /usr/include/stdlib.h
	libssh2-1-dev has_module libssh2
	libyaml-dev has_module yaml-0.1
	libgit2-dev has_module libgit2
	libuv1-dev has_module libuv
	libjansson-dev has_module jansson
	libssl-dev has_module libcrypto
	zlib1g-dev has_module zlib
	libzstd-dev has_module libzstd
	libcurl4-openssl-dev has_module libcurl
	LIST
    test) cat <<-'LIST' ;;
	libcmocka-dev has_cmocka
	binutils has_command readelf
	git has_command git
	openssh-client has_command ssh-keygen
	dropbear-bin has_command dropbear
	shellcheck has_command shellcheck
	mandoc has_command mandoc
	sudo has_command sudo
	busybox has_command busybox
	mksh has_command mksh
	strace has_command strace
	zsh has_command zsh
	fish has_command fish
	dash has_command dash
	procps has_command pgrep
	jq has_command jq
	libxml2-utils has_command xmllint
	python3-yaml has_python yaml
	tzdata test -d /usr/share/zoneinfo
	postgresql-client has_command psql
	sqlite3 has_command sqlite3
	xz-utils has_command xz
	zstd has_command zstd
	git-lfs has_command git-lfs
	rake has_command rake
	ruby-activerecord has_ruby
	ruby-railties has_rails
	bundler has_command bundle
	ruby-pg has_ruby
	python3-jsonschema has_jsonschema
	python3-django has_python django
	python3-psycopg2 has_python psycopg2
	python3-asyncpg has_python asyncpg
	nodejs has_command node
	php-cli has_command php
	php-laravel-framework has_laravel
	php-pgsql has_laravel
	composer has_command composer
	alembic has_command alembic
	sqitch has_command sqitch
	libdbd-pg-perl has_perl DBD::Pg
	libncurses6 has_ncurses
	LIST
    deb) cat <<-'LIST' ;;
	build-essential has_command dpkg-buildpackage
	debhelper has_command dh
	libcmocka-dev has_cmocka
	git has_command git
	openssh-client has_command ssh-keygen
	lintian has_command lintian
	LIST
    deb-test) echo autopkgtest has_command autopkgtest ;;
    format) echo clang-format has_command clang-format ;;
    fuzz) printf '%s\n' 'clang has_command clang' "libclang-rt-$(clang_version)-dev has_fuzzer" ;;
    bench) ;; # capistrano is compared with when it is there
    *) die "need.sh: no such thing: $1" ;;
    esac
}

missing() {
    wanted "$1" | while read -r package probe; do
        $probe || printf '%s ' "$package"
    done
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

may_be_root() { [ "$(id -u)" -eq 0 ] || has_command sudo; }

# logged COMMAND...
logged() {
    mkdir -p "$root/build"
    "$@" >>"$log" 2>&1 </dev/null
}

log_end() {
    say "The end of build/packages.log:"
    tail -n 20 "$log" | sed 's/^/    /' >&2
}

apt() { logged as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 "$@" 9>&-; }

# The lists of a fresh image are empty, those of an old one name files that are gone.
refresh() {
    [ -z "${refreshed-}" ] || return 0
    refreshed=1
    may_be_root || die "The lists of packages cannot be fetched without root or sudo."
    apt update || { log_end; die "apt-get update failed."; }
}

known() { apt-cache show -- "$@" >/dev/null 2>&1; }

install_packages() {
    # shellcheck disable=SC2086 # a list of words
    known $1 || refresh
    # shellcheck disable=SC2086
    apt install -y --no-install-recommends $1 || { refresh; apt install -y --no-install-recommends $1; } ||
        { log_end; die "apt-get could not install them."; }
}

need() {
    list=$(missing "$1")
    [ -n "$list" ] || return 0
    # make may ask for the packages of several targets at once.
    mkdir -p "$root/build"
    exec 9>"$root/build/packages.lock"
    flock 9
    list=$(missing "$1")
    [ -n "$list" ] || return 0
    has_command apt-get || die "make needs these Debian packages, or what your system calls them: $list"
    may_be_root || die "make needs packages, and there is neither root nor sudo: ask somebody to run   apt-get install $list"
    say "installing with apt-get: $list"
    install_packages "$list"
    list=$(missing "$1")
    [ -z "$list" ] || { log_end; die "Still missing: $list"; }
}

# --- servers -----------------------------------------------------------------------------------

has_sshd() { [ -x /usr/sbin/sshd ] || [ -x "$servers/usr/sbin/sshd" ]; }

has_postgres() {
    for postgres in /usr/lib/postgresql/*/bin/postgres "$servers"/usr/lib/postgresql/*/bin/postgres; do
        [ -x "$postgres" ] && return 0
    done
    return 1
}

# The server of the release; the package without a version in its name holds none.
postgres_package() {
    known postgresql || refresh
    apt-cache depends --important postgresql | sed -n 's/^ *Depends: \(postgresql-[0-9]*\)$/\1/p'
}

has_mariadb() { [ -x /usr/sbin/mariadbd ] || [ -x "$servers/usr/sbin/mariadbd" ]; }
has_mariadb_clients() { has_command mariadb-dump || [ -x "$servers/usr/bin/mariadb-dump" ]; }

has_pgbouncer() { [ -x /usr/sbin/pgbouncer ] || [ -x "$servers/usr/sbin/pgbouncer" ]; }

has_pgbackrest() { [ -x /usr/bin/pgbackrest ] || [ -x "$servers/usr/bin/pgbackrest" ]; }

has_node_pg() { NODE_PATH=/usr/share/nodejs:$servers/usr/share/nodejs node -e 'require("pg")' 2>/dev/null; }

has_cron() { [ -x /usr/sbin/cron ] || [ -x "$servers/usr/sbin/cron" ]; }

has_systemd() {
    for systemd in /lib/systemd "$servers"/lib/systemd "$servers"/usr/lib/systemd; do
        [ -x "$systemd/systemd" ] && return 0
    done
    return 1
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c1-2)" = ii ]; }

# Libraries the given packages depend on and that are not installed.  LLVM is for the JIT
# compiler of PostgreSQL only, which the tests switch off.
libraries_of() {
    apt-cache depends --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
        sed -n 's/^ *\(Pre\)\{0,1\}Depends: \(lib[^ ]*\)$/\2/p' | sort -u |
        while read -r package; do
            case $package in
            libllvm* | *-perl | libc6) ;;
            *) installed "$package" || echo "$package" ;;
            esac
        done
}

unresolved() { # PATTERNS of the programs in build/servers
    # shellcheck disable=SC2086 # patterns
    (cd "$servers" && LD_LIBRARY_PATH=$(library_path) ldd $1 2>/dev/null) | grep 'not found' || true
}

library_path() {
    # systemd finds its own library where it would be installed.
    find "$servers/usr/lib" "$servers/lib" -maxdepth 2 -type d \( -name '*-linux-*' -o -path '*-linux-*/systemd' \) 2>/dev/null | paste -sd: -
}

unpack() {
    mkdir -p "$servers/packages"
    (cd "$servers/packages" && rm -f ./*.deb && logged apt-get -q -o APT::Sandbox::User=root download "$@") || return 1
    for deb in "$servers"/packages/*.deb; do
        dpkg-deb -x "$deb" "$servers"
    done
    rm -rf "$servers/packages"
}

# unpack_server PACKAGES PROGRAM-PATTERNS
unpack_server() {
    say "unpacking into build/servers, not installed, so no service starts: $1"
    has_command apt-get || die "There is no apt-get: install $1 yourself."
    # shellcheck disable=SC2086 # a list of words
    known $1 || refresh
    # shellcheck disable=SC2086
    unpack $1 || { refresh; unpack $1; } || { log_end; die "$1 could not be fetched."; }
    todo=$1
    for _ in 1 2 3 4 5; do
        [ -n "$(unresolved "$2")" ] || return 0
        # shellcheck disable=SC2086
        todo=$(libraries_of $todo)
        [ -n "$todo" ] || break
        # shellcheck disable=SC2086
        unpack $todo
    done
    die "$1 needs libraries that were not found: $(unresolved "$2")"
}

# As root, sshd wants an account and a folder of its own; without mount namespaces (in many
# containers) the rig cannot show it both, so there the package is installed, but kept from starting.
install_sshd_without_starting() {
    policy=/usr/sbin/policy-rc.d
    say "installing openssh-server without starting it, since mount namespaces are forbidden here"
    if [ ! -e $policy ]; then
        trap 'as_root rm -f $policy' EXIT INT TERM
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
    fi
    install_packages openssh-server
}

need_servers() {
    if ! has_sshd; then
        if [ "$(id -u)" -eq 0 ] && ! unshare -m true 2>/dev/null; then
            install_sshd_without_starting
        else
            unpack_server openssh-server 'usr/sbin/sshd usr/lib/openssh/sshd-*'
        fi
    fi
    if ! has_postgres; then
        package=$(postgres_package)
        [ -n "$package" ] || die "apt-cache does not know which PostgreSQL this release has."
        unpack_server "$package" 'usr/lib/postgresql/*/bin/postgres'
    fi
    has_pgbouncer || unpack_server pgbouncer usr/sbin/pgbouncer
    has_pgbackrest || unpack_server pgbackrest usr/bin/pgbackrest
    has_cron || unpack_server cron usr/sbin/cron
    has_systemd || unpack_server systemd 'lib/systemd/systemd usr/lib/systemd/systemd'
    # No server; but it brings libraries of Debian's nodejs, which cannot be installed beside another build of it.
    has_node_pg || unpack_server 'node-pg node-split2' usr/share/nodejs/pg
    has_node_pg || die "node-postgres, in build/servers, does not load."
    # The plugin that shows metadata locks is not in the core.
    has_mariadb || unpack_server 'mariadb-server-core mariadb-server' 'usr/sbin/mariadbd'
    has_mariadb_clients || unpack_server 'mariadb-client-core mariadb-client' 'usr/bin/mariadb-dump'
}

for what; do
    case $what in
    servers) need_servers ;;
    *) need "$what" ;;
    esac
done
