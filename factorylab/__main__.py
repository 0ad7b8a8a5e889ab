"""The command line's beginning, which imports little: loading the commands takes a second, and Ctrl-C may come in it.

`python -m factorylab` is the command `factorylab`.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from factorylab.core.exit_codes import INTERRUPTED


def interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: healed, and said."""
    raise KeyboardInterrupt


def main() -> None:
    """Load the commands and do what was typed, in UTF-8: to Java, PostgreSQL and a browser names and texts are that."""
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    signal.signal(signal.SIGTERM, interrupt)
    try:
        from factorylab.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
