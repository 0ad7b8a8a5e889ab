"""Progress is told as news."""

from __future__ import annotations

from factorylab.execution.perform import milestones


def test_progress_is_told_as_news() -> None:
    """News is said as it is; of what takes long the beginning, each quarter and the end are told."""
    said: list[str] = []
    progress = milestones(said.append)
    progress("backend local: no engine", 0, 0)
    for done in range(9):
        progress("jars", done, 8)
    assert said == ["backend local: no engine", "jars: 0 of 8", *(f"jars: {n} of 8" for n in (2, 4, 6)), "jars: done"]
