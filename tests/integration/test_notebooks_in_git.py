"""Running a notebook changes nothing that git holds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from factorylab.core import environment
from tests.support.places import ROOT

NAME = "notebooks/start_here.ipynb"


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@x", *words],
        cwd=folder, env=environment.tool(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    return done.stdout


def run_through(notebook: Path) -> None:
    """Leave in the file what JupyterLab leaves."""
    found = json.loads(notebook.read_text())
    for number, cell in enumerate(found["cells"]):
        if cell["cell_type"] == "code":
            cell |= {"execution_count": number, "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1"]}]}
            cell["metadata"] |= {"execution": {"iopub.execute_input": "x"}, "scrolled": True}
    found["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
    found["metadata"]["language_info"] |= {"version": "3.13.0", "file_extension": ".py"}
    notebook.write_text(json.dumps(found, indent=1) + "\n")


def test_a_notebook_that_ran_is_no_change(tmp_path: Path) -> None:
    """With the filter that `make notebook` names, git sees no change after a run, and still sees one of the text."""
    for name in (".gitattributes", NAME, "notebooks/without_outputs.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    git(tmp_path, "init", "-q")
    git(tmp_path, "config", "filter.notebook-outputs.clean", f"{sys.executable} notebooks/without_outputs.py")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "all")
    assert git(tmp_path, "show", f"HEAD:{NAME}") == (ROOT / NAME).read_text()
    run_through(tmp_path / NAME)
    assert git(tmp_path, "diff", "--stat") == "" and git(tmp_path, "status", "--porcelain") == ""
    (tmp_path / NAME).write_text((tmp_path / NAME).read_text().replace("hold_s = 14", "hold_s = 15"))
    assert "hold_s = 15" in git(tmp_path, "diff")
