"""What becomes of a notebook of the project that JupyterLab saves: its outputs go to results/notebooks/, and the file
that git holds stays as it was. `make notebook` names `before_saving` as the hook of Jupyter's contents manager.
"""

from __future__ import annotations

import copy
import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from factorylab.cluster.settings import load_settings

FOLDER = "notebooks"
LEFT_BY_RUNNING = ("ExecuteTime", "collapsed", "execution", "jupyter", "papermill", "scrolled", "trusted")
OF_THE_FILE = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|[#/])[^)#\s]+")


def before_saving(model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Jupyter's pre_save_hook: keep a copy with outputs aside, and take them out of `model`.

    Of notebooks elsewhere, such as a user's own, nothing is changed.
    """
    place = PurePosixPath(path.strip("/"))
    if model["type"] != "notebook" or place.parts[:-1] != (FOLDER,):
        return
    content = model["content"]
    if any(cell.get("outputs") for cell in content["cells"]):
        _keep(content, place.name, contents_manager)
    strip(content)


def strip(content: dict[str, Any]) -> None:
    """Take out what running a notebook leaves in it: outputs, counts, times, and all of the kernel but its name."""
    for cell in content["cells"]:
        for name in LEFT_BY_RUNNING:
            cell["metadata"].pop(name, None)
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    content["metadata"] = copy.deepcopy(OF_THE_FILE)


def _keep(content: dict[str, Any], name: str, contents_manager: Any) -> None:
    """Write the notebook with its outputs; its links lead where they led, and where the cells were trusted the copy is:
    else JupyterLab would not show its figures."""
    import nbformat

    origin, out = Path(contents_manager.root_dir) / FOLDER, load_settings().results / FOLDER / name
    kept = nbformat.from_dict(copy.deepcopy(content))
    for cell in kept.cells:
        if cell.cell_type == "markdown":
            cell.source = _LINK.sub(lambda link: _relative(origin / link[0], out.parent), cell.source)
    contents_manager.check_and_sign(kept, name)
    out.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(kept, out)


def trust(notebook: Path) -> None:
    """Have JupyterLab show the figures of a notebook that this account itself has run. Where its list of such notebooks
    cannot be written the notebook stays as it is."""
    import nbformat
    from nbformat.sign import NotebookNotary

    with suppress(OSError, sqlite3.Error):
        NotebookNotary().sign(nbformat.read(notebook, as_version=4))


def _relative(target: Path, folder: Path) -> str:
    return Path(os.path.relpath(target, folder)).as_posix()
