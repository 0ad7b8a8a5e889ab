"""The verdict on processors that work in Kafka transactions, and how long readers of committed alerts stood still."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.analysis.standing import standing
from factorylab.audit.judge import checked
from factorylab.audit.model.registry import CHECKS
from tests.support.histories import healthy
from tests.support.spoils import Spoil
from tests.support.transaction_histories import ALERTED, left_open, once_more, refused, transactional, uncommitted

OF_TRANSACTIONS = {check.name for check in CHECKS if check.of_transactions}


def test_transactions_that_keep_their_promise_pass(tmp_path: Path) -> None:
    """Nothing fires, and all of their own checks have a case, beside all that processors are judged by."""
    verdict = transactional(tmp_path).run().verdict
    assert [f"{check.name}: {check.measured}" for check in verdict.fired] == []
    asked = {check.name for check in verdict.checks if check.asked}
    assert {*OF_TRANSACTIONS, "alert_differs", "zombie_write", "skipped"} <= asked


def test_only_transactional_processors_have_their_checks(tmp_path: Path) -> None:
    """The verdict on other runs does not even name them."""
    assert not OF_TRANSACTIONS & {check.name for check in healthy(tmp_path).run().verdict.checks}


@pytest.mark.parametrize(
    ("spoil", "names"),
    [
        (once_more(ALERTED[0]), {"alert_not_once", "committed_twice"}),
        (uncommitted(ALERTED[1]), {"alert_not_once", "alert_missing", "transactions_whole"}),
        (refused("_FENCED"), set()),
    ],
)
def test_what_breaks_the_promise_is_found(tmp_path: Path, spoil: Spoil, names: set[str]) -> None:
    """An alert that is committed twice or never, and no transaction that was refused."""
    h = transactional(tmp_path)
    spoil(h)
    assert {check.name for check in h.run().verdict.fired} == names


def test_who_was_refused_is_told_by_name(tmp_path: Path) -> None:
    """What a former owner heard stands beside the claim that nothing was committed twice."""
    h = transactional(tmp_path)
    refused("_FENCED")(h)
    (found,) = checked(h.run(), "committed_twice")[1]
    assert found.measured.endswith("; not committed: 1 _FENCED")


@pytest.mark.parametrize(
    ("column", "value"),
    [("t_ns", 1), ("begun_ns", 2**62), ("sent", 99), ("to_offset", 0), ("from_offset", 10**6), ("partition", 2),
     ("result", "_FENCED")],
)  # fmt: skip
def test_an_altered_transaction_is_noticed(tmp_path: Path, column: str, value: object) -> None:
    """Whatever of it is changed, the journals do not tell the same as the topic and the store any more."""
    h = transactional(tmp_path)
    first = h["transactions"].index[h["transactions"]["sent"] > 0][0]
    h["transactions"].loc[first, column] = value
    (found,) = checked(h.run(), "transactions_whole")[1]
    assert found.verdict == "INVALID"


def test_how_long_readers_stood_is_seen(tmp_path: Path) -> None:
    """From the first look at which something lay behind the last stable offset to the first at which that went on; one
    that did not end is told as such, and a look at a transaction under way is none."""
    h = transactional(tmp_path)
    assert standing(h.run()).empty
    left_open(2.0, 5.0)(h)
    left_open(3.0, 3.2, partition=0)(h)
    left_open(7.0, 99.0, partition=2)(h)
    ended, still = standing(h.run()).itertuples()
    assert (ended.partition, round(ended.lasted_s, 3), ended.censored, ended.waiting) == (1, 3.0, False, 9)
    assert (still.partition, still.censored) == (2, True)
