"""Start a program that is not of this package, with a log that cannot grow without end.

    python -I program.py LIMIT_BYTES MARK COMMAND…

Run as a file and with the standard library alone, so that the program gets its environment untouched. The process goes
to a session of its own and becomes the program: the number that the supervisor knows is the program's. What it and its
children print goes through a pipe to a process that writes up to LIMIT_BYTES of it to standard output, and reads on
beyond that, so that nobody waits for a full pipe. The program and all that it begins carry MARK in their environment
(see `family`); that process does not, and outlives them by what they printed last.
"""

from __future__ import annotations

import os
import sys

MARK = "FACTORYLAB_FAMILY"
PIECE = 1 << 16
NOT_STARTED = 127  # as shells have it


def keep(source: int, log: int, limit: int) -> None:
    """Write what comes from `source` until nobody can write to it any more; of more than `limit` bytes only a note."""
    left = limit
    while piece := os.read(source, PIECE):
        if left > 0:
            os.write(log, piece[:left])
            if left <= len(piece):
                os.write(log, b"\n[what it printed after %d bytes was left out]\n" % limit)
        left -= len(piece)


def printed_through(limit: int) -> None:
    """Have standard output and error of this process go through a process that keeps them."""
    source, sink = os.pipe()
    if os.fork() == 0:
        os.close(sink)
        if os.fork() == 0:  # nobody's child: the program never hears of it
            keep(source, sys.stdout.fileno(), limit)
        os._exit(0)
    os.wait()
    os.close(source)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)


def main(limit: int, mark: str, command: list[str]) -> None:
    """Become the program `command`."""
    os.setsid()
    printed_through(limit)
    try:
        os.execvpe(command[0], command, {**os.environ, MARK: mark})
    except OSError as error:
        print(f"{command[0]} cannot be started: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(NOT_STARTED)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
