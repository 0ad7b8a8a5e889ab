"""Ports of labs that start at the same time."""

from __future__ import annotations

import subprocess
import sys

from factorylab.cluster.local import ports


def test_labs_that_start_together_do_not_meet(tmp_path):
    """A block that another process has claimed and not bound yet is left alone, until that process ends."""
    first = ports.free_block(ports.FIRST, "127.0.0.1", ports.BLOCK)
    program = (
        "import sys; from pathlib import Path; from factorylab.cluster.local import ports\n"
        f"print(ports.claim(Path({str(tmp_path)!r}), {first[0]}), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"True\n"
        assert ports.free_block(ports.FIRST, "127.0.0.1", ports.BLOCK, tmp_path)[0] > first[0]
        other.stdin.close()
    assert ports.claim(tmp_path, first[0])
