"""What a process's control group says of it; both generations of control groups are known.

`root` is where /proc and /sys are. The group of everything, "/", is nobody's in particular.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path


def frozen(pid: int, root: Path = Path("/")) -> bool:
    """Has the kernel's freezer stopped this process? A container is paused so, which no process status shows."""
    groups = _groups(_text(f"{root}/proc/{pid}/cgroup"), str(root))
    if "freezer" in groups:
        return _words(f"{groups['freezer']}/freezer.state") == ["FROZEN"]
    return "" in groups and "frozen 1" in " ".join(_words(f"{groups['']}/cgroup.events"))


def cpu_limit(pid: int, root: Path = Path("/")) -> float | None:
    """How many processors the kernel lets the group of this process use; None: as many as there are."""
    groups = _groups(_text(f"{root}/proc/{pid}/cgroup"), str(root))
    if "cpu" in groups:
        quota, period = (_words(f"{groups['cpu']}/cpu.cfs_{name}_us") for name in ("quota", "period"))
    else:
        words = _words(f"{groups['']}/cpu.max") if "" in groups else []
        quota, period = words[:1], words[1:]
    with suppress(ValueError, IndexError):  # "max", or no such file
        return int(quota[0]) / int(period[0]) if int(quota[0]) > 0 else None
    return None


@lru_cache(maxsize=64)  # the nodes of a lab are in few groups, and each is looked at five times a second
def _groups(listed: str, root: str) -> Mapping[str, str]:
    """The folder of the group that has each controller of the first generation, and "" that of the second."""
    found: dict[str, str] = {}
    for line in listed.splitlines():
        _, controllers, place = line.split(":", 2)
        if place != "/":
            found |= dict.fromkeys(controllers.split(","), f"{root}/sys/fs/cgroup/{controllers}{place}")
    return found


def _words(path: str) -> list[str]:
    return _text(path).split()


def _text(path: str) -> str:
    """Empty where there is no such file. Without a Path: the probe reads forty of them in a look."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            return file.read()
    except OSError:
        return ""
