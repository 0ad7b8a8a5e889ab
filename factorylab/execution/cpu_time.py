"""CPU time of a node over all its processes: one that ended is not forgotten, and one that follows goes on."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class CpuTime:
    """Seconds that a node has used, as far as it was looked at: what a process used after the last look is missing."""

    ended_s: float = 0.0
    pid: int = -1
    used_s: float = 0.0

    def of(self, pid: int, used_s: float | None) -> float:
        """The total, which never falls; `used_s` is what the process `pid` has used, None where it has ended."""
        if pid != self.pid:
            self.ended_s, self.pid, self.used_s = self.ended_s + self.used_s, pid, 0.0
        if used_s is not None:
            self.used_s = max(self.used_s, used_s)
        return self.ended_s + self.used_s
