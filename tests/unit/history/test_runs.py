"""Run folders: made, sealed, found again; names of what a run owns; what it was made with."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from factorylab.audit.judged import load
from factorylab.core import messages
from factorylab.core.errors import UsageError
from factorylab.core.names import Names
from factorylab.history import run_folders
from factorylab.history.run_folders import RunFolder
from factorylab.history.unfinished import not_judged
from factorylab.scenarios.catalog import build


def made(results: Path, name: str = "baseline") -> RunFolder:
    return run_folders.create(results, build(name, {}))


def renamed(run: RunFolder, name: str) -> RunFolder:
    """The same folder under a name of our choice, so that order and ids are known."""
    return RunFolder(run.path.rename(run.path.with_name(name)))


def test_a_new_folder_holds_the_resolved_scenario(tmp_path: Path) -> None:
    """A new run lies under its scenario's name, has a time and six digits, and gives its scenario back."""
    wanted = build("broker_loss", {"target": "controller", "hold_s": 3})
    run = run_folders.create(tmp_path, wanted)
    assert run.path.parent == tmp_path / "broker_loss"
    assert re.fullmatch(r"\d{8}T\d{6}Z-[0-9a-f]{6}", run.path.name) and run.path.name.endswith(run.run_id)
    assert run.scenario() == wanted
    assert all(folder.is_dir() for folder in (run.history, run.logs, run.journals, run.figures))
    assert not run.sealed


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    """Runs of the same scenario made in the same second have folders and ids of their own."""
    assert len({made(tmp_path).run_id for _ in range(20)}) == 20


Spoil = Callable[[RunFolder], object]
SPOILED: dict[str, tuple[Spoil, list[str]]] = {
    "nothing": (lambda run: None, []),
    "changed": (lambda run: (run.history / "log.parquet").write_bytes(b"other"), ["history/log.parquet"]),
    "added": (lambda run: (run.logs / "late.log").write_text("x"), ["logs/late.log"]),
    "removed": (lambda run: (run.history / "log.parquet").unlink(), ["history/log.parquet"]),
    "derived": (lambda run: (run.derived / "verdict.json").write_text("{}"), []),
    "all": (
        lambda run: [(run.raw / "scenario.json").write_text("{}"), (run.history / "log.parquet").rename(run.raw / "x")],
        ["history/log.parquet", "scenario.json", "x"],
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_a_seal_shows_what_changed_after_it(tmp_path: Path, what: str) -> None:
    """Files of raw/ that were changed, added or removed after the seal are named; derived/ is free."""
    spoil, named = SPOILED[what]
    run = made(tmp_path)
    (run.history / "log.parquet").write_bytes(b"rows")
    run_folders.seal(run)
    spoil(run)
    assert run.sealed and run_folders.broken_seal(run) == named


def test_a_run_without_a_seal_has_a_broken_one(tmp_path: Path) -> None:
    """A run that did not finish cannot pass for a whole one."""
    assert run_folders.broken_seal(made(tmp_path)) == ["seal.json"]


@pytest.fixture
def three(tmp_path: Path) -> list[RunFolder]:
    """Two runs of baseline and one of broker_loss between them."""
    first, second = (
        renamed(made(tmp_path), "20260101T000000Z-aaaaaa"),
        renamed(made(tmp_path), "20260103T000000Z-cccccc"),
    )
    three = [first, renamed(made(tmp_path, "broker_loss"), "20260102T000000Z-bbbbbb"), second]
    for run in three:
        run_folders.seal(run)
    return three


def test_runs_are_listed_oldest_first(tmp_path: Path, three: list[RunFolder]) -> None:
    """All folders with a scenario are runs, in the order of their times whatever their scenario; others are not."""
    (tmp_path / "baseline" / "notes").mkdir()
    assert run_folders.list_runs(tmp_path) == three


def test_a_run_is_found_by_each_of_its_names(tmp_path: Path, three: list[RunFolder]) -> None:
    """A path, the six digits, the folder's name, the scenario (its latest) and `latest` lead to a run."""
    first, other, second = three
    words = {"aaaaaa": first, first.path.name: first, str(other.path): other, "baseline": second, "latest": second}
    assert {word: run_folders.find(tmp_path, word) for word in [*words, "broker_loss"]} == {
        **words,
        "broker_loss": other,
    }


@pytest.mark.parametrize("word", ["dddddd", "", "consumer_loss", "aaa", "/nowhere"])
def test_what_names_no_run_is_refused(tmp_path: Path, three: list[RunFolder], word: str) -> None:
    """A word that fits nothing is refused with the ways to name a run."""
    with pytest.raises(UsageError, match=f"no run fits '{word}'.*factorylab runs"):
        run_folders.find(tmp_path, word)


def test_an_ambiguous_id_is_refused(tmp_path: Path, three: list[RunFolder]) -> None:
    """Two runs with the same six digits are not told apart by luck."""
    renamed(made(tmp_path), "20260104T000000Z-aaaaaa")
    with pytest.raises(UsageError, match="no run fits 'aaaaaa': 2 runs have these digits"):
        run_folders.find(tmp_path, "aaaaaa")


def test_the_latest_run_is_one_that_has_finished(tmp_path: Path, three: list[RunFolder]) -> None:
    """A run that is going on, or stopped in the middle, is found by its id and its path, and never as the latest."""
    going_on = renamed(made(tmp_path), "20260105T000000Z-eeeeee")
    assert [run_folders.find(tmp_path, word) for word in ("latest", "baseline")] == [three[2], three[2]]
    assert [run_folders.find(tmp_path, word) for word in ("eeeeee", str(going_on.path))] == [going_on, going_on]


def test_runs_none_of_which_has_finished_are_said(tmp_path: Path) -> None:
    """Where nothing has finished, the refusal says so and names the latest run by its id."""
    renamed(made(tmp_path), "20260105T000000Z-eeeeee")
    for word in ("latest", "baseline"):
        with pytest.raises(UsageError, match="none of these 1 has finished; eeeeee is the latest"):
            run_folders.find(tmp_path, word)


def test_a_run_is_loaded_by_the_words_of_the_command_line(
    tmp_path: Path, three: list[RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lab.load` takes each of a run's names, and one word for `saved_runs` is no list of letters."""
    import factorylab as lab

    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path))
    given: list[str | Path] = ["latest", "cccccc", "baseline", three[2].path]
    assert {lab.load(word).folder.run_id for word in given} == {"cccccc"}
    assert [run.folder for run in lab.saved_runs("broker_loss")] == [three[1]]
    with pytest.raises(UsageError, match="no run fits 'nothing'"):
        lab.load("nothing")


@pytest.mark.parametrize("word", ["x" * 5000, "a\0b"])
def test_a_word_that_can_name_no_file_names_no_run(tmp_path: Path, word: str) -> None:
    """What no file system takes as a name is refused like any other word."""
    with pytest.raises(UsageError, match="no run fits"):
        run_folders.find(tmp_path, word)


def test_no_folder_of_results_is_no_run(tmp_path: Path) -> None:
    """Before the first run there is nothing to list, and `latest` is refused."""
    assert run_folders.list_runs(tmp_path / "none") == []
    with pytest.raises(UsageError):
        run_folders.find(tmp_path / "none", "latest")


def test_runs_on_one_cluster_never_share_a_name() -> None:
    """Topics, group and schema of two runs differ, and the plain ones are those of the factory."""
    plain, one, two = Names.of(), Names.of("aaaaaa"), Names.of("bbbbbb")
    assert (plain.sensors, plain.alerts, plain.group, plain.schema) == (
        messages.SENSOR_TOPIC, messages.ALERT_TOPIC, messages.GROUP, "factory",
    )  # fmt: skip
    names = [name for n in (plain, one, two) for name in (*n.topics, n.group, n.schema)]
    assert len(set(names)) == len(names)
    assert one.sensors == "sensor-data-aaaaaa" and one.schema == "run_aaaaaa"


def test_a_run_that_never_began_leaves_no_folder(tmp_path: Path) -> None:
    """A refusal or Ctrl-C before the first reading leaves neither the run's folder nor an empty one of its scenario."""
    for error in (KeyboardInterrupt(), UsageError("refused")):
        with pytest.raises(type(error)), run_folders.made(tmp_path / "results", build("baseline", {})):
            raise error
    assert list((tmp_path / "results").rglob("*")) == []


@pytest.mark.parametrize(("error", "why"), [(KeyboardInterrupt(), "interrupted"), (UsageError("no lab"), "no lab")])
def test_a_run_that_was_broken_off_says_so(tmp_path: Path, error: BaseException, why: str) -> None:
    """What has readings stays, with the reason; it is not judged, and so accused of nothing."""
    with pytest.raises(type(error)), run_folders.made(tmp_path, build("baseline", {})) as run:
        (run.journals / "fleet-0.sends.bin").touch()
        raise error
    told = "not judged: it did not finish" + (f" ({why})" if why != "interrupted" else "")
    assert not_judged(run) == told
    with pytest.raises(UsageError, match=re.escape(told)):
        _ = load(run.path).verdict
