"""What explains that a record of a share group came again: deaths of workers, new leaders, faults on who had it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from factorylab.analysis.deliveries import Deliveries, lives_ended
from factorylab.analysis.epochs import Epochs
from factorylab.analysis.places import partition_of
from factorylab.analysis.readings import Ints, Mask
from factorylab.audit.model.registry import Evidence
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.saved_run import each

SEEN_S = 0.5  # two looks of the probe: a new leader is seen so late


def death_between(e: Evidence, from_ns: Ints, until_ns: Ints) -> Mask:
    """A worker was ended in this time."""
    deaths = np.sort(lives_ended(e.run)["t_ns"].to_numpy())
    return np.searchsorted(deaths, until_ns, side="right") > np.searchsorted(deaths, from_ns)


def led_anew(e: Evidence, known: Deliveries, from_ns: Ints, until_ns: Ints) -> Mask:
    """A new leader epoch of the record's partition was seen in this time, or just after it."""
    found, partition = np.zeros(len(known.place), bool), partition_of(known.place)
    for p in np.unique(partition):
        began = np.array([term.first_ns for term in e.run.once(Epochs).terms.get(int(p), [])[1:]], np.int64)
        mine = partition == p
        until = np.searchsorted(began, until_ns[mine] + round(SEEN_S * NS), side="right")
        found[mine] = until > np.searchsorted(began, from_ns[mine])
    return found


def disturbed_holder(e: Evidence, known: Deliveries, until_ns: Ints) -> Mask:
    """A fault was on the worker that had the record, or that began a new life, before the next one got it."""
    found = np.zeros(len(known.place), bool)
    windows, born = e.fault_windows, e.run.workers
    for number, name in enumerate(known.workers):
        mine = known.worker == number
        begun, until = known.t_ns[mine], until_ns[mine]
        spans = [(t, t) for t in born.loc[born["worker"] == name, "t_ns"]]
        spans += [(w.intended_ns, w.healed_ns if w.healed_ns > 0 else FOREVER_NS)
                  for w in each(windows[windows["node"] == name])]  # fmt: skip
        hit = np.zeros(len(begun), bool)
        for start, end in spans:
            hit |= (start <= until) & (end >= begun)
        found[mine] = hit
    return found


def since_last_death_s(e: Evidence, back: pd.DataFrame) -> Ints:
    """By redelivery: how long before it the last worker was ended. One that had the partition and died holds it on, for
    a session of its own."""
    deaths = np.sort(lives_ended(e.run)["t_ns"].to_numpy())
    own_ns = back["fault"].map(lives_ended(e.run).groupby("fault")["t_ns"].max()).to_numpy(np.int64)
    given_ns = own_ns + (back["wait_s"].fillna(0).to_numpy() * NS).astype(np.int64)
    before = np.searchsorted(deaths, given_ns, side="right") - 1
    since: Ints = (given_ns - deaths[np.maximum(before, 0)]) / NS
    return since
