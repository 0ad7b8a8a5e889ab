"""Batches: all mistakes before the first run, a fair order, and a record to go on from."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import ScenarioError, UsageError
from factorylab.execution import batch
from factorylab.execution.batch import Batch, BatchRun, Record
from factorylab.execution.notebook_run import Job
from factorylab.history import run_folders
from factorylab.history.batch_record import Planned
from factorylab.scenarios.catalog import build

THREE = Batch(
    name="three", runs=tuple(BatchRun(scenario=name) for name in ("baseline", "broker_loss", "consumer_loss"))
)


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
    folders = [run_folders.create(tmp_path, build("baseline", {})) for _ in range(3)]
    planned = [Planned(n, 0, str(folder.path.relative_to(tmp_path))) for n, folder in enumerate(folders)]
    run_folders.seal(folders[0])
    run_folders.seal(folders[2])
    Record(tmp_path, THREE).write(planned)
    assert Record(tmp_path, THREE).done() == [planned[0], planned[2]]
    (folders[2].raw / "seal.json").unlink()
    assert Record(tmp_path, THREE).done() == [planned[0]]


def finished(results: Path, *entries: BatchRun) -> list[Planned]:
    """A whole run of each entry, recorded in this order."""
    done = []
    for number, entry in enumerate(entries):
        folder = run_folders.create(results, Job(entry.scenario, entry.parameters).scenario())
        run_folders.seal(folder)
        done.append(Planned(number, 0, str(folder.path.relative_to(results))))
    return done


def sorted_by(batch_now: Batch, results: Path, repeat: int = 1) -> tuple[list[Planned], list[str]]:
    planned = batch.plan(batch_now, repeat)
    jobs = [batch.job_of(batch_now.runs[item.entry], results / "batch.yaml") for item in planned]
    return Record(results, batch_now).sort(planned, jobs)


def test_a_run_is_done_by_what_it_was(tmp_path: Path) -> None:
    """After an edit of the file a run counts as done where its whole scenario is still asked for, wherever it stands
    now, and the folders of the others are named."""
    slow, fast = (BatchRun(scenario="baseline", parameters={"rate_per_s": rate}) for rate in (10, 20))
    broker = BatchRun(scenario="broker_loss")
    done = finished(tmp_path, slow, broker)
    Record(tmp_path, THREE).write(done)
    edited = THREE.model_copy(update={"runs": (broker, fast)})
    assert sorted_by(edited, tmp_path) == ([Planned(0, 0, done[1].path)], [done[0].path])
    spelled = BatchRun(scenario="baseline", parameters={"rate_per_s": 10.0, "seed": 1})
    assert sorted_by(THREE.model_copy(update={"runs": (spelled, broker)}), tmp_path) == (done, [])


def test_each_repetition_takes_one_run(tmp_path: Path) -> None:
    """As many runs of one scenario count as done as the file asks for; with fewer rounds than before the rest is left
    over."""
    once = THREE.model_copy(update={"runs": (BatchRun(scenario="baseline"),)})
    done = finished(tmp_path, *once.runs, *once.runs)
    Record(tmp_path, once).write(done)
    assert sorted_by(once, tmp_path) == ([done[0]], [done[1].path])
    assert sorted_by(once, tmp_path, 3) == ([Planned(0, 0, done[0].path), Planned(0, 1, done[1].path)], [])


def test_a_scenario_file_and_its_secrets_count_as_they_are_now(tmp_path: Path) -> None:
    """A run of a scenario file is done while file and secret say the same; a changed value or secret is another run."""
    file = tmp_path / "own.yaml"
    own = THREE.model_copy(update={"runs": (BatchRun(scenario="own.yaml"),)})

    def left_over(text: str) -> list[str]:
        file.write_text(f"name: own\n{text}")
        return sorted_by(own, tmp_path)[1]

    file.write_text("name: own\nclients: {consumer: {sasl.password: one-secret}}")
    done = finished(tmp_path, BatchRun(scenario=str(file)))
    Record(tmp_path, own).write(done)
    assert left_over("clients: {consumer: {sasl.password: one-secret}}") == []
    assert left_over("clients: {consumer: {sasl.password: two-secrets}}") == [done[0].path]
    assert left_over("clients: {consumer: {sasl.password: one-secret}}\nworkload: {seed: 2}") == [done[0].path]


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"entry": "x"}]', "\xff"])
def test_a_broken_record_is_told(tmp_path: Path, text: str) -> None:
    """A record that cannot be read is a usage error that names it and the way out."""
    record = Record(tmp_path, THREE)
    record.path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match=r"batch-three\.json is not the record of a batch .*--resume"):
        record.done()


def test_a_first_attempt_has_nothing_done(tmp_path: Path) -> None:
    """Without a record nothing is done, and batches of other names have records of their own."""
    Record(tmp_path / "results", THREE).write([])
    other = THREE.model_copy(update={"name": "other"})
    assert Record(tmp_path / "results", other).done() == [] == Record(tmp_path / "nowhere", THREE).done()
