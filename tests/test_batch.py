"""Batches: all mistakes before the first run, a fair order, and a record to go on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab import batch, runs
from factorylab.batch import Batch, Entry, Planned, Record
from factorylab.errors import ScenarioError, UsageError
from factorylab.scenarios import build

THREE = Batch(name="three", runs=tuple(Entry(scenario=name) for name in ("baseline", "broker_loss", "consumer_loss")))


def written(folder: Path, text: str) -> Path:
    path = folder / "batch.yaml"
    path.write_text(text)
    return path


def test_every_wrong_run_is_named_at_once(tmp_path: Path) -> None:
    """All wrong runs of a file are refused together, each with its number, the value and the rule."""
    file = written(
        tmp_path,
        "name: t\nruns:\n- scenario: baseline\n- scenario: brocker_loss\n"
        "- {scenario: broker_loss, parameters: {kind: burn}}\n- {scenario: baseline, parameters: {speed: 1}}\n"
        "- {scenario: recorded_machine, parameters: {source: nowhere.csv}}\n- scenario: nowhere.yaml\n",
    )
    with pytest.raises(ScenarioError) as refused:
        batch.load_batch(file)
    text = str(refused.value)
    assert [number for number in range(6) if f"runs.{number}: " in text] == [1, 2, 3, 4, 5]
    assert all(
        word in text for word in ("'brocker_loss'", "'burn'", "no parameter speed", "nowhere.csv", "nowhere.yaml")
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: t\nruns: []", ["runs", "at least 1 item"]),
        ("name: t", ["runs", "required"]),
        ("name: T x\nruns: [{scenario: baseline}]", ["name", "'T x'"]),
        ("name: t\nrepeat: 0\nruns: [{scenario: baseline}]", ["repeat", "greater than or equal to 1"]),
        ("name: t\nruns: [{scenari: baseline}]", ["runs.0.scenari", "there is no such key"]),
        (
            "name: t\nruns: [{scenario: baseline, parameters: {seed: {a: 1}}}]",
            ["runs.0: baseline", "seed", "valid integer", "{'a': 1}"],
        ),
        ("runs: [", ["cannot be read as YAML"]),
        ("just words", ["batch.yaml", "just words"]),
    ],
)
def test_what_is_no_batch_is_refused(tmp_path: Path, text: str, words: list[str]) -> None:
    """A file that is no batch is refused with its name, the key and the rule."""
    with pytest.raises(UsageError) as refused:
        batch.load_batch(written(tmp_path, text))
    assert [word for word in ["batch.yaml", *words] if word not in str(refused.value)] == []


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A batch file that is not there is a usage error that names it."""
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read"):
        batch.load_batch(tmp_path / "none.yaml")


def test_a_scenario_file_is_looked_up_beside_the_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch in another folder finds the scenario files that lie beside it."""
    (tmp_path / "own.yaml").write_text("name: own\nfaults: [{kind: kill, target: controller}]\n")
    monkeypatch.chdir("/")
    loaded = batch.load_batch(written(tmp_path, "name: t\nruns: [{scenario: own.yaml}]"))
    assert batch.job_of(loaded.runs[0], tmp_path / "batch.yaml").scenario().name == "own"


def test_one_round_keeps_the_order_of_the_file() -> None:
    """Without repetitions the runs come as they are written."""
    assert batch.plan(THREE) == [Planned(0, 0), Planned(1, 0), Planned(2, 0)]


def test_rounds_are_shuffled_by_the_seed() -> None:
    """Each round holds every run once, in an order that the seed alone decides."""
    planned = batch.plan(THREE, 20)
    rounds = [[item.entry for item in planned if item.round_no == number] for number in range(20)]
    assert all(sorted(entries) == [0, 1, 2] for entries in rounds)
    assert [item.round_no for item in planned] == sorted(item.round_no for item in planned)
    assert len({tuple(entries) for entries in rounds}) > 3
    assert planned == batch.plan(THREE, 20)
    assert planned != batch.plan(THREE.model_copy(update={"seed": 2}), 20)


def test_repeat_of_the_command_line_wins() -> None:
    """`--repeat` overrides the file's number of rounds, which counts without it."""
    repeated = THREE.model_copy(update={"repeat": 3})
    assert (len(batch.plan(repeated)), len(batch.plan(repeated, 2))) == (9, 6)


def test_resume_takes_up_only_what_was_finished(tmp_path: Path) -> None:
    """Of the recorded runs those count as done whose folders are still there and sealed."""
    folders = [runs.create(tmp_path, build("baseline", {})) for _ in range(3)]
    planned = [Planned(n, 0, str(folder.path.relative_to(tmp_path))) for n, folder in enumerate(folders)]
    runs.seal(folders[0])
    runs.seal(folders[2])
    Record(tmp_path, THREE).write(planned)
    assert Record(tmp_path, THREE).done() == [planned[0], planned[2]]
    (folders[2].raw / "seal.json").unlink()
    assert Record(tmp_path, THREE).done() == [planned[0]]


def test_a_first_attempt_has_nothing_done(tmp_path: Path) -> None:
    """Without a record nothing is done, and batches of other names have records of their own."""
    Record(tmp_path / "results", THREE).write([])
    other = THREE.model_copy(update={"name": "other"})
    assert Record(tmp_path / "results", other).done() == [] == Record(tmp_path / "nowhere", THREE).done()
