"""What a process's control group says of it; both generations of control groups are known.

`root` is where /proc and /sys are. The group of everything, "/", is nobody's in particular.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def frozen(pid: int, root: Path = Path("/")) -> bool:
    """Has the kernel's freezer stopped this process? A container is paused so, which no process status shows."""
    if group := _group(pid, "freezer", root):
        return _words(group / "freezer.state") == ["FROZEN"]
    group = _group(pid, "", root)
    return group is not None and "frozen 1" in " ".join(_words(group / "cgroup.events"))


def cpu_limit(pid: int, root: Path = Path("/")) -> float | None:
    """How many processors the kernel lets the group of this process use; None: as many as there are."""
    if group := _group(pid, "cpu", root):
        quota, period = _words(group / "cpu.cfs_quota_us"), _words(group / "cpu.cfs_period_us")
    else:
        group = _group(pid, "", root)
        words = _words(group / "cpu.max") if group else []
        quota, period = words[:1], words[1:]
    with suppress(ValueError, IndexError):  # "max", or no such file
        return int(quota[0]) / int(period[0]) if int(quota[0]) > 0 else None
    return None


def _group(pid: int, controller: str, root: Path) -> Path | None:
    """The folder of the group that has a controller of the first generation, or of the second generation for ""."""
    try:
        lines = (root / f"proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    for _, controllers, place in (line.split(":", 2) for line in lines):
        if controller in controllers.split(",") and place != "/":
            return root / f"sys/fs/cgroup/{controllers}{place}"
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
