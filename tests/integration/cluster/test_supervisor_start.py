"""What a supervisor loads when it starts."""

from __future__ import annotations

import subprocess
import sys

from tests.support.heavy import HEAVY
from tests.support.places import ROOT


def test_a_supervisor_starts_light() -> None:
    """What owns a lab's processes, and what asks it, import neither pydantic nor anything heavy."""
    program = "import sys, factorylab.cluster.supervisor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"pydantic", "yaml", *HEAVY} == set()
