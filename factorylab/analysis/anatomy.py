"""The anatomy of stalls: each cut into phases by what was seen, with the error of each, and the slowest named.

The phases and the settings that govern them are declared in `scenarios.stall_phases`; docs/anatomy.md says what each
boundary is taken from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from factorylab.analysis.aftermath import Lasting, aftermath
from factorylab.analysis.anatomy_settings import effective, governing
from factorylab.analysis.courses import Courses, span_of
from factorylab.analysis.marks import Mark
from factorylab.analysis.stall_cut import Piece, cut
from factorylab.analysis.stalls import NO_FAULT, stalls
from factorylab.core.clock import NS
from factorylab.history.saved_run import Run, each
from factorylab.scenarios.stall_phases import LEADER_LOST, UNEXPLAINED

NO_STALL = -1
"""The number of a stall, of phases that lie outside of all of them."""
BEFORE = {"acks": "the last acknowledgement before", "stores": "the last transaction before"}
AFTER = {"acks": "the first acknowledgement after", "stores": "the first transaction after"}
DTYPES = {
    "stall": "int64", "fault": "int64", "kind": "str", "victim": "str", "partition": "int64", "service": "str",
    "cause": "str", "phase": "str", "start_s": "float64", "end_s": "float64", "stalled_s": "float64",
    "lasted_s": "float64", "shortest_s": "float64", "longest_s": "float64", "open": "bool", "slowest": "bool",
    "setting": "str", "value": "str", "begun_by": "str", "ended_by": "str",
}  # fmt: skip


def anatomy(run: Run) -> pd.DataFrame:
    """One row for each phase of each stall of each partition, and for what came after: healing, full ISR, drain.

    stall      number of the stall, by time (row of `stalls`); NO_STALL for what came after
    fault, kind, victim, partition, service, cause
               whose it is; `cause` is that of the stall, as `stalls` has it
    phase      as `scenarios.stall_phases` names it; several that were not told apart are joined by "+"
    start_s, end_s, stalled_s
               the part of the stall that it took, in seconds since the steady state; those of a stall add up to it
    lasted_s, shortest_s, longest_s
               from the moment that began it, which may lie before the stall, to the one that ended it, and between
               which bounds the truth lies; longest_s is infinite where it was not seen to end
    open       it had not ended when it was last watched
    slowest    it took the greatest part of its stall
    setting, value
               what governs it (as "broker broker.session.timeout.ms"), and its effective value as text
    begun_by, ended_by
               the evidence of both moments

    Raises:
        UsageError: the run was interrupted: what its end would have told is not there.
    """
    return run.once(_anatomy).copy()


def _anatomy(run: Run) -> pd.DataFrame:
    _ = run.manifest  # refuses what was interrupted
    found, courses, rows = stalls(run), Courses(run), list[dict[str, Any]]()
    for number, stall in enumerate(each(found)):
        for fault, pieces in _parts(run, courses, stall, found):
            rows += [_row(run, courses, number, stall._replace(fault=fault), piece) for piece in _named(pieces)]
    for stall in each(_last_of_each(found)):
        rows += [_lasting(run, courses, stall, one) for one in aftermath(run, courses, found, stall)]
    frame = pd.DataFrame(rows, columns=list(DTYPES)).astype(DTYPES)
    of_stalls = frame[frame["stall"] != NO_STALL]
    frame.loc[of_stalls.groupby("stall")["stalled_s"].idxmax(), "slowest"] = True
    return frame


def _parts(run: Run, courses: Courses, stall: Any, found: pd.DataFrame) -> Iterator[tuple[int, list[Piece]]]:
    """The pieces of a stall, by the fault that they are about."""
    if stall.fault == NO_FAULT:
        yield NO_FAULT, [Piece(UNEXPLAINED, *span_of(run, stall), stall.open, None, None)]
        return
    parts = courses.parts(stall)
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        looked = courses.history(stall.partition).looked(part.start_ns, part.end_ns)
        course = courses.of(stall, part, found)
        if after is not None:  # what came later says nothing of this part
            course = course._replace(marks=[mark for mark in course.marks if mark.t_ns <= part.end_ns])
        pieces = cut(part.start_ns, part.end_ns, stall.open or after is not None, course, looked)
        if after is not None:  # its own end is not known: the next fault came first
            ended = Mark("injected", part.end_ns, f"fault {after.fault} begins")
            pieces[-1] = pieces[-1]._replace(open=False, ended=ended)
        yield part.fault, pieces


def _named(pieces: list[Piece]) -> list[Piece]:
    """Neighbours of one name as one piece."""
    found: list[Piece] = []
    for piece in pieces:
        if found and found[-1].phase == piece.phase:
            found[-1] = found[-1]._replace(end_ns=piece.end_ns, open=piece.open, ended=piece.ended)
        else:
            found.append(piece)
    return found


def _row(run: Run, courses: Courses, number: int, stall: Any, piece: Piece) -> dict[str, Any]:
    begun = piece.begun or Mark("injected", piece.start_ns, BEFORE[stall.service])
    ended = piece.ended or Mark("first_ack", piece.end_ns, "" if piece.open else AFTER[stall.service])
    inside = {"start_s": (piece.start_ns - run.t0_ns) / NS, "end_s": (piece.end_ns - run.t0_ns) / NS}
    inside["stalled_s"] = (piece.end_ns - piece.start_ns) / NS
    return _lasting(run, courses, stall, Lasting(piece.phase, begun, ended, piece.open)) | {
        "stall": number, "service": stall.service, "cause": stall.cause, **inside,
    }  # fmt: skip


def _lasting(run: Run, courses: Courses, stall: Any, piece: Lasting) -> dict[str, Any]:
    """What every row has."""
    begun, ended, lasted_ns = piece.begun, piece.ended, piece.ended.t_ns - piece.begun.t_ns
    row: dict[str, Any] = {
        "stall": NO_STALL, "fault": stall.fault, "kind": "", "victim": "", "partition": stall.partition, "service": "",
        "cause": "", "phase": piece.phase, "start_s": (begun.t_ns - run.t0_ns) / NS,
        "end_s": (ended.t_ns - run.t0_ns) / NS, "stalled_s": 0.0, "lasted_s": lasted_ns / NS,
        "shortest_s": max(lasted_ns - ended.early_ns - begun.late_ns, 0) / NS,
        "longest_s": np.inf if piece.open else (lasted_ns + ended.late_ns + begun.early_ns) / NS,
        "open": piece.open, "slowest": False, "setting": "", "value": "",
        "begun_by": begun.source, "ended_by": ended.source,
    }  # fmt: skip
    if stall.fault != NO_FAULT:
        hit = courses.victims(stall.fault)
        row |= {"kind": hit.kind, "victim": hit.names}
        led = courses.role(hit, stall.partition) is LEADER_LOST
        if setting := governing(run, hit, piece, led=led):
            row |= {"setting": f"{setting.owner} {setting.name}", "value": effective(run, hit, setting)}
    return row


def _last_of_each(found: pd.DataFrame) -> pd.DataFrame:
    """The last stall of each fault and partition."""
    mine = found[found["fault"] != NO_FAULT].sort_values("end_s", kind="stable")
    return mine.drop_duplicates(["fault", "partition"], keep="last").sort_values(["fault", "partition"])
