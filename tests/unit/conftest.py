"""A test of this folder that starts a process fails: it belongs into tests/integration. Nothing that it writes must
outlast a crash: nothing waits for the disk. What it sets in the environment it takes back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest


def refuse(*_words: object, **_how: object) -> None:
    raise AssertionError("a unit test starts no process: move it into tests/integration")


@pytest.fixture(scope="module", autouse=True)
def no_process_and_no_sync() -> Iterator[None]:
    """Whatever starts a process in Python comes by one of these."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(subprocess.Popen, "__init__", refuse)
        for name in ("fork", "forkpty", "posix_spawn", "system"):
            patched.setattr(os, name, refuse)
        patched.setattr(os, "fsync", lambda _handle: None)
        yield


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    before = variables()
    yield
    assert variables() == before, "a variable that stays set decides what later tests of this process see"


def variables() -> dict[str, str]:
    """Those of this process, but for pytest's own, which names the step of the test."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
