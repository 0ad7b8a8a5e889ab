"""The programs with a planted bug that come with the lab."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.places import ROOT

FOLDER = ROOT / "experiments/subjects"


@pytest.fixture(scope="module")
def judge_all() -> Iterator[ModuleType]:
    """The script beside them."""
    found = importlib.util.spec_from_file_location("judge_all", FOLDER / "judge_all.py")
    assert found and found.loader
    module = sys.modules[found.name] = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    del sys.modules[found.name]


def test_each_program_is_judged_with_its_twin(judge_all: ModuleType) -> None:
    """No source in the folder is left out, and each is named in the page that tells of them or is the twin of one."""
    named = {Path(word).name for pair in judge_all.PAIRS.values() for word in (*pair.bug, *pair.twin)}
    sources = [path for kind in ("*.py", "java/*.java", "node/*.js") for path in FOLDER.glob(kind)]
    programs = {path.name for path in sources} | {path.parent.name for path in FOLDER.glob("go/*/main.go")}
    assert programs - {"judge_all.py"} == {name for name in named if name in programs} and len(programs) > 10
    page = (ROOT / "docs/judge.md").read_text()
    assert [name for pair in judge_all.PAIRS.values() if (name := Path(pair.bug[-1]).name) not in page] == []


def test_a_tool_chain_that_is_not_here_is_named(judge_all: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    monkeypatch.setenv("PATH", "")
    assert judge_all.java_lacks() == "there is no java on PATH"
    monkeypatch.setattr(judge_all, "HERE", Path("/nowhere"))
    assert judge_all.go_lacks().startswith("not built: cd experiments/subjects/go")
