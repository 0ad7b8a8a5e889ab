"""Explanations: why readings were lost, doubled or reordered, from handmade histories whose story is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factorylab.audit.explain.case import EXPLAINERS, NOTHING_SEEN
from factorylab.audit.model.findings import Explanation
from factorylab.audit.model.verdict import panel
from tests.support.histories import at_ns, broker_loss, healthy, scenario
from tests.support.losses import CUT_AT, in_sync, isolated, logged, told, unclean
from tests.support.spoils import answer, check_of, fired, lose, retention, unread


def test_what_an_isolated_leader_confirmed_alone_was_truncated(tmp_path: Path) -> None:
    """With acks=1 the story names partition, offsets, epoch, both leaders, the epoch's end, and the cure."""
    (story,) = told(isolated(tmp_path).run(), "lost_in_log")
    assert (story.count, story.partition, story.epoch, story.prevented_by) == (100, 0, 0, "acks=all")
    assert story.first_offset == CUT_AT and story.event.startswith("truncated to the end of the new leader, broker 2")
    words = "\n".join(story.evidence)
    assert "leader 1 in epoch 0 → leader 2 in epoch 1" in words and f"epoch 1 begins at offset {CUT_AT}" in words
    assert "partition broker-1 from 6.0 s to 12.1 s" in words and "in effect: acks=1" in words


def test_what_a_replaced_leader_confirmed_is_told_apart(tmp_path: Path) -> None:
    """Confirmations that came after the change are those of a leader that did not know of it."""
    history = isolated(tmp_path)
    rows = history["sends"]
    gone = (rows["partition"] == 0) & (rows["offset"] >= CUT_AT) & rows["t_ns"].between(at_ns(6), at_ns(9))
    rows.loc[gone, "t_ack_ns"] = at_ns(11)
    (story,) = told(history.run(), "lost_in_log")
    assert story.event == "acknowledged by broker 1, which did not know that it had been replaced"


def test_an_unclean_election_is_named_by_the_brokers_log_and_by_the_isr(tmp_path: Path) -> None:
    """A leader that was not in sync lost what it did not have: by the last ISR, and by the controller's own line."""
    history = isolated(tmp_path, objectives={})
    in_sync(history, 5, 1)
    history.logs = {"broker-3": [unclean(9, 1), unclean(9, 1).replace("sensor-data-0", "alerts-0"), unclean(9, 4)]}
    (story,) = told(history.run(), "lost_in_log")
    assert story.event.startswith("unclean election: broker 2") and "unclean.leader.election" in story.prevented_by
    (quoted,) = [text for text in story.evidence if ".log at" in text]
    assert quoted.startswith('broker-3.log at 9.0 s (00:16:49.000 UTC): "UNCLEAN partition change for sensor-data-0 …')
    assert quoted.endswith('leaderEpoch: 0 -> 1"')


@pytest.mark.parametrize(
    ("logs", "event", "cure"),
    [
        ([unclean(9, 1)], "broker 2, not in sync, was elected as an eligible replica or as the last", "min.insync."),
        ([], "truncated to the end of the new leader, broker 2", "acks=all"),
    ],
)
def test_what_is_off_already_prevents_nothing(tmp_path: Path, logs: list[str], event: str, cure: str) -> None:
    """Where unclean elections are off, the log calls the return of the last leader known UNCLEAN; a look of the probe
    that did not see a new leader in sync is no unclean election."""
    history = isolated(tmp_path, objectives={})
    in_sync(history, 5, 1)
    history.made_of["topic_config"] = {"unclean.leader.election.enable": "false"}
    history.logs = {"broker-3": logs}
    (story,) = told(history.run(), "lost_in_log")
    assert story.event.startswith(event) and story.prevented_by.startswith(cure)


def test_a_leader_without_its_disk_is_named(tmp_path: Path) -> None:
    """The only replica in sync leads again in a new epoch, whose log begins below what it had acknowledged."""
    history = isolated(tmp_path)
    in_sync(history, 5, 1)
    rows = history["partitions"]
    rows.loc[(rows["partition"] == 0) & (rows["epoch"] == 1), "leader"] = 1
    (story,) = told(history.run(), "lost_in_log")
    assert story.event == "broker 1, the only replica in sync, came back without its records"
    assert "min.insync.replicas=2" in story.prevented_by


def test_a_lost_disk_is_told_from_the_unclean_election_that_follows(tmp_path: Path) -> None:
    """A broker that made its log anew had no copy, whatever the controller calls its election: another cure."""
    events = []
    for number, node in enumerate(("broker-1", "broker-3")):
        history = isolated(tmp_path / str(number))
        rows = history["partitions"]
        rows.loc[(rows["partition"] == 0) & (rows["epoch"] == 1), "leader"] = 1
        created = "Created log for partition sensor-data-0 in /data/sensor-data-0 with properties {}"
        history.logs = {node: [logged(-3, created), logged(9.05, created), unclean(9.06, 1)]}
        (story,) = told(history.run(), "lost_in_log")
        events.append(story.event)
    assert events == [
        "broker 1 came back without its records",
        "unclean election: broker 1 became leader although it was not in sync",
    ]


def test_the_former_leaders_truncation_is_quoted(tmp_path: Path) -> None:
    """Of two logs that were cut, that of the broker that had acknowledged is the evidence, though it came later."""
    history = isolated(tmp_path)
    cut = "[UnifiedLog partition=sensor-data-0, dir=/data] Truncating to offset"
    history.logs = {"broker-3": [logged(9.5, f"{cut} {CUT_AT}")], "broker-1": [logged(12, f"{cut} {CUT_AT}")]}
    (story,) = told(history.run(), "lost_in_log")
    assert [text.partition(" at ")[0] for text in story.evidence if "Truncating" in text] == ["broker-1.log"]


def test_what_was_confirmed_after_the_change_is_counted(tmp_path: Path) -> None:
    """In one story of a leader that went on confirming, the number of readings that came after the change stands."""
    history = isolated(tmp_path)
    rows = history["sends"]
    gone = (rows["partition"] == 0) & (rows["offset"] >= CUT_AT) & rows["t_ns"].between(at_ns(6), at_ns(9))
    rows.loc[gone, "t_ack_ns"] = np.where(rows.loc[gone, "offset"] < CUT_AT + 60, at_ns(8.5), at_ns(11))
    (story,) = told(history.run(), "lost_in_log")
    assert story.count == 100
    assert "40 of them were acknowledged after that, by a leader that had not heard of it" in story.evidence


def test_brokers_logs_tell_where_an_epoch_begins_when_the_final_read_did_not(tmp_path: Path) -> None:
    """Histories of the first schema version have no table of epochs: the new leader's own line stands in for it."""
    history = isolated(tmp_path)
    history.absent.add("epochs")
    history.made_of["schema_version"] = 1
    led = f"[Broker id=2] Leader sensor-data-0 with topic id Some(x) starts at leader epoch 1 from offset {CUT_AT}"
    more = "with partition epoch 1, high watermark 260, ISR [2,3], adding replicas []"
    cut = f"[UnifiedLog partition=sensor-data-0, dir=/data] Truncating to offset {CUT_AT}"
    history.logs = {"broker-2": ["no line of ours", logged(9, f"{led} {more}"), logged(12, cut)]}
    run = history.run()
    (story,) = told(run, "lost_in_log")
    assert story.event.startswith("truncated") and fired(run, "tables") == {}
    cited = [text for text in story.evidence if ".log at" in text]
    assert len(cited) == 2 and cited[0].endswith(f'from offset {CUT_AT} … high watermark 260, ISR [2,3]"')


def test_a_loss_without_an_event_is_told_as_that(tmp_path: Path) -> None:
    """A hole in the log with no change of leader is not given a reason."""
    history = healthy(tmp_path)
    history["log"] = history["log"].drop(index=[5])
    (story,) = told(history.run(), "lost_in_log")
    assert (story.count, story.first_offset, story.event) == (1, 5, NOTHING_SEEN)


def test_retention_is_named(tmp_path: Path) -> None:
    """What expired unstored lies below the log's start; without a line of a broker the setting is told."""
    history = healthy(tmp_path)
    retention(history, stored=False)
    history.made_of["topic_config"] = {"retention.ms": "10000"}
    (story,) = told(history.run(), "expired")
    assert (story.count, story.epoch) == (4, 0) and story.event.startswith("retention")
    assert "in effect: retention.ms=10000" in story.evidence


def test_the_deletion_of_the_first_lost_reading_is_quoted(tmp_path: Path) -> None:
    """Segments that went before hold other readings, and the line names the retention that was in effect."""
    history = healthy(tmp_path)
    retention(history, stored=True)
    history["rows"] = history["rows"].query("partition != 0 or offset not in (2, 3)")
    history.made_of["topic_config"] = {"retention.ms": "10000"}
    log = "[UnifiedLog partition=sensor-data-0, dir=/d]"
    history.logs = {
        "broker-1": [
            line
            for second, first, next_one in ((8, 0, 2), (9, 2, 4))
            for line in (
                logged(second, f"{log} Incremented log start offset to {next_one} due to segment deletion"),
                logged(second, f"{log} Deleting segment LogSegment(baseOffset={first}, size=1, lastModifiedTime=2) "
                       "due to log retention time 8000ms breach based on the largest record timestamp in the segment"),
            )
        ]
    }  # fmt: skip
    (story,) = told(history.run(), "expired")
    quoted = [text for text in story.evidence if ".log at 9.0 s" in text]
    assert story.first_offset == 2 and len(quoted) == 2 == sum(".log at" in text for text in story.evidence)
    assert "baseOffset=2" in quoted[0] and "8000ms" in quoted[0] and "start offset to 4" in quoted[1]
    assert not any("retention.ms" in text for text in story.evidence)


def test_commit_before_store_is_told_from_never_read_and_from_passed_over(tmp_path: Path) -> None:
    """Polled, in no transaction: committed too early. In a transaction: passed over. In no poll: never read."""
    events = []
    for number, (keep_poll, keep_commit) in enumerate([(True, False), (True, True), (False, False)]):
        history = healthy(tmp_path / str(number))
        unread(history, 7)
        for table, kept, last in (("reads", keep_poll, "last_offset"), ("commits", keep_commit, "to_offset")):
            frame = history[table]
            first = "first_offset" if table == "reads" else "from_offset"
            hit = (frame["partition"] == 0) & (frame[first] <= 7) & (frame[last] >= 7)
            history[table] = frame if kept else frame[~hit].reset_index(drop=True)
        history.made_of["consumer"] = {"enable.auto.commit": "true"}
        (story,) = told(history.run(), "lost_in_pipeline")
        assert (story.count, story.first_offset, story.epoch) == (1, 7, 0)
        events.append(story.event)
    assert events[0] == "their offset was committed before they were stored (by auto-commit)"
    assert events[1] == "a transaction moved the position past them without storing them"
    assert events[2] == "never read: the consumer began beyond them"


def test_a_log_that_began_anew_below_the_position_is_told(tmp_path: Path) -> None:
    """Polls and transactions from before a reading was due are about what its place held then: it was never read."""
    history = healthy(tmp_path)
    unread(history, 7)
    rows = history["sends"]
    due = (rows["partition"] == 0) & (rows["offset"] == 7)
    rows.loc[due, ["t_ns", "t_intended_ns", "t_ack_ns"]] = at_ns(9)
    (story,) = told(history.run(), "lost_in_pipeline")
    assert story.event.startswith("never read: the log began anew below the consumer's position")
    assert "read up to offset" in story.evidence[0] and "began at offset" in story.evidence[1]


@pytest.mark.parametrize(("idempotent", "cure"), [("false", "enable.idempotence=true"), ("true", "not known")])
def test_copies_in_the_log_are_blamed_on_the_producer_only_without_idempotence(
    tmp_path: Path, idempotent: str, cure: str
) -> None:
    """A second offset of a reading is a retry where the producer was not idempotent, and unexplained where it was."""
    history = healthy(tmp_path)
    record, end = history["log"].loc[3], int(history["frozen"].loc[0, "end"])
    history.add("log", partition=0, offset=end, sensor=record.sensor, seq=record.seq, payload_hash=record.payload_hash)
    history["frozen"].loc[0, "end"] = end + 1
    history.made_of["producer"] = {"acks": "all", "enable.idempotence": idempotent}
    (story,) = told(history.run(), "duplicate_in_log")
    assert (story.count, story.first_offset) == (1, end) and story.prevented_by.startswith(cure)
    assert "offsets 3 (epoch 0)" in story.evidence[0]


def test_rows_stored_twice_are_blamed_on_the_missing_fence(tmp_path: Path) -> None:
    """The same place stored twice: read again after a crash; both transactions are named."""
    history = healthy(tmp_path)
    row = history["rows"].loc[7]
    history.add("rows", sensor=row.sensor, seq=row.seq, partition=0, offset=row.offset, value=1.0)
    (story,) = told(history.run(), "duplicate_in_store")
    assert story.event.startswith("read and stored again") and "transaction" in story.prevented_by
    assert story.evidence[0].startswith("processor-0 read offset 7 at")
    assert "; processor-0 stored offset 7 at" in story.evidence[0]


def test_rows_of_a_former_owner_are_blamed_on_it(tmp_path: Path) -> None:
    """Where a processor stored what its successor had stored already, it is named, not a crash."""
    history = healthy(tmp_path)
    row = history["rows"].loc[7]
    history.add("rows", sensor=row.sensor, seq=row.seq, partition=0, offset=row.offset, value=1.0)
    first = history["commits"].query("partition == 0 and from_offset <= 7 < to_offset").iloc[0].to_dict()
    history.add("commits", **{**first, "worker": "processor-1", "t_ns": at_ns(5), "owner_epoch": 0})
    (story,) = told(history.run(), "duplicate_in_store")
    assert story.event.startswith("stored by processor-1, which had lost the partition")


def test_shed_readings_are_explained_even_where_they_are_allowed(tmp_path: Path) -> None:
    """A PASS with shed readings says that the full queue refused them, and how long nothing was acknowledged."""
    history = broker_loss(tmp_path)
    for row in (900, 901):
        answer(history, row, "shed")
        lose(history, row)
    verdict = history.run().verdict
    (story,) = told(verdict, "shed")
    assert story.count == 2 and story.event == "the full queue of the producer refused them"
    assert "acknowledged nothing for 3.0 s" in story.evidence[0]


def test_what_acks_0_lost_is_told_and_no_check_fires(tmp_path: Path) -> None:
    """Under acks=0 a reading that never came to the log breaks no promise, and the verdict says where it went."""
    history = healthy(tmp_path, scenario(clients={"acks": "0"}))
    lose(history, 15)
    verdict = history.run().verdict
    (story,) = told(verdict, "unconfirmed")
    assert (verdict.verdict, story.count, story.prevented_by) == ("PASS", 1, "acks=all")


def test_an_explainer_that_crashes_changes_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss is still a FAIL, and its story says that it could not be told."""

    def broken(case: object) -> list[Explanation]:
        raise KeyError("gone")

    monkeypatch.setitem(EXPLAINERS, "lost_in_log", broken)
    verdict = isolated(tmp_path).run().verdict
    (story,) = told(verdict, "lost_in_log")
    assert (verdict.verdict, story.count, story.event) == ("FAIL", 100, NOTHING_SEEN) and "KeyError" in story.evidence[
        0
    ]


def test_the_screen_tells_why_and_shows_one_life(tmp_path: Path) -> None:
    """One screen: what fired, why, what prevents it, one reading from due to what its offset holds now, exposure."""
    text = panel(isolated(tmp_path).run().verdict)
    for words in (
        "prevented by acks=all",
        "truncated: epoch 0 ends at offset 267",
        "in the store now: not there",
        "exposure:",
    ):
        assert words in text, text
    assert len(text.splitlines()) <= 45 and max(map(len, text.splitlines())) <= 120
    assert "offered − stored 100" in text


def test_every_story_counts_what_its_check_counted(tmp_path: Path) -> None:
    """The groups of a check's explanations add up to its count."""
    history = isolated(tmp_path)
    history["log"] = history["log"].drop(index=np.arange(40, 50)).reset_index(drop=True)
    run = history.run()
    count = check_of(run, "lost_in_log").count
    assert sum(story.count for story in told(run, "lost_in_log")) == count == 110
