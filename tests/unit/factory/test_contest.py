"""Contested partitions: only whom the group confirms takes one back, and not for ever."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, TopicPartition

from factorylab.factory.processor import contest
from factorylab.factory.processor.contest import LOSSES_MAX, Contests, OwnershipLost
from factorylab.factory.store.positions import At

AT = At(0, 10, 1)
COMMITTED = [TopicPartition("t", 0, 10)]


@pytest.fixture
def contests(monkeypatch: pytest.MonkeyPatch) -> Contests:
    """Contests that rest for no time."""
    monkeypatch.setattr(contest, "FIRST_S", 0.0)
    return Contests()


def test_a_member_without_an_answer_of_its_group_takes_nothing_back(contests: Contests) -> None:
    """What was lost stays lost until the group accepts a commit; a refusal does not count, nor an earlier answer."""
    contests.heard(None, COMMITTED)
    contests.lost(AT)
    assert not contests.is_ours(0)
    contests.heard(KafkaError(KafkaError.UNKNOWN_MEMBER_ID), COMMITTED)
    assert not contests.is_ours(0)
    assert contests.to_ask(0) == AT
    contests.heard(None, COMMITTED)
    assert contests.is_ours(0) and contests.to_ask(0) is None


def test_a_confirmed_owner_rests_before_it_takes_a_partition_back() -> None:
    """Between a loss and the next taking there is a pause, even where the group answers at once."""
    contests = Contests()
    contests.lost(AT)
    contests.heard(None, COMMITTED)
    assert not contests.is_ours(0)
    assert contests.is_ours(1)


def test_a_fight_that_is_lost_again_and_again_ends(contests: Contests) -> None:
    """However often the group confirms it: after LOSSES_MAX losses in a row the next one is the last."""
    for number in range(1, LOSSES_MAX + 1):
        assert contests.lost(AT) == number
        contests.heard(None, COMMITTED)
    with pytest.raises(OwnershipLost, match=r"partition 0 .* FACTORYLAB_DB_SCHEMA"):
        contests.lost(AT)


def test_losses_that_are_far_apart_are_no_fight(contests: Contests, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new assignment settles a contest, and so does a quiet time."""
    contests.lost(AT)
    contests.settle(0)
    assert contests.is_ours(0) and contests.lost(AT) == 1
    monkeypatch.setattr(contest, "QUIET_S", 0.0)
    assert contests.lost(AT) == 1
