"""The program of a fleet whose monotonic clock is STEP_S ahead of everybody else's: it runs in a time namespace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from factorylab.core.programs import FLEET

STEP_S = 5
NAMESPACE = ("unshare", "--time", "--monotonic", str(STEP_S))


def trouble() -> str:
    """Why no process can get a clock of its own here; "" where one can."""
    if not shutil.which(NAMESPACE[0]):
        return "no unshare to step a clock with"
    made = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    return "" if made.returncode == 0 else f"no namespace to step a clock in: {made.stderr.strip()}"


if __name__ == "__main__":
    os.execvp(NAMESPACE[0], [*NAMESPACE, sys.executable, "-m", FLEET])
