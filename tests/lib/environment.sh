#!/bin/bash
# environment.sh -- the tests behave alike in a terminal, in a CI job and under sudo.
#
#     . tests/lib/environment.sh              leaves only the variables that are named here
#     tests/lib/environment.sh COMMAND...     runs a command so
#
# crelease reads some forty variables: those of CI systems, of ssh, git and the clients of databases, of terminals.  A test sets
# those that it is about.  The first script to come here drops the caller's; what it then exports itself stays.
if [ -z "${CRELEASE_ENVIRONMENT-}" ]; then
    for name in $(compgen -e); do
        case $name in
        # The machine, and who is logged in.
        PATH | HOME | USER | LOGNAME | SUDO_UID | SUDO_GID | PWD | SHLVL | TERM | COLUMNS) ;;
        # How this is built, and make's own.
        CC | CXX | PKG_CONFIG | CPPFLAGS | CFLAGS | LDFLAGS | BUILD | V | CCACHE_* | MAKE* | MFLAGS | ?SAN_OPTIONS | ??SAN_OPTIONS | LD_LIBRARY_PATH) ;;
        # What the tests themselves can be told: ALL=yes tests/run, N=50 tests/fault/run ...
        CRELEASE | CRELEASE_RIG | CRELEASE_RIG_OF | CRELEASE_WATCHED | CRELEASE_EVENTS | CRELEASE_KEPT | CRELEASE_FRESH) ;;
        CRELEASE_SUDO_STAGE | TRANSPORT | GOLDEN | LOOKS | KEEP | ALL | JOBS | CASE_SECONDS | POINTS | WORKERS | UNTIDY | VERBOSE) ;;
        CASE | JUMP | FUZZ | RUNS | HOSTS_N | LATE | KINDS | CAPISTRANO | FILES | MB | MIGRATES | N | DUMP_S | ONLY) ;;
        *) unset "$name" 2>/dev/null || : ;; # bash keeps SHELLOPTS
        esac
    done
    unset name
    export CRELEASE_ENVIRONMENT=clean LANG=C.UTF-8
    umask 022 # a recipe that others can write is refused
fi
if [ "$0" = "${BASH_SOURCE[0]}" ]; then
    exec "$@"
fi
