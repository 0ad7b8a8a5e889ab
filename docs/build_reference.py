"""Write the API reference: one HTML page a module, from its docstrings, into a folder that opens offline.

A name that a package promises and does not have, or a module that cannot be imported, fails the build.
"""

from __future__ import annotations

import pkgutil
import sys
import warnings
from pathlib import Path

import pdoc
import pdoc.render

import factorylab as lab

LEFT_OUT = (r"!.*\.__main__", r"!.*\.migrations")  # programs, and what only Alembic can import
HARMLESS = (
    "The module specification",  # a package brings its modules, too
    "The default value of",  # a path of this machine is not shown
    "Error parsing type annotation",  # of what is imported for types alone: it is shown as it is written
)


def modules() -> list[str]:
    """Every module of the package by its full name, then the patterns of those that are left out."""
    found = [module.name for module in pkgutil.walk_packages(lab.__path__, f"{lab.__name__}.")]
    return [lab.__name__, *found, *LEFT_OUT]


def main() -> None:
    """`python docs/build_reference.py FOLDER`"""
    (folder,) = sys.argv[1:]
    warnings.filterwarnings("error", module="pdoc")
    for harmless in HARMLESS:
        warnings.filterwarnings("ignore", harmless, module="pdoc")
    for name in lab.__all__:  # pdoc looks for what is there; these come on first use
        setattr(lab, name, getattr(lab, name))
    pdoc.render.configure(docformat="google", show_source=False, footer_text=f"factorylab {lab.__version__}")
    pdoc.pdoc(*modules(), output_directory=Path(folder))


if __name__ == "__main__":
    main()
