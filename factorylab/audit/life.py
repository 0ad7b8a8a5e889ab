"""The life of one reading, step by step, from every table that knows of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from factorylab.analysis.epochs import Epochs
from factorylab.analysis.readings import Ints
from factorylab.audit.registry import Evidence
from factorylab.audit.verdict import ORDER, Check, Life, Moment, Witness
from factorylab.clock import NS
from factorylab.saved import each

MOST_CHANGES = 4  # of leader or ISR after the confirmation: what comes later is not this reading's story
SOME = 3  # polls, transactions and copies of one reading; one is healthy


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
        self.e, self.run, self.epochs = evidence, evidence.run, Epochs(evidence.run)
        names = self.run.sensors
        index = names.loc[names["name"].astype(str) == witness.sensor, "sensor"]
        self.sensor, self.seq = int(index.iloc[0]) if len(index) else -1, witness.seq
        self.places = self._places(witness)

    def _places(self, witness: Witness) -> list[tuple[int, int]]:
        """Every place that was confirmed for it, or holds it; the confirmed one first."""
        e = self.e
        frames = [(e.sends, self._rows(e.sends)), (e.log, self._rows(e.log)), (e.rows, self._rows(e.rows))]
        found = [(w.partition, w.offset) for frame, rows in frames for w in each(frame.iloc[rows[:SOME]])]
        found.append((witness.partition, witness.offset))
        return [place for place in dict.fromkeys(found) if min(place) >= 0]

    def _rows(self, frame: object) -> Ints:
        """Rows of a frame with sensor and seq that are of this reading."""
        sensor, seq = frame["sensor"].to_numpy(), frame["seq"].to_numpy()  # type: ignore[index]
        return np.flatnonzero((sensor == self.sensor) & (seq == self.seq)) if self.sensor >= 0 else np.zeros(0, int)

    def at(self, t_ns: int, step: str, detail: str, how: str) -> Moment:
        return Moment(round((int(t_ns) - self.run.t0_ns) / NS, 3), step, detail, how)

    def moments(self) -> list[Moment]:
        found = [*self._sent(), *self._led(), *self._faults(), *self._read(), *self._committed()]
        return [*sorted(found, key=lambda m: m.t_s), *self._end()]

    def _sent(self) -> Iterator[Moment]:
        sends = self.run.frame("sends", "worker", "sensor", "seq", "t_ns", "t_intended_ns", "t_ack_ns", "partition",
                               "offset", "outcome", "error")  # fmt: skip
        for s in each(sends.iloc[self._rows(sends)[:SOME]]):
            yield self.at(s.t_intended_ns, "due", f"sensor index {self.sensor}, seq {self.seq}", "sends")
            yield self.at(s.t_ns, "sent", f"by {s.worker}", "sends")
            if s.t_ack_ns < 0:
                why = f": {s.error}" if isinstance(s.error, str) else ""
                yield self.at(s.t_ns, str(s.outcome), f"no confirmation{why}", "sends")
                continue
            term = self.epochs.term_at(s.partition, s.t_ack_ns)
            isr = list(self.epochs.isr_at(s.partition, s.t_ack_ns))
            by = f" by leader {term.leader} in epoch {term.epoch}; in sync {isr}" if term else ""
            yield self.at(
                s.t_ack_ns, "confirmed", f"partition {s.partition} offset {s.offset}{by}", "sends, partitions"
            )

    def _span(self) -> tuple[int, int]:
        """From when until when the leader and the faults are part of the story: from its sending to its last place."""
        sends = self.run.frame("sends", "sensor", "seq", "t_intended_ns")
        mine = sends.iloc[self._rows(sends)]["t_intended_ns"]
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
                lost = [o for p, o in self.places if p == partition and 0 <= c.offset <= o]
                if lost and not self._holds(partition, lost[0]):
                    detail = f"epoch {c.before.epoch} ends at offset {c.offset}, below offset {lost[0]}"
                    yield self.at(c.after.first_ns, "truncated", detail, "epochs")

    def _holds(self, partition: int, offset: int) -> bool:
        log = self.e.log.iloc[self._rows(self.e.log)]
        return bool(((log["partition"] == partition) & (log["offset"] == offset)).any())

    def _faults(self) -> Iterator[Moment]:
        from_ns, until_ns = self._span()
        for w in each(self.e.fault_windows):
            if w.injected_ns <= until_ns and (w.healed_ns <= 0 or w.healed_ns >= from_ns):
                yield self.at(w.injected_ns, "fault", f"{w.kind} {w.node} ({w.target})", "faults")

    def _read(self) -> Iterator[Moment]:
        reads = self.run.reads
        for partition, offset in self.places:
            hit = (
                (reads["partition"] == partition) & (reads["first_offset"] <= offset) & (reads["last_offset"] >= offset)
            )
            for r in each(reads[hit].sort_values("t_ns").head(SOME)):
                detail = f"{r.worker} polled offsets {r.first_offset}–{r.last_offset}, {r.count} records"
                yield self.at(r.t_ns, "read", detail, "reads")

    def _committed(self) -> Iterator[Moment]:
        commits = self.run.commits
        for partition, offset in self.places:
            hit = (
                (commits["partition"] == partition)
                & (commits["from_offset"] <= offset)
                & (commits["to_offset"] > offset)
            )
            for c in each(commits[hit].sort_values("t_ns").head(SOME)):
                detail = f"{c.worker} (epoch {c.owner_epoch}) offsets {c.from_offset}–{c.to_offset - 1}, {c.rows} rows"
                yield self.at(c.t_ns, "refused" if c.refused else "committed", detail, "commits")

    def _end(self) -> Iterator[Moment]:
        """What the final read found at its places and for itself."""
        end_ns = self.run.phases.get("final_read") or max(self.run.phases.values(), default=self.run.t0_ns)
        for partition, offset in self.places[: 1 + SOME]:
            now = f"partition {partition} offset {offset}: {self._now(partition, offset)}"
            yield self.at(end_ns, "in the log now", now, "log, frozen")
        rows = self.e.rows.iloc[self._rows(self.e.rows)]
        where = ", ".join(f"from partition {r.partition} offset {r.offset}" for r in each(rows.head(SOME)))
        yield self.at(end_ns, "in the store now", where or "not there", "rows")
        dead = self.run.dead_letters
        for partition, offset in self.places:
            for d in each(dead[(dead["partition"] == partition) & (dead["offset"] == offset)].head(SOME)):
                yield self.at(end_ns, "dead letter", str(d.reason), "dead_letters")

    def _now(self, partition: int, offset: int) -> str:
        log = self.e.log
        found = log[(log["partition"] == partition) & (log["offset"] == offset)]
        for r in each(found.head(1)):
            if (r.sensor, r.seq) == (self.sensor, self.seq):
                return "this reading"
            epoch = self.epochs.of_place(partition, offset)
            return f"another reading, {self.e.sensor_name(r.sensor)} seq {r.seq}" + f", of epoch {epoch}" * (epoch >= 0)
        frozen = self.run.frozen[self.run.frozen["partition"] == partition]
        for f in each(frozen.head(1)):
            return f"nothing, the log goes from {f.start} to {f.end - 1}"
        return "nothing"
