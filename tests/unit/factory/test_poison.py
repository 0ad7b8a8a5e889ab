"""Records that crash a processor or that the database refuses: how they are found, and what is their fault."""

from __future__ import annotations

import itertools

import numpy as np
import psycopg2
import pytest

from factorylab.core.errors import LabError
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


def records(first: int, end: int) -> Records:
    count = end - first
    return Records(0, np.arange(first, end), [b"s-1"] * count, [b"{}"] * count)


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
