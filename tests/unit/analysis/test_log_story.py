"""Which lines of the logs show a rebalance or a change of a leader."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from factorylab.analysis.log_story import ToldLine, log_story
from tests.support import control_lines as line
from tests.support.histories import START, S, at_ns, healthy, scenario

UUID = "083a2ca9-1df9-46ac-953d-25ccd5c3e26c"


def of_group(text: str, second: float = 2) -> str:
    return line.at(second, f"{line.OF_GROUP}{text}")


def story(folder: Path, *lines: str, group: str = line.GROUP) -> list[ToldLine]:
    history = healthy(folder)
    history.made_of |= {"topics": {"sensor-data": line.TOPIC}, "group": group}
    history.logs = {"broker-2": list(lines)}
    return [told for told in log_story(history.run()) if told.number]


@pytest.mark.parametrize(
    ("text", "shows"),
    [
        (line.leads(2, 1, 0, 1, "1"), "leader change: broker-2 leads partition 0 from epoch 1 on"),
        (line.active(2, 3), "controller change: broker 3 is the active controller"),
        (line.fenced(2, 3), "session over: broker 3 is fenced"),
        (
            of_group(f"Preparing to rebalance group {line.GROUP} in state PreparingRebalance with old generation 0 "
                     f"(reason: Adding new member processor-0-{UUID} with group instance id null; client reason: x)."),
            "rebalance begins: Adding new member processor-0",
        ),
        (
            of_group(f"Preparing to rebalance group {line.GROUP} in state PreparingRebalance with old generation 1 "
                     f"(reason: explicit `LeaveGroup` request for (processor-1-{UUID}) members.)."),
            "rebalance begins: explicit `LeaveGroup` request",
        ),
        (
            of_group(f"Preparing to rebalance group {line.GROUP} in state PreparingRebalance with old generation 1 "
                     f"(reason: removing member processor-0-{UUID} on heartbeat expiration.)."),
            "rebalance begins: removing member processor-0 on heartbeat expiration",
        ),
        (
            of_group(f"Stabilized group {line.GROUP} generation 2 with 1 members."),
            "rebalance: generation 2 has 1 members",
        ),
        (
            of_group(f"Assignment received from leader processor-0-{UUID} for group {line.GROUP} for generation 2."),
            "rebalance ends: the partitions of generation 2 are assigned",
        ),
        (
            of_group(f"[GroupId {line.GROUP}] Bumped group epoch to 4 with metadata hash 29."),
            "rebalance begins: group epoch 4",
        ),
        (
            of_group(f"[GroupId {line.GROUP}] Computed a new target assignment for epoch 4 with 'uniform' assignor"),
            "rebalance: the assignment of group epoch 4 is computed",
        ),
        (
            of_group(f"[GroupId {line.GROUP}] Member LcgqgqPHQKuEtiKuxb11tg left the consumer group."),
            "rebalance: LcgqgqPHQKuEtiKuxb11tg leaves the group",
        ),
    ],
)  # fmt: skip
def test_a_line_of_a_broker_is_told(tmp_path: Path, text: str, shows: str) -> None:
    """Each shape says what it shows, with the seconds since the steady state, and where it stands."""
    (told,) = story(tmp_path, line.at(1, "nothing that matters"), text)
    assert (told.shows, told.file, told.number) == (shows, "logs/broker-2.log", 2)
    assert told.t_s == pytest.approx(2, abs=0.01)


def test_lines_of_other_topics_and_groups_are_left_out(tmp_path: Path) -> None:
    """What the brokers did for another run's topic or group is not this run's story."""
    others = (of_group(f"Stabilized group {line.GROUP} generation 2 with 1 members."), line.at(2, "of group other"))
    assert story(tmp_path, *others, group="other") == []


def test_times_count_from_the_first_fault(tmp_path: Path) -> None:
    """With a fault zero is when it was begun, and its own steps stand among the lines."""
    wanted = scenario(faults=[{"kind": "kill", "target": "broker:2", "hold_s": 2}])
    history = healthy(tmp_path, wanted)
    fault = {"fault": 0, "kind": "kill", "target": "broker:2", "node": "broker-2", "evidence": ""}
    for second, step in ((4, "intended"), (4.1, "injected"), (6, "healed")):
        history.add("faults", t_ns=at_ns(second), step=step, **fault)
    history.made_of |= {"topics": {"sensor-data": line.TOPIC}, "group": line.GROUP}
    found = log_story(history.run())
    steps = [told for told in found if told.file == "history/faults.parquet"]
    assert steps[0].t_s == 0 and "intended" in steps[0].shows and found == sorted(found)


def test_a_callback_of_a_processor_is_told(tmp_path: Path) -> None:
    """A processor's own line says which partitions it got; one that was cut off says nothing."""
    history = healthy(tmp_path)
    run = history.run()
    stamp = datetime.fromtimestamp(START / S + 3, UTC).isoformat()
    lines = [json.dumps({"partitions": [0, 1], "event": "assigned", "timestamp": stamp}), '{"event": "revoked", "parti']
    (run.folder.logs / "processor-0.jsonl").write_text("\n".join(lines))
    (told,) = [told for told in log_story(run) if told.number]
    assert told.shows == "owner change: processor-0 is given partitions 0, 1" and told.t_s == pytest.approx(3, abs=0.01)
