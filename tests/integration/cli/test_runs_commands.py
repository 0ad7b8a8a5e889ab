"""What the command line says of saved runs, without a cluster."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import pytest

from factorylab.history.saved_run import Run
from factorylab.report import answer
from tests.support.commands import Call, call, no_figures, nothing_starts, results, saved
from tests.support.histories import healthy

__all__ = ["call", "no_figures", "nothing_starts", "results", "saved"]  # fixtures


def test_runs_are_listed(call: Call, saved: tuple[Run, Run], results: Path) -> None:
    """`runs` gives one line a run with its verdict, `--json` the folders."""
    code, out, _ = call("runs")
    assert code == 0 and [run.folder.run_id in line for run, line in zip(saved, out.splitlines(), strict=True)]
    assert {run.folder.path.name for run in saved} == {line.split()[0] for line in out.splitlines()}
    assert out.count("PASS") == 1 and out.count("FAIL") == 1
    _, listed, _ = call("runs", "--json")
    assert {item["path"]: item["sealed"] for item in json.loads(listed)} == {
        str(run.folder.path): True for run in saved
    }


def test_show_gives_the_verdict(call: Call, saved: tuple[Run, Run]) -> None:
    """`show` prints what the run answers, verdict, loss and folder of the run that is named."""
    code, out, _ = call("show", "lossy")
    assert " ".join(out.split()).startswith(str(answer(saved[1])))
    assert code == 0 and "FAIL" in out and "lost" in out and str(saved[1].folder.path) in out


@pytest.mark.usefixtures("no_figures")
@pytest.mark.parametrize(("name", "exit_code"), [("whole", 0), ("lossy", 1)])
def test_replay_says_the_same_byte_for_byte(
    call: Call, saved: tuple[Run, Run], results: Path, name: str, exit_code: int
) -> None:
    """Judging a saved run again writes the same bytes and says so; the exit code is the verdict's. The page of all runs
    then has its answer, and the list its course."""
    first, *_ = call("replay", name)
    code, out, err = call("replay", name)
    assert first == code == exit_code
    assert ("PASS" if code == 0 else "FAIL") in out and "the same verdict as before, byte for byte" in err
    (run,) = (run for run in saved if run.scenario.name == name)
    first_sentence = run.folder.answer.read_text().splitlines()[0]
    assert run.folder.path.name in (page := (results / "index.html").read_text()) and escape(first_sentence) in page
    (listed,) = (one for one in json.loads(call("runs", "--json")[1]) if one["run"] == run.folder.run_id)
    assert listed["course"]["of"] == "stored" and max(listed["course"]["per_s"]) > 0


@pytest.mark.usefixtures("no_figures")
def test_a_spoiled_run_is_invalid(call: Call, nothing_starts: Path) -> None:
    """A run whose raw files were changed after the seal is judged INVALID, exit code 4."""
    run = healthy(nothing_starts / "results").saved()
    (run.folder.logs / "late.log").write_text("x")
    code, out, _ = call("replay", "latest", "--json")
    assert (code, json.loads(out)["verdict"]) == (4, "INVALID")


def test_a_damaged_scenario_does_not_hide_the_other_runs(call: Call, nothing_starts: Path) -> None:
    """`runs` names the run that cannot be read, and lists the others."""
    whole, damaged = (healthy(nothing_starts / "results").saved().folder for _ in range(2))
    (damaged.raw / "scenario.json").write_text("{")
    lines = call("runs")[1].splitlines()
    assert {line.split()[0] for line in lines} == {whole.path.name, damaged.path.name}
    assert sum("scenario.json cannot be read" in line for line in lines) == 1
