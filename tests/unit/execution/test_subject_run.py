"""The end of a program's output: the run reads it when it stands still."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from factorylab.execution import subject_run


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_run, "QUIET_S", 0.05)
    monkeypatch.setattr(subject_run, "QUIET_WITHIN_S", 0.5)


def test_it_waits_for_what_is_still_written() -> None:
    """As long as rows come, it asks again; once none has come for a while, it is over without a word."""
    counts, said = iter([1, 2, 3]), list[str]()
    subject_run.wait_for_quiet(SimpleNamespace(size=lambda: next(counts, 3)), said.append)  # type: ignore[arg-type]
    assert said == [] and next(counts, None) is None


def test_what_never_ends_is_told() -> None:
    """A program that writes without end is read all the same, and the run says so."""
    grows, said = iter(range(10_000)), list[str]()
    subject_run.wait_for_quiet(SimpleNamespace(size=lambda: next(grows)), said.append)  # type: ignore[arg-type]
    assert said and said[0].startswith("not quiet: waited 0.5 s for the output to stand still")
