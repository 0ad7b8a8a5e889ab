"""Batches: from the records of a poll to the store.

    prepare (decode, check, detect) → alerts and dead letters out and acknowledged → one store transaction
        → offset commit (see `offset_commits`) → journal

Rules:
- Whatever goes wrong with a batch, the partition is given up locally and taken again: the store says where to go on.
  Where the store's fence refused it, it is taken again if the group confirms this member: see `contest`.
- Where that does not help, the partition is worked on piece by piece, until the record that is to blame is
  a dead letter: see `retries`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import psycopg2

from factorylab.core import messages
from factorylab.core.clock import now_ns
from factorylab.factory.process import StopSignal
from factorylab.factory.processor.intake import Records
from factorylab.factory.processor.member import Member
from factorylab.factory.processor.outbox import Span, Undelivered, printable
from factorylab.factory.processor.owned_partition import Owned, Prepared
from factorylab.factory.processor.retries import PiecewiseRetry, Poison, is_the_records_fault
from factorylab.factory.store.connection import StoreUnavailable
from factorylab.factory.store.crash_points import reached
from factorylab.factory.store.positions import At, Fenced


class Batches:
    """Those of one member of the group."""

    def __init__(self, member: Member, stop: StopSignal) -> None:
        self._config, self._log, self._counts, self._stop = member.config, member.log, member.counts, stop
        self._consumer, self._store, self._assignment = member.consumer, member.store, member.assignment
        self._outbox, self._evidence, self._pace = member.outbox, member.evidence, member.pace
        self._commits = member.commits
        self._faults: dict[int, Exception] = {}  # the last exception of a partition that a record may be to blame for

    def work(self, shares: Sequence[Records]) -> None:
        """Store the records of owned partitions, a share each."""
        shares = [rest for share in shares if (rest := self._beyond_delivered(share))]
        planned = [(self._assignment.owned[share.partition].retry, share) for share in shares]
        self._deliver([one for retry, share in planned if not retry and (one := self._prepare(share))])
        for retry, share in planned:
            if retry:
                self._work_piecewise(retry, share)

    def _beyond_delivered(self, share: Records) -> Records | None:
        """The part of a share that nobody has been told of. What an earlier transaction has told of is stored
        before it, by itself; None where that fails, or is all."""
        owned = self._assignment.owned[share.partition]
        rest = share.since(owned.delivered_to)
        if rest is share:
            return share
        told = share.part(0, len(share.values) - (len(rest.values) if rest else 0))
        if owned.retry:
            self._work_piecewise(owned.retry, told)
        elif prepared := self._prepare(told):
            self._deliver([prepared])
        return rest if self._assignment.owned.get(share.partition) is owned else None

    def _work_piecewise(self, retry: PiecewiseRetry, records: Records) -> None:
        """Piece by piece, until one fails: the partition is given up then and taken again."""
        owned = self._assignment.owned.get(records.partition)
        for piece in retry.pieces(records):
            if self._stop or owned is None or self._assignment.owned.get(records.partition) is not owned:
                return
            prepared = (
                self._set_aside(owned, retry, piece) if retry.gives_up(piece) else self._begin(owned, retry, piece)
            )
            if prepared:
                self._deliver([prepared])
            if not retry.concerns(piece):
                owned.retry = None

    def _begin(self, owned: Owned, retry: PiecewiseRetry, piece: Records) -> Prepared | None:
        if retry.concerns(piece):
            try:
                self._store.begin(owned.at, piece.last_offset + 1)
            except Fenced as error:
                self._fenced(owned.at, error)
                return None
            except (StoreUnavailable, psycopg2.Error) as error:
                self._failed(owned.partition, error)
                return None
        return self._prepare(piece)

    def _set_aside(self, owned: Owned, retry: PiecewiseRetry, record: Records) -> Prepared:
        seen = self._faults.get(owned.partition)
        why = f"{type(seen).__name__}: {seen}" if seen else "the processes that tried ended in it"
        error = Poison(f"given up after {retry.tries} tries; {why}")
        where = {"partition": owned.partition, "offset": record.last_offset, "tries": retry.tries}
        self._store.note("poison", **where, error=printable(error))
        return self._read(owned, record, lambda: owned.set_aside(record, error))

    def _prepare(self, records: Records) -> Prepared | None:
        owned = self._assignment.owned[records.partition]
        try:
            return self._read(owned, records, lambda: owned.prepare(records, self._store.sensor_ids))
        except Exception as error:  # whatever a record can do to a program
            self._failed(records.partition, error)
            return None

    def _read(self, owned: Owned, records: Records, prepare: Callable[[], Prepared]) -> Prepared:
        """Prepare records, and hand alerts and dead letters to the outbox."""
        self._evidence.polled(records, owned.number)
        self._counts["read"] += len(records.values)
        prepared = prepare()
        if records.last_offset >= owned.delivered_to:
            self._send(prepared)
        return prepared

    def _send(self, prepared: Prepared) -> None:
        for alert in prepared.alerts:
            self._outbox.alert(alert)
            what = {"rule": alert.rule, "severity": alert.severity, "value": alert.value, "limit": alert.limit}
            self._log.info("alert", **what, correlation_id=alert.correlation_id)
        for bad in prepared.dead_letters:
            self._outbox.dead_letter(self._config.sensor_topic, bad)
            where = messages.record_id(self._config.sensor_topic, bad.partition, bad.offset)
            self._log.warning("dead_letter", correlation_id=where, error=printable(bad.error))

    def _deliver(self, prepared: Sequence[Prepared]) -> None:
        reached("prepared")
        self._pace.did("preparing")
        try:
            self._outbox.settle(lambda: bool(self._stop), self._untold(prepared))
        except Undelivered as error:
            for one in prepared:
                self._failed(one.batch.partition, error)
            return
        finally:
            self._pace.did("delivering")
        reached("delivered")
        for one in prepared:
            self._commit(one)
        self._pace.did("storing")

    def _untold(self, prepared: Sequence[Prepared]) -> dict[int, Span]:
        """The offsets of batches that lie beyond what was delivered before, by partition."""
        owned = self._assignment.owned
        batches = [one.batch for one in prepared]
        return {
            b.partition: (b.from_offset, b.to_offset) for b in batches if b.to_offset > owned[b.partition].delivered_to
        }

    def _commit(self, prepared: Prepared) -> None:
        batch = prepared.batch
        reached("before_store")
        prepared.begun_ns = now_ns()
        try:
            new = self._store.commit(batch)
        except Fenced as error:
            self._evidence.refused(prepared)
            self._fenced(At(batch.partition, batch.from_offset, batch.epoch), error)
            return
        except Exception as error:  # the database says no, or a value cannot even be sent to it
            self._failed(batch.partition, error)
            return
        reached("after_store")
        self._faults.pop(batch.partition, None)
        self._evidence.committed(prepared, new)
        self._assignment.backoff.succeeded()
        self._counts.update(stored=new, alerts=len(prepared.alerts), dead_letters=len(prepared.dead_letters))
        self._counts["duplicates"] += batch.rows - new
        self._log.debug("batch", partition=batch.partition, to_offset=batch.to_offset, rows=new)
        if self._config.transaction_timeout_s is None:  # else the offset went with the transaction
            self._commits.note(batch.partition, batch.to_offset)
        self._commits.send(self._consumer, self._assignment.owned)
        reached("after_commit")

    def _fenced(self, at: At, error: Fenced) -> None:
        self._store.note("refused", partition=at.partition, epoch=at.epoch, position=at.offset)
        self._tell(at.partition, error, blamed=False)
        self._assignment.contest(at)

    def _failed(self, partition: int, error: Exception) -> None:
        blamed = is_the_records_fault(error)
        if blamed:
            self._faults[partition] = error
        self._tell(partition, error, blamed=blamed)
        self._assignment.give_up(partition, forgive=not blamed)

    def _tell(self, partition: int, error: Exception, *, blamed: bool) -> None:
        self._counts["errors"] += 1
        what = {"partition": partition, "error_type": type(error).__name__, "error": printable(error)}
        self._log.warning("batch_failed", **what, exc_info=error if blamed else None)
        self._store.note("batch_failed", **what)
