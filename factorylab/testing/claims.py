"""The audit's checks, in the words of whoever tests a service."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from factorylab.audit.checks import duplicates, loss
from factorylab.audit.model.findings import Outcome
from factorylab.audit.model.registry import Evidence, Found, Look, Registered
from factorylab.history.saved_run import each

ORDER_UNKNOWN = "the delivery reports do not tell the order of the sends: pass on_delivery=sent.of(value, key)"
NO_NEIGHBOURS = "no key has two records in one partition"


def _claim(look: Look, claim: str, cases: str, broken: Outcome = "FAIL", name: str = "") -> Registered:
    return Registered(name or look.__name__, claim, cases, broken, look)


LOST = _claim(loss.lost_in_log, "Every acknowledged record is in the log.", "acknowledged records are not in the log")
EXPIRED = _claim(
    loss.expired,
    "Nothing acknowledged left the log by retention before it was received.",
    "acknowledged records expired",
)
DOUBLED = _claim(duplicates.duplicate_in_log, "Each record has one offset in the log.", "records repeat another")
LEFT_OUT = _claim(
    loss.lost_in_pipeline,
    "The consumer put out every acknowledged record below the offset that it committed.",
    "acknowledged records were read and not put out",
)
LEFT_OUT_OF_ALL = replace(LEFT_OUT, claim="The consumer, taken to have read everything, put out what was acknowledged.")
NOT_READ = _claim(
    loss.not_drained,
    "The consumer has committed the log to its end.",
    "acknowledged records were neither committed nor put out",
    "NOT_DRAINED",
)
PUT_OUT_TWICE = _claim(
    duplicates.duplicate_in_store, "The consumer put out each record once.", "outputs repeat another"
)


def _if_told(e: Evidence) -> Found:
    """`reordered_in_log`, not asked where no record has another one of its key before it."""
    found = duplicates.reordered_in_log(e)
    log = e.run.frame("log", "sensor", "seq", "partition")
    sizes = Counter((record.sensor, record.partition) for record in each(log) if record.seq >= 0)
    return found if max(sizes.values(), default=0) > 1 else replace(found, not_asked=NO_NEIGHBOURS)


def _not_told(_: Evidence) -> Found:
    return Found(0, 0, not_asked=ORDER_UNKNOWN)


IN_LOG = _claim(
    _if_told,
    "In each partition the records of a key lie in the order of their sends.",
    "records lie before their predecessor",
    name="reordered_in_log",
)
IN_OUTPUT = _claim(
    _if_told,
    "Of each partition the records of a key were put out in the order of their sends.",
    "records were put out before their predecessor",
    name="reordered_in_output",
)


def of_log(in_order: bool) -> tuple[Registered, ...]:
    """What is claimed of the log. `in_order`: is it known in which order the records were sent?"""
    return LOST, EXPIRED, DOUBLED, _order(IN_LOG, in_order)


def of_output(group: bool) -> tuple[Registered, ...]:
    """What is claimed of the consumer's output. `group`: is it known how far it has read?"""
    return (LEFT_OUT, NOT_READ, PUT_OUT_TWICE) if group else (LEFT_OUT_OF_ALL, PUT_OUT_TWICE)


def order_of_output(in_order: bool) -> Registered:
    """The claim on a history whose log is what the consumer put out."""
    return _order(IN_OUTPUT, in_order)


def _order(claim: Registered, in_order: bool) -> Registered:
    return claim if in_order else replace(claim, look=_not_told)


NAMES = frozenset(claim.name for claim in (*of_log(True), *of_output(True), IN_OUTPUT))
