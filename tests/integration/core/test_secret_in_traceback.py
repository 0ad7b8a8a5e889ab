"""A process that ends with a traceback."""

from __future__ import annotations

import subprocess
import sys

PLANTED = "pl4nted-Secret"


def test_no_traceback_shows_a_secret() -> None:
    """What nobody caught is printed with its causes, and without the secrets that they quote."""
    program = (
        "from factorylab.core import secret; from factorylab.core.errors import LabError; secret.guard_tracebacks()\n"
        "secret.remember({'sasl.password': 'word-1'})\n"
        f"raise LabError('word-1 fails') from ValueError('postgresql://u:{PLANTED}@h word-1')"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 1 and "LabError: *** fails" in done.stderr and "u:***@h" in done.stderr
    assert "word-1" not in done.stderr.replace(program, "") and PLANTED not in done.stderr
