"""The command `live`, and who gets a page without asking."""

from __future__ import annotations

import socket

import pytest

from factorylab.cli.live_commands import is_wanted
from tests.support.commands import Call, call, results

__all__ = ["call", "results"]  # fixtures


def test_only_a_person_gets_a_page_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal there is none, with one there is; who says it outright has it his way."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: False)
    assert (is_wanted(None), is_wanted(True)) == (False, True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert (is_wanted(None), is_wanted(False)) == (True, False)


def test_a_port_that_somebody_has_is_named(call: Call) -> None:
    """The command ends with 5 and says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, out, err = call("live", "--port", str(port))
    assert (code, out) == (5, "") and f"port {port}: Address already in use; choose another with --port" in err


def test_a_run_that_is_not_there_has_no_page(call: Call) -> None:
    """--replay of nothing is wrong usage."""
    code, out, _ = call("live", "--replay", "nothing")
    assert (code, out) == (2, "")
