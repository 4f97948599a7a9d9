#!/bin/sh
# hardening.sh PROGRAM -- ask the binary, not the flags: a flag that was not taken leaves no trace.
set -eu
program=$1
status=0

want() { # WHAT COMMAND PATTERN
    if ! $2 "$program" 2>/dev/null | grep -qE "$3"; then
        echo "$program: $1"
        status=1
    fi
}

want 'not position independent' 'readelf -hW' 'Type: +DYN'
want 'symbols are bound lazily (no BIND_NOW)' 'readelf -dW' 'BIND_NOW|FLAGS_1.*NOW'
want 'no RELRO' 'readelf -lW' 'GNU_RELRO'
want 'the stack is executable' 'readelf -lW' 'GNU_STACK.* RW +0x'
want 'not fortified (no _chk function)' 'readelf -sW' '_chk'
want 'no stack protector' 'readelf -sW' '__stack_chk_fail'
exit $status
