"""A test suite of somebody else: another pytest with the plugin, in a folder of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.labs import shell

PYTEST = [sys.executable, "-m", "pytest", "-p", "factorylab.testing.plugin", "-p", "no:cacheprovider", "-q", "-rA"]


@dataclass(frozen=True)
class Ended:
    """What a suite came to: its output, and by test what became of it (PASSED, FAILED, ERROR, SKIPPED)."""

    said: str

    @property
    def outcomes(self) -> dict[str, str]:
        return {name: word for word, name in re.findall(r"^(PASSED|FAILED|ERROR) \S+::(\w+)", self.said, re.MULTILINE)}


def command(*words: str) -> list[str]:
    """No other plugin is loaded: an installed factorylab would bring this one a second time."""
    return [*PYTEST, *words]


def environment(home: Path) -> dict[str, str]:
    """What a shell of somebody else has: nothing of the pytest that runs here."""
    of_shell = {name: value for name, value in shell().items() if not name.startswith("PYTEST_")}
    return of_shell | {
        "FACTORYLAB_HOME": str(home),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def run(folder: Path, suite: str, home: Path, ini: str = "", **env: str) -> Ended:
    """Carry out a file of tests in `folder`, against the lab of `home`."""
    (folder / "test_own.py").write_text(suite)
    (folder / "pytest.ini").write_text(f"[pytest]\n{ini}")
    variables = environment(home) | env
    done = subprocess.run(
        command(), cwd=folder, env=variables, capture_output=True, text=True, timeout=180, check=False
    )
    return Ended(done.stdout + done.stderr)
