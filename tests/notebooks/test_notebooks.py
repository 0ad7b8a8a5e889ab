"""The notebooks: parameters that agree with the scenarios, nothing left in them, readable as a lab report.

nbformat and papermill are imported where they are used: that takes a second, and every process that collects tests
reads this module.
"""

from __future__ import annotations

import ast
import inspect
import json
import logging
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from factorylab.scenarios.catalog import SCENARIOS
from tests.support.notebook_text import FOLDER, NOTEBOOKS, read, shared_texts
from tests.support.places import ROOT

if TYPE_CHECKING:
    from nbformat import NotebookNode

OF_SCENARIOS = [FOLDER / f"{name}.ipynb" for name in SCENARIOS]
MAKES_A_FIGURE = "lab.plot."
WITHOUT_AN_ANSWER = ("sensors", "detectors", "report")  # recordings and signals; a page of other runs
WITHOUT_A_RUN = ("capacity", "sensors", "detectors", "protocols", "durability")
each = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def cells(notebook: Path) -> list[NotebookNode]:
    return list(read(notebook).cells)


def code_cells(notebook: Path) -> list[NotebookNode]:
    return [cell for cell in cells(notebook) if cell.cell_type == "code"]


def parameters(notebook: Path) -> dict[str, object]:
    """What the tagged cell assigns, as papermill finds it, with values."""
    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    found = papermill.inspect_notebook(str(notebook))
    return {name: ast.literal_eval(parameter["default"]) for name, parameter in found.items()}


@pytest.mark.parametrize("notebook", OF_SCENARIOS, ids=lambda path: path.stem)
def test_parameters_are_those_of_the_scenario(notebook: Path) -> None:
    """A scenario's notebook takes exactly its arguments with the same defaults, and `run_dir`."""
    declared = inspect.signature(SCENARIOS[notebook.stem]).parameters
    empty = inspect.Parameter.empty
    wanted = {name: "" if p.default is empty else p.default for name, p in declared.items()}
    found = parameters(notebook)
    assert found.pop("run_dir") == ""
    assert {n: tuple(v) if isinstance(v, list) else v for n, v in found.items()} == wanted


@each
def test_every_notebook_takes_a_run(notebook: Path) -> None:
    """One early cell is tagged `parameters`, all are literals, and `run_dir` is empty where the notebook shows runs."""
    tagged = [cell for cell in code_cells(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1 and cells(notebook).index(tagged[0]) < 5
    assert parameters(notebook).get("run_dir") == (None if notebook.stem in WITHOUT_A_RUN else "")


@each
def test_nothing_of_a_run_is_left(notebook: Path) -> None:
    """No output, no execution count; the language is there for tools that show the file."""
    import nbformat

    content = read(notebook)
    nbformat.validate(content)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))
    assert content.metadata.language_info.name == "python" and content.metadata.kernelspec.name == "python3"


@each
def test_the_file_is_as_jupyter_writes_it(notebook: Path) -> None:
    """Saving it unchanged changes no byte: running a notebook leaves git nothing to see."""
    import nbformat

    assert nbformat.writes(read(notebook), version=nbformat.NO_CONVERT) + "\n" == notebook.read_text()


@each
def test_cells_are_short_and_plain(notebook: Path) -> None:
    """Code cells have at most ten lines, twelve where they are parameters alone, and neither functions, classes nor
    loops; what is longer is in the library."""
    forbidden = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.Lambda, ast.Import)
    for cell in code_cells(notebook):
        most = 12 if "parameters" in cell.metadata.get("tags", []) else 10
        assert len(cell.source.splitlines()) <= most, cell.source
        wrong = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, forbidden)]
        assert all(ast.unparse(node) == "import factorylab as lab" for node in wrong), cell.source


@each
def test_every_figure_is_explained(notebook: Path) -> None:
    """Each cell that draws is followed by words on how to read it."""
    listed = cells(notebook)
    for cell, after in zip(listed, [*listed[1:], None], strict=True):
        if cell.cell_type == "code" and MAKES_A_FIGURE in cell.source:
            assert after is not None and after.cell_type == "markdown", cell.source
            assert "How to read" in after.source, cell.source


@each
def test_every_notebook_with_runs_answers(notebook: Path) -> None:
    """It has a heading "Answer" with code below it, which makes the sentences; those without runs have tables alone."""
    listed = cells(notebook)
    heads = [n for n, cell in enumerate(listed) if cell.source.startswith("## Answer")]
    if notebook.stem in WITHOUT_AN_ANSWER:
        assert not heads
    else:
        assert len(heads) == 1 and re.search(r"^(lab\.answers?\(|print\()", listed[heads[0] + 1].source)


@each
def test_shared_text_comes_from_one_place(notebook: Path) -> None:
    """A cell that names a shared text holds just that text; `python -m tests.support.notebook_text` writes them."""
    texts = shared_texts()
    shared = [cell for cell in cells(notebook) if "shared" in cell.metadata]
    assert {cell.metadata["shared"]: cell.source for cell in shared} == {
        name: texts[name] for name in (cell.metadata["shared"] for cell in shared)
    }


def test_what_two_notebooks_say_is_shared() -> None:
    """No paragraph longer than a short sentence stands in two notebooks without coming from the shared text."""
    markdown = [c for notebook in NOTEBOOKS for c in cells(notebook) if c.cell_type == "markdown"]
    own = [c.source for c in markdown if "shared" not in c.metadata]
    times = Counter(paragraph for text in own for paragraph in text.split("\n\n") if len(paragraph) > 80)
    assert [paragraph for paragraph, n in times.items() if n > 1] == []


@pytest.mark.parametrize("notebook", OF_SCENARIOS, ids=lambda path: path.stem)
def test_a_scenarios_notebook_is_a_lab_report(notebook: Path) -> None:
    """Title, question, method, run, steady state, answer, verdict and threats come in this order, with a figure."""
    text = "\n".join(cell.source for cell in cells(notebook))
    parts = ["# ", "**Question.**", "## Method", "## Run", "lab.tables.steady(run)", MAKES_A_FIGURE, "## Answer",
             "lab.answer(run)", "## Verdict", "run.verdict", "## Threats to validity"]  # fmt: skip
    places = [text.find(part) for part in parts]
    assert -1 not in places and places == sorted(places), dict(zip(parts, places, strict=True))
    question = next(cell.source for cell in cells(notebook) if "**Question.**" in cell.source)
    assert any(char.isdigit() for char in question) and "?" in question


@pytest.mark.parametrize("notebook", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda f: f.name)
def test_notebooks_are_stripped(notebook: Path) -> None:
    """Committed notebooks carry no output and no execution count."""
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    assert cells and all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
