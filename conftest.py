"""How tests share processes and labs.

Tests of several groups run side by side (tests/groups.py). Notebooks that run as tests share one lab, as the runs of a
batch do: none pays for the start of three brokers. That lab has results of its own; it starts with the first notebook
and ends after the last, however that ends. What a notebook's run left in it is dropped before the next. The tests' own
lab gives way to it, and starts anew for whatever test comes after the notebooks.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from xdist.remote import Producer

from factorylab.cluster.driver import quiet
from factorylab.cluster.settings import load_settings
from factorylab.execution.shared_lab import SharedLab, forget
from factorylab.history.run_folders import list_runs
from factorylab.scenarios.catalog import build
from tests.groups import ByGroup, groups_in_ids, is_notebook, mark, step_back
from tests.support.isolation import trouble
from tests.support.labs import LabOfTests

os.environ.setdefault("FACTORYLAB_BACKEND", "local")  # the tests of the other backends ask for them
PARTITION = "network_partition"  # its lab must be able to cut nodes off, where this machine can do that
RECORDED = "detectors"
RECORDED_SEARCH = Path(__file__).parent / "tests/runs/capacity-20261130T000000Z.json"  # a new one takes minutes
RECORDED_RUN = Path(__file__).parent / "tests/runs/broker_loss.zip"  # for the notebook that shows a saved run
LAB_OF_TESTS = pytest.StashKey[LabOfTests]()
HOUSE = pytest.StashKey[SharedLab]()
ENDS = pytest.StashKey[ExitStack]()
BEFORE = pytest.StashKey[set[str]]()


@contextmanager
def house_of_notebooks() -> Iterator[SharedLab]:
    """A lab in a folder of its own, which every notebook run in the meantime takes for its lab."""
    home = Path(__file__).parent / ".lab" / f"notebooks-{os.getpid()}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("FACTORYLAB_HOME", str(home))
        patched.setenv("FACTORYLAB_RESULTS", str(home / "results"))
        (home / "results").mkdir(parents=True)
        shutil.copy(RECORDED_SEARCH, home / "results")
        shutil.unpack_archive(RECORDED_RUN, home / "results" / RECORDED_RUN.stem)
        faults = () if trouble() else build(PARTITION, {}).faults
        with SharedLab(load_settings(), quiet, faults) as house:
            yield house
    shutil.rmtree(home)


def run_ids() -> set[str]:
    return {run.run_id for run in list_runs(load_settings().results)}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark(items)


@pytest.hookimpl(wrapper=True)
def pytest_collection_finish(session: pytest.Session) -> Iterator[None]:
    gc.freeze()  # what imported modules hold, which every full collection would go through for nothing
    with groups_in_ids(session.items if hasattr(session.config, "workerinput") else []):
        return (yield)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByGroup:
    config.option.loadscopereorder = False  # the tests have their order
    return ByGroup(config, log)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A process without a lab steps back; the first notebook opens the house."""
    step_back(item)
    if not is_notebook(item):
        return
    if item.path.stem == RECORDED:
        pytest.skip("needs a folder of recordings; tests/integration/detectors runs it where there is one")
    if item.path.stem == PARTITION and trouble():
        pytest.skip(trouble())
    stash = item.config.stash
    if HOUSE not in stash:
        if LAB_OF_TESTS in stash:
            stash[LAB_OF_TESTS].close()
        stash[ENDS] = ExitStack()
        stash[HOUSE] = stash[ENDS].enter_context(house_of_notebooks())
    stash[BEFORE] = run_ids()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the last notebook the house closes: its settings must not reach other tests."""
    if not is_notebook(item) or HOUSE not in item.config.stash:
        return
    for run_id in run_ids() - item.config.stash[BEFORE]:
        forget(item.config.stash[HOUSE].endpoints, run_id)
    if nextitem is None or not is_notebook(nextitem):
        close_house(item.config)


def pytest_sessionfinish(session: pytest.Session) -> None:
    close_house(session.config)


def close_house(config: pytest.Config) -> None:
    if HOUSE in config.stash:
        del config.stash[HOUSE]
        config.stash[ENDS].close()
