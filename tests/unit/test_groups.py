"""Which tests run side by side, and which alone: the scheduler over processes that only note what they are told."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import load_settings
from tests.groups import (
    ENGINE,
    GROUP,
    LAB,
    LEAST_PRIORITY,
    NOTEBOOKS,
    QUIET,
    TESTS,
    ByGroup,
    mark,
    needs_lab,
    step_back,
)
from tests.support.labs import LabOfTests


class Item(SimpleNamespace):
    """A test as pytest has collected it."""

    __hash__ = object.__hash__


class Process:
    """A process that tests are handed to. It runs a test once it has the next one, or once it was told to end."""

    def __init__(self, name: str) -> None:
        self.gateway, self.shutting_down, self.has = SimpleNamespace(id=name), False, list[int]()

    def send_runtest_some(self, indices: list[int]) -> None:
        self.has += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def run_all(tests: list[str], processes: int) -> list[tuple[str, str, int]]:
    """(test, process, processes that are left) in the order in which the tests ran, one at a time in turn."""
    option = SimpleNamespace(loadscopereorder=False)
    nodes = [Process(str(number)) for number in range(processes)]
    specs = SimpleNamespace(option=option, getvalue=lambda _: ["popen"] * processes)
    scheduler = ByGroup(specs)  # type: ignore[arg-type]
    for node in nodes:
        scheduler.add_node(node)  # type: ignore[arg-type]
        scheduler.add_node_collection(node, tests)  # type: ignore[arg-type]
    scheduler.schedule()
    ran = []
    while any(node in scheduler.nodes for node in nodes):
        before = len(ran), len(scheduler.nodes)
        for node in [node for node in nodes if node in scheduler.nodes]:
            if len(node.has) > 1 or (node.has and node.shutting_down):
                index = node.has.pop(0)
                ran.append((tests[index], node.gateway.id, len(scheduler.nodes)))
                scheduler.mark_test_complete(node, index)  # type: ignore[arg-type]
            elif node.shutting_down:
                scheduler.remove_node(node)  # type: ignore[arg-type]
        if scheduler.tests_finished:  # as xdist's session looks after every message
            for node in nodes:
                node.shutdown()
            continue
        assert before != (len(ran), len(scheduler.nodes)), f"all wait for each other after {ran}"
    return ran


def group(name: str, count: int) -> list[str]:
    return [f"t.py::test_{number}@{name}" for number in range(count)]


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(
    "sizes",
    [
        {"a": 3, "b": 1, "c": 5, QUIET: 2},
        {"a": 1, QUIET: 1},
        {"a": 2, "b": 2, QUIET: 3},
        {QUIET: 2},
        {"a": 9, "b": 1},
        {"a": 1, "b": 1, "c": 1, "d": 1, QUIET: 1},
        {ENGINE: 3, NOTEBOOKS: 2, f"{LAB}a": 4, f"{LAB}b": 1, "a": 5, "b": 9, QUIET: 1},
        {ENGINE: 2, NOTEBOOKS: 2, QUIET: 1},
        {ENGINE: 2},
    ],
    ids=str,
)
def test_every_test_runs_once_and_the_quiet_ones_alone(sizes: dict[str, int], processes: int) -> None:
    """Each test runs in one process, the tests of a group in the same one in their order, and the quiet ones when no
    other process is left. The last of several processes has no labs."""
    tests = [test for name, count in sizes.items() for test in group(name, count)]
    ran = run_all(tests, processes)
    assert sorted(test for test, _, _ in ran) == sorted(tests)
    for name, count in sizes.items():
        mine = [(test, process) for test, process, _ in ran if test.endswith(f"@{name}")]
        assert [test for test, _ in mine] == group(name, count) and len({process for _, process in mine}) == 1
    assert {left for test, _, left in ran if test.endswith(f"@{QUIET}")} <= {1}
    if 1 < processes <= len(sizes):  # of more processes than groups, the last ones end at once
        assert not [test for test, process, _ in ran if process == str(processes - 1) and needs_lab(test.split("@")[1])]


def test_a_third_process_with_labs_begins_when_the_one_without_has_ended() -> None:
    """Of four processes the third has nothing to do before, and then as much as the others."""
    tests = [test for name in "abcdef" for test in group(f"{LAB}{name}", 4)] + group("plain", 3) + group(QUIET, 1)
    ran = run_all(tests, 4)
    ended = max(at for at, (test, _, _) in enumerate(ran) if test.endswith("@plain"))
    third = [at for at, (_, process, _) in enumerate(ran) if process == "2"]
    assert third and min(third) > ended and all(LAB in ran[at][0] or QUIET in ran[at][0] for at in third)


@pytest.mark.parametrize(
    ("groups", "ran", "process", "steps_back"),
    [
        (["a", f"{LAB}a"], ["a", "b"], {"workerinput": {}}, True),
        (["a", ENGINE], ["a"], {"workerinput": {}}, True),
        ([f"{LAB}a", "a"], [f"{LAB}a", "a", "b"], {"workerinput": {}}, True),
        ([f"{LAB}a", "a"], [f"{LAB}a", ENGINE, QUIET], {"workerinput": {}}, False),
        (["a", "b"], ["a", "b"], {"workerinput": {}}, False),
        (["a", f"{LAB}a"], ["a", f"{LAB}a"], {}, False),
    ],
    ids=["beside a cluster", "beside an engine", "after the labs", "the labs", "no labs", "one process for all"],
)
def test_whoever_runs_beside_labs_steps_back(
    groups: list[str], ran: list[str], process: dict[str, object], steps_back: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that comes to tests without a lab gets the least priority, once, if any process has labs."""
    asked: list[int] = []
    monkeypatch.setattr(os, "setpriority", lambda _kind, _who, priority: asked.append(priority))
    config = SimpleNamespace(stash=pytest.Stash(), **process)
    session = SimpleNamespace(items=[SimpleNamespace(stash=pytest.Stash()) for _ in groups])
    for item, group in zip(session.items, groups, strict=True):
        item.stash[GROUP] = group
    for group in ran:
        item = SimpleNamespace(config=config, stash=pytest.Stash(), session=session)
        item.stash[GROUP] = group
        step_back(item)  # type: ignore[arg-type]
    assert asked == [LEAST_PRIORITY] * steps_back


def test_what_costs_most_begins_first() -> None:
    """In a process of several: of groups of one kind first the one whose test says that it is slow, then the one with
    most tests; of the notebooks the report, for which each run that is there already is work."""

    def item(path: str, says: str = "") -> Item:
        markers = {"cluster"} & {Path(path).parts[0]}
        return Item(
            path=TESTS / path,
            obj=SimpleNamespace(__doc__=says),
            config=SimpleNamespace(workerinput={}),
            stash=pytest.Stash(),
            get_closest_marker=markers.__contains__,
            add_marker=markers.add,
        )

    items = [
        item(path) for path in ["unit/one.py", "cluster/many.py", "cluster/many.py", "first.ipynb", "report.ipynb"]
    ]
    items.append(item("cluster/slow.py", "It waits. Over 10 s: a session has to end."))
    mark(items)  # type: ignore[arg-type]
    assert [found.path.stem for found in items] == ["report", "first", "slow", "many", "many", "one"]


def test_a_lab_that_gave_way_is_new_for_the_next_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests share one lab; after it was closed, for the notebooks, whoever asks for it gets another one that is up."""
    closed: list[object] = []
    monkeypatch.setattr(LocalCluster, "up", lambda _: SimpleNamespace(close=lambda: closed.append(1)))
    lab = LabOfTests(load_settings())
    first = lab.up()
    assert lab.up() is first
    lab.close()
    assert closed == [1] and lab.up() is not first
