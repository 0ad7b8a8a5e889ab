"""What kind a test is, and which tests may run side by side.

The folder says the kind:

unit          runs in this Python process alone: no other process, no PostgreSQL, no network namespace, no run that is
              written, recorded or replayed, no figure. Takes milliseconds
integration   starts processes of its own (Python programs, a supervisor, PostgreSQL, namespaces, a false engine),
              writes and judges the folders of runs, replays recorded ones, or makes figures and reports
cluster       needs a real Kafka cluster of local processes
compose       needs a Docker engine with the images of compose.yaml
notebooks     reads the notebooks of notebooks/

A test that runs on both backends lies in cluster/ and marks its other half as `compose`.

With several processes, each test belongs to a group, and one process has a group at a time:

lab-engine     the labs on a Docker engine
lab-notebooks  the notebooks, which share a lab
lab-test_…     by file, what needs a lab of local processes: the process's own, or labs of single tests
test_…         everything else, by file
quiet          what load could decide: alone, when all others have ended and their labs are gone

The last process has no labs. It steps back (nice 19): it takes the time that the labs leave, so that it does not decide
what a lab's run measures. The others begin with labs. Two labs at a time and that process are what two cores carry: a
lab waits more than it computes. Where there are four processes or more, the last but one begins with its labs when that
process has ended.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

QUIET = "quiet"
LAB = "lab-"
ENGINE, NOTEBOOKS = f"{LAB}engine", f"{LAB}notebooks"
LEAST_PRIORITY = 19
SLOW, SLOW_TESTS = "Over 10 s", 10  # what a slow test's docstring says, and how many others it counts for
REPORT = "report"  # the notebook that makes figures of all runs that are there: it comes before those that make runs
TESTS = Path(__file__).parent
GROUP = pytest.StashKey[str]()
STEPPED_BACK = pytest.StashKey[bool]()
TEST_KINDS = ("unit", "integration", "cluster", "compose", "notebooks")


def mark(items: list[pytest.Item]) -> None:
    """Mark each test with its kind and name its group. In a process of several, what begins first comes first: of the
    groups of a rank those that cost most."""
    for item in items:
        if not is_notebook(item) and not any(item.get_closest_marker(kind) for kind in TEST_KINDS):
            item.add_marker(kind_of(item))
    groups = {item: group_of(item) for item in items}
    for item, group in groups.items():
        item.stash[GROUP] = group
    if items and hasattr(items[0].config, "workerinput"):
        costs = Counter[str]()
        for item, group in groups.items():
            costs[group] += cost(item)
        items.sort(key=lambda item: (rank(groups[item]), -costs[groups[item]], item.path.stem != REPORT))


@contextmanager
def groups_in_ids(items: list[pytest.Item]) -> Iterator[None]:
    """While a process tells xdist's scheduler what it has, each test's id ends in its group. xdist 3.8 would do that by
    itself, but pytest 9.2 no longer reads the attribute that it writes."""
    plain = [item.id for item in items]
    for item in items:
        item._id = item.id.parse(f"{item.nodeid}@{item.stash[GROUP]}")
    yield
    for item, own in zip(items, plain, strict=True):
        item._id = own


def kind_of(item: pytest.Item) -> str:
    """The folder of tests/ that a test lies in."""
    kind = item.path.relative_to(TESTS).parts[0]
    if kind not in TEST_KINDS:
        raise pytest.UsageError(f"{item.path} lies in none of the folders {', '.join(TEST_KINDS)} of {TESTS.name}/")
    return kind


def rank(group: str) -> int:
    """What takes longest begins first."""
    return 0 if group in (ENGINE, NOTEBOOKS) else 1 if needs_lab(group) else 3 if group == QUIET else 2


def cost(item: pytest.Item) -> int:
    """What a test takes beside others, roughly: one that is slow says so."""
    return SLOW_TESTS if SLOW in (getattr(getattr(item, "obj", None), "__doc__", "") or "") else 1


def needs_lab(group: str) -> bool:
    return group.startswith(LAB)


def is_notebook(item: pytest.Item) -> bool:
    return item.path.suffix == ".ipynb"


def group_of(item: pytest.Item) -> str:
    if item.get_closest_marker(QUIET):
        return QUIET
    if item.get_closest_marker("compose"):
        return ENGINE
    return NOTEBOOKS if is_notebook(item) else f"{LAB * bool(item.get_closest_marker('cluster'))}{item.path.stem}"


def step_back(item: pytest.Item) -> None:
    """Before the first test of a process that needs no lab: where others have labs, this process and what it starts
    come after them. Nobody takes that back: labs come first in each process, and only what is quiet after it."""
    group, stash = item.stash[GROUP], item.config.stash
    if not hasattr(item.config, "workerinput") or needs_lab(group) or group == QUIET or STEPPED_BACK in stash:
        return
    if any(needs_lab(other.stash[GROUP]) for other in item.session.items):
        stash[STEPPED_BACK] = True
        os.setpriority(os.PRIO_PROCESS, 0, LEAST_PRIORITY)


class ByGroup(LoadGroupScheduling):
    """Groups go to whichever process is free and may have them, in the order of the tests."""

    _without_labs: WorkerController | None = None
    _in_its_place: WorkerController | None = None

    def schedule(self) -> None:
        if self.collection is None and len(self.nodes) > 1:
            self._without_labs = self.nodes[-1]
        if self.collection is None and len(self.nodes) > 3:
            self._in_its_place = self.nodes[-2]
        super().schedule()

    def _waits(self, node: WorkerController) -> bool:
        """Does it begin only after the process without labs?"""
        return node is self._in_its_place and self._without_labs in self.nodes

    def _next(self, node: WorkerController) -> str | None:
        """The first group that a process may begin: the last that is left may begin any, also the quiet one."""
        if self.nodes == [node]:
            return next(iter(self.workqueue), None)
        if self._waits(node):
            return None
        labs = node is not self._without_labs
        return next((group for group in self.workqueue if group != QUIET and (labs or not needs_lab(group))), None)

    def _assign_work_unit(self, node: WorkerController) -> None:
        if group := self._next(node):
            self.workqueue.move_to_end(group, last=False)
            super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        """A process without work ends, and with it its labs, unless it is the last: that waits for the others."""
        others = [other for other in self.nodes if other is not node]
        if self._next(node) or not self.workqueue or not others:
            super()._reschedule(node)
            return
        idle = self._pending_of(self.assigned_work[node]) <= 2 and not self._waits(node)
        if idle and not node.shutting_down and any(not other.shutting_down for other in others):
            node.shutdown()

    def remove_node(self, node: WorkerController) -> str | None:
        crashed = super().remove_node(node)
        for left in self.nodes:
            self._reschedule(left)
        return crashed
