"""The way of one reading."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from factorylab.analysis.trace import trace
from factorylab.analysis.trace_steps import Passed
from factorylab.audit.judged import load
from factorylab.cli.main import app
from factorylab.core.errors import EnvironmentUnfit, UsageError
from factorylab.history.saved_run import Run, each
from tests.support.histories import at_ns, consumer_loss, healthy
from tests.support.places import RECORDED_RUNS

ZIPPED = RECORDED_RUNS / "broker_loss.zip"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of a real cluster."""
    folder = tmp_path_factory.mktemp("recorded")
    with zipfile.ZipFile(ZIPPED) as archive:
        archive.extractall(folder)
    return load(next(folder.iterdir()))


def names(run: Run, sensor: int) -> str:
    return str(run.sensors.set_index("sensor")["name"][sensor])


def timed(steps: list[Passed]) -> list[str]:
    return [step.step for step in steps if step.at]


def test_a_reading_with_an_alert_is_followed_to_it(tmp_path: Path) -> None:
    """A reading that raised an alert is due, sent, acked, read, stored, and its alert is in both sinks."""
    history = healthy(tmp_path)
    send = history["sends"].loc[11]
    what = {"sensor": send.sensor, "seq": send.seq, "rule": "high", "severity": "warning"}
    for sink in ("topic", "table"):
        history.add("alerts", sink=sink, alert_id="x", **what)
        history.add("alerts", sink=sink, alert_id="of another reading", **what | {"seq": send.seq + 1})
    run = history.run()
    found = trace(run, names(run, send.sensor), send.seq)
    assert timed(found.steps) == ["due", "sent", "acked", "read", "stored"]
    assert sorted(step.where for step in found.steps if step.step == "alert") == ["alerts, table", "alerts, topic"]
    assert found.steps[2].where == f"sensor-data/{send.partition}/{send.offset}"
    assert found.steps[2].since_start_s == pytest.approx((send.t_ack_ns - send.t_intended_ns) / 1e9, abs=2e-6)


def test_gaps_add_up(recorded: Run) -> None:
    """Every reading's gaps sum to the time since its start, and none is negative: steps are in the order of time."""
    for row in each(recorded.sends.iloc[:: len(recorded.sends) // 20]):
        steps = [step for step in trace(recorded, names(recorded, row.sensor), row.seq).steps if step.at]
        gaps = [step.gap_s for step in steps if step.gap_s is not None]
        assert sum(gaps) == pytest.approx(steps[-1].since_start_s, abs=1e-5)
        assert min(gaps) >= 0


def test_what_did_not_arrive_is_said(tmp_path: Path) -> None:
    """A reading without an answer that is in neither log nor store says so in each place."""
    history = healthy(tmp_path)
    history["sends"].loc[7, ["t_ack_ns", "partition", "offset"]] = -1
    history["sends"].loc[7, "outcome"] = "unknown"
    row = history["sends"].loc[7]
    for table in ("log", "rows"):
        frame = history[table]
        history[table] = frame[~((frame["sensor"] == row.sensor) & (frame["seq"] == row.seq))]
    run = history.run()
    found = trace(run, names(run, row.sensor), row.seq)
    assert timed(found.steps) == ["due", "sent", "unknown"]
    assert [step.step for step in found.steps if not step.at] == ["not_in_log", "not_in_store"]


def test_a_batch_that_was_refused_and_a_dead_letter_are_steps(tmp_path: Path) -> None:
    """A transaction that the fence refused, and a dead letter of the record, stand among the steps."""
    history = consumer_loss(tmp_path)
    row = history["sends"].loc[7]
    span = {"partition": row.partition, "from_offset": row.offset, "to_offset": row.offset + 1, "owner_epoch": 1}
    history.add(
        "commits", worker="processor-1", t_ns=at_ns(0.001), rows=0, alerts=0, dead_letters=0, refused=True, **span
    )
    history.add("dead_letters", t_ns=at_ns(900), partition=row.partition, offset=row.offset, reason="x", payload_hash=1)
    run = history.run()
    found = trace(run, names(run, row.sensor), row.seq)
    assert {"refused", "stored", "dead_letter"} <= set(timed(found.steps))


def test_what_is_not_there_is_told(recorded: Run) -> None:
    """A sensor that is not of the run is answered with similar ones, a reading with the sensor's last."""
    name = names(recorded, 0)
    with pytest.raises(UsageError, match=f"no sensor '{name[:-1]}'; it has 300, such as {name[:-2]}"):
        trace(recorded, name[:-1], 0)
    with pytest.raises(UsageError, match=rf"no reading 99999 of {name}: its readings go from 0 to \d+"):
        trace(recorded, name, 99_999)


def test_the_command_needs_no_cluster_for_a_saved_run(
    recorded: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`factorylab trace --run` gives people and machines the same; without a run and a lab it says what to do."""
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path))
    words = ["trace", names(recorded, 3), "5", "--run", str(recorded.folder.path)]
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).output)
    lines = CliRunner().invoke(app, words).output.splitlines()
    assert told["correlation_id"] == f"{names(recorded, 3)}:5"
    assert len(lines) == 1 + len(told["steps"])
    assert all(step["step"] in line for step, line in zip(told["steps"], lines[1:], strict=True))
    refused = CliRunner().invoke(app, words[:3])
    assert isinstance(refused.exception, EnvironmentUnfit) and "--run latest" in str(refused.exception)
