"""The arrows between the parts, and the shape of the code."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Set
from functools import cache
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

import factorylab as lab
from factorylab.scenarios import loading
from tests.support.heavy import HEAVY
from tests.support.places import ROOT

CODE = sorted((ROOT / "factorylab").rglob("*.py"))
FUNCTION_LINES = 60
TOP_ENTRIES = 17
ORDER = (  # a part may import those before it, and no other
    "core",
    "detectors",
    "scenarios",
    "history",
    "factory",
    "cluster",
    "analysis",
    "audit",
    "report",
    "execution",
    "operations",
    "testing",
    "api",
    "cli",
    "__main__",
)
CLIENTS = ("confluent_kafka", "kafka", "docker", "psycopg2", "sqlalchemy")
JUDGING = ("analysis", "audit", "report")
NEVER: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(JUDGING, (*CLIENTS, "factorylab.factory", "factorylab.cluster")),
    "history": tuple(name for name in CLIENTS if name != "confluent_kafka"),  # journals are read with its error names
    "core": tuple(name for name in CLIENTS if name != "psycopg2"),  # libpq.py is the one place that connects
    "detectors": CLIENTS,
    "scenarios": CLIENTS,
}
LIGHT = (
    "__init__",
    "core/errors",
    "core/waiting",
    "core/clock",
    "core/messages",
    "core/secret",
    "scenarios/model",
    "scenarios/catalog",
    "history/tables",
    "history/run_folders",
    "history/manifest",
    "testing/plugin",
    "testing/delivery",
    "testing/recorder",
)


def part_of(file: Path) -> str:
    return file.relative_to(ROOT / "factorylab").parts[0].removesuffix(".py")


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(file): file for file in CODE}
NESTED = sorted({file.parent.parent for file in CODE} - {ROOT, ROOT / "factorylab"})  # packages that have folders


@cache
def tree_of(file: Path) -> ast.Module:
    """Parsed once for all tests."""
    return ast.parse(file.read_text())


def imports(tree: ast.AST, *, everywhere: bool = True) -> Iterator[str]:
    """Names of imported modules; with `everywhere` false only those of the module level, outside TYPE_CHECKING."""
    nodes = ast.walk(tree) if everywhere else iter(getattr(tree, "body", []))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, "imports are absolute: this test reads no others"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def own_module(name: str) -> str:
    """The module of ours that an imported name is, or is defined in; empty for others'."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name


@cache
def imported(module: str) -> frozenset[str]:
    """The modules of ours that a module imports, wherever it does, types included."""
    tree = tree_of(MODULES[module])
    return frozenset(own_module(name) for name in imports(tree)) - {"", "factorylab"}


def circle(graph: Mapping[str, Set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_the_top_level_is_small() -> None:
    """The package has at most 16 entries, and each of them has its place in the order of the parts."""
    entries = {path.name for path in (ROOT / "factorylab").iterdir()} - {"__pycache__"}
    assert len(entries) <= TOP_ENTRIES
    assert {name.removesuffix(".py") for name in entries} - {"__init__", "py.typed"} == set(ORDER)


@pytest.mark.parametrize("part", ORDER)
def test_arrows_point_one_way(part: str) -> None:
    """A part imports only parts before it, nowhere another: not inside a function, not for types alone."""
    later = ORDER[ORDER.index(part) + 1 :]
    modules = [m for m in MODULES if m != "factorylab" and part_of(MODULES[m]) == part]
    wrong = [(m, name) for m in modules for name in imported(m) if part_of(MODULES[name]) in later]
    assert modules and wrong == []


def test_no_circle_of_modules() -> None:
    """No module imports itself by way of others, lazy imports and those for types included."""
    assert circle({m: imported(m) - {m} for m in MODULES if m != "factorylab"}) == []


def folder_in(package: Path, file: Path) -> Path:
    """The folder of `package` that a file of it is in, at any depth; `package` itself, where it is in none."""
    return package.joinpath(*file.relative_to(package).parts[:-1][:1])


def both_ways(package: Path, graph: Mapping[str, Set[str]]) -> list[tuple[str, str]]:
    """Where two folders of `package` import each other: (module, one that it imports), the way that has fewer."""
    folders = {m: folder_in(package, file) for m, file in MODULES.items() if file.is_relative_to(package)}
    found = {(m, name): (folders[m], folders[name]) for m in folders for name in graph[m] & folders.keys()}
    ways = Counter(found.values())
    return sorted(arrow for arrow, (a, b) in found.items() if a != b and ways[a, b] <= ways[b, a])


@pytest.mark.parametrize("package", NESTED, ids=lambda package: package.relative_to(ROOT).as_posix())
def test_no_two_folders_import_each_other(package: Path) -> None:
    """Between the folders of a package, itself as one of them, imports go one way, lazy ones and types included."""
    assert both_ways(package, {m: imported(m) for m in MODULES}) == []


@pytest.mark.parametrize("module", ["factorylab.cluster.boot", "factorylab.cluster.network.cuts"])
def test_an_import_back_is_found(module: str) -> None:
    """One from the package itself, or from a folder beside, is told with the module that it imports."""
    graph = {m: imported(m) for m in MODULES}
    back = {module: graph[module] | {"factorylab.cluster.local.ports"}}
    assert both_ways(ROOT / "factorylab/cluster", graph | back) == [(module, "factorylab.cluster.local.ports")]


def arrows() -> set[tuple[str, str]]:
    """(part, one that it imports), but those that follow from others."""
    needs = {part: set[str]() for part in ORDER}  # in order, so what is needed of others is whole when it is asked for
    found = set()
    for part in ORDER:
        modules = [m for m in MODULES if m != "factorylab" and part_of(MODULES[m]) == part]
        direct = {part_of(MODULES[name]) for m in modules for name in imported(m)} - {part}
        indirect = {far for near in direct for far in needs[near]}
        needs[part] = direct | indirect
        found |= {(part, near) for near in direct - indirect}
    return found


def test_the_picture_of_the_parts_is_true() -> None:
    """The arrows in docs/architecture.md are the imports between parts, but those that follow from others."""
    text = (ROOT / "docs/architecture.md").read_text()
    (picture,) = re.findall(r"^```mermaid\n(.*?)^```", text, re.M | re.DOTALL)
    chains = [line.split(" --> ") for line in map(str.strip, picture.splitlines()) if " --> " in line]
    drawn = {(later, earlier) for chain in chains for earlier, later in pairwise(chain)}
    assert drawn == {arrow for arrow in arrows() if arrow[0] != "__main__"}


def test_a_circle_is_found() -> None:
    """The search tells a circle from a chain."""
    assert circle({"a": {"b"}, "b": {"c"}}) == [] and set(circle({"a": {"b"}, "b": {"a"}})) == {"a", "b"}


@pytest.mark.parametrize("file", [f for f in CODE if part_of(f) in NEVER], ids=lambda f: str(f.relative_to(ROOT)))
def test_judging_needs_no_client(file: Path) -> None:
    """What judges or describes a run imports no client, and nothing that runs one."""
    names = list(imports(tree_of(file)))
    assert [n for n in names for wrong in NEVER[part_of(file)] if within(n, wrong)] == []


@pytest.mark.parametrize("name", LIGHT)
def test_the_core_imports_nothing_heavy(name: str) -> None:
    """`import factorylab` and `factorylab --help` stay quick: the core's modules import no heavy package."""
    names = list(imports(tree_of(ROOT / "factorylab" / f"{name}.py"), everywhere=False))
    assert [n for n in names for heavy in HEAVY if within(n, heavy)] == []


def test_each_name_of_the_api_is_there() -> None:
    """`lab.scenario` is the function, and each name that the package promises leads somewhere."""
    assert lab.scenario is loading.scenario
    assert set(dir(lab)) == set(lab.__all__) and all(getattr(lab, name) for name in lab.__all__)


def test_functions_are_short() -> None:
    """No function is longer than 60 lines, nine of ten are below 30."""
    lengths = {}
    for file in CODE:
        for node in ast.walk(tree_of(file)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lengths[f"{file.name}:{node.name}"] = (node.end_lineno or node.lineno) - node.lineno + 1
    in_order = sorted(lengths.values())
    assert {name: n for name, n in lengths.items() if n > FUNCTION_LINES} == {}
    assert in_order[len(in_order) * 9 // 10] < 30


def test_nothing_waits_by_sleeping() -> None:
    """A sleep stands only inside a loop that looks at a condition or a clock, never as a wait of its own."""
    stray = []
    for file in CODE:
        tree = tree_of(file)
        looped = {id(inner) for node in ast.walk(tree) if isinstance(node, ast.While) for inner in ast.walk(node)}
        sleeps = [
            n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] == "sleep"
        ]
        stray += [f"{file.relative_to(ROOT)}:{call.lineno}" for call in sleeps if id(call) not in looped]
    assert stray == []


def test_no_unit_test_writes_a_run() -> None:
    """A run's folder is written, sealed and judged from disk in tests/integration: that takes as long as the audit."""
    writes = re.compile(r"\.saved\(\)|import .*\b(saved|lossy)\b|RECORDED_RUNS")
    found = [file.name for file in (ROOT / "tests" / "unit").rglob("test_*.py") if writes.search(file.read_text())]
    assert found == [Path(__file__).name]  # the rule itself
