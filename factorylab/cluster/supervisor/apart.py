"""What would block the supervisor is carried out by a process of its own: a client waits for answers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from tempfile import TemporaryFile

from factorylab.core import environment, secret
from factorylab.core.errors import LabError

TICK_S = 0.02


async def carry_out(what: str, module: str, *words: str, limit_s: float) -> None:
    """Run `python -m module words`, which is to end within `limit_s`.

    Raises:
        LabError: it failed or took too long; with `what` was to be done, and its last words.
    """
    with TemporaryFile() as said:
        process = subprocess.Popen([sys.executable, "-m", module, *words], env=environment.python(), stderr=said)
        try:
            deadline = time.monotonic() + limit_s
            while process.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(TICK_S)
        finally:
            late = process.poll() is None
            process.kill()
            process.wait()
        if late:
            raise LabError(f"{what} was not done within {limit_s:g} s")
        if process.returncode:
            said.seek(0)
            last = said.read().decode(errors="replace").strip().splitlines()[-1:]
            raise LabError(f"{what} failed: {secret.clean(' '.join(last)) or f'exit code {process.returncode}'}")
