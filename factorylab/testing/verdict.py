"""The verdict on the records of a test: the audit's checks, and what is no case for them."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass

from factorylab.analysis.readings import UNKNOWN
from factorylab.audit.model.findings import Check
from factorylab.audit.model.registry import Evidence
from factorylab.audit.model.wording import block, witness_words
from factorylab.core.errors import UsageError
from factorylab.execution.log_scan import Spans
from factorylab.testing import claims
from factorylab.testing.history import LogRecord, Numbered, TestRun

INDENT = 14  # of what belongs to a check


@dataclass(frozen=True)
class Delivery:
    """`checks` as the audit makes them. `unknown` records got no answer, `unknown_found` of them are in the log;
    `foreign` records of the log, and outputs, are not among those that were sent: none of these is judged."""

    checks: Sequence[Check]
    allowed: frozenset[str]
    acknowledged: int
    unknown: int
    unknown_found: int
    foreign: int
    foreign_outputs: int | None

    @property
    def broken(self) -> list[Check]:
        """The checks that fired though they may not."""
        return [check for check in self.checks if check.fired and check.name not in self.allowed]

    @property
    def ok(self) -> bool:
        """Nothing is broken, and something was acknowledged: else nothing was promised, so no promise was kept."""
        return not self.broken and self.acknowledged > 0

    def __str__(self) -> str:
        lines = [] if self.acknowledged else ["inconclusive: no record was acknowledged, so none could be lost"]
        for check in sorted(self.checks, key=lambda check: check not in self.broken):
            word = "allowed" if check.fired and check not in self.broken else check.verdict
            lines += block(f"{word:<{INDENT - 1}} {check.name}: {check.claim} {check.measured}", INDENT)
            lines += [f"{'':<{INDENT}}e.g. {witness_words(witness)}" for witness in check.witnesses]
        return "\n".join([*lines, *block(self._counts(), 2)])

    def _counts(self) -> str:
        told = (
            f"{self.acknowledged:,} acknowledged; {self.unknown:,} unknown, {self.unknown_found:,} of them in the log"
        )
        told += f"; not judged, since they are not among those sent: {self.foreign:,} records of the log"
        return told + ("" if self.foreign_outputs is None else f", {self.foreign_outputs:,} outputs")


def allowed(names: Collection[str]) -> frozenset[str]:
    """The checks that may fire.

    Raises:
        UsageError: there is no such check.
    """
    given = {names} if isinstance(names, str) else set(names)
    if wrong := sorted(given - claims.NAMES):
        known = ", ".join(sorted(claims.NAMES))
        raise UsageError(f"allow={', '.join(wrong)}: there is no such check; there are: {known}")
    return frozenset(given)


def judged(
    numbered: Numbered,
    log: Sequence[LogRecord],
    spans: Spans,
    *,
    received: Sequence[Hashable] | None = None,
    positions: Mapping[int, int] | None = None,
    may_fire: frozenset[str] = frozenset(),
) -> Delivery:
    """The verdict. `spans` are start and end of each partition's log; `positions` how far the consumer has read each.

    Raises:
        UsageError: nothing that was received is the identity of a record.
    """
    evidence, in_order = Evidence(numbered.run(log, spans, received or (), positions)), numbered.sent.in_order
    checks = [claim(evidence) for claim in claims.of_log(in_order)]
    if received is not None:
        _require_identities(numbered, received)
        checks += [claim(evidence) for claim in claims.of_output(positions is not None)]
        checks.append(claims.order_of_output(in_order)(Evidence(_as_log(numbered, log, received))))
    return Delivery(
        checks=checks,
        allowed=may_fire,
        acknowledged=evidence.count(lambda k: k.acked),
        unknown=evidence.count(lambda k: k.outcome == UNKNOWN),
        unknown_found=evidence.count(lambda k: (k.outcome == UNKNOWN) & k.in_log),
        foreign=sum(record.identity not in numbered.numbers for record in log),
        foreign_outputs=None if received is None else sum(who not in numbered.numbers for who in received),
    )


def _require_identities(numbered: Numbered, received: Sequence[Hashable]) -> None:
    known = numbered.numbers
    if received and known and not any(who in known for who in received):
        raise UsageError(
            f"nothing in received= is a record that was sent: it has {received[0]!r}, and a record is "
            f"{next(iter(known))!r}; give identity=, a function of key and value, both bytes"
        )


def _as_log(numbered: Numbered, log: Sequence[LogRecord], received: Sequence[Hashable]) -> TestRun:
    """What the consumer put out as if it were the log: each record in its partition, in the order of the output."""
    partition = {record.identity: record.partition for record in log}
    rows = [LogRecord(partition[who], at, who) for at, who in enumerate(received) if who in partition]
    return numbered.run(rows, dict.fromkeys(partition.values(), (0, len(received))))
