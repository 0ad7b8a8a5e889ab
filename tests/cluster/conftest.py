"""What the tests of a real cluster share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from factorylab.cluster.local.backend import LocalCluster
from tests.support.factory_runs import FactoryRun, factory_run


@pytest.fixture
def run(cluster: LocalCluster, tmp_path: Path) -> Iterator[FactoryRun]:
    """A factory of the test's own on the shared cluster."""
    with factory_run(cluster.endpoints, tmp_path) as factory:
        yield factory
