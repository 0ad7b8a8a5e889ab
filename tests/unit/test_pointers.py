"""What docstrings and comments point to is there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.places import ROOT

CODE = sorted((ROOT / "factorylab").rglob("*.py"))
MODULES = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file for file in CODE}
PLACES = {part for module in MODULES for part in module.split(".")} - {"factorylab"}
FILES = [
    path.relative_to(ROOT).as_posix()
    for top in ("factorylab", "tests", "experiments")
    for path in (ROOT / top).rglob("*.py")
]
NO_CODE = (".lock", ".log", ".ms", ".parquet", ".txt")  # files and settings whose names look like a module's


@cache
def names(file: Path) -> frozenset[str]:
    """What a module defines or imports at its top level and in its classes."""
    tree = ast.parse(file.read_text())
    holders = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    return frozenset(name for holder in holders for node in holder.body for name in _defined(node))


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))


def modules(pointer: str) -> list[Path]:
    """Those whose full name ends so."""
    return [file for module, file in MODULES.items() if f".{module}".endswith(f".{pointer}")]


def leads_somewhere(pointer: str, file: Path) -> bool:
    """A file's name, a module, a name in a module, or a name in the file that points."""
    if pointer.endswith(".py"):
        return any(f"/{path}".endswith(f"/{pointer.lstrip('/')}") for path in FILES)
    module, _, name = pointer.rpartition(".")
    return bool(modules(pointer)) or any(name in names(there) for there in (modules(module) if module else [file]))


def pointers(text: str) -> set[str]:
    """Names of files, what stands after "see", and dotted names that begin with a module or package of ours."""
    dotted = re.findall(r"`((?:factorylab\.)?([a-z_]+)\.[\w.]*\w)`", text)
    ours = {name for name, first in dotted if first in PLACES and not name.endswith(NO_CODE)}
    return ours | set(re.findall(r"[\w/-][\w/.-]*\.py\b", text)) | set(re.findall(r"\bsee\s+`([\w.]+)`", text))


def test_every_pointer_leads_somewhere() -> None:
    """Each file, module or name that the code points to exists."""
    stale = {
        f"{file.relative_to(ROOT)}: {pointer}"
        for file in CODE
        for pointer in pointers(file.read_text())
        if not leads_somewhere(pointer, file)
    }
    assert stale == set()


@pytest.mark.parametrize(
    "text", ["see stepping.py", "(see `runs.secret_key`)", "see\n    `position`", "`store.schema.tabels`"]
)
def test_a_stale_pointer_is_found(text: str) -> None:
    """A file, a module or a name that is not there is told apart from one that is."""
    (pointer,) = pointers(text)
    assert not leads_somewhere(pointer, MODULES["factorylab.factory.processor.polls"])
