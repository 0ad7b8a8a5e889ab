"""Workers that end by themselves are named while the run goes on, with their reason."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from factorylab.core.errors import StartFailed
from factorylab.core.waiting import wait_until
from factorylab.execution.deaths import DeathWatch, last_error
from factorylab.execution.workers import Crew
from factorylab.scenarios.model import Scenario, scenario_from

REASON = {"event": "failed", "level": "error", "error": "fenced", "worker": "processor-0", "timestamp": "2026-11-28"}


def crew(folder: Path, codes: dict[str, int | None]) -> Crew:
    """A crew of workers that have these exit codes, and whose logs end with a reason."""
    for name in codes:
        (folder / f"{name}.jsonl").write_text(json.dumps(REASON) + "\nnot JSON\n")
    found = object.__new__(Crew)
    found.cluster = SimpleNamespace(exit_code=codes.__getitem__)  # type: ignore[assignment]
    found.scenario, found.processors = Scenario(name="any"), {}
    found.run = SimpleNamespace(logs=folder)  # type: ignore[assignment]
    found._running = list(codes)
    return found


def test_only_who_ended_by_itself_and_not_well_is_named(tmp_path: Path) -> None:
    """What lives, has done its work or was killed by a fault is not; what failed or crashed is, with its reason."""
    codes = {"lives": None, "done": 0, "killed": -signal.SIGKILL, "failed": 1, "crashed": -signal.SIGSEGV}
    told = crew(tmp_path, codes).deaths()
    assert told == [
        "failed ended with exit code 1: fenced",
        "crashed ended with exit code -11: fenced",
    ]


def test_a_start_does_not_wait_for_the_dead(tmp_path: Path) -> None:
    """A worker that ended while the run starts ends the start, with the reason."""
    crew(tmp_path, {"processor-0": None}).check()
    with pytest.raises(StartFailed, match=r"processor-0 ended with exit code 2: .*fenced"):
        crew(tmp_path, {"processor-0": 2}).check()


def test_each_death_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch goes on looking, and says what it has found when it finds it, no second time."""
    monkeypatch.setattr("factorylab.execution.deaths.EVERY_S", 0.01)
    looks: list[int] = []

    def deaths() -> list[str]:
        looks.append(1)
        return ["p0 ended"] if len(looks) > 1 else []

    said: list[str] = []
    with DeathWatch(deaths, said.append):
        wait_until(lambda: len(looks) > 3, what="some looks", timeout_s=20)
    assert said == ["p0 ended"]


@pytest.mark.parametrize(("text", "told"), [("", "(an empty log)"), ("a\nb\n", "b"), (None, "(no log)")])
def test_a_log_without_an_error_gives_its_last_line(text: str | None, told: str, tmp_path: Path) -> None:
    """Whatever a log holds, something is said of it."""
    if text is not None:
        (tmp_path / "w.jsonl").write_text(text)
    assert last_error(tmp_path / "w.jsonl") == told


def test_a_program_under_test_should_not_end_well_either(tmp_path: Path) -> None:
    """One that exits with 0 before it is told to is named; where its log is empty, that is said."""
    found = crew(tmp_path, {"processor-0": 0})
    found.scenario = scenario_from({"name": "any", "subject": {"command": ["mine"]}}, "test")
    found.processors = {"processor-0": None}  # type: ignore[dict-item]
    (tmp_path / "processor-0.jsonl").write_text("")
    assert found.deaths() == ["processor-0 ended with exit code 0: (an empty log)"]
