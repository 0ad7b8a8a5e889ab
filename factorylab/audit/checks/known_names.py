"""Whose rows these are: workers of the run, and sensors that announced themselves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from factorylab.audit.checks.completeness import found_words
from factorylab.audit.model.registry import Evidence, Found, check
from factorylab.core.names import sensor_location, sensor_name
from factorylab.history.saved_run import each
from factorylab.history.tables import FINAL_READ, TABLES, WRITERS


@check("Every row is a worker's of the run, and every reading of a sensor that is listed.", "things are not", "INVALID")
def known_names(e: Evidence) -> Found:
    words = [*_strangers(e), *_unlisted(e)]
    return found_words(words, len(e.run.table_names) + e.run.row_count("workers") + e.run.row_count("sensors"))


def _strangers(e: Evidence) -> Iterator[str]:
    """Workers that the scenario does not have, those that wrote no journal, and rows of somebody else's table."""
    clients, fleets = e.run.scenario.clients, e.run.scenario.workload.fleets
    role_of = {"runner": "runner", "probe": "probe"}
    role_of |= {f"fleet-{i}": "fleet" for i in range(fleets)}
    ours = 0 if e.run.scenario.subject else clients.processors  # a program under test writes nothing of the history
    role_of |= {f"processor-{i}": "processor" for i in range(ours)}
    listed = set(zip(e.run.workers["worker"].astype(str), e.run.workers["role"].astype(str), strict=True))
    yield from (f"{name} is no {role} of this run" for name, role in sorted(listed - set(role_of.items())))
    yield from (f"{name} wrote no journal" for name in sorted(role_of.keys() - {name for name, _ in listed}))
    writer = {table: role for role, tables in WRITERS.items() for table in tables}
    for table in sorted(TABLES.keys() - {"workers"}):
        wrote = set().union(*(c.text("worker").used() for c in e.run.chunks(table, "worker")))
        others = sorted(name for name in wrote if role_of.get(name, name) != writer.get(table, FINAL_READ))
        yield from (f"{table} has rows of {name}" for name in others)
    if e.run.scenario.subject:  # it calls its members what it likes
        return
    members = set(map(str, e.run.frame("members", "member")["member"].unique()))
    yield from (f"the group had {name} as a member" for name in sorted(members) if role_of.get(name) != "processor")


def _unlisted(e: Evidence) -> Iterator[str]:
    """Sensors of readings that the table `sensors` lacks, those that have two names, a wrong number of them, and
    simulated ones whose name or line is not that of their number."""
    sensors = e.run.sensors.astype({"name": str}).drop_duplicates(["sensor", "name"])
    for column in ("sensor", "name"):
        twice = sensors.loc[sensors[column].duplicated(), column]
        yield from (f"{column} {value} stands in the list of sensors twice" for value in twice)
    lacking = np.setdiff1d(np.flatnonzero(e.last_seq >= 0), sensors["sensor"].to_numpy())
    yield from (f"readings of sensor {sensor}, which is not listed" for sensor in lacking)
    declared = e.run.scenario.workload.sensors
    if e.run.scenario.workload.source is not None:
        return
    if len(sensors) != declared:
        yield f"{len(sensors)} sensors are listed, {declared} were declared"
    for s in each(sensors):
        wanted = (sensor_name(s.sensor, s.kind), sensor_location(s.sensor))
        if wanted != (s.name, s.location):
            yield f"sensor {s.sensor} is {s.name} on {s.location}, and should be {' on '.join(wanted)}"
