#!/usr/bin/python3
"""terminal.py FILE COLUMNS [OFFSET:COLUMNS] -- what a terminal of that width shows after the bytes of FILE.

Fails if a line is wider than the terminal, or if there is a control sequence that crelease has no use for. From OFFSET on
the terminal has another width."""
import re
import sys

data = open(sys.argv[1], "rb").read()
columns, resized = int(sys.argv[2]), None
if len(sys.argv) > 3:
    resized = [int(n) for n in sys.argv[3].split(":")]
rows, row, column, at = [""], 0, 0, 0
# What script(1) adds.
data = re.sub(rb"^Script started[^\n]*\n|\n?Script done[^\n]*\n$", b"", data)
while at < len(data):
    if resized and at >= resized[0]:
        columns = resized[1]
    known = re.compile(rb"\x1b\[(\d*)([AJm])|\x1b\]9;4;\d;\d+\x1b\\").match(data, at)
    if known:
        if known[2] == b"A":
            row = max(0, row - int(known[1] or 1))
        elif known[2] == b"J":
            rows[row:] = [rows[row][:column]]
        at = known.end()
        continue
    byte = data[at]
    if byte == 10:
        row += 1
        if row == len(rows):
            rows.append("")
    elif byte == 13:
        column = 0
    elif byte < 32 or byte > 126:
        sys.exit(f"byte {byte:#x} at {at}: {data[max(0, at - 60):at + 20]}")
    else:
        if column >= columns:
            sys.exit(f"wider than {columns}: {rows[row]!r}")
        rows[row] = rows[row][:column].ljust(column) + chr(byte) + rows[row][column + 1:]
        column += 1
    at += 1
print("\n".join(line.rstrip() for line in rows))
