"""What becomes of a notebook of the project that JupyterLab saves: its outputs go to results/notebooks/, and the file
that git holds stays as it was. `make notebook` names `before_saving` as the hook of Jupyter's contents manager.
"""

from __future__ import annotations

import copy
import json
import os
import re
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
        _keep(content, Path(contents_manager.root_dir) / FOLDER, place.name)
    strip(content)


def strip(content: dict[str, Any]) -> None:
    """Take out what running a notebook leaves in it: outputs, counts, times, and all of the kernel but its name."""
    for cell in content["cells"]:
        for name in LEFT_BY_RUNNING:
            cell["metadata"].pop(name, None)
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    content["metadata"] = copy.deepcopy(OF_THE_FILE)


def _keep(content: dict[str, Any], origin: Path, name: str) -> None:
    """Write the notebook with its outputs; its links lead where they led."""
    out = load_settings().results / FOLDER / name
    out.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(json.dumps(content))
    for cell in kept["cells"]:
        if cell["cell_type"] == "markdown":
            source = "".join(cell["source"])
            cell["source"] = _LINK.sub(lambda link: _relative(origin / link[0], out.parent), source)
    out.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _relative(target: Path, folder: Path) -> str:
    return Path(os.path.relpath(target, folder)).as_posix()
