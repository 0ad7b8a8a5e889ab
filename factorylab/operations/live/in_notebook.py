"""The live page in the output of the cell that runs, as a widget. Its moments come from the page's own server, which is
a process beside the kernel; a thread of the kernel hands them on."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from threading import Thread
from typing import Any

import msgspec

from factorylab.cluster.settings import load_settings
from factorylab.operations.answer_age import STALE_S
from factorylab.operations.live.beside import beside
from factorylab.operations.live.exporters import DIRECT
from factorylab.operations.live.moments import QUESTIONS
from factorylab.operations.live.one_file import PAGE, one_file

OPEN_IN = "JPY_SESSION_NAME"  # which notebook somebody has open: Jupyter's server says so to the kernels that it starts
SILENT_S = 60.0  # the server says something at least each 15 s
ENDED = "The live view has ended. `factorylab live --replay latest` shows the latest run from beginning to end."
_strings = msgspec.json.Decoder(list[msgspec.Raw])


@contextmanager
def live_view() -> Iterator[None]:
    """Show the live page of the lab below the cell as long as the `with` block lasts: `with lab.live_view(): …`.

    There is nothing to break on it. A sentence takes its place at the end, so that nothing of it is saved with the
    notebook. Where nobody has a notebook open (a script, papermill, nbmake) nothing is shown, and nothing is served.
    """
    if not looked_at():
        yield
        return
    from IPython.display import display

    begin: Callable[..., Any] = display
    widget = _widget()
    shown = begin(widget, display_id=True)
    said: list[str] = []
    try:
        with beside(load_settings().home, said.append):
            url = said[0].removeprefix("live page: ")
            Thread(target=_hand_on, args=(url, widget.send), daemon=True).start()
            yield
    finally:
        shown.update({"text/plain": ENDED}, raw=True)
        widget.close()


def looked_at() -> bool:
    """Is this the kernel of a notebook that somebody has open?"""
    if "ipykernel" not in sys.modules or not os.environ.get(OPEN_IN):
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")


def _widget() -> Any:
    import anywidget
    import traitlets

    class LiveView(anywidget.AnyWidget):
        """The page as one text; its moments come as messages, which are not part of its state."""

        _esm = PAGE / "widget.js"
        page = traitlets.Unicode().tag(sync=True)

    return LiveView(page=one_file({"questions": QUESTIONS, "stale_s": STALE_S, "read_only": True, "fed": True}, []))


def _hand_on(url: str, send: Callable[[list[str]], None]) -> None:
    """Each event of the server's, until it ends: a moment, or at first the list of those that are kept."""
    try:
        with DIRECT.open(f"{url}moments", timeout=SILENT_S) as stream:
            for moments in _events(stream):
                send(moments)
    except (OSError, HTTPException):  # without its server the page says how old it is
        return


def _events(stream: HTTPResponse) -> Iterator[list[str]]:
    kind = ""
    for raw in stream:
        name, _, text = raw.decode().rstrip("\r\n").partition(": ")
        if name == "event":
            kind = text
        elif name == "data":
            yield [bytes(one).decode() for one in _strings.decode(text)] if kind == "kept" else [text]
