"""Records that crash a processor or that the database refuses: dead letters after a few tries, the rest unharmed."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg2
import pytest

from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.errors import LabError
from factorylab.core.waiting import wait_until
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.retries import (
    PARTS,
    PLAIN_TAKES,
    SUSPECT,
    TRIES,
    PiecewiseRetry,
    is_the_records_fault,
    retry_of,
)
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.positions import Taken
from tests.support.factory_runs import LONG_S, FactoryRun, factory_run
from tests.unit.factory.test_factory_units import wire

HOT = 77.7  # the value that is poison in these tests


@pytest.fixture
def run(cluster: LocalCluster, tmp_path: Path) -> Iterator[FactoryRun]:
    """A factory of the test's own on the shared cluster."""
    with factory_run(cluster.endpoints, tmp_path) as factory:
        yield factory


def records(first: int, end: int) -> Records:
    count = end - first
    return Records(0, np.arange(first, end), [b"s-1"] * count, [b"{}"] * count)


# ---- the rules


def test_a_partition_whose_batches_are_stored_is_worked_on_whole() -> None:
    """Pieces begin after more than PLAIN_TAKES takes without a stored batch, or where one was begun in vain."""
    assert retry_of(Taken(0, 1)) is None
    assert retry_of(Taken(500, 9, takes=PLAIN_TAKES)) is None
    assert retry_of(Taken(500, 9, takes=PLAIN_TAKES + 1)) == PiecewiseRetry(SUSPECT // PARTS, 500 + SUSPECT, 0, 0)
    assert retry_of(Taken(500, 9, takes=1, tries=1, tried_to=600)) == PiecewiseRetry(1, 600, 600, 1)


def test_pieces_join_without_a_seam() -> None:
    """Pieces are all records in order, small up to `until`, and what lies beyond is one piece."""
    retry = PiecewiseRetry(10, 125, 0, 0)
    pieces = [piece.offsets.tolist() for piece in retry.pieces(records(100, 180))]
    assert list(itertools.chain(*pieces)) == list(range(100, 180))
    assert [len(piece) for piece in pieces] == [10, 10, 10, 50]
    assert [retry.concerns(piece) for piece in retry.pieces(records(100, 180))] == [True, True, True, False]


def deaths(poison: int, position: int, polled: int) -> tuple[int, int]:
    """A process that dies of one record, again and again: (deaths, offset that was given up)."""
    taken, died = Taken(position, 1), 0
    while died < 100:
        retry = retry_of(taken) or PiecewiseRetry(polled, taken.next_offset, 0, 0)
        for piece in retry.pieces(records(taken.next_offset, position + polled)):
            if retry.gives_up(piece):
                return died, piece.first_offset
            if retry.concerns(piece):  # as Store.begin
                tries = taken.tries + 1 if taken.tried_to == piece.last_offset + 1 else 1
                taken = Taken(taken.next_offset, 1, (), taken.takes, tries, piece.last_offset + 1)
            if piece.first_offset <= poison <= piece.last_offset:
                taken, died = Taken(taken.next_offset, 1, (), taken.takes + 1, taken.tries, taken.tried_to), died + 1
                break
            taken = Taken(piece.last_offset + 1, 1)
    raise AssertionError("never given up")


@pytest.mark.parametrize("poison", [1000, 1001, 1099, 1100, 5555, 10_999])
@pytest.mark.parametrize("polled", [1, 10, 2_000, 10_000])
def test_a_deadly_record_is_found_in_a_bounded_number_of_deaths(poison: int, polled: int) -> None:
    """Wherever it lies in a batch of whatever size, exactly the deadly record is given up, after few deaths."""
    if poison >= 1000 + polled:
        poison = 1000 + polled - 1
    died, given_up = deaths(poison, 1000, polled)
    assert given_up == poison
    assert TRIES <= died <= 1 + PLAIN_TAKES + 1 + TRIES


@pytest.mark.parametrize(
    ("error", "blamed"),
    [
        (psycopg2.errors.NumericValueOutOfRange(), True),
        (psycopg2.errors.CheckViolation(), True),
        (ZeroDivisionError(), True),
        (UnicodeEncodeError("utf8", "\ud800", 0, 1, "surrogate"), True),
        (psycopg2.errors.UndefinedColumn(), False),
        (psycopg2.errors.DiskFull(), False),
        (psycopg2.errors.ReadOnlySqlTransaction(), False),
        (StoreUnavailable("gone"), False),
        (LabError("whatever"), False),
    ],
)
def test_only_what_a_record_can_cause_is_its_fault(error: Exception, blamed: bool) -> None:
    """Refused values and unexpected exceptions count as tries; a database that cannot work does not."""
    assert is_the_records_fault(error) == blamed


# ---- on a cluster


def program(then: str) -> str:
    """A processor whose detectors have a bug: at the poisonous value they do `then`."""
    return f"""
import os, signal
from factorylab.detectors.partition_detectors import PartitionDetectors
from factorylab.factory.processor import processor
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.process import run

score = PartitionDetectors.score
def buggy(self, kind, slots, columns):
    if ({HOT} == columns["temperature_c"]).any():
        {then}
    return score(self, kind, slots, columns)
PartitionDetectors.score = buggy
run(ProcessorConfig, processor.main)
"""


def mixed() -> list[tuple[bytes, bytes]]:
    """600 readings of one sensor, two of them poison, some of them with alerts."""
    values = {n: 70 + n % 5 * 8.0 for n in range(600)} | {41: HOT, 400: HOT}
    return [wire(seq=n, readings={"temperature_c": value}) for n, value in values.items()]


def assert_only_poison_was_set_aside(run: FactoryRun, word: str) -> None:
    """598 readings are stored, the two others are dead letters with their bytes, key and the reason."""
    sent = mixed()
    assert run.query("SELECT count(*), count(DISTINCT seq), sum((seq IN (41, 400))::int) FROM {s}.readings") == [
        (598, 598, 0)
    ]
    dead = {
        (m.key(), m.value()): {k: v.decode() for k, v in m.headers() or ()} for m in run.read(run.names.dead_letters)
    }
    assert set(dead) == {sent[41], sent[400]}
    for headers in dead.values():
        assert word in headers["__connect.errors.exception.message"]
        assert f"given up after {TRIES} tries" in headers["__connect.errors.exception.message"]
        assert headers["__connect.errors.exception.class.name"] == "Poison"
        assert headers["__connect.errors.stage"] == "TASK_PUT"
    offsets = {int(headers["__connect.errors.offset"]) for headers in dead.values()}
    assert offsets == {41, 400}
    noted = run.query("SELECT (detail ->> 'offset')::int FROM {s}.system_events WHERE kind = 'poison' ORDER BY 1")
    assert [row[0] for row in noted] == [41, 400]


@pytest.mark.cluster
def test_an_exception_in_a_detector_costs_one_record(run: FactoryRun) -> None:
    """Records that raise in a processor become dead letters; the process lives, and the rest of the batch is stored."""
    run.produce(mixed())
    run.launch_processor("p0", program=program("raise ZeroDivisionError('a bug')"))
    run.wait_drained()
    assert run.end("p0") == 0
    assert_only_poison_was_set_aside(run, "ZeroDivisionError: a bug")


@pytest.mark.cluster
def test_a_record_that_kills_its_process_is_set_aside(run: FactoryRun) -> None:
    """A record that kills each process that touches it is known as such across their deaths, whoever starts next."""
    run.produce(mixed())
    lives = 0
    while not run.drained():
        lives += 1
        name = f"p{lives % 2}"
        alone = f"{run.names.group}-{lives}"  # nobody waits for the session of a dead member
        run.launch_processor(name, program=program("os.kill(os.getpid(), signal.SIGKILL)"), group=alone)
        ended = run.processes[name].poll
        wait_until(lambda ended=ended: run.drained() or ended(), what="its death, or the end", timeout_s=LONG_S)
    assert run.end(name) == 0
    assert_only_poison_was_set_aside(run, "ended in it")
    assert lives - 1 <= 2 * (1 + PLAIN_TAKES + 1 + TRIES)


@pytest.mark.cluster
@pytest.mark.parametrize("how", ["constraint", "range"])
def test_a_record_that_the_database_refuses_costs_one_record(run: FactoryRun, how: str) -> None:
    """A reading that violates a constraint of the table, or is out of a column's range, is set aside alone."""
    if how == "constraint":
        run.query(f"ALTER TABLE {{s}}.readings ADD CHECK (temperature_c <> {HOT})")
    else:
        run.query(
            "CREATE FUNCTION {s}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE numeric_value_out_of_range"
            " USING MESSAGE = 'out of range'; END $$"
        )
        run.query(
            "CREATE TRIGGER refuse BEFORE INSERT ON {s}.readings FOR EACH ROW"
            f" WHEN (NEW.temperature_c = {HOT}) EXECUTE FUNCTION {{s}}.refuse()"
        )
    run.produce(mixed())
    run.processor("p0")
    run.wait_drained()
    assert run.end("p0") == 0
    assert_only_poison_was_set_aside(run, "CheckViolation" if how == "constraint" else "NumericValueOutOfRange")


def cut(run: FactoryRun, worker: str, failures: int) -> None:
    """End a worker's sessions in the database until so many of its batches have failed."""
    sessions = f"FROM pg_stat_activity WHERE application_name = 'factorylab-{worker}'"
    wait_until(
        lambda: (
            run.query("SELECT pg_terminate_backend(pid) " + sessions) and run.logged(worker, "batch_failed") >= failures
        ),
        what=f"{failures} failed batches",
        timeout_s=LONG_S,
    )


@pytest.mark.cluster
def test_an_outage_of_the_database_sets_nothing_aside(run: FactoryRun) -> None:
    """However often the database dies under a batch, no record is blamed for it."""
    run.processor("p0")
    run.fleet("f0", rate="2000", sensors=30)
    for outage in range(PLAIN_TAKES + TRIES):
        run.wait_stored(run.stored() + 500)
        cut(run, "p0", outage + 1)
    assert run.end("f0", signal.SIGTERM) == 0
    run.wait_drained()
    assert run.end("p0") == 0
    assert run.read(run.names.dead_letters) == []
    assert run.stored() == sum(run.ends().values())
