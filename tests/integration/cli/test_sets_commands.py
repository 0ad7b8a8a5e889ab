"""`summary`, `compare` and `run --repeat` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pytest

import factorylab as lab
from factorylab.audit.judged import JudgedRun
from factorylab.audit.kept_verdict import write_verdict
from factorylab.cli import batch_commands
from factorylab.core.errors import UsageError
from factorylab.execution.batch import repeated
from factorylab.execution.notebook_run import Job
from factorylab.history.saved_run import Run
from factorylab.scenarios.catalog import build
from tests.support.commands import Call, call, no_figures, nothing_starts, results, saved
from tests.support.histories import healthy

__all__ = ["call", "no_figures", "nothing_starts", "results", "saved"]  # fixtures


@pytest.fixture(scope="module", autouse=True)
def judged(saved: tuple[Run, Run]) -> None:
    """Judged once: each command reads the verdicts where they were written."""
    for run in saved:
        assert isinstance(run, JudgedRun) and write_verdict(run)


SMALL = {"rate_per_s": 20, "sensors": 6}


def test_a_summary_of_all_runs(call: Call, saved: tuple[Run, Run]) -> None:
    """Without a word every scenario under results/ is summed up; `--json` gives the values as numbers."""
    code, out, _ = call("summary")
    assert code == 0 and "whole: 1 run\n" in out and "lossy: 1 run\n" in out and "latency_p99" in out
    _, text, _ = call("summary", "lossy", "-q", "lost", "--json")
    (told,) = json.loads(text)
    assert told["runs"] == [saved[1].folder.run_id] and told["rows"][0]["values"] == [[2.0, False]]
    assert told["conditions"][saved[1].folder.run_id]["backend"] == "handmade"


def test_before_the_first_run_there_is_a_hint(call: Call, nothing_starts: Path) -> None:
    """Without any run `summary` says how to make one."""
    code, _, err = call("summary")
    assert code == 2 and "no runs yet" in err and not list(nothing_starts.iterdir())


def test_compare_puts_two_runs_side_by_side(call: Call, saved: tuple[Run, Run]) -> None:
    """One run each: the numbers of both, and no test."""
    code, out, _ = call("compare", "whole", "lossy")
    assert code == 0 and all(run.folder.run_id in out for run in saved) and "PASS" in out and "FAIL" in out
    assert "tested" not in out and "~" not in out


def test_compare_tests_sets(call: Call, saved: tuple[Run, Run], results: Path) -> None:
    """Two runs against one are sets: tested, with a word that so few show nothing."""
    code, out, _ = call("compare", ",".join(run.folder.run_id for run in saved), str(results / "lossy"))
    assert code == 2 and out == ""
    again = healthy(results / "more" / "sets", saved[0].scenario).saved()
    code, out, _ = call("compare", f"whole,{again.folder.path}", "lossy")
    assert code == 0 and "A  whole: 2 runs" in out and "So few runs can show nothing" in out


@pytest.mark.parametrize(
    ("gate", "code", "word"),
    [
        ("lost > 0", 1, "FAILS"),
        ("lost > 2", 0, "HOLDS"),
        ("recovery > 1 s", 4, "UNDECIDED"),
        ("lost > 2x", 4, "UNDECIDED"),
    ],
)
def test_gates_decide_the_exit_code(call: Call, gate: str, code: int, word: str) -> None:
    """1 where one fails, 4 where one is undecided, 0 where all hold; each says why."""
    found, out, _ = call("compare", "whole", "lossy", "--fail-if", gate)
    assert found == code and f"{word}  {gate}: " in out
    found, text, _ = call("compare", "whole", "lossy", "--fail-if", gate, "--json")
    assert found == code and json.loads(text)[0]["gates"][0]["decision"] == word.lower()


def test_the_worst_gate_counts(call: Call) -> None:
    """Of several gates a failing one decides, whatever the others say."""
    gates = ("--fail-if", "recovery > 1 s", "--fail-if", "lost > 0", "--fail-if", "shed > 0")
    assert call("compare", "whole", "lossy", *gates)[0] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("whole",), "name A and B, or A alone with --aa"),
        (("whole", "lossy", "--aa"), "name A and B, or A alone with --aa"),
        (("whole", "--aa", "--margin", "10%"), "leave them out with --aa"),
        (("whole", "--aa"), "an A/A check needs 10"),
        (("whole", "lossy", "--fail-if", "recovry > 1 s"), "did you mean recovery"),
        (("whole", "lossy", "--fail-if", "recovery"), "is no gate"),
        (("whole", "lossy", "-q", "recovry"), "did you mean recovery"),
        (("whole", "lossy", "--margin", "3"), "no unit but %"),
        (("whole@target", "lossy"), "write @name=value"),
        (("whole@rate=7", "lossy"), "no run has rate 7"),
        (("whole", "whole"), "compared with itself"),
        (("whole", "nothing"), "no run fits 'nothing'"),
    ],
)
def test_what_cannot_be_compared_is_refused(call: Call, words: tuple[str, ...], said: str) -> None:
    """A mistake is one message that names it and the way out, with exit code 2."""
    code, out, err = call("compare", *words)
    assert (code, out) == (2, "") and said in err


def test_notebooks_get_numbers(
    saved: tuple[Run, Run], results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The frames of `import factorylab` have numbers, NaN for what is not known, and reasons beside it."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(results))
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path))
    runs = [*lab.load_all("whole"), *lab.load_all("lossy")]
    values = lab.quantities(runs).set_index(["title", "quantity"])
    assert values.loc[("lossy", "lost"), "value"] == 2.0 and values["value"].dtype == float
    recovery = values.loc[("whole", "recovery")]
    assert np.isnan(recovery["value"]) and recovery["missing"] == "no fault"
    assert lab.conditions("whole")["workload.rate_per_s"].item() == 100.0
    assert lab.summarize("lossy", "lost")["median"].item() == 2.0
    compared = lab.compare("whole", "lossy", "lost", margin="lost 1")
    assert (compared["difference"].item(), compared["answer"].item()) == (2.0, "~")
    for wrong in ("whole@rate_per_s=7", "nothing"):
        with pytest.raises(UsageError):
            lab.load_all(wrong)
    with pytest.raises(UsageError, match="several experiments"):
        lab.compare("whole,lossy", "whole")


def test_no_number_of_an_invalid_run_gets_into_a_frame(tmp_path: Path) -> None:
    """Its values are missing, because it is INVALID."""
    run = healthy(tmp_path).saved()
    (run.folder.logs / "late.log").write_text("x")
    values = lab.quantities([run])
    assert values["value"].isna().all() and set(values["missing"]) == {"INVALID"}


def test_repetitions_of_other_parameters_are_batches_of_their_own() -> None:
    """The batch's name follows from scenario and parameters, however these are spelled."""
    names = [repeated(Job("baseline", parameters)).name for parameters in ({}, {"seed": 1}, {"seed": 2})]
    assert names[0] == names[1] != names[2] and all(name.startswith("baseline_") for name in names)


@pytest.mark.usefixtures("no_figures")
def test_repetitions_go_on_where_they_were_broken_off(
    call: Call, nothing_starts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three runs one was finished when the second attempt begins with `--resume`: it makes the other two, and all
    three are summed up. What carries a run out is replaced by a history that is there at once."""
    where, carried_out, enough = nothing_starts / "results", list[str](), [1, 9]

    def carry_out(jobs: list[Job], left: list[int], settings: Any) -> Iterator[tuple[int, JudgedRun]]:
        del settings
        allowed = enough.pop(0)
        for number in left:
            if not allowed:
                raise UsageError("broken off")
            allowed -= 1
            run = healthy(where, jobs[number].scenario()).saved()
            carried_out.append(run.folder.run_id)
            yield number, run

    monkeypatch.setattr(batch_commands, "_carried_out", carry_out)
    words = ("run", "baseline", *(f"-p{name}={value}" for name, value in SMALL.items()), "--repeat", "3")
    assert call(*words)[0] == 2 and len(carried_out) == 1
    code, text, _ = call(*words, "--resume", "--json")
    (told,) = json.loads(text)
    assert len(carried_out) == 3 and sorted(told["runs"] + told["invalid"]) == sorted(carried_out)
    assert code in {0, 1, 4} and build("baseline", SMALL).name == told["title"]


@pytest.mark.parametrize("words", [("--repeat", "3", "--keep"), ("--resume",), ("--repeat", "0")])
def test_repetitions_that_mean_nothing_are_refused(call: Call, nothing_starts: Path, words: tuple[str, ...]) -> None:
    """A lab is not kept between repetitions, and only repetitions are resumed: refused before anything starts."""
    assert call("run", "baseline", *words)[0] == 2 and not list(nothing_starts.iterdir())


def test_what_goes_on_is_no_result(
    saved: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While runs are carried out, each verdict is told on standard error: standard output is for what `--json` asks."""
    monkeypatch.setattr("factorylab.execution.shared_lab.SharedLab", MagicMock())
    monkeypatch.setattr("factorylab.execution.shared_lab.forget", MagicMock())
    monkeypatch.setattr("factorylab.execution.notebook_run.execute", lambda job, settings, say, judge: saved[0])
    done = list(batch_commands._carried_out([Job("baseline", {})], [0], MagicMock()))
    said = capsys.readouterr()
    assert len(done) == 1 and said.out == "" and "PASS" in said.err
