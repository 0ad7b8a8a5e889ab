"""Where readings and faults belong: partition, sensor and period of a latency, and the roles of a fault's victims."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from factorylab import analysis
from factorylab.analysis.periods import PERIODS
from factorylab.analysis.victim_roles import roles_by_node
from factorylab.core.vocabulary import CONTROLS, COORDINATES, FROM_BEFORE
from tests.support.histories import PARTITIONS, broker_loss, consumer_loss, healthy


def test_each_latency_says_where_it_belongs(tmp_path: Path) -> None:
    """Every stored reading from the steady state on has its sensor, the partition of that, and the period."""
    found = analysis.latencies(broker_loss(tmp_path).run())
    assert (found["partition"] == found["sensor"] % PARTITIONS).all()
    assert list(found["period"].cat.categories) == list(PERIODS) and found["period"].notna().all()
    early, late = (found.loc[found["period"] == period, "t_s"] for period in ("before", "after"))
    assert early.max() < 6 <= found.loc[found["period"] == "during", "t_s"].max() < late.min()


def test_p99_of_a_partition_during_the_fault_is_one_line(tmp_path: Path) -> None:
    """The line of the docstring: the partition without a leader waits for seconds, as it did not before."""
    found = analysis.latencies(broker_loss(tmp_path).run())
    during, before = (
        found.query(f"partition == 0 and period == '{period}'")["latency_s"].quantile(0.99) for period in PERIODS[1::-1]
    )
    assert during > 1 > before > 0


def test_without_a_fault_all_is_before(tmp_path: Path) -> None:
    """A run without a fault has one period."""
    assert set(analysis.latencies(healthy(tmp_path).run())["period"]) == {"before"}


@pytest.mark.parametrize(
    ("told", "roles"),
    [
        ("running; leads p0; follows p1", "leader"),
        (f"running; leads p0; follows p1; {COORDINATES}", "leader + coordinator"),
        (f"running; leads p0; {COORDINATES}; {CONTROLS}", "leader + coordinator + controller"),
        (f"running; leads p0; {CONTROLS}; {FROM_BEFORE}controller", "not recorded"),
    ],
)
def test_a_brokers_roles(tmp_path: Path, told: str, roles: str) -> None:
    """Leading is what the probe saw last before the injection; coordinator and controller are what was told then."""
    h = broker_loss(tmp_path)
    h["faults"].loc[h["faults"]["step"] == "intended", "evidence"] = told
    assert roles_by_node(h.run())["roles"].tolist() == [roles]


def test_a_broker_that_leads_nothing_follows(tmp_path: Path) -> None:
    """It is a follower, whatever it leads once the fault is over."""
    h = broker_loss(tmp_path)
    number = int(h["faults"]["node"].iloc[0].rpartition("-")[2])
    samples = h["partitions"]
    before = samples["t_ns"] < h["faults"]["t_ns"].min()
    samples.loc[before & (samples["leader"] == number), "leader"] = number % 3 + 1
    assert roles_by_node(h.run())["roles"].tolist() == ["follower"]


def test_roles_that_nobody_noted_are_not_recorded(tmp_path: Path) -> None:
    """Without the step in which the injector says whom it hits, no role is guessed; another node is what it is."""
    h = broker_loss(tmp_path)
    h["faults"] = h["faults"][h["faults"]["step"] != "intended"]
    assert roles_by_node(h.run())["roles"].tolist() == ["not recorded"]
    assert roles_by_node(consumer_loss(tmp_path).run())["roles"].tolist() == ["processor"]
    assert np.array_equal(roles_by_node(healthy(tmp_path).run()).columns, ["fault", "node", "roles"])
