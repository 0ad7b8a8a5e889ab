"""Offset commits: one at a time, and never of what this member has no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from factorylab.factory.processor import offset_commits
from factorylab.factory.processor.contest import Contests
from factorylab.factory.processor.offset_commits import OffsetCommits
from factorylab.factory.store.positions import At


class Client:
    """A consumer that keeps what is to be committed."""

    def __init__(self) -> None:
        self.asked: list[dict[int, int]] = []
        self.refuses = False

    def commit(self, offsets: Sequence[TopicPartition], *, asynchronous: bool) -> None:
        assert asynchronous
        if self.refuses:
            raise KafkaException(KafkaError(KafkaError._STATE))
        self.asked.append({at.partition: at.offset for at in offsets})


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(offset_commits, "EVERY_S", 0)
    return Client()


def answer(commits: OffsetCommits, error: KafkaError | None = None) -> None:
    commits.heard(error, [TopicPartition("t", 0, 10)])


@pytest.mark.parametrize("error", [None, KafkaError(KafkaError.REQUEST_TIMED_OUT)])
def test_while_a_commit_has_no_answer_only_the_latest_positions_are_kept(client: Any, error: KafkaError | None) -> None:
    """Three batches make one commit, and after its answer, whatever it is, one more with the latest positions."""
    commits, consumer = OffsetCommits("t", Contests()), cast("Consumer", client)
    for partition, offset in ((0, 10), (0, 20), (1, 5), (0, 30)):
        commits.note(partition, offset)
        commits.send(consumer, {0, 1})
    assert client.asked == [{0: 10}]
    answer(commits, error)
    commits.send(consumer, {0, 1})
    assert client.asked == [{0: 10}, {0: 30, 1: 5}]
    answer(commits)
    commits.send(consumer, {0, 1})
    assert len(client.asked) == 2, "nothing new, nothing to commit"


def test_commits_come_at_their_pace(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is answered at once, the next commit waits for its time; a member that leaves does not."""
    monkeypatch.setattr(offset_commits, "EVERY_S", 1000)
    commits, consumer = OffsetCommits("t", Contests()), cast("Consumer", client)
    for offset in (10, 20, 30):
        commits.note(0, offset)
        commits.send(consumer, {0})
        answer(commits)
    assert client.asked == [{0: 10}]
    commits.send_last(consumer, {0})
    assert client.asked == [{0: 10}, {0: 30}]


def test_a_member_that_leaves_commits_what_waited_for_an_answer(client: Any) -> None:
    """The position of the last batch is committed, though the commit before has no answer yet."""
    commits, consumer = OffsetCommits("t", Contests()), cast("Consumer", client)
    for offset in (10, 20):
        commits.note(0, offset)
        commits.send(consumer, {0})
    commits.send_last(consumer, {0})
    assert client.asked == [{0: 10}, {0: 20}]


def test_what_went_to_another_member_is_not_committed(client: Any) -> None:
    """A position that waited for an answer is dropped when its partition is lost: the new owner is further."""
    commits, consumer = OffsetCommits("t", Contests()), cast("Consumer", client)
    commits.note(0, 10)
    commits.send(consumer, {0, 1})
    commits.note(0, 20)
    commits.note(1, 5)
    answer(commits)
    commits.send(consumer, {1})
    assert client.asked == [{0: 10}, {1: 5}]


def test_a_client_that_refuses_is_asked_again(client: Any) -> None:
    """A commit that was never sent awaits no answer."""
    commits, consumer = OffsetCommits("t", Contests()), cast("Consumer", client)
    client.refuses = True
    commits.note(0, 10)
    commits.send(consumer, {0})
    client.refuses = False
    commits.note(0, 20)
    commits.send(consumer, {0})
    assert client.asked == [{0: 20}]


def test_contests_hear_of_every_answer() -> None:
    """A partition that is contested is this member's again when the group accepts a commit."""
    contests = Contests()
    commits = OffsetCommits("t", contests)
    contests.lost(At(0, 10, 1))
    answer(commits)
    assert contests._open[0].confirmed
