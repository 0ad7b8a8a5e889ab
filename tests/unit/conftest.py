"""A test of this folder that starts a process fails: it belongs into tests/integration. Nothing that it writes must
outlast a crash: nothing waits for the disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest


def refuse(*_words: object, **_how: object) -> None:
    raise AssertionError("a unit test starts no process: move it into tests/integration")


@pytest.fixture(scope="session", autouse=True)
def no_sync() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda _handle: None)
        yield


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever starts a process in Python comes by one of these."""
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    for name in ("fork", "forkpty", "posix_spawn", "system"):
        monkeypatch.setattr(os, name, refuse)
