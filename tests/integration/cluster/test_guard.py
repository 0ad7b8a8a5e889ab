"""The guard of a lab: what it does when its supervisor dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from factorylab.cluster import control
from factorylab.core import environment

DYING = """
import os, sys, time
from pathlib import Path
from factorylab.cluster import leftovers

supervisor, home = os.getpid(), Path(sys.argv[1])

class Containers:
    def end_outliving(self):
        (home / "seen").write_text("alive" if os.getppid() == supervisor else "gone")
        return []

leftovers._of = lambda home: Containers()
leftovers.guard(home)
os.closerange(3, 64)
time.sleep(0.5)
os._exit(0)
"""


def test_a_guard_waits_until_its_supervisor_is_gone(home: Path) -> None:
    """A supervisor that dies closes its files first: its guard wakes, and looks only once the process has ended."""
    home.mkdir(exist_ok=True)
    (home / control.STATE).touch()  # the lab has not ended in order
    subprocess.run([sys.executable, "-c", DYING, str(home)], env=environment.python(), capture_output=True, check=True)
    assert (home / "seen").read_text() == "gone"
