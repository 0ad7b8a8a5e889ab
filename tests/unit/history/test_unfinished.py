"""Runs that were broken off: not judged, and what was written down until then is loaded and drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factorylab.audit.judged import load
from factorylab.core.clock import NS, now_ns
from factorylab.core.errors import UsageError
from factorylab.core.vocabulary import Phase
from factorylab.execution.perform import run as carry_out
from factorylab.history import run_folders
from factorylab.history.journal import SEND, AckJournal, BinaryJournal, Journal, acks_path, sends_path
from factorylab.history.run_folders import RunFolder
from factorylab.history.tables import FaultStep, PhaseStart, ProcessSample, Sensor
from factorylab.report import build as build_report
from factorylab.report.plots import timeline
from factorylab.scenarios.catalog import build

PHASES: tuple[Phase, ...] = ("start", "warm_up", "steady", "fault_window")


@pytest.fixture
def killed(tmp_path: Path) -> RunFolder:
    """A run whose driver was killed 2.5 s after its fault window began, 5 s after the steady state: nothing was written
    but the journals, the last line of one of them torn."""
    run = run_folders.create(tmp_path, build("broker_loss", {}))
    zero = now_ns()
    with Journal(run.journals, "runner", "runner") as runner:
        for number, phase in enumerate(PHASES):
            runner.write(PhaseStart(worker="runner", t_ns=zero + (number - 2) * 5 * NS, phase=phase))
        runner.write(FaultStep(worker="runner", t_ns=zero + 6 * NS, fault=0, kind="kill", target="leader:0",
                               node="broker-1", step="injected", evidence=""))  # fmt: skip
    with Journal(run.journals, "probe", "probe") as probe:
        probe.write(ProcessSample(worker="probe", t_ns=zero + round(7.5 * NS), name="broker-1", pid=1, status="dead",
                                  cpu_s=1, rss_bytes=1))  # fmt: skip
    with (run.journals / "probe.jsonl").open("a") as torn:
        torn.write('{"type":"proc')
    with Journal(run.journals, "fleet-0", "fleet") as fleet:
        fleet.write(Sensor(worker="fleet-0", t_ns=zero, sensor=0, name="s", kind="temperature", location="hall"))
    sends, acks = (
        BinaryJournal(sends_path(run.journals, "fleet-0"), SEND),
        AckJournal(acks_path(run.journals, "fleet-0")),
    )
    for seq in range(3):
        row = {"t_ns": zero + seq * NS, "hash": seq + 1, "t_intended_ns": zero + seq * NS, "sensor": 0, "seq": seq}
        sends.extend(np.array([tuple(row.get(name, 0) for name in SEND.names)], SEND))
        acks.add(seq + 1, seq, 0, 0)
    sends.close()
    acks.close()
    return run


def test_a_run_that_was_killed_is_not_judged(killed: RunFolder) -> None:
    """It says in which phase and when it ended, accuses nobody, and is not run a second time into the same folder."""
    told = "not judged: interrupted in phase fault window at 7.5 s"
    with pytest.raises(UsageError, match=told):
        _ = load(killed.path).verdict
    with pytest.raises(UsageError, match=told):
        carry_out(killed.scenario(), killed.path)


def test_the_reason_is_told(killed: RunFolder) -> None:
    """What ended a run is told beside the phase, where it was written down."""
    (killed.raw / run_folders.FAILED).write_text("no space left\n")
    with pytest.raises(UsageError, match=r"at 7\.5 s \(no space left\)"):
        _ = load(killed.path).verdict


def test_its_journals_are_tables_and_a_figure(killed: RunFolder) -> None:
    """Sends, faults and samples are loaded from the journals, and drawn up to where they end."""
    run = load(killed.path)
    assert run.sends["outcome"].tolist() == ["ok"] * 3 and len(run.faults) == len(run.processes) == 1
    assert run.row_count("sends") == 3 and len(run.log) == 0
    ends_s = [ax.get_xlim()[1] for ax in timeline(run).axes]
    assert ends_s == pytest.approx([7.5] * len(ends_s))


def test_the_report_says_so(killed: RunFolder, tmp_path: Path) -> None:
    """A report of such a run has no verdict on it, only that it was not judged."""
    text = build_report([load(killed.path)], tmp_path / "report.html").read_text()
    assert "not judged: interrupted in phase fault window at 7.5 s" in text and f"run-{killed.run_id}" not in text


def test_a_sealed_run_whose_journals_are_left_is_judged(killed: RunFolder) -> None:
    """The seal decides: what was killed while it removed its journals is whole."""
    run_folders.seal(killed)
    assert load(killed.path).row_count("sends") == 0
