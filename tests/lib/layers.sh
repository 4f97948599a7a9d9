#!/bin/sh
# layers.sh -- base < edge < fleet < ssh < git < forecast < recipe < host < core < db < stages < ui < cli < main: a source includes only from its own folder
# and from those to the left of it; each of the big libraries is included by one source.
set -eu
cd "$(dirname "$0")/../.."
status=0

wrong() {
    printf '%s\n' "$*"
    status=1
}

below=
for folder in base edge fleet ssh git forecast recipe host core db stages ui cli; do
    below="$below $folder"
    for file in src/"$folder"/*.[ch] src/"$folder"/*/*.[ch]; do
        [ -e "$file" ] || continue
        # shellcheck disable=SC2013 # no spaces in names of headers
        for header in $(sed -n 's/^ *# *include *"\(.*\)".*/\1/p' "$file"); do
            case " $below " in
            *" ${header%%/*} "*) ;;
            *) wrong "$file includes $header: it may include from:$below" ;;
            esac
            [ -e "src/$header" ] || wrong "$file includes $header: name it from src/"
        done
    done
done

# Each third-party library behind one module: the folder or the files that may include it.
only() {
    library=$1
    shift
    files=$(grep -lE "^ *# *include *<$library(\.h|/)" src/*.c src/*/*.[ch] src/*/*/*.[ch] 2>/dev/null || true)
    for file in $files; do
        case " $* " in
        *" ${file#src/} "*) ;;
        *) wrong "src/${file#src/} includes <$library>: only these may: $*" ;;
        esac
    done
}

only libssh2 ssh/link.h
only git2 git/internal.h
only yaml edge/yaml.c
only uv edge/loop_uv.h
only jansson edge/json.c
only curl edge/webhook.c
only openssl edge/digest.c edge/rsa.c
only zlib edge/gzip.c
only zstd edge/zstd.c

# Numbers have one reader (base/number.h); these take signs and trailing text, and tell nothing of a
# value out of range.
files=$(grep -nE '\b(strto(l|ll|ul|ull|imax|umax)|ato(i|l|ll)|sscanf)\(' src/*.c src/*/*.[ch] src/*/*/*.[ch] || true)
[ -z "$files" ] || wrong "read numbers with base/number.h:
$files"
exit $status
