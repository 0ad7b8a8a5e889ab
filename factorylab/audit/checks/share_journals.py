"""Whether the journals of a share group's workers tell all that they did, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

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
    """What a worker said of a record that it was not given, and answers to what it had not said."""
    told, heard = said[said["result"] == SENT], said[said["result"] == ANSWERED_OK]
    for of, before, what in (
        (told, given, "words about records that their worker was not given"),
        (heard, told, "answers to what had not been said"),
    ):
        known = set(_pairs(before))
        if strange := sum(pair not in known for pair in _pairs(of)):
            yield f"{strange:,} {what}"


def _pairs(frame: pd.DataFrame) -> list[tuple[str, int]]:
    return list(zip(frame["worker"].astype(str), places(frame).tolist(), strict=True))


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
