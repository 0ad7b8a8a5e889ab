"""`results/index.html`: one row a saved run, the latest first, with what it showed and where it lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from factorylab.audit.kept_verdict import kept
from factorylab.audit.model.verdict import EXPECTED, Verdict, numbers
from factorylab.core.errors import ScenarioError
from factorylab.core.files import write_durably
from factorylab.history import sparkline
from factorylab.history.prune import size_bytes
from factorylab.history.run_folders import RunFolder, list_runs
from factorylab.history.unfinished import not_judged

PAGE = "index.html"
SENTENCES = 2
NO_NUMBER = "–"
BESIDES = ("report.html", "sample/report.html", "controls/detection.svg")
OF_A_RUN = ("derived/notebook.ipynb", "derived/verdict.json", "raw/manifest.json", "raw/logs")


@dataclass(frozen=True)
class Row:
    """What the page shows of a run; `links` are paths below results/, by the word that stands for each."""

    name: str
    scenario: str
    verdict: str
    met: str
    told: str
    course: str
    size: str
    links: dict[str, str]


def write(results: Path) -> Path:
    """Write the page anew; nothing in it is fetched from elsewhere. Nothing is judged for it."""
    pages = Environment(loader=PackageLoader("factorylab.report", "."), autoescape=True, undefined=StrictUndefined,
                        trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    rows = [_row(run, results) for run in reversed(list_runs(results))]
    besides = [name for name in BESIDES if (results / name).exists()]
    others = sorted(file.name for file in results.glob("notebooks/*.ipynb"))
    text = pages.get_template("index.html.j2").render(rows=rows, besides=besides, notebooks=others)
    results.mkdir(parents=True, exist_ok=True)
    write_durably(results / PAGE, text.encode())
    return results / PAGE


def _row(run: RunFolder, results: Path) -> Row:
    found = kept(run) if run.sealed else None
    course = sparkline.read(run)
    below = run.path.relative_to(results)
    return Row(
        name=run.path.name,
        scenario=run.path.parent.name,
        verdict=found.verdict if found else "",
        met=EXPECTED[found.met] if found else "",
        told=_answered(run, found) if found else _unjudged(run),
        course=sparkline.drawn(course.per_s) if course else "",
        size=megabytes(size_bytes(run.path)),
        links=dict(_links(run, below)),
    )


def _answered(run: RunFolder, verdict: Verdict) -> str:
    """The sentences that the run opens with; its numbers, where it was judged before there were any."""
    if run.answer.is_file():
        return " ".join(run.answer.read_text(encoding="utf-8").splitlines()[:SENTENCES])
    return ", ".join(f"{name} {value}" for name, value in numbers(verdict).items() if value != NO_NUMBER)


def _unjudged(run: RunFolder) -> str:
    """Why there is no verdict."""
    if run.sealed:
        return f"not judged by this version, or changed since: factorylab replay {run.run_id}"
    try:
        return not_judged(run)
    except (ScenarioError, OSError) as error:
        return str(error)


def _links(run: RunFolder, below: Path) -> Iterator[tuple[str, str]]:
    for name in OF_A_RUN:
        if (run.path / name).exists():
            yield Path(name).stem, (below / name).as_posix()
    for figure in sorted(run.figures.glob("*.svg")):
        yield figure.stem.replace("_", " "), (below / "derived/figures" / figure.name).as_posix()


def megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
