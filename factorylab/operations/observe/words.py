"""The report of an observation as Markdown, which a terminal shows as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from factorylab.analysis.silence import HICCUP_S, STALL_S
from factorylab.operations.observe.summary import OutageSeen, ServiceLevel, Summary


def markdown(seen: Summary) -> str:
    """The whole report."""
    parts = (
        _head(seen),
        _levels(seen),
        _canaries(seen),
        _outages(seen),
        _events(seen),
        _unobserved(seen),
        _limits(seen),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(seen: Summary) -> Iterator[str]:
    plan = seen.plan
    yield f"# {seen.verdict}: {'; '.join(seen.because)}"
    yield ""
    yield (
        f"Observed {seen.observed_s:,.1f} s of {seen.elapsed_s:,.1f} s, {seen.started} to {seen.until}: "
        f"{plan.partitions} partitions of {plan.topic} on {plan.cluster}, {plan.rate_hz:g} canaries/s each."
    )


def _levels(seen: Summary) -> Iterator[str]:
    yield from ("", "## Availability", "")
    yield from _table(("service", "partition", "available", "outages", "out, s"), map(_level, seen.levels))
    yield ""
    for budget in seen.budgets:
        yield (
            f"- {budget.service}: of the error budget of {budget.allowed_s:.2f} partition-seconds (objective "
            f"{seen.plan.objective:.4%} of what was observed) {budget.used_s:.2f} are used"
        )
    for latency in seen.latencies:
        if latency.p50_s is not None and latency.p99_s is not None:
            yield (
                f"- {latency.service}: latency from the intended moment p50 {latency.p50_s * 1000:.1f} ms, p99 "
                f"{latency.p99_s * 1000:.1f} ms (± {latency.error:.0%}), longest {latency.max_s:.3f} s, "
                f"n = {latency.count:,}"
            )


def _level(level: ServiceLevel) -> tuple[object, ...]:
    available = "not observed" if level.available is None else f"{level.available:.4%}"
    partition = "all" if level.partition is None else level.partition
    return level.service, partition, available, level.outages, f"{level.out_s:.2f}"


def _canaries(seen: Summary) -> Iterator[str]:
    c = seen.canaries
    yield from ("", "## Canaries", "")
    yield (
        f"{c.offered:,} offered, {c.acknowledged:,} acknowledged, {c.read:,} read; {c.unknown:,} unknown, "
        f"{c.unknown_found:,} of them in the log; **{c.lost:,} lost, {c.doubled:,} doubled, {c.reordered:,} reordered**"
        f"; {c.expired:,} expired, {c.not_judged:,} not judged, {c.shed:,} shed, {c.not_offered:,} not offered."
    )
    for harm in seen.harmed:
        yield f"- {harm.what}: partition {harm.partition}, canary {harm.seq}, offset {harm.offset}"


def _outages(seen: Summary) -> Iterator[str]:
    yield from ("", "## Outages", "")
    if not seen.outages:
        yield "None."
        return
    head = (
        "service",
        "partition",
        "start (UTC)",
        "earlier by up to, s",
        "end (UTC)",
        "lasted, s",
        "cause",
        "explained by",
    )
    yield from _table(head, map(_outage, seen.outages))


def _outage(one: OutageSeen) -> tuple[object, ...]:
    end = "still open" if one.end is None else _time(one.end) + ("" if one.ends_seen else " or later")
    start = _time(one.start) + ("" if one.starts_seen else " or earlier")
    whole = "" if one.end is not None and one.ends_seen and one.starts_seen else "> "
    why = "; ".join(one.events) or "nothing that was seen"
    return (
        one.service,
        one.partition,
        start,
        f"{one.start_error_s:.2f}",
        end,
        f"{whole}{one.lasted_s:.2f}",
        one.cause,
        why,
    )


def _events(seen: Summary) -> Iterator[str]:
    yield from ("", "## What was seen of the cluster", "")
    if seen.group:
        yield from (f"Group {seen.plan.group}: {seen.group}.", "")
    if not seen.events:
        yield "Nothing changed."
        return
    rows = ((_time(one.seen), f"{one.error_s:.2f}", one.kind, one.who, one.detail) for one in seen.events)
    yield from _table(("seen (UTC)", "earlier by up to, s", "kind", "who", "what"), rows)


def _unobserved(seen: Summary) -> Iterator[str]:
    yield from ("", "## Not observed", "")
    if not seen.not_observed:
        yield "Nothing: the observer was at work all the time."
        return
    rows = ((_time(one.start), _time(one.end), one.why) for one in seen.not_observed)
    yield from _table(("from (UTC)", "to (UTC)", "why"), rows)


def _limits(seen: Summary) -> Iterator[str]:
    yield from ("", "## What this can show", "")
    yield (
        f"A silence counts as an outage from {HICCUP_S:g} s on, and from {STALL_S:g} s on if an event explains it. "
        f"Each partition has a canary every {1 / seen.plan.rate_hz:g} s, so an outage may have begun that much before "
        "the first canary that had to wait; its end is when this client was served again. Events are sampled: each may "
        "have come to be earlier, as its row says."
    )


def _time(iso: str) -> str:
    """The day is in the head."""
    return iso.partition("T")[2].removesuffix("Z")


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |"
