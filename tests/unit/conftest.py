"""A test of this folder that starts a process fails: it belongs into tests/integration."""

from __future__ import annotations

import os
import subprocess

import pytest


def refuse(*_words: object, **_how: object) -> None:
    raise AssertionError("a unit test starts no process: move it into tests/integration")


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever starts a process in Python comes by one of these."""
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    for name in ("fork", "forkpty", "posix_spawn", "system"):
        monkeypatch.setattr(os, name, refuse)
