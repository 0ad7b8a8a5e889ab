"""One real cluster for the whole session, in a folder of its own, and a check that nothing of any test is left."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from conftest import LAB_OF_TESTS
from factorylab.cluster.admin import Admin
from factorylab.cluster.docker.compose import ComposeCluster
from factorylab.cluster.local.backend import LocalCluster
from factorylab.cluster.settings import Settings, load_settings
from tests.support.databases import database
from tests.support.labs import LabOfTests, wait_nothing_left
from tests.support.places import ROOT

UNEASY = "Prüfstand 7, x=1; #2 100%25 'q' \"r\" $h:i\\j"  # all that a program between us and a file might take apart


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs a Docker engine is skipped, with the reason, where none can be used."""
    on_docker = [item for item in items if item.get_closest_marker("compose")]
    if on_docker and (reason := ComposeCluster.why_not(load_settings())):
        for item in on_docker:
            item.add_marker(pytest.mark.skip(reason=f"no lab on Docker: {reason}"))


@pytest.fixture(scope="session")
def labs_folder() -> Iterator[Path]:
    """Where the session's labs live: in the project, never in the temporary folder."""
    folder = ROOT / ".lab" / f"tests-{os.getpid()}"
    folder.mkdir(parents=True)
    yield folder
    try:
        wait_nothing_left(folder)  # a process that ends has no command line for a moment, and is no zombie yet
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def home(labs_folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The folder of a lab for one test; the test fails when something of its lab lives on."""
    folder = labs_folder / request.node.name[:40].replace("[", "-").replace("]", "")
    folder.mkdir()
    yield folder
    wait_nothing_left(folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def database_url(labs_folder: Path) -> Iterator[str]:
    """A PostgreSQL without a cluster around it, shared by all tests that ask for it."""
    with database(labs_folder / "database") as url:
        yield url


@pytest.fixture(scope="session")
def session_settings(labs_folder: Path) -> Settings:
    """The user's settings with a home and results of the session's own, in folders named as people name theirs."""
    places = {"home": labs_folder / UNEASY, "results": labs_folder / f"Ergebnisse {UNEASY}"}
    return load_settings().model_copy(update=places)


@pytest.fixture(scope="session")
def lab_of_tests(session_settings: Settings, request: pytest.FixtureRequest) -> Iterator[LabOfTests]:
    """The lab that the tests marked `cluster` share."""
    with closing(LabOfTests(session_settings)) as lab:
        request.config.stash[LAB_OF_TESTS] = lab
        yield lab


@pytest.fixture
def cluster(lab_of_tests: LabOfTests) -> LocalCluster:
    """A whole lab, shared by all tests marked `cluster`; each leaves it healed."""
    return lab_of_tests.up()


@pytest.fixture
def admin(cluster: LocalCluster) -> Iterator[Admin]:
    """Asks the lab that all tests marked `cluster` share."""
    with closing(Admin(cluster.endpoints.bootstrap)) as admin:
        yield admin
