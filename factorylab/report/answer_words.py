"""What a run says, in sentences made from its verdict: the one place for report, notebooks, command line and exports.

Each number in them stands in the verdict, and so in the tables that are shown below them. A value that is censored is
marked with ">", as everywhere; what was not observed or not asked is said to be so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from factorylab.audit.judged import JudgedRun
from factorylab.audit.model.findings import AlertLatency, Check, Span
from factorylab.audit.model.verdict import NOT_OBSERVED, NOT_RECORDED, SHOWN, Verdict, counted, expectation, lost
from factorylab.audit.model.wording import worst_span
from factorylab.core.measures import P99_NEEDS
from factorylab.report.fault_words import done
from factorylab.report.service_words import of_the_clients, stood_still

DOUBLES = ("duplicate_in_log", "duplicate_in_store")
SINCE = ("during", "after", "no fault")  # periods of an alert latency that the faults, or the whole run, answer for


@dataclass(frozen=True)
class Answer:
    """Sentences in the order in which they are to be read, and what stands between two of them."""

    sentences: tuple[str, ...]
    between: str = " "

    def __str__(self) -> str:
        return self.between.join(self.sentences)

    def _repr_markdown_(self) -> str:
        return escape(str(self), quote=False)


def answer(run: JudgedRun) -> Answer:
    """What the run answers: what was kept, who stood still for how long, how late alerts were, and whether all that was
    expected. An INVALID run answers nothing, and says why.

    Raises:
        UsageError: the run did not finish.
    """
    verdict = run.verdict
    if verdict.verdict == "INVALID":
        return Answer((_inconclusive(verdict), as_expected(verdict)))
    told = [
        *_not_drained(verdict),
        f"{done(run.scenario, verdict.recovery)}: {_kept(verdict)}.",
        *_not_stored(verdict),
        *stood_still(verdict),
        *_recovered(verdict),
        *of_the_clients(run),
        *_alerts(verdict),
        *_latency(verdict),
        *([str(verdict.limit)] if verdict.limit else []),
        *_fired(verdict),
        as_expected(verdict),
    ]
    return Answer(tuple(told))


def _inconclusive(verdict: Verdict) -> str:
    why = _listed([check for check in verdict.fired if check.verdict == "INVALID"]) or "no check was asked"
    return f"Inconclusive: the run shows neither that its claims hold nor that they do not ({why})."


def _listed(checks: Sequence[Check]) -> str:
    """Names of checks with what they measured; of many the first."""
    shown = [f"{check.name}: {check.measured.rstrip('.')}" for check in checks[:SHOWN]]
    return "; ".join([*shown, *([f"and {len(checks) - SHOWN} more"] if checks[SHOWN:] else [])])


def _not_drained(verdict: Verdict) -> Iterator[str]:
    late = [check for check in verdict.fired if check.verdict == "NOT_DRAINED"]
    if late:
        yield f"Not drained: the store had not reached the end of the log when the run ended ({_listed(late)})."


def _kept(verdict: Verdict) -> str:
    """What was lost and doubled."""
    counts = verdict.counts
    if counts is None:
        return "what was lost is not known"
    if not counts.acked:
        return "no reading was acknowledged, so none could be lost"
    gone, twice = lost(verdict.checks), counted(verdict.checks, DOUBLES)
    words = {
        None: "what was lost is not known",
        "not asked": "whether anything was lost was not asked",
        0: "nothing lost",
    }
    parts = [words.get(gone) or f"{gone:,} of {counts.acked:,} acknowledged readings lost"]
    again = {None: "what was doubled is not known", "not asked": "", 0: "nothing doubled"}
    parts.append(again.get(twice, f"{counts.duplicates:,} doubled"))
    whole = gone == 0 and twice == 0 and counts.unstored == 0
    each = f"; each of the {counts.offered:,} readings that were offered is stored once" if whole else ""
    return ", ".join(filter(None, parts)) + each


def _not_stored(verdict: Verdict) -> Iterator[str]:
    counts = verdict.counts
    if counts is None:
        return
    if counts.unstored > 0:
        why = (("shed", counts.shed), ("failed", counts.failed), ("dead letters", counts.dead_letters))
        known = ", ".join(f"{name} {n:,}" for name, n in why if n)
        beside = f" ({known})" if known else ""
        yield f"Not in the store: {counts.unstored:,} of {counts.offered:,} offered readings{beside}."
    if counts.not_offered:
        yield f"Due and not offered, because a fleet was behind its schedule: {counts.not_offered:,} readings."


def _recovered(verdict: Verdict) -> Iterator[str]:
    """The slowest recovery and the slowest catch-up; each counts from the injection of its own fault."""
    slowest = worst_span([row.recovery for row in verdict.recovery])
    if slowest is None:
        return
    least = "at most " * (len({row.fault for row in verdict.recovery}) > 1)
    caught = [row.catch_up for row in verdict.recovery if row.catch_up is not None]
    whole = len(caught) == len(verdict.recovery)
    yield (
        f"From the injection it took {least}{_ended(slowest)} until every partition acknowledged and stored again, and "
        f"went on doing so; until the lag was back where it had been: {_ended(worst_span(caught) if whole else None)}."
    )


def _ended(span: Span | None) -> str:
    return NOT_OBSERVED if span is None else f"{span} (not seen to end)" if span.censored else str(span)


def _alerts(verdict: Verdict) -> Iterator[str]:
    """How late alerts were, or would have been, since the first fault, and how many machines were blind."""
    if verdict.alerting is None:
        yield f"How late alerts were: {NOT_RECORDED}."
        return
    rows = [row for row in verdict.alerting.latency if row.period in SINCE]
    raised, every = ([row for row in rows if row.of == of] for of in ("alerts", "readings"))
    those = f"of {sum(row.n for row in raised):,} that were raised {_slowest(raised, 'came')}"
    none = not any(row.n for row in raised)
    would = _slowest(every, "would have come")
    yield f"Had each reading raised an alert, {would}; {'none was raised' if none else those}."
    blind = verdict.alerting.blind
    many = f"{blind.hit:,} of {blind.machines:,} machines"
    worst = f"{many} were blind (without an alert in time), for up to {blind.blind_s:.1f} s."
    yield worst if blind.hit else "No machine was blind."


def _slowest(rows: Sequence[AlertLatency], came: str) -> str:
    """The longest wait; where some were never stored, how many."""
    never, seen = sum(row.never for row in rows), [row.max_s for row in rows if row.max_s is not None]
    if never:
        return f"{never:,} of {sum(row.n for row in rows):,} never {came}, since they are not stored"
    return f"the slowest {came} {max(seen):.2f} s after its reading was due" if seen else NOT_OBSERVED


def _latency(verdict: Verdict) -> Iterator[str]:
    """Of a run without a fault: with one the stalls say more."""
    found = verdict.latency
    if verdict.recovery or found is None or found.n < P99_NEEDS:
        return
    yield (
        f"Of 100 readings 99 were stored within {found.p99_s:.2f} s of the moment they were due, the slowest after "
        f"{found.max_s:.2f} s (n = {found.n:,})."
    )


def _fired(verdict: Verdict) -> Iterator[str]:
    violated = [check for check in verdict.fired if check.verdict == "FAIL"]
    unclear = [check for check in verdict.fired if check.verdict == "INVALID"]
    if violated:
        yield f"Violated: {_listed(violated)}."
    if unclear:
        yield f"Not to be judged here: {_listed(unclear)}."


def as_expected(verdict: Verdict) -> str:
    """The last sentence."""
    declared = expectation(verdict)
    if verdict.met:
        more = "" if declared == "PASS" else f" ({declared})"
        return f"As expected? Yes{more}."
    return f"As expected? No: expected was {declared}, the verdict is {verdict.verdict}."
