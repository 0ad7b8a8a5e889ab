"""What a story leaves out: each history holds a line, sample or fault that almost belongs to it."""

from __future__ import annotations

from pathlib import Path

from tests.support.histories import History, at_ns, broker_loss, consumer_loss, healthy
from tests.support.losses import in_sync, isolated, logged, told, unclean
from tests.support.spoils import dead_letter, retention, unread


def never_read(h: History, offset: int) -> None:
    """The poll of partition 0 that had this offset was not made, and nothing of it was stored."""
    reads, rows = h["reads"], h["rows"]
    poll = reads[(reads["partition"] == 0) & (reads["first_offset"] <= offset) & (reads["last_offset"] >= offset)]
    first, last = int(poll["first_offset"].iloc[0]), int(poll["last_offset"].iloc[0])
    h["reads"] = reads.drop(index=poll.index)
    h["rows"] = rows[~((rows["partition"] == 0) & rows["offset"].between(first, last))]


def lines(h: History, check: str) -> str:
    (story,) = told(h.run(), check)
    return "\n".join(story.evidence)


def test_an_invalid_sample_of_the_lag_is_no_evidence(tmp_path: Path) -> None:
    """What the probe could not ask says nothing of the group's offset, nor does what it saw before the reading."""
    history = healthy(tmp_path)
    never_read(history, 100)
    history.add("lag", worker="probe", t_ns=at_ns(1.05), partition=0, committed=7777, end=7777, valid=False)
    history.add("lag", worker="probe", t_ns=at_ns(-1.5), partition=0, committed=8888, end=8888, valid=True)
    text = lines(history, "lost_in_pipeline")
    assert "the group's offset was" in text and "7,777" not in text and "8,888" not in text


def test_who_read_beyond_a_place_before_its_reading_was_due_did_not_pass_it_over(tmp_path: Path) -> None:
    """The poll that went on is the first one since then."""
    history = healthy(tmp_path)
    never_read(history, 100)
    history.add("reads", worker="processor-9", t_ns=at_ns(-1.9), partition=0, first_offset=300, last_offset=301,
                count=2, hash_sum=1, rebalance_no=1)  # fmt: skip
    text = lines(history, "lost_in_pipeline")
    assert "processor-0 began at offset" in text and "processor-9 began" not in text


def test_a_death_before_the_poll_is_not_its_reason(tmp_path: Path) -> None:
    """A processor that was killed at 6 s and read at 15 s did not lose what it read by that."""
    history = consumer_loss(tmp_path)
    rows = history["rows"]
    history["rows"] = rows[~((rows["partition"] == 1) & (rows["offset"] == 570))]
    text = lines(history, "lost_in_pipeline")
    assert "processor-1 read offsets" in text and "kill" not in text


def test_dead_letters_are_in_no_story_of_a_loss(tmp_path: Path) -> None:
    """Of two readings that are not stored the one that is a dead letter was dealt with."""
    history = healthy(tmp_path)
    dead_letter(history, 20)
    unread(history, 7)
    (story,) = told(history.run(), "lost_in_pipeline")
    assert (story.count, story.first_offset, story.last_offset) == (1, 7, 7)


def test_a_log_that_was_made_before_the_loss_is_no_lost_disk(tmp_path: Path) -> None:
    """What a broker created before the first lost reading was acknowledged did not lose it."""
    history = isolated(tmp_path)
    rows = history["partitions"]
    rows.loc[(rows["partition"] == 0) & (rows["epoch"] == 1), "leader"] = 1
    created = "Created log for partition sensor-data-0 in /data/sensor-data-0 with properties {}"
    history.logs = {"broker-1": [logged(2, created), unclean(9.06, 1)]}
    (story,) = told(history.run(), "lost_in_log")
    assert story.event.startswith("unclean election")


def test_the_isr_alone_shows_an_unclean_election(tmp_path: Path) -> None:
    """Without a line of the controller a leader that was not in sync is one all the same."""
    history = isolated(tmp_path)
    in_sync(history, 5, 1)
    (story,) = told(history.run(), "lost_in_log")
    assert story.event.startswith("unclean election: broker 2")


def test_an_unclean_election_to_another_epoch_is_another_story(tmp_path: Path) -> None:
    """The controller's line about epoch 4 says nothing of the change to epoch 1."""
    history = isolated(tmp_path)
    history.logs = {"broker-3": [unclean(9, 4)]}
    (story,) = told(history.run(), "lost_in_log")
    assert story.event.startswith("truncated to the end of the new leader")


def test_the_deletion_is_told_by_one_broker(tmp_path: Path) -> None:
    """A follower that deletes its copy of the segment later is not quoted for where the leader's log began."""
    history = healthy(tmp_path)
    retention(history, stored=False)
    log = "[UnifiedLog partition=sensor-data-0, dir=/d]"
    moved = f"{log} Incremented log start offset to 4 due to segment deletion"
    held = (f"{log} Deleting segment LogSegment(baseOffset=0, size=1, lastModifiedTime=2) due to log retention time "
            "8000ms breach based on the largest record timestamp in the segment")  # fmt: skip
    history.logs = {"broker-1": [logged(9, held), logged(9, moved)], "broker-2": [logged(9.5, held)]}
    text = lines(history, "expired")
    assert "broker-1.log" in text and "Deleting" in text and "broker-2.log" not in text


def test_a_fault_after_the_copies_is_not_named(tmp_path: Path) -> None:
    """A record that was written twice at the beginning has nothing to do with the death of a broker at 6 s."""
    history = broker_loss(tmp_path)
    record, end = history["log"].loc[3], int(history["frozen"].loc[0, "end"])
    history.add("log", partition=0, offset=end, sensor=record.sensor, seq=record.seq, payload_hash=record.payload_hash)
    history["frozen"].loc[0, "end"] = end + 1
    assert "faults:" not in lines(history, "duplicate_in_log")
