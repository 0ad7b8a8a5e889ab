"""The life of one reading, step by step, from every table that knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from factorylab.analysis.epochs import Epochs, cut_by
from factorylab.analysis.places import place
from factorylab.analysis.trace import Moment as Timed
from factorylab.analysis.trace import moments, places_of, rows_of, worked_on
from factorylab.audit.model.findings import ORDER, Check, Life, Moment, Witness
from factorylab.audit.model.registry import Evidence
from factorylab.core.clock import FOREVER_NS, NS
from factorylab.history.saved_run import each

MOST_CHANGES = 4  # of leader or ISR after the acknowledgement: what comes later is not this reading's story
NOBODY = (-2, -2)  # no row is about this sensor
SOME = 3  # copies of one reading; one is healthy
TABLE = {"read": "reads", "stored": "commits", "refused": "commits", "dead_letter": "dead_letters"}


def witness_of(checks: Sequence[Check], name: str = "") -> tuple[str, Witness] | None:
    """A check that found something (the worst, or `name`) and the first of its cases that names a place or reading."""
    fired = [c for c in checks if c.verdict in {"FAIL", "NOT_DRAINED"} and name in {"", c.name}]
    for check in sorted(fired, key=lambda c: -ORDER.index(c.verdict)):
        for witness in check.witnesses:
            if witness.seq >= 0 or witness.offset >= 0:
                return check.name, witness
    return None


def life_of_witness(evidence: Evidence, checks: Sequence[Check], name: str = "") -> Life | None:
    """The life of a reading that shows what a check found; None where nothing fired, or nothing with a reading."""
    found = witness_of(checks, name)
    if found is None:
        return None
    return Life(check=found[0], witness=found[1], moments=Biography(evidence, found[1]).moments())


class Biography:
    """What each table says about one reading, or about one place where no reading is known."""

    def __init__(self, evidence: Evidence, witness: Witness) -> None:
        self.e, self.run, self.epochs = evidence, evidence.run, evidence.run.once(Epochs)
        names = self.run.sensors
        index = names.loc[names["name"].astype(str) == witness.sensor, "sensor"]
        self.sensor, self.seq = int(index.iloc[0]) if len(index) else -1, witness.seq
        known = self.sensor >= 0 and self.seq >= 0
        self.of = {name: rows_of(self.run, name, *(self.key if known else NOBODY)) for name in ("sends", "log", "rows")}
        told = {(witness.partition, witness.offset)} if witness.offset >= 0 else set()
        found = [places_of(self.of[name], self.of["log"]) for name in ("sends", "rows")]
        self.places = sorted(told.union(*found))

    @property
    def key(self) -> tuple[int, int]:
        return self.sensor, self.seq

    def at(self, t_ns: int, step: str, detail: str, how: str) -> Moment:
        return Moment(round((int(t_ns) - self.run.t0_ns) / NS, 3), step, detail, how)

    def moments(self) -> list[Moment]:
        sends, log = self.of["sends"], self.of["log"]
        timed = [*moments(self.run, sends, log), *worked_on(self.run, set(self.places) - places_of(sends, log))]
        found = [*map(self._told, timed), *self._confirmed(), *self._led(), *self._left_behind(), *self._faults()]
        return [*sorted(found, key=lambda m: m.t_s), *self._end()]

    def _told(self, timed: Timed) -> Moment:
        """A step; before the reading was due and after it was cut off, its place was another reading's."""
        t_ns, step = timed
        words = ", ".join(filter(None, (step.by, step.where, step.detail)))
        table = TABLE.get(step.step, "sends")
        if step.step == "acked" and self.e.acks == "0":
            return self.at(t_ns, "sent out", f"{words}: under acks=0 no broker acknowledges", table)
        if table != "sends" and not self._span()[0] <= t_ns < min(self._cuts.values(), default=FOREVER_NS):
            return self.at(t_ns, f"{step.step} there", f"{words}: another reading at that place", table)
        return self.at(t_ns, step.step, words, table)

    @cached_property
    def _cuts(self) -> dict[tuple[int, int], int]:
        """By place at which it was acknowledged and is no more: when a change of leader was seen that cut it off."""
        found = {}
        for s in each(self.of["sends"]):
            place = (int(s.partition), int(s.offset))
            if place in self._held or s.outcome != "ok" or s.offset < max(self._log_of(s.partition)[0], 0):
                continue
            changes = self.epochs.changes(place[0])
            number = cut_by(changes, np.array([s.offset]), np.array([s.t_ack_ns]))[0]
            if number >= 0:
                found[place] = changes[number].after.first_ns
        return found

    def _log_of(self, partition: int) -> tuple[int, int]:
        """Where the log of a partition began and ended when it was read, (−1, −1) where it was not."""
        frozen = self.run.frozen[self.run.frozen["partition"] == partition]
        return next(((int(f.start), int(f.end)) for f in each(frozen)), (-1, -1))

    def _confirmed(self) -> Iterator[Moment]:
        sends = self.of["sends"]
        for s in each(sends[(sends["t_ack_ns"] >= 0) & (self.e.acks != "0")]):
            if term := self.epochs.term_at(s.partition, s.t_ack_ns):
                isr = list(self.epochs.isr_at(s.partition, s.t_ack_ns))
                detail = f"broker {term.leader} in epoch {term.epoch}; in sync, when last looked, {isr}"
                yield self.at(s.t_ack_ns, "leader then", detail, "partitions")

    def _span(self) -> tuple[int, int]:
        """From when until when the leader and the faults are part of the story: from its sending to the drain."""
        mine = self.of["sends"]["t_intended_ns"]
        end_ns = self.run.phases.get("drain") or max(self.run.phases.values(), default=self.run.t0_ns)
        return (int(mine.min()) if len(mine) else self.run.t0_ns), end_ns

    def _led(self) -> Iterator[Moment]:
        from_ns, until_ns = self._span()
        for partition in sorted({p for p, _ in self.places}):
            later = [c for c in self.epochs.changes(partition) if from_ns <= c.after.first_ns <= until_ns]
            for c in later[:MOST_CHANGES]:
                where = f" from offset {c.offset} on" if c.offset >= 0 else ""
                detail = f"broker {c.after.leader} in epoch {c.after.epoch}{where}; in sync {list(c.after.isr_first)}"
                yield self.at(c.after.first_ns, "new leader", detail, "partitions, epochs")
                cut = [o for (p, o), t_ns in self._cuts.items() if p == partition and t_ns == c.after.first_ns]
                for offset in cut[:1]:
                    detail = f"epoch {c.before.epoch} ends at offset {c.offset}, at or below offset {offset}"
                    yield self.at(c.after.first_ns, "truncated", detail, "epochs")

    @cached_property
    def _held(self) -> set[tuple[int, int]]:
        """Where the log has this reading now."""
        return places_of(self.of["log"], self.of["log"])

    def _left_behind(self) -> Iterator[Moment]:
        """Who deleted its segment, and who began to read beyond it where nobody had read it since it was due."""
        due_ns, reads = self._span()[0], self.run.reads
        for partition, offset in self.places:
            mine = reads[(reads["partition"] == partition) & (reads["t_ns"] >= due_ns)].sort_values("t_ns")
            read = (mine["first_offset"] <= offset) & (mine["last_offset"] >= offset)
            for r in each(mine[mine["first_offset"] > offset].head(0 if read.any() else 1)):
                detail = f"{r.worker} began at offset {r.first_offset}, beyond offset {offset}"
                yield self.at(r.t_ns, "passed over", detail, "reads")
            expired = [x for x in self.epochs.log_events if x.kind == "expired" and x.partition == partition]
            for x in [x for x in expired if x.offset > offset][:1]:
                yield self.at(x.t_ns, "deleted", f"the log begins at offset {x.offset} from now on", f"{x.node}.log")

    def _faults(self) -> Iterator[Moment]:
        from_ns, until_ns = self._span()
        for w in each(self.e.fault_windows):
            if w.injected_ns <= until_ns and (w.healed_ns <= 0 or w.healed_ns >= from_ns):
                yield self.at(w.injected_ns, "fault", f"{w.kind} {w.node} ({w.target})", "faults")

    def _end(self) -> Iterator[Moment]:
        """What the final read found at its places and for itself."""
        end_ns = self.run.phases.get("final_read") or max(self.run.phases.values(), default=self.run.t0_ns)
        for partition, offset in self.places[: 1 + SOME]:
            now = f"partition {partition} offset {offset}: {self._now(partition, offset)}"
            yield self.at(end_ns, "in the log now", now, "log, frozen")
        rows = self.of["rows"].head(SOME)
        where = ", ".join(f"from partition {r.partition} offset {r.offset}" for r in each(rows))
        yield self.at(end_ns, "in the store now", where or "not there", "rows")

    def _now(self, partition: int, offset: int) -> str:
        record = self.e.log.at(place(np.array([partition]), np.array([offset])))
        for r in each(self.e.log.take(record[record >= 0])):
            if (r.sensor, r.seq) == self.key:
                return "this reading"
            epoch = self.epochs.of_place(partition, offset)
            return f"another reading, {self.e.sensor_name(r.sensor)} seq {r.seq}" + f", of epoch {epoch}" * (epoch >= 0)
        start, end = self._log_of(partition)
        return f"nothing, the log goes from {start} to {end - 1}" if end >= 0 else "nothing"
