#!/usr/bin/python3
"""console.py COLUMNS COMMAND [ARGUMENT...] <STEPS -- runs the command in a terminal of that width and follows the steps:

    ? TEXT      wait until the terminal shows TEXT, after what earlier steps waited for
    > TEXT      type it, with Python's escapes
    = COLUMNS   give the terminal another width
    ! SIGNAL    send the command that signal, such as TERM
    $ COMMAND   run a command of the shell elsewhere

Prints what the terminal showed.  Exits with the command's status; with 199 if a step failed, or if the settings of
the terminal are others at the end than at the beginning."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

LIMIT = 30  # seconds a step


def resize(columns):
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, int(columns), 0, 0))


def listen(seconds):
    """Collects what the terminal shows.  False if that was nothing."""
    global shown
    if not select.select([master], [], [], seconds)[0]:
        return False
    shown += os.read(master, 65536)
    return True


def bad(why):
    os.kill(pid, signal.SIGKILL)
    sys.stdout.write(shown.decode(errors="replace") + "\n")
    print(f"console.py: {why}", file=sys.stderr)
    sys.exit(199)


shown, at = b"", 0
master, slave = pty.openpty()
resize(sys.argv[1])
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.login_tty(slave) if hasattr(os, "login_tty") else (os.setsid(), fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
                                                          [os.dup2(slave, n) for n in range(3)])
    os.execvp(sys.argv[2], sys.argv[2:])
for step in sys.stdin.read().splitlines():
    kind, text = step[0], step[2:]
    if kind == "?":
        end = time.time() + LIMIT
        while text.encode() not in shown[at:]:
            if time.time() > end or os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) and not listen(0.1):
                bad(f"no '{text}'")
            listen(0.1)
        at = shown.index(text.encode(), at) + len(text)
    elif kind == ">":
        os.write(master, text.encode().decode("unicode_escape").encode())
    elif kind == "=":
        resize(text)
    elif kind == "!":
        os.kill(pid, getattr(signal, "SIG" + text))
    elif kind == "$":
        subprocess.run(text, shell=True, check=True)
end = time.time() + LIMIT
while True:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        break
    if time.time() > end:
        bad("the command has not ended")
    listen(0.1)
while listen(0.1):
    pass
if termios.tcgetattr(slave) != before:
    print("console.py: the settings of the terminal were not restored", file=sys.stderr)
    status = 199 << 8
sys.stdout.write(shown.decode(errors="replace"))
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 199)
