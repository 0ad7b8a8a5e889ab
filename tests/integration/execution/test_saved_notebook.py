"""What JupyterLab's own contents manager writes when a notebook of the project is saved after it ran."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.largefilemanager import LargeFileManager

from tests.support.notebook_text import FOLDER

HOOK = "factorylab.execution.saved_notebook.before_saving"


def ran(manager: LargeFileManager, path: str) -> dict[str, Any]:
    """The model of a notebook, with what JupyterLab has in it after a run."""
    model: dict[str, Any] = manager.get(path)
    for number, cell in enumerate(model["content"]["cells"]):
        if cell["cell_type"] == "code":
            cell["execution_count"] = number
            cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {"text/html": "it ran"}}]
            cell["metadata"] |= {"execution": {"iopub.execute_input": "x"}, "scrolled": True, "trusted": True}
    model["content"]["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    model["content"]["metadata"]["language_info"] |= {"version": "3.13.0", "file_extension": ".py"}
    return model


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LargeFileManager:
    """As `make notebook` starts it, on a copy of the notebooks and a folder of somebody's own."""
    monkeypatch.setenv("FACTORYLAB_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    for folder in ("notebooks", "own"):
        (tmp_path / folder).mkdir()
    for name in ("start_here", "durability"):
        shutil.copy(FOLDER / f"{name}.ipynb", tmp_path / "notebooks")
    shutil.copy(FOLDER / "start_here.ipynb", tmp_path / "own" / "mine.ipynb")
    return LargeFileManager(root_dir=str(tmp_path), pre_save_hook=HOOK)


def test_a_notebook_that_ran_is_as_it_was(manager: LargeFileManager, tmp_path: Path) -> None:
    """Saved after a run, a notebook of the project has the bytes that it had, and its outputs lie in results/."""
    notebook = FOLDER / "durability.ipynb"
    manager.save(ran(manager, f"notebooks/{notebook.name}"), f"notebooks/{notebook.name}")
    assert (tmp_path / "notebooks" / notebook.name).read_bytes() == notebook.read_bytes()
    assert "it ran" in (tmp_path / "results" / "notebooks" / notebook.name).read_text()


def trusted(manager: LargeFileManager, path: str) -> list[bool]:
    """Of each cell with code: is its output shown, whatever it is?"""
    cells = manager.get(path)["content"]["cells"]
    return [cell["metadata"].get("trusted", False) for cell in cells if cell["cell_type"] == "code"]


def test_figures_of_the_kept_copy_are_shown(manager: LargeFileManager, tmp_path: Path) -> None:
    """The copy of a notebook that somebody ran is trusted; that of one that came with outputs is not."""
    path = "notebooks/start_here.ipynb"
    kept = "results/notebooks/start_here.ipynb"
    manager.save(ran(manager, path), path)
    assert set(trusted(manager, kept)) == {True}
    model = ran(manager, path)
    for cell in model["content"]["cells"]:
        cell["metadata"].pop("trusted", None)
    model["content"]["cells"][-1]["source"] = "another text"
    manager.save(model, path)
    assert True not in trusted(manager, kept)


def test_links_of_the_kept_copy_lead_on(manager: LargeFileManager, tmp_path: Path) -> None:
    """In the copy with outputs a link to a page or another notebook leads to where it led."""
    manager.save(ran(manager, "notebooks/start_here.ipynb"), "notebooks/start_here.ipynb")
    kept = json.loads((tmp_path / "results" / "notebooks" / "start_here.ipynb").read_text())
    text = "".join(line for cell in kept["cells"] if cell["cell_type"] == "markdown" for line in cell["source"])
    assert "](../../docs/predictions.md)" in text and "](../../notebooks/baseline.ipynb)" in text


def test_an_edit_is_kept(manager: LargeFileManager, tmp_path: Path) -> None:
    """Whoever changes a cell finds the change in the file; a notebook elsewhere keeps its outputs."""
    model = ran(manager, "notebooks/start_here.ipynb")
    model["content"]["cells"][0]["source"] = "# Mine"
    manager.save(model, "notebooks/start_here.ipynb")
    assert "# Mine" in (tmp_path / "notebooks" / "start_here.ipynb").read_text()
    manager.save(ran(manager, "own/mine.ipynb"), "own/mine.ipynb")
    assert "it ran" in (tmp_path / "own" / "mine.ipynb").read_text()
