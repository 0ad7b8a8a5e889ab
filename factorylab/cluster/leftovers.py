"""What a dead supervisor left behind: processes (only where they do not die with it) and containers (always)."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from factorylab.cluster import control
from factorylab.cluster.docker import engine, projects
from factorylab.cluster.docker.creation import PLAN, Plan
from factorylab.core.errors import EnvironmentUnfit, LabError
from factorylab.core.files import exclusive, read_json

LOCK = "remains.lock"
AGAIN_S = 2.0
PATIENCE_S = 900.0  # how long a guard waits for an engine to come back


def clear(home: Path) -> list[str]:
    """End all that is left of the lab of `home`, whose supervisor is dead; the names of what was ended.

    Raises:
        EnvironmentUnfit: containers may be left and the engine does not answer.
    """
    if not (home / PLAN).exists():
        return control.remove_remains(home) + _end_frozen(home / "data")
    with exclusive(home / LOCK):  # the guard may be at it
        plan = read_json(home / PLAN, Plan)
        ended = projects.remove(engine.connect(), plan.project) if plan else []
        (home / PLAN).unlink(missing_ok=True)
        return ended + control.remove_remains(home)


def _end_frozen(data: Path) -> list[str]:
    """End processes of a database that were stopped as their parent was killed: they never noticed."""
    ended = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() == psutil.STATUS_STOPPED and Path(process.cwd()).is_relative_to(data):
                process.kill()
                ended.append(f"process {process.pid} of a paused database")
    return ended


def left(home: Path) -> bool:
    """May there be containers of a lab whose supervisor is gone?"""
    return (home / PLAN).exists() and control.living_state(home) is None


def _made(home: Path) -> int | None:
    """When the plan of the lab was written: a later lab in the same folder is none of a guard's business."""
    try:
        return (home / PLAN).stat().st_mtime_ns
    except FileNotFoundError:
        return None


def guard(home: Path) -> None:
    """Leave a process behind that clears up as soon as this one is gone without having done so: killed, out of memory,
    or left alone by the engine. Containers would stay, paused and cut as they were, and so would what a database that
    was stopped had begun."""
    reader, writer = os.pipe()
    if os.fork():
        os.close(reader)  # the writer closes when this process ends, whatever ends it
        return
    os.close(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    plan = _made(home)
    os.read(reader, 1)
    try:
        if plan is not None:
            _clear_containers(home, plan)
        elif (home / control.STATE).exists():  # it goes with an orderly end
            _say(_end_frozen(home / "data"))
    except (LabError, OSError) as error:
        print(f"the supervisor is gone, and not all that it left could be ended: {error}", flush=True)
    os._exit(0)


def _clear_containers(home: Path, plan: int) -> None:
    """As soon as the engine answers, unless others have done it, or a later lab is there."""
    deadline = time.monotonic() + PATIENCE_S
    while left(home) and _made(home) == plan and time.monotonic() < deadline:
        with suppress(EnvironmentUnfit):  # an engine that does not answer now may do so later
            _say(clear(home))
            break
        time.sleep(AGAIN_S)


def _say(ended: list[str]) -> None:
    if ended:
        print(f"the supervisor is gone; ended what it left: {', '.join(ended)}", flush=True)
