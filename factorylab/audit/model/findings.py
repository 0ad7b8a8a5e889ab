"""What an audit finds: the parts of a verdict, and how outcomes of checks compose."""

from __future__ import annotations

from typing import Literal

import msgspec

Outcome = Literal["PASS", "NOT_DRAINED", "INVALID", "FAIL"]
ORDER: tuple[Outcome, ...] = ("PASS", "NOT_DRAINED", "INVALID", "FAIL")
CheckOutcome = Outcome | Literal["NOT_ASKED"]
EXPECTED_WORD: dict[str, Outcome] = {"pass": "PASS", "invalid": "INVALID"}


class Witness(msgspec.Struct, frozen=True):
    """One reading or place that shows what a check found; −1 and "" where that part does not apply."""

    sensor: str = ""
    seq: int = -1
    partition: int = -1
    offset: int = -1
    note: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """`claim` is the sentence that was tested, on `n` cases, of which `count` broke it; `measured` says so in words.

    NOT_ASKED: the run had no case of it, or its scenario promises nothing there. It says neither yes nor no.
    """

    name: str
    verdict: CheckOutcome
    count: int
    n: int
    claim: str
    measured: str
    witnesses: list[Witness] = []

    @property
    def asked(self) -> bool:
        return self.verdict != "NOT_ASKED"

    @property
    def fired(self) -> bool:
        return self.verdict not in {"PASS", "NOT_ASKED"}

    @property
    def answer(self) -> int | None:
        """`count`; None where the claim was not asked, or the check could not be made."""
        return self.count if self.verdict == "PASS" or self.count else None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Readings unless said otherwise. `due` = offered + not_offered, both None where they were not recorded (before
    schema version 6). `offered` = acked + unknown + failed + shed.

    `unstored` is offered − stored: what never reached the store, for whatever reason. `duplicates` counts
    surplus records in the log plus surplus rows in the store. What a check counts is None where it has no answer:
    it was not asked, or could not be made.
    """

    due: int | None = None
    not_offered: int | None = None
    offered: int
    shed: int
    failed: int
    acked: int
    unknown: int
    unknown_found: int
    stored: int
    unstored: int
    lost_in_log: int | None
    lost_in_pipeline: int | None
    expired: int | None
    not_drained: int | None
    duplicates: int
    reordered: int | None
    dead_letters: int
    alerts: int


class Span(msgspec.Struct, frozen=True):
    """Seconds; `censored` where the end was never seen, so that the true value is at least this."""

    seconds: float
    censored: bool = False

    @classmethod
    def of(cls, seconds: float, censored: bool) -> Span:
        """A measured length, to the millisecond."""
        return cls(round(float(seconds), 3), bool(censored))

    def __str__(self) -> str:
        return f"{'> ' if self.censored else ''}{self.seconds:.1f} s"


class PartitionGap(msgspec.Struct, frozen=True):
    """The longest time without an acknowledgement of a partition."""

    partition: int
    gap: Span


class Recovery(msgspec.Struct, frozen=True, kw_only=True):
    """One fault on one node. Everything counts from the moment it was injected; None was not observed."""

    fault: int
    kind: str
    target: str
    node: str
    held_s: float
    detection: Span | None
    recovery: Span
    catch_up: Span | None
    ack_gaps: list[PartitionGap]


class LatencyPart(msgspec.Struct, frozen=True, kw_only=True):
    """The share of the generator (intended → sent), of Kafka (sent → acknowledged) or of the pipeline (acknowledged →
    stored) in the latency of `n` readings; None where there are none."""

    part: str
    n: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None

    def __str__(self) -> str:
        if self.p50_s is None:
            return f"{self.part} not observed"
        return f"{self.part} p50 {self.p50_s:.3f}, p99 {self.p99_s:.3f}, max {self.max_s:.3f} s"


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """From the intended send to the store's commit, over `n` readings from the steady state on; `parts` of each sum up
    to it."""

    n: int
    p50_s: float
    p99_s: float
    max_s: float
    parts: list[LatencyPart] = []


class AlertLatency(msgspec.Struct, frozen=True, kw_only=True):
    """From the intended send to the store's commit, of the readings of one period (before, during or after the faults).

    `of` "alerts": those that raised one; "readings": all of them, had each raised one, `never` of which are not stored.
    None: the value is that of a reading that was never stored, or there are too few (`n`) to have one.
    """

    period: str
    of: Literal["alerts", "readings"]
    n: int
    never: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """How long a violation would have gone without an alert in time (`allowed_s`), from the faults on or, without a
    fault, in the whole run. `hit` of so many `machines` were blind; `sensor` is the one that was for longest.

    `after_s` of its `blind_s` are of readings sent after the last healing; `before_s` is the longest that any machine
    was before the first injection. `longest_wait_s` (None: never stored), `never` (readings) and `interval_s` (the
    median time between two readings) are of all machines.
    """

    machines: int
    hit: int
    sensor: str
    location: str
    blind_s: float
    after_s: float
    before_s: float
    longest_wait_s: float | None
    never: int
    interval_s: float
    allowed_s: float

    def __str__(self) -> str:
        late = f"an alert is late after {self.allowed_s:g} s, each machine has a reading every {self.interval_s:.2g} s"
        if not self.hit:
            return f"none of {self.machines:,} machines at any time; {late}"
        parts = [f"at worst {self.blind_s:.1f} s without an alert in time ({self.sensor}, {self.location})"]
        parts[0] += f", {self.after_s:.1f} s of it after the healing" if self.after_s else ""
        parts.append(f"{self.hit:,} of {self.machines:,} machines")
        parts += [f"{self.before_s:.1f} s already before the fault"] if self.before_s else []
        parts += [f"{self.never:,} readings never stored"] if self.never else []
        return "; ".join([*parts, late])


class Alerting(msgspec.Struct, frozen=True, kw_only=True):
    """What the run says about alerts in time: `latency` has two rows for each period, in the order of time."""

    blind: Blind
    latency: list[AlertLatency]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """`count` readings with one story, acknowledged (where they never were: due) from `from_s` to `until_s`, seconds
    since the steady state. `epoch` is the leader epoch then; it and the offsets are −1 where unknown.

    `evidence` says what each part of the story rests on, `prevented_by` names the setting that rules it out.
    """

    check: str
    count: int
    partition: int
    first_offset: int
    last_offset: int
    from_s: float
    until_s: float
    epoch: int
    event: str
    evidence: list[str]
    prevented_by: str


class Moment(msgspec.Struct, frozen=True):
    """A step in the life of a reading, in seconds since the steady state; `how` is the table that it stands in."""

    t_s: float
    step: str
    detail: str
    how: str


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """The life of one reading (or place in the log) that shows what `check` found."""

    check: str
    witness: Witness
    moments: list[Moment]


class Exposure(msgspec.Struct, frozen=True, kw_only=True):
    """The worst moment of a run: what the death of `leader` would have lost then, between `low` and `high` readings.

    `alone`: it was the only replica in sync, so its copy was the only one; else no follower was known to have one.
    `unseen_s`: for so long no broker was heard of some partition, and it may have been worse.
    """

    t_s: float
    leader: int
    low: int
    high: int
    alone: bool
    unseen_s: float = 0.0

    def __str__(self) -> str:
        if not self.high:
            return "none: at every moment another replica in sync had each acknowledged reading"
        many = f"{self.low:,}" if self.low == self.high else f"{self.low:,} to {self.high:,}"
        why = "alone in sync" if self.alone else "not known to be copied"
        unseen = f"; not observed for {self.unseen_s:.1f} s" if self.unseen_s else ""
        return (
            f"at worst {many} acknowledged readings, had the disk of broker {self.leader} died at {self.t_s:.1f} s"
            f" ({why}){unseen}"
        )


def worst(outcomes: list[CheckOutcome]) -> Outcome:
    """Of the checks that were asked. Where none was asked the run is INVALID."""
    return max((o for o in outcomes if o != "NOT_ASKED"), key=ORDER.index, default="INVALID")


def meets(expectation: str | list[str], checks: list[Check]) -> bool:
    """Whether the checks are what the scenario declared (the rule is in the docstring of `verdict`)."""
    outcome = worst([c.verdict for c in checks])
    if isinstance(expectation, str):
        return outcome == EXPECTED_WORD[expectation]
    fired = {c.name for c in checks if c.verdict in {"FAIL", "NOT_DRAINED"}}
    return fired == set(expectation) and all(c.verdict != "INVALID" for c in checks)
