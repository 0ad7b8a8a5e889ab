"""The way of one reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.analysis.trace import trace
from factorylab.analysis.trace_steps import Passed
from tests.support.histories import at_ns, consumer_loss, healthy, names


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
