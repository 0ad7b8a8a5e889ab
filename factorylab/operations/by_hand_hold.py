"""How long the fault by hand is to be held, in the lab's folder, for whoever shows the lab meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import psutil

from factorylab.cluster.control import Recorded, find_process
from factorylab.core.files import read_json, write_secret

FILE = "by_hand.json"


class Hold(msgspec.Struct, frozen=True):
    """By which process; one that has ended holds nothing."""

    process: Recorded
    hold_s: float


@contextmanager
def noted(home: Path, hold_s: float) -> Iterator[None]:
    """Say so for as long as this context lasts."""
    own = psutil.Process()
    hold = Hold(Recorded("fault", own.pid, own.create_time()), hold_s)
    write_secret(home / FILE, msgspec.json.encode(hold).decode())
    try:
        yield
    finally:
        (home / FILE).unlink(missing_ok=True)


def hold_s(home: Path) -> float | None:
    """None where no fault is held by hand."""
    hold = read_json(home / FILE, Hold)
    return hold.hold_s if hold and find_process(hold.process) else None
