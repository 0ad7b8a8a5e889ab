"""Whether nodes can have networks of their own on this machine."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

from factorylab.core import environment


@cache
def trouble() -> str:
    """Why nodes cannot have networks of their own here; empty where they can. Asked in a process apart: it forks."""
    program = "from factorylab.cluster.network import isolated_network as network; print(network.trouble())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment.python(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()
