"""How service held: every stall with its cause, sums by partition, and all of it in one sentence."""

from __future__ import annotations

import msgspec

from factorylab.audit.model.findings import Span


class Cause(msgspec.Struct, frozen=True):
    """What held a stall up, for how long; `of` names the node that is to blame, where one is."""

    what: str
    of: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.what}{f' ({self.of})' if self.of else ''} {self.seconds:.1f} s"


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """A partition that had something to do acknowledged ("acks") or stored ("stores") nothing; seconds since the steady
    state. `fault` is −1 where no fault had been injected; `open`: it did not end while it was watched."""

    fault: int
    partition: int
    service: str
    start_s: float
    end_s: float
    open: bool
    causes: list[Cause]

    @property
    def lasted(self) -> Span:
        return Span.of(self.end_s - self.start_s, self.open)


class StallSum(msgspec.Struct, frozen=True):
    """How long a partition stood still in all since the first fault."""

    partition: int
    acks: Span
    stores: Span


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """`unowned_s` and `away_s`: how long a partition had no owner and the store was away, beyond the time in which
    nothing was acknowledged; of the partition that was hit worst. `lost` is as on page one; None: not
    known."""

    partitions: int
    lost: int | str | None
    stalls: list[Stall]
    sums: list[StallSum]
    unowned_s: float
    unowned_because: str
    away_s: float

    def __str__(self) -> str:
        return "; ".join(part for part in self._parts() if part)

    def _parts(self) -> list[str]:
        unknown = {None: "what was lost is not known", "not asked": "what was lost was not asked", 0: "nothing lost"}
        acks, stores = [s.acks for s in self.sums], [s.stores for s in self.sums]
        because = f" because {self.unowned_because}" if self.unowned_because else ""
        return [
            unknown.get(self.lost) or f"{self.lost:,} lost",
            self._still("acknowledged", acks),
            self._still("stored", stores),
            f"the group had no owner for {self.unowned_s:.1f} s more{because}" if self.unowned_s else "",
            f"the store was away for {self.away_s:.1f} s" if self.away_s else "",
            self._of("no cause seen", "no cause is seen for {}"),
            self._of("not observed", "what held it up was not observed for {}"),
            self._before(),
        ]

    def _still(self, done: str, spans: list[Span]) -> str:
        hit = [span for span in spans if span.seconds]
        if not hit:
            return f"{done} without a stall"
        shortest, longest = (f"{of(span.seconds for span in hit):.1f}" for of in (min, max))
        length = f"{longest} s" if shortest == longest else f"{shortest}–{longest} s"
        never = sum(span.censored for span in hit)
        still = f", and on {never} of them not again while it was watched" if never else ""
        return f"nothing {done} for {length} on {len(hit)} of {self.partitions} partitions{still}"

    def _of(self, cause: str, text: str) -> str:
        mine = [c.seconds for stall in self.stalls if stall.fault >= 0 for c in stall.causes if c.what == cause]
        return text.format(f"{max(mine):.1f} s") if mine else ""

    def _before(self) -> str:
        mine = [stall.lasted.seconds for stall in self.stalls if stall.fault < 0]
        return f"no fault's: stalls of up to {max(mine):.1f} s ({len(mine)})" if mine else ""
