"""A kernel that dies while a run is done."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from factorylab.cluster.settings import load_settings
from factorylab.core.errors import EnvironmentUnfit
from factorylab.execution.notebook_run import Job, execute
from factorylab.history.run_folders import list_runs
from factorylab.history.unfinished import not_judged

KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("begun", [False, True])
def test_a_kernel_that_dies_is_told(begun: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the kernel is killed the error says so; the folder goes where nothing began, else it holds the reason."""
    dies = "import os, pathlib, signal\n"
    dies += "pathlib.Path(run_dir, 'raw/logs/broker-1.log').write_text('up')\n" if begun else ""
    cells = [new_code_cell("run_dir = ''", metadata={"tags": ["parameters"]}), new_code_cell(dies + KILL)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), tmp_path / "baseline.ipynb")
    monkeypatch.setattr("factorylab.execution.notebook_run.notebooks", lambda: tmp_path)
    settings = load_settings().model_copy(update={"results": tmp_path / "results"})
    with pytest.raises(EnvironmentUnfit, match=r"baseline\.ipynb could not be run to its end .Kernel died.: "):
        execute(Job("baseline", {}), settings, print, str)
    left = list_runs(settings.results)
    assert len(left) == int(begun) and all("Kernel died" in not_judged(run) for run in left)
    assert begun or list(settings.results.iterdir()) == []
