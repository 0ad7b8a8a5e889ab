"""The live view's words: what is old is said with its age, and no number is made from it."""

from __future__ import annotations

import msgspec
from rich.console import Console

from factorylab.cli.watch_commands import WatchUpdate, picture, stale
from factorylab.cluster.manage import Seen
from factorylab.core.clock import NS
from factorylab.operations.live_view import Ages, Look, PartitionNow, Rates, StoreView, rates

FRESH = Ages(leaders=0.1, ends=0.2, group=0.1, store=0.1)


def look(at_s: float, end: int = 1_000, ages: Ages = FRESH) -> Look:
    """Two partitions; the end of the second is as old as `ages` has it."""
    partitions = [
        PartitionNow(partition=0, leader=2, isr=[2, 3], end=500, stored=450, owner="a", end_age_s=0.1),
        PartitionNow(partition=1, leader=1, isr=[1, 3], end=end, stored=900, owner="b", end_age_s=ages.ends),
    ]
    return Look(int(at_s * NS), partitions, "Stable", StoreView({0: 450, 1: 900}, 7, [], []), ages)


def shown(moment: WatchUpdate) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(picture(moment))
    return captured.get()


def test_old_answers_are_named_with_their_age() -> None:
    """Each question whose answer is old has a sentence, and the node that died is named by its state."""
    old = look(100, ages=msgspec.structs.replace(FRESH, ends=12.2, group=None))
    nodes = [Seen("broker-1", "broker", "dead", None, 0, -9, ""), Seen("broker-2", "broker", "running", 1, 1, None, "")]
    said = shown(WatchUpdate(old, Rates(None, None), nodes))
    assert "broker-1 DEAD  running: broker-2" in said
    assert "12 s old: no answer about the ends of the log" in said
    assert "no answer yet: no answer about the group" in said
    assert "1,000 (12 s old)" in said
    assert stale(look(100)) == []


def test_no_number_comes_of_an_old_answer() -> None:
    """Lag and rate are unknown while one of their parts is old, though the part that is of now is shown."""
    old = look(101, ages=msgspec.structs.replace(FRESH, ends=12.0))
    assert old.lag_records is None and old.partitions is not None
    assert [one.lag_records for one in old.partitions] == [50, None]
    assert rates(look(100), old) == Rates(None, 0.0)


def test_a_rate_counts_from_answer_to_answer() -> None:
    """Not from look to look: an answer of half a second ago counts up to then."""
    late = look(101, end=1_500, ages=msgspec.structs.replace(FRESH, ends=0.7))
    assert rates(look(100), late).written_per_s == 1_000.0  # 500 records in the half second between the answers
    assert look(100).lag_records == 150


def test_the_same_answer_twice_gives_no_rate() -> None:
    """Where nobody told anything new between two looks, nothing is said."""
    again = look(100.5, ages=msgspec.structs.replace(FRESH, ends=0.7, store=0.6))
    assert rates(look(100), again) == Rates(None, None)
