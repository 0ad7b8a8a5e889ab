"""`record` and `behaviour` as they are typed, and recorded campaigns as sets of runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import factorylab as lab
from factorylab.audit.judged import JudgedRun
from factorylab.audit.kept_verdict import write_verdict
from factorylab.core.errors import UsageError
from factorylab.history.saved_run import Run
from tests.support.commands import Call, call, results, saved

__all__ = ["call", "results", "saved"]  # fixtures


@pytest.fixture(scope="module", autouse=True)
def recorded(saved: tuple[Run, Run], results: Path) -> Path:
    """Both runs, judged once, in the file of a campaign."""
    for run in saved:
        assert isinstance(run, JudgedRun) and write_verdict(run)
    return results / "campaigns" / "both.jsonl"


def test_runs_are_recorded_and_summed_up_without_their_folders(
    call: Call, saved: tuple[Run, Run], recorded: Path, tmp_path: Path
) -> None:
    """Recorded one after the other, again and again, each run counts once; the file alone gives the summary."""
    assert call("record", "both", "whole")[0] == 0
    first = recorded.read_bytes()
    assert "1 runs, 0 of them new, 1 recorded anew" in call("record", "both", "whole")[2]
    assert recorded.read_bytes() == first
    assert "2 runs, 1 of them new" in call("record", "both", "lossy", "whole")[2]
    told = {word: json.loads(call("summary", word, "-q", "lost", "-q", "offered", "--json")[1])
            for word in ("campaign-both", "whole,lossy")}  # fmt: skip
    assert told["campaign-both"] and {json.dumps(one, sort_keys=True) for one in told["campaign-both"]} == {
        json.dumps(one, sort_keys=True) for one in told["whole,lossy"]
    }
    moved = tmp_path / "elsewhere.jsonl"
    moved.write_bytes(recorded.read_bytes())
    code, out, _ = call("compare", f"{moved}@name=whole", f"{moved}@name=lossy", "-q", "lost")
    assert code == 0 and "B  lossy: 1 run" in out


def test_notebooks_read_campaigns(
    recorded: Path, results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, call: Call
) -> None:
    """The frames take a campaign as they take runs; the runs themselves are not in it."""
    assert call("record", "both", "whole", "lossy")[0] == 0
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(results))
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path))
    values = lab.quantities(str(recorded)).set_index(["title", "quantity"])
    assert values.loc[("lossy", "lost"), "value"] == 2.0
    assert lab.conditions("campaign-both@name=whole")["workload.rate_per_s"].item() == 100.0
    assert lab.summarize("campaign-both@name=lossy", "lost")["median"].item() == 2.0
    with pytest.raises(UsageError, match="numbers of runs, not the runs"):
        lab.load_all("campaign-both")


def test_a_run_that_cannot_be_read_is_not_recorded_anew(
    call: Call, saved: tuple[Run, Run], results: Path, tmp_path: Path
) -> None:
    """A damaged run is told of and counts for nothing."""
    copy = results / "damaged" / saved[0].folder.path.name.replace("Z-", "Z-f")[:23]
    shutil.copytree(saved[0].folder.path, copy)
    (copy / "raw" / "scenario.json").write_text("{")
    _, _, said = call("record", "some", "whole", str(copy), "--to", str(tmp_path / "some.jsonl"))
    shutil.rmtree(copy.parent)
    assert "left out" in said and "1 runs, 1 of them new, 0 recorded anew" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("record", "both", "whole", "--to", "a.json"), "ends in .jsonl"),
        (("record", "none"), "no run fits 'batch-none'"),
        (("summary", "campaign-none"), "there is no campaign 'campaign-none'"),
        (("summary", "none.jsonl"), "none.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_recorded_is_refused(call: Call, words: tuple[str, ...], said: str) -> None:
    """A mistake is one message that names it, with exit code 2."""
    code, out, err = call(*words)
    assert (code, out) == (2, "") and said in err


def test_the_page_is_written(call: Call, tmp_path: Path) -> None:
    """Without a campaign the page has no row, and says what is not measured."""
    code, out, _ = call("behaviour")
    assert code == 0 and "## Not measured yet" in out
    assert call("behaviour", "--to", str(tmp_path / "page.md"))[0] == 0
    assert (tmp_path / "page.md").read_text() == out
