"""Jobs: validated before a kernel starts; errors of the kernel keep their kind; output comes in whole lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import factorylab as lab
from factorylab.cli.runs_commands import describe, parse_parameters
from factorylab.cluster.settings import load_settings
from factorylab.core import errors
from factorylab.core.errors import LabBusy, LabError, ScenarioError, UsageError
from factorylab.execution import perform
from factorylab.execution.notebook_run import Job, LineStream, _as_lab_error, execute
from factorylab.history.run_folders import create, seal
from factorylab.scenarios import loading


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ("kind=kill", "kill"),
        ("hold_s=14", 14),
        ("hold_s=1.5", 1.5),
        ("hold_s=010", "010"),
        ("rate_per_s=1e3", 1000.0),
        ("steps_per_s=[10, 20]", [10, 20]),
        ('expect=["lost_in_log"]', ["lost_in_log"]),
        ("target=leader:0", "leader:0"),
        ("acks=all", "all"),
        ("x=a=b", "a=b"),
        ("x=", ""),
    ],
)
def test_parameters_are_json_or_text(given: str, value: object) -> None:
    """The value after the first "=" is read as JSON where it is JSON, else as text."""
    found = parse_parameters([given])
    assert found == {given.partition("=")[0]: value} and type(found.popitem()[1]) is type(value)


@pytest.mark.parametrize("given", ["kind", "=kill", ""])
def test_a_pair_without_a_name_or_sign_is_refused(given: str) -> None:
    """What is not name=value is refused with the word itself."""
    with pytest.raises(UsageError, match=f"-p '{given}': write name=value"):
        parse_parameters([given])


def test_a_parameter_is_given_once() -> None:
    """A parameter that is given twice is refused, even with one value; a job reads as it would be typed."""
    with pytest.raises(UsageError, match="-p 'hold_s=1': hold_s is given twice"):
        parse_parameters(["hold_s=1", "kind=pause", "hold_s=1"])
    assert describe(Job("broker_loss", parse_parameters(["hold_s=2", "kind=pause"]))) == (
        "broker_loss -p hold_s=2 -p kind=pause"
    )


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000])
def test_a_value_that_no_number_or_list_can_have_is_refused(text: str) -> None:
    """More digits or brackets than Python reads are a wrong value with a short message, and no traceback."""
    with pytest.raises(ScenarioError, match="rate_per_s") as refused:
        Job("baseline", parse_parameters([f"rate_per_s={text}"])).scenario()
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("clients", "words"),
    [
        ({"producer": {"liner.ms": 5}}, ["clients.producer: liner.ms", "did you mean linger.ms?"]),
        ({"producer": {"retires": 5}}, ["did you mean retries?"]),
        ({"producer": {"fetch.min.bytes": 1}}, ["fetch.min.bytes: is not a setting of a producer"]),
        ({"consumer": {"acks": 1}}, ["clients.consumer: acks: is not a setting of a consumer"]),
        ({"producer": {"batch.size": "1e5"}}, ["batch.size=1e5", "from 1 to 2147483647, in plain digits"]),
        ({"producer": {"batch.size": "1_000"}}, ["batch.size=1_000"]),
        ({"producer": {"batch.size": "010"}}, ["batch.size=010"]),
        ({"producer": {"batch.size": 2**32 + 100}}, ["batch.size=4294967396"]),
        ({"producer": {"batch.size": 5.5}}, ["batch.size=5.5", "a whole number"]),
        ({"consumer": {"fetch.wait.max.ms": "5 s"}}, ["fetch.wait.max.ms=5 s"]),
        ({"consumer": {"fetch.min.bytes": "many"}}, ["the client refuses", "fetch.min.bytes"]),
        ({"consumer": {"auto.offset.reset": "newest"}}, ["the client refuses", '"newest"']),
        ({"consumer": {"check.crcs": "yes"}}, ["the client refuses", "check.crcs"]),
        ({"idempotence": True, "producer": {"max.in.flight": 9}}, ["the client refuses", "max.in.flight"]),
        ({"producer": {"delivery.timeout.ms": 10}}, ["the client refuses", "`message.timeout.ms` must be greater"]),
        ({"producer": {"dr_msg_cb": "x"}}, ["dr_msg_cb is a function of the program"]),
    ],
)
def test_what_no_client_takes_is_refused(tmp_path: Path, clients: dict[str, object], words: list[str]) -> None:
    """A setting that librdkafka does not know, would read as another number, or refuses beside the others is refused
    before anything starts, with the nearest name, the range or the client's own words."""
    (tmp_path / "own.yaml").write_text(json.dumps({"name": "own", "clients": clients}))
    with pytest.raises(ScenarioError) as refused:
        Job(str(tmp_path / "own.yaml"), {}).scenario()
    assert [word for word in words if word not in str(refused.value)] == []


def test_what_a_client_takes_is_taken(tmp_path: Path) -> None:
    """Numbers and truth values without quotes, words for numbers, and a truth value of Python's pass the client."""
    producer = {"linger.ms": 5, "enable.idempotence": False, "acks": 1, "delivery.report.only.error": False}
    consumer = {"fetch.min.bytes": 1, "check.crcs": True, "queued.min.messages": 1e5, "group.instance.id": "010"}
    clients = {"producer": producer, "consumer": consumer}
    (tmp_path / "own.yaml").write_text(json.dumps({"name": "own", "clients": clients}))
    made = Job(str(tmp_path / "own.yaml"), {}).scenario()
    assert made.clients.consumer["queued.min.messages"] == "100000"


def test_each_job_has_its_notebook() -> None:
    """A named scenario runs in the notebook of its name, a scenario file in `experiment`."""
    assert Job("baseline", {}).notebook.name == "baseline.ipynb"
    assert Job("my/own.yaml", {}).notebook.name == "experiment.ipynb"


def test_outside_a_checkout_there_is_no_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the notebooks the error says where to run."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="inside its checkout"):
        _ = Job("baseline", {}).notebook


@pytest.mark.parametrize(
    "job",
    [
        Job("baseline", {"speed": 1}),
        Job("nothing", {}),
        Job("none.yaml", {}),
        Job("recorded_machine", {"source": "none.csv"}),
        Job("recorded_machine", {"source": "/"}),
    ],
)
def test_nothing_is_made_for_a_wrong_job(job: Job, tmp_path: Path) -> None:
    """A wrong job is refused before a folder is made."""
    settings = load_settings().model_copy(update={"results": tmp_path / "results"})
    with pytest.raises(UsageError):
        execute(job, settings, print, str)
    assert not (tmp_path / "results").exists()


def test_a_scenario_file_takes_no_parameters(tmp_path: Path) -> None:
    """Parameters of a scenario file are refused: its truth is the file."""
    with pytest.raises(UsageError, match="takes no parameters"):
        loading.scenario(str(tmp_path / "a.yaml"), hold_s=3)


def test_a_scenario_and_saved_runs_are_named_by_text_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a name takes a path, too; a number or a parameter called `name` is refused as any wrong one is."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path))
    (tmp_path / "own.yaml").write_text("name: own")
    assert lab.scenario(tmp_path / "own.yaml") == loading.scenario_file(str(tmp_path / "own.yaml"))
    done = create(tmp_path, lab.scenario("baseline"))
    seal(done)
    assert [run.folder for run in lab.saved_runs(done.path)] == [done]
    assert [run.folder for run in lab.saved_runs([done.path, "latest"])] == [done, done]
    for wrong in (lambda: lab.saved_runs([7]), lambda: lab.scenario(7), lambda: lab.load(7)):  # type: ignore[list-item, arg-type]
        with pytest.raises(UsageError, match="7"):
            wrong()
    with pytest.raises(ScenarioError, match="no parameter name"):
        Job("baseline", {"name": "x"}).scenario()


@pytest.mark.parametrize("wrong", ["baseline", {"name": "baseline"}, None])
def test_a_run_takes_a_scenario(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name or a mapping in place of a scenario is refused before anything starts, with the right call."""
    monkeypatch.setattr("factorylab.cluster.backends.bring_up", lambda *given, **named: pytest.fail("it started"))
    with pytest.raises(UsageError, match=rf"not a {type(wrong).__name__}: lab\.run\(lab\.scenario\('baseline'\)\)"):
        lab.run(wrong)


def test_a_run_fills_or_loads_its_own_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that is none of a run is refused, and so is that of another scenario, finished or not: its verdict would
    be taken for one about what is asked for."""
    monkeypatch.setattr("factorylab.cluster.backends.bring_up", lambda *given, **named: pytest.fail("it started"))
    wanted = lab.scenario("baseline", seed=2)
    (tmp_path / "file").write_text("")
    for nowhere in (tmp_path / "nowhere", tmp_path / "file", tmp_path):
        with pytest.raises(UsageError, match="is not the folder of a run"):
            lab.run(wanted, nowhere)
    other, own = (create(tmp_path, scenario) for scenario in (lab.scenario("baseline"), wanted))
    with pytest.raises(UsageError, match="belongs to another scenario"):
        lab.run(wanted, other.path)
    seal(other)
    seal(own)
    with pytest.raises(UsageError, match="belongs to another scenario"):
        lab.run(wanted, other.path)
    assert lab.run(wanted, str(own.path)).folder == own


def test_a_source_is_the_same_file_for_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The source of a named scenario is kept with its whole path, as the notebook gets it."""
    (tmp_path / "data.csv").write_text(
        "timestamp,value\n" + "".join(f"2026-01-01 00:{i:02d}:00,{i}\n" for i in range(60))
    )
    monkeypatch.chdir(tmp_path)
    assert Job("recorded_machine", {"source": "data.csv"}).scenario().workload.source == tmp_path / "data.csv"


def test_a_relative_source_starts_at_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source named in a scenario file is looked up beside that file, whatever the working directory is."""
    (tmp_path / "own.yaml").write_text("name: own\nworkload: {source: data.csv}\n")
    monkeypatch.chdir("/")
    assert loading.scenario_file(tmp_path / "own.yaml").workload.source == tmp_path / "data.csv"


def test_a_wrong_scenario_file_is_named(tmp_path: Path) -> None:
    """A scenario file with a mistake is refused with the file's name, key and rule."""
    (tmp_path / "own.yaml").write_text("name: own\nworkload: {rate: 3}\n")
    with pytest.raises(ScenarioError, match=r"own\.yaml:\n  workload\.rate: there is no such key"):
        loading.scenario_file(tmp_path / "own.yaml")


def test_the_example_recording_can_be_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example recording is a whole source: 15 days of minutes, with values on both sides of 80 and of 100."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path))
    source = Path(lab.example_recording())
    perform.check_source(loading.scenario("recorded_machine", source=str(source)))
    values = [float(line.split(",")[1]) for line in source.read_text().splitlines()[1:]]
    assert len(values) == 15 * 1440
    assert 0 < sum(v > 100 for v in values) < sum(v > 80 for v in values) < len(values)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("LabBusy", LabBusy), ("ScenarioError", ScenarioError), ("ValueError", LabError)],
)
def test_the_kernels_error_keeps_its_kind(name: str, kind: type[LabError]) -> None:
    """An error of the lab in the kernel is the same error here, without colours; any other is one of the lab's."""
    error = _as_lab_error(name, "\x1b[31mit is busy\x1b[0m")
    assert type(error) is kind and "it is busy" in str(error) and "\x1b" not in str(error)


def test_every_kind_of_error_survives_the_kernel() -> None:
    """All kinds of errors keep their exit code on the way through the kernel."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LabError)]
    assert len(kinds) > 8
    assert {k: type(_as_lab_error(k.__name__, "x")) for k in kinds} == {k: k for k in kinds}


def test_output_comes_in_whole_lines() -> None:
    """Pieces of text from the kernel are said line by line, without empty ones."""
    said: list[str] = []
    lines = LineStream(said.append)
    for piece in ("war", "m up\n\nst", "eady\nrest"):
        assert lines.write(piece) == len(piece)
    assert said == ["warm up", "steady"]
