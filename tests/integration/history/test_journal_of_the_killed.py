"""The journal of a process that was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from factorylab.history.export import export_journals
from tests.support.journals import folder, table
from tests.support.places import ROOT

__all__ = ["folder"]  # fixtures


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from factorylab.history.journal import *
from factorylab.history.tables import PhaseStart
folder = Path(sys.argv[1])
rows = Journal(folder, "fleet-0", "fleet")
rows.write(PhaseStart(worker="fleet-0", t_ns=1, phase="end"))
binary = BinaryJournal(sends_path(folder, "fleet-0"), SEND)
block = np.zeros(3, SEND)
block["t_ns"], block["hash"] = 1, (1, 2, 3)
binary.extend(block)
AckJournal(acks_path(folder, "fleet-0")).add(2, 0, 0, 0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_sigkill_loses_nothing_that_was_written(folder: Path) -> None:
    """After SIGKILL every row that was written is there, and the journals need no repair."""
    command = [sys.executable, "-c", KILLED, str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert export_journals(folder, folder.parent / "history") == []
    assert [row["outcome"] for row in table(folder, "sends")] == ["unknown", "ok", "unknown"]
    assert len(table(folder, "phases")) == 1
