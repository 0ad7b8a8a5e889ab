"""Text that notebooks share, from one place; `python -m tests.support.notebook_text` writes it into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from factorylab.report.legends import LEGENDS
from tests.support.places import ROOT

if TYPE_CHECKING:
    from nbformat import NotebookNode

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def shared_texts() -> dict[str, str]:
    """By name: the paragraphs of shared_text.yaml, and how to read each figure."""
    figures = {name: f"*How to read it.* {legend.how_to_read}" for name, legend in LEGENDS.items()}
    return figures | yaml.safe_load((FOLDER / "shared_text.yaml").read_text(encoding="utf-8"))


def read(path: Path) -> NotebookNode:
    import nbformat

    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def main() -> None:
    """Write the shared text into each cell that names it."""
    import nbformat

    texts = shared_texts()
    for path in NOTEBOOKS:
        notebook = read(path)
        for cell in notebook.cells:
            if "shared" in cell.metadata:
                cell.source = texts[cell.metadata["shared"]]
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
