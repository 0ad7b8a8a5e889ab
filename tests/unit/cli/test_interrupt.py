"""Ctrl-C and SIGTERM at every stage of a command: one sentence, exit code 130, and the lab is healed."""

from __future__ import annotations

import os
import signal
import sys
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
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


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


def test_a_second_ctrl_c_does_not_wait_for_the_healing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses again is told who goes on, and gets the terminal back."""
    monkeypatch.setattr(interruption, "settle", lambda home: interrupt())
    assert "supervisor goes on" in interruption.settled(Path("home"))
