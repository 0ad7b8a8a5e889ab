"""What became of each canary of a partition, and the quantiles of how long it took."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from factorylab.operations.observe.canary import Canary, Schedule, decode, encode
from factorylab.operations.observe.evidence import FILES, Evidence
from factorylab.operations.observe.latency import ERROR, LatencySketch
from factorylab.operations.observe.ledger import NOWHERE, PENDING_MAX, RECENT_MAX, Harm, Ledger


def ledger(*seqs: int) -> Ledger:
    """One with these canaries offered."""
    made = Ledger(0)
    for seq in seqs:
        made.offered(seq)
    return made


def test_a_canary_that_the_reader_passed_is_lost() -> None:
    """Acknowledged at offset 1, which the reader is beyond without it: lost, once; whether the acknowledgement comes
    before or after."""
    for late in (False, True):
        book = ledger(0, 1, 2)
        book.acked(0, 0, 1)
        book.read(0, 0, 2)
        acked = [] if late else book.acked(1, 1, 3)
        book.acked(2, 2, 4)
        _, harm = book.read(2, 2, 5)
        found = [*acked, *harm, *(book.acked(1, 1, 6) if late else [])]
        assert [(one.what, one.seq, one.offset) for one in found] == [("lost", 1, 1)]
        assert (book.counts.lost, book.counts.read, book.pending) == (1, 2, 0)


def test_an_acknowledgement_without_an_offset_is_one() -> None:
    """A retry that the broker had already: lost once a canary is read that was sent after the acknowledgement, and not
    when one is read that may lie before it."""
    book = ledger(0, 1)
    book.acked(0, NOWHERE, 1)
    book.offered(2)
    for seq in (1, 2):
        book.acked(seq, seq, 2)
    assert book.read(1, 1, 3) == (True, [])
    assert [(one.what, one.seq) for one in book.read(2, 2, 4)[1]] == [("lost", 0)]
    assert (book.counts.acknowledged, book.counts.read, book.counts.lost, book.counts.unknown) == (3, 2, 1, 0)


def test_a_canary_below_the_start_of_the_log_is_expired() -> None:
    """What retention took before the reader came is no loss of the cluster's."""
    book = ledger(0, 1)
    book.acked(0, 0, 1)
    book.acked(1, 1, 1)
    book.begins(1)
    _, harm = book.read(1, 1, 2)
    assert [one.what for one in harm] == ["expired"] and book.counts.lost == 0


def test_a_record_of_somebody_else_is_passed_as_well() -> None:
    """Where an acknowledged canary was, another's record lies after an unclean election: it is lost."""
    book = ledger(0)
    book.acked(0, 0, 1)
    assert [one.what for one in book.passed(0, 2)] == ["lost"]


def test_a_second_offset_is_a_double_and_a_second_read_is_none() -> None:
    """The same canary further on in the log is doubled; the same record read again, as after a reset, is not."""
    book = ledger(0, 1)
    for seq in (0, 1):
        book.acked(seq, seq, 1)
        assert book.read(seq, seq, 2) == (True, [])
    assert book.read(0, 0, 3) == (False, [])
    _, harm = book.read(0, 2, 4)
    assert [(one.what, one.offset) for one in harm] == [("doubled", 2)]
    assert (book.counts.read, book.counts.doubled) == (2, 1)


def test_a_canary_behind_a_later_one_is_reordered() -> None:
    """Each lies after those that were sent before it, or is told."""
    book = ledger(0, 1, 2)
    told = [book.read(seq, offset, 1)[1] for offset, seq in enumerate((1, 0, 2))]
    assert [[one.what for one in harm] for harm in told] == [[], ["reordered"], []]


def test_an_unknown_canary_is_never_lost() -> None:
    """It has no acknowledgement: found or not, before the error or after it, it is only counted."""
    book = ledger(0, 1, 2, 3)
    book.unknown(0)
    book.read(1, 0, 1)
    book.unknown(1)
    book.unknown(2)
    book.read(2, 1, 2)
    book.acked(3, 2, 3)
    book.read(3, 2, 4)
    assert (book.counts.unknown, book.counts.unknown_found, book.counts.lost) == (3, 2, 0)


def test_what_must_be_forgotten_is_not_judged() -> None:
    """A reader that never reads: memory stays bounded, what is forgotten is counted, and is no double later."""
    book = ledger(*range(PENDING_MAX + 10))
    assert (book.pending, book.counts.not_judged) == (PENDING_MAX, 10)
    assert book.read(3, 3, 1) == (False, [])


def test_only_the_latest_offsets_are_remembered() -> None:
    """A double of a canary that was read long ago is still told, as its offset is new."""
    book = Ledger(0)
    for seq in range(RECENT_MAX + 5):
        book.offered(seq)
        book.read(seq, seq, 1)
    _, harm = book.read(0, RECENT_MAX + 5, 2)
    assert [one.what for one in harm] == ["doubled"]


def test_quantiles_are_as_near_as_they_say() -> None:
    """Of latencies from microseconds to minutes, each quantile is within the error of the exact one."""
    chance, sketch = random.Random(3), LatencySketch()
    values = sorted(10 ** chance.uniform(-5, 2) for _ in range(5_000))
    for value in values:
        sketch.add(value)
    for share in (0.01, 0.5, 0.9, 0.99, 1.0):
        exact = values[max(int(share * len(values) + 0.999999) - 1, 0)]
        assert sketch.quantile(share) == pytest.approx(exact, rel=ERROR * 1.001)
    assert LatencySketch().quantile(0.5) is None


def test_a_canary_comes_back_as_it_went() -> None:
    """What is no canary is None, and raises nothing."""
    canary = Canary("ab12", 2, 77)
    assert decode(encode(canary)) == canary
    assert [decode(value) for value in (None, b"", b"{}", b"\xff", b'{"observation": 1}')] == [None] * 5


def test_the_schedule_is_open_loop() -> None:
    """A canary is due from its intended moment on, whatever became of those before it."""
    schedule = Schedule(1_000, 2.0, 3)
    for partition in range(3):
        for seq in (0, 1, 1_000):
            at_ns = schedule.intended_ns(partition, seq)
            assert (schedule.due(partition, at_ns - 2), schedule.due(partition, at_ns + 2)) == (seq, seq + 1)


def test_a_full_disk_raises_and_loses_no_line(tmp_path: Path) -> None:
    """What a device without room refuses is written once there is room, each line once."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full")
    evidence = Evidence(tmp_path / "own")
    file = evidence.folder / "told.jsonl"
    file.symlink_to(full)
    evidence.put("told", Harm("lost", 0, 1, 2, 3))
    with pytest.raises(OSError, match="No space left"):
        evidence.flush()
    file.unlink()
    evidence.flush()
    evidence.flush()
    assert file.read_text().count('"lost"') == 1


def test_evidence_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full files are kept up to their number, and the oldest goes: the latest lines are there, in their order."""
    monkeypatch.setattr("factorylab.operations.observe.evidence.FILE_BYTES", 200)
    evidence = Evidence(tmp_path / "own")
    for seq in range(100):
        evidence.put("canaries", Harm("lost", 0, seq, 0, 0))
        evidence.flush()
    kept = sorted(evidence.folder.iterdir(), key=lambda file: file.name, reverse=True)
    assert FILES - 1 <= len(kept) <= FILES and sum(file.stat().st_size for file in kept) < 300 * FILES
    seqs = [int(line.partition('"seq":')[2].partition(",")[0]) for file in kept for line in file.read_text().split()]
    assert seqs == list(range(seqs[0], 100))
