"""Drivers of labs in processes of their own, as a terminal has them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from factorylab.core.waiting import wait_until
from tests.support.labs import shell
from tests.support.places import ROOT

LANDED = "is dead"


@contextmanager
def driver(
    words: list[str], env: dict[str, str], log: Path, reached: str = LANDED
) -> Iterator[subprocess.Popen[bytes]]:
    """A driver in a process group of its own, like a terminal's job, that has said how far it is."""
    with log.open("wb") as out:
        process = subprocess.Popen(words, env=env, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
    try:
        wait_until(
            lambda: reached in log.read_text() or process.poll() is not None,
            what=f"the driver to say {reached!r}",
            timeout_s=120,
            last_seen=log.read_text,
        )
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait(30)


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "factorylab", *words]


COMMAND = command("fault")


def typed(home: Path, *words: str) -> tuple[int, str]:
    """Exit code and standard error of `factorylab fault` in another process."""
    env = shell() | {"FACTORYLAB_HOME": str(home)}
    done = subprocess.run([*COMMAND, *words], env=env, capture_output=True, text=True, timeout=180, check=False)
    return done.returncode, done.stderr
