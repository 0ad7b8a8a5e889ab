"""A loss whose story is known, and lines of brokers' logs that belong to it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from factorylab.audit.explain.explanations import explanations
from factorylab.audit.explain.life import life_of_witness
from factorylab.audit.judge import checked
from factorylab.audit.model.findings import Explanation, Life
from factorylab.audit.model.verdict import Verdict
from factorylab.history.saved_run import Run
from tests.support.histories import History, S, at_ns, forget_acked, network_partition

CUT_AT = 267  # the first offset that the isolated leader acknowledged alone, see `isolated`


def told(judged: Verdict | Run, check: str) -> list[Explanation]:
    """The stories of what a check counted. Of a run that check alone is made."""
    stories = judged.explanations if isinstance(judged, Verdict) else explanations(*checked(judged, check))
    return [explanation for explanation in stories if explanation.check == check]


def life_of(run: Run, check: str) -> Life:
    """The life of a reading that shows what this check found."""
    life = life_of_witness(*checked(run, check))
    assert life is not None and life.check == check
    return life


def isolated(folder: Path, **changes: object) -> History:
    """acks=1; the isolated leader of partition 0 acknowledged readings up to 9 s that the next leader never had."""
    history = network_partition(folder, clients={"acks": "1"}, **changes)
    forget_acked(history, 6, 9)
    new_epoch(history, CUT_AT)
    return history


def new_epoch(h: History, offset: int) -> None:
    """From this offset on the log of partition 0 is of epoch 1."""
    h.epochs_told, spans = True, h["epochs"]
    h["epochs"] = spans[(spans["partition"] != 0) | (spans["epoch"] == 0)].reset_index(drop=True)
    h["epochs"].loc[0, "last_offset"] = offset - 1
    h.add("epochs", partition=0, epoch=1, first_offset=offset, last_offset=599, count=1)


def in_sync(h: History, until_s: float, *replicas: int) -> None:
    """The ISR of partition 0 while epoch 0 lasted."""
    rows = h["partitions"]
    old = (rows["partition"] == 0) & (rows["epoch"] == 0) & (rows["t_ns"] > at_ns(until_s))
    rows["isr"] = [list(replicas) if o else isr for o, isr in zip(old, rows["isr"], strict=True)]


def logged(second: float, text: str) -> str:
    """A line of a broker's log: its clock is the history's, which begins at 0."""
    when = datetime.fromtimestamp(at_ns(second) / S, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z INFO  [thread-1] some.Class - {text}"


def unclean(second: float, epoch: int) -> str:
    """The controller's line of an election to this epoch that asked no ISR."""
    change = f"isr: [1] -> [2], leader: 1 -> 2, leaderEpoch: {epoch - 1} -> {epoch}, partitionEpoch: 1 -> 2"
    return logged(
        second, f"[QuorumController id=1] UNCLEAN partition change for sensor-data-0 with topic ID x: {change}"
    )


@pytest.fixture
def lossy(tmp_path: Path) -> Run:
    """A run that lost what an isolated leader acknowledged."""
    return isolated(tmp_path / "run").saved()
