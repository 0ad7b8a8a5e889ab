"""A run's progress in a notebook: one line that is replaced, so that the output does not grow and stays in view."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

from factorylab.core import secret

Say = Callable[[str], None]
Bundle = dict[str, str]


class StatusLine:
    """Shows the last news with the seconds since the first; those before are folded up below it. `show` gets the forms
    of the whole anew each time: MIME type → text."""

    def __init__(self, show: Callable[[Bundle], None]) -> None:
        self._show, self._began_s, self._news = show, time.monotonic(), list[str]()

    def say(self, text: str) -> None:
        """Another piece of news, which may have several lines."""
        self._news.append(secret.clean(text))
        after_s = time.monotonic() - self._began_s
        last = self._news[-1].splitlines()[-1] if self._news[-1] else ""
        lines = "\n".join(self._news)
        self._show(
            {
                "text/plain": f"{last} (after {after_s:.0f} s)",
                "text/html": f'<div role="status"><strong>{escape(last)}</strong> after {after_s:.0f} s'
                f"<details><summary>all news</summary><pre>{escape(lines)}</pre></details></div>",
            }
        )


def narrator(*, driven: bool) -> Say:
    """What to call with news of a run: in a notebook that somebody has open a line of status, else `print`. `driven`:
    the notebook is run for its output alone."""
    show = None if driven else _notebook_display()
    return StatusLine(show).say if show else print


def _notebook_display() -> Callable[[Bundle], None] | None:
    """Shows something in the output of the cell that runs, in the place of what it showed before; None where this is no
    kernel of a notebook."""
    if "ipykernel" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import display

    if not hasattr(get_ipython(), "kernel"):
        return None
    begin: Callable[..., Any] = display
    shown: list[Any] = []

    def show(bundle: Bundle) -> None:
        if shown:
            shown[0].update(bundle, raw=True)
        else:
            shown.append(begin(bundle, raw=True, display_id=True))

    return show
