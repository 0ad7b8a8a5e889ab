"""The command line's beginning, which imports little: loading the commands takes a second, and Ctrl-C may come in it.

`python -m factorylab` is the command `factorylab`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType

from factorylab.core.exit_codes import INTERRUPTED

AGAIN_S = 0.01


def interrupt(number: int, frame: FrameType | None) -> None:
    """SIGTERM ends a command as Ctrl-C does: healed, and said."""
    raise KeyboardInterrupt


def hear_again(lost: sys.UnraisableHookArgs) -> None:
    """Python drops Ctrl-C that comes in a callback, as of a weak reference: have it come once more, after that."""
    if lost.exc_type is not KeyboardInterrupt:
        sys.__unraisablehook__(lost)
        return
    here = threading.main_thread().ident or 0
    later = threading.Timer(AGAIN_S, lambda: signal.pthread_kill(here, signal.SIGINT))  # the callback is over by then
    later.daemon = True
    later.start()


def main() -> None:
    """Load the commands and do what was typed, in UTF-8: to Java, PostgreSQL and a browser names and texts are that."""
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])
    signal.signal(signal.SIGTERM, interrupt)
    sys.unraisablehook = hear_again
    try:
        from factorylab.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
