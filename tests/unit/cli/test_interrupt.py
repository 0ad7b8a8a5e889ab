"""Ctrl-C and SIGTERM at every stage of a command: one sentence, exit code 130, and the lab is healed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from factorylab import __main__
from factorylab.execution import interrupt as interruption


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def handlers() -> Iterator[None]:
    """What a command does with signals is undone."""
    numbers, hook = (signal.SIGTERM, signal.SIGINT), sys.unraisablehook
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    sys.unraisablehook = hook
    for number in numbers:
        signal.signal(number, before[number])


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("come", [interrupt, lambda: os.kill(os.getpid(), signal.SIGTERM)], ids=["Ctrl-C", "SIGTERM"])
def test_the_first_second_can_be_interrupted(
    come: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the commands are still loaded an interruption is a word and exit code 130, no traceback."""
    loading = ModuleType("factorylab.cli.main")
    loading.__getattr__ = lambda name: come()  # type: ignore[method-assign]
    monkeypatch.setitem(sys.modules, "factorylab.cli.main", loading)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.usefixtures("handlers")
def test_what_came_in_a_callback_is_heard_after_it() -> None:
    """Python drops Ctrl-C that comes while an object goes away; the command hears it all the same."""

    class Goes:
        def __del__(self) -> None:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.unraisablehook = __main__.hear_again
    gone = Goes()
    with pytest.raises(KeyboardInterrupt):
        del gone
        time.sleep(10)


def test_a_second_ctrl_c_does_not_wait_for_the_healing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses again is told who goes on, and gets the terminal back."""
    monkeypatch.setattr(interruption, "settle", lambda home: interrupt())
    assert "supervisor goes on" in interruption.settled(Path("home"))
