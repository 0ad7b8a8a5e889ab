"""Which files of the package a program comes to run: found by following its imports, at whatever depth they stand.

A package that is imported as a whole counts with all that lies below it, since its files may be found by their folder
(detectors are, and the steps of the schema).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

NAME = "factorylab"


def reached(files: Mapping[str, bytes], programs: Iterable[str]) -> dict[str, bytes]:
    """Those of `files` (Python sources by their path in the package) that the modules `programs` run."""
    found: dict[str, bytes] = {}
    ahead = list(programs)
    while ahead:
        for path in _files_of(ahead.pop(), files):
            if path not in found:
                found[path] = files[path]
                ahead += _imported(ast.parse(files[path]))
    return found


def _files_of(name: str, files: Mapping[str, bytes]) -> Iterator[str]:
    """What an import of `name`, a module or something in one, runs: the packages on the way to it as well."""
    top, *parts = name.split(".")
    if top != NAME:
        return
    places = ["/".join(parts[:length]) for length in range(len(parts) + 1)]
    for place in places:
        yield from {f"{place}/__init__.py".lstrip("/"), f"{place}.py"} & files.keys()
    if parts and f"{places[-1]}/__init__.py" in files:
        yield from (path for path in files if path.startswith(f"{places[-1]}/"))


def _imported(tree: ast.AST) -> Iterator[str]:
    """The names after `import`, also those inside of functions; what stands under TYPE_CHECKING is never run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        yield from _imported(node)
