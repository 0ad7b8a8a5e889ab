"""What a lost database shows in a history: outages by the processors' notes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from factorylab.analysis import outages, recovery
from factorylab.scenarios.model import Fault
from tests.support.histories import History, at_ns, healthy, scenario, stall
from tests.support.spoils import check_of


def database_loss(folder: Path, kind: str = "kill") -> History:
    """The database is away from 6 s to 12 s; processor 0 notes that at 6.5 s, after a call of 0.4 s, and at 12.5 s."""
    faults = [{"kind": kind, "target": "database", "hold_s": 6}]
    h = healthy(folder, scenario(name="database_loss", faults=faults))
    h.fault("database", 6, 12, kind=kind, target="database")
    stall(h, 6, 12.5, (0, 1, 2), acks=False)
    note(h, 6.5, "store_lost", blocked_s=0.4, error="gone")
    note(h, 12.5, "store_back", lasted_s=6.4, tries=5, blocked_s=1.5)
    return h


def note(h: History, at_s: float, event: str, **detail: object) -> None:
    h.add(
        "events", worker="final-read", t_ns=at_ns(at_s), process="processor-0", event=event, detail=json.dumps(detail)
    )


def test_an_outage_goes_from_the_first_failed_call_to_the_next_batch(tmp_path: Path) -> None:
    """Its beginning is that of the call, not of the note, and the longest call is the processor's own measure."""
    (row,) = outages(database_loss(tmp_path).run()).to_dict("records")
    assert (row["process"], row["failed_calls"], row["error"]) == ("processor-0", 5, "gone")
    assert [row[name] for name in ("lost_s", "back_s", "lasted_s", "longest_call_s")] == pytest.approx(
        [6.1, 12.5, 6.4, 1.5], abs=0.01
    )


def test_an_outage_that_does_not_end_has_no_end(tmp_path: Path) -> None:
    """Without a note that it is back, an outage stays open."""
    h = database_loss(tmp_path)
    h["events"] = h["events"][h["events"]["event"] == "store_lost"]
    table = outages(h.run())
    assert len(table) == 1 and table["back_s"].isna().all()


def test_detection_is_the_first_note(tmp_path: Path) -> None:
    """A lost database is detected when the first processor notes that it cannot store."""
    (row,) = recovery(database_loss(tmp_path).run()).to_dict("records")
    assert row["detection_s"] == pytest.approx(0.5, abs=0.01) and not row["detection_censored"]
    assert row["recovery_s"] == pytest.approx(6.5, abs=0.3)


@pytest.mark.parametrize("kind", ["refuse", "fill"])
def test_only_a_database_can_do_that(kind: str) -> None:
    """These faults are refused for any other target before anything starts."""
    assert Fault.model_validate({"kind": kind, "target": "database"}).on_database
    with pytest.raises(ValidationError, match="take target=database"):
        Fault.model_validate({"kind": kind, "target": "leader:0"})


@pytest.mark.parametrize(("answer", "verdict"), [("refused", "PASS"), ("ok", "INVALID"), ("none", "INVALID")])
def test_a_refusal_counts_only_where_the_probe_met_it(tmp_path: Path, answer: str, verdict: str) -> None:
    """The probe's own attempt must have been refused while the fault was held."""
    h = database_loss(tmp_path, "refuse")
    for second, told in ((3, "ok"), (8, answer), (14, "ok")):
        h.add("database", worker="probe", t_ns=at_ns(second), answer=told)
    found = check_of(h.run(), "fault_landed")
    assert found.verdict == verdict
