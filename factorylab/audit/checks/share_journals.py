"""Whether the journals of a share group's workers tell all that they did, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.deliveries import IN_FLIGHT, lives_ended
from factorylab.analysis.readings import Ints, place
from factorylab.audit.checks.completeness import found_words
from factorylab.audit.checks.share_groups import final_states
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.history.tables import ANSWERED_OK, SENT


@check(
    "The workers' journals tell of each record that is done with, and of nothing else.", "contradictions", "INVALID",
    of_share_groups=True,
)  # fmt: skip
def share_journals(e: Evidence) -> Found:
    """A worker that was ended may have been given, and have stored, what it had not noted yet."""
    said, given = e.run.acknowledgements, e.run.acquisitions
    words = [*_unasked(said, given), *_of_no_record(e, given)]
    if lives_ended(e.run).empty and not e.run.manifest.workers_died:
        words += _unnoted(e, given)
    return found_words(words, len(said) + len(given))


def _unasked(said: pd.DataFrame, given: pd.DataFrame) -> Iterator[str]:
    """What a worker said of a record that it was not given, answers to what it had not said, and either too early."""
    told, heard = said[said["result"] == SENT], said[said["result"] == ANSWERED_OK]
    if strange := len(told) - int(_of_workers(told).isin(_of_workers(given)).sum()):
        yield f"{strange:,} words about records that their worker was not given"
    more = _of_workers(heard, "kind").value_counts().sub(_of_workers(told, "kind").value_counts(), fill_value=0)
    if strange := int(more.clip(lower=0).sum()):
        yield f"{strange:,} answers to what had not been said"
    first = pd.concat([_first_ns(frame) for frame in (given, told, said[said["result"] != SENT])], axis=1)
    if early := int((first.diff(axis=1) < 0).any(axis=1).sum()):
        yield f"{early:,} records of which a worker spoke before it was given them, or heard before it had spoken"


def _of_workers(frame: pd.DataFrame, *more: str) -> pd.Series[Any]:
    """By row: worker, place, and what more there is, as one word."""
    words = frame["worker"].astype(str) + " " + pd.Series(places(frame), frame.index).astype(str)
    for name in more:
        words += " " + frame[name].astype(str)
    return words


def _first_ns(frame: pd.DataFrame) -> pd.Series[Any]:
    return frame["t_ns"].groupby(_of_workers(frame)).min()


def _of_no_record(e: Evidence, given: pd.DataFrame) -> Iterator[str]:
    """Deliveries of what is not in the log, where that was never cut off at its beginning or its end."""
    kept = e.acks == "all" and not (e.run.frozen["start"] > 0).any()
    if kept and (beyond := int((~np.isin(places(given), e.log.place[:])).sum())):
        yield f"{beyond:,} deliveries of records that the log does not hold"


def _unnoted(e: Evidence, given: pd.DataFrame) -> Iterator[str]:
    held = places(given)
    rows = (place(chunk["partition"], chunk["offset"]) for chunk in e.run.chunks("rows", "partition", "offset"))
    if strange := sum(int((~np.isin(where, held)).sum()) for where in rows):
        yield f"{strange:,} rows of the store are of records that no worker was given"
    done = e.once(final_states) < IN_FLIGHT
    if missing := int((done & ~np.isin(e.log.place[:], held)).sum()):
        yield f"{missing:,} records are done with, and no worker was given them"


def places(frame: pd.DataFrame) -> Ints:
    """Where the rows of a table are, as one number each."""
    return place(frame["partition"].to_numpy(), frame["offset"].to_numpy())
