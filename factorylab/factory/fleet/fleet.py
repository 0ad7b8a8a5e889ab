"""A fleet of sensors: offers readings to Kafka at a declared rate, open loop.

    schedule → draw a block → encode → journal the intent → produce → (delivery report) journal the answer

A producer that stalls does not slow the sensors down: when its local queue is full, readings are shed and the
journal says so. On SIGTERM or SIGINT, or when a recording ends, the fleet stops offering and waits for the answers
that are still out, at most `delivery.timeout.ms`; a second signal stops the waiting. A fleet that cannot keep the
declared rate falls behind; what was due when it stops, beyond one more block, is journalled as not offered.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from numpy.typing import NDArray

from factorylab.core import messages
from factorylab.core.clock import NS, now_ns
from factorylab.core.messages import payload_hash
from factorylab.factory import json_logs
from factorylab.factory.client_errors import is_dead, raise_if_dead
from factorylab.factory.config import FleetConfig
from factorylab.factory.fleet.answers import NOWHERE, Answers
from factorylab.factory.fleet.encoding import encoder
from factorylab.factory.fleet.schedule import SendSchedule
from factorylab.factory.metrics import Endpoint, FleetCounts, FleetMetrics
from factorylab.factory.needs import wait_for_topics
from factorylab.factory.process import StopSignal
from factorylab.factory.profiles import fleet_producer, new_client
from factorylab.factory.sensors import recorded_machine
from factorylab.factory.sensors.sensor import Block, Source
from factorylab.factory.sensors.simulate import Simulation
from factorylab.history.journal import REFUSED, SEND, BinaryJournal, Journal, acks_path, sends_path
from factorylab.history.tables import Sensor, Stage

TICK_S = 0.01
ANY_PARTITION = -1  # the partitioner chooses
BLOCK_MAX = 2_000  # readings between two looks at the delivery reports
MISSED_MAX = 250_000  # slots that are journalled at once as not offered
IMPOSSIBLE_TIME = "2199-12-31T23:59:59.000000Z"  # of a broken clock: such a reading must not be stored


class FleetJournals:
    """The three journals of a fleet."""

    def __init__(self, config: FleetConfig, failed: Callable[[KafkaError], None]) -> None:
        """`failed` is told of each answer that acknowledges nothing."""
        assert config.journal_dir is not None
        self.rows = Journal(config.journal_dir, config.worker, "fleet")
        self.sends = BinaryJournal(sends_path(config.journal_dir, config.worker), SEND)
        self.acks = Answers(acks_path(config.journal_dir, config.worker), failed)

    def intend(
        self, block: Block, index: NDArray[np.int64], hashes: NDArray[np.uint64], intended: NDArray[np.int64]
    ) -> None:
        """Write a block down before any of it is offered."""
        rows = np.zeros(len(hashes), SEND)
        rows["t_ns"], rows["t_intended_ns"], rows["hash"] = now_ns(), intended, hashes
        rows["seq"], rows["sensor"] = block.seq, index[block.local]
        self.sends.extend(rows)

    def not_offered(self, seq: NDArray[np.int64], sensor: NDArray[np.int64], intended: NDArray[np.int64]) -> None:
        """Write down what was due and will not be offered any more."""
        rows = np.zeros(len(seq), SEND)
        rows["t_ns"], rows["t_intended_ns"], rows["not_offered"] = now_ns(), intended, 1
        rows["seq"], rows["sensor"] = seq, sensor
        self.sends.extend(rows)

    def next_slot(self, index: NDArray[np.int64]) -> int:
        """The slot after the last reading of a predecessor; empty slots behind it come up again."""
        if not len(self.sends.last):
            return 0
        seq, sensor = int(self.sends.last["seq"][0]), int(self.sends.last["sensor"][0])
        return seq * len(index) + int(np.searchsorted(index, sensor)) + 1

    def close(self) -> None:
        self.rows.close()
        self.sends.close()
        self.acks.close()


class Fleet:
    """One process's share of the factory's sensors."""

    def __init__(self, config: FleetConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
        self._config, self._log, self._stop = config, logger, stop
        self._source = make_source(config)
        self._journals = FleetJournals(config, self._failed) if config.journal_dir else None
        settings = fleet_producer(config)
        self._flush_s = float(settings.get("delivery.timeout.ms", 120_000)) / 1000 + 1
        self._producer = new_client(Producer, settings, logger)
        self._index = np.array([sensor.index for sensor in self._source.sensors], np.int64)
        self._encode = encoder(config.record)
        self._keys = [sensor.name.encode() for sensor in self._source.sensors]
        self._dice = random.Random(config.seed)
        self._counts: Counter[str] = Counter()
        self._sent, self._unjournalled, self._nacked, self._ready = 0, 0, 0, False
        self._dead: KafkaError | None = None
        self._metrics = None if config.metrics_port is None else FleetMetrics(self._look)
        self._offered = self._journals.sends.count if self._journals else 0
        self._slot = self._journals.next_slot(self._index) if self._journals else 0  # a restarted fleet goes on

    def run(self) -> None:
        """Offer readings until told to stop or the source ends, then wait for the answers.

        Raises:
            ClientDead: the producer can send nothing any more.
        """
        endpoint = Endpoint(self._config, self._log, *filter(None, [self._metrics]))
        self._announce()
        wait_for_topics([self._producer], [self._config.sensor_topic], self._log, self._stop)
        share = len(self._source.sensors) / self._config.sensors if self._source.total is None else 1.0
        schedule = SendSchedule(self._config.stages, share, now_ns(), self._slot)
        try:
            if not self._stop:  # told to stop while the topic was awaited: nothing was due yet
                self.offer_all(schedule)
            self._flush()
            raise_if_dead(self._dead)
        finally:
            self._report("stopped")
            endpoint.close()
            self.close()

    def close(self) -> None:
        """Give the journals back."""
        if self._journals:
            self._journals.close()

    def _announce(self) -> None:
        self._log.info("start", sensors=len(self._keys), rate=self._config.rate, first_slot=self._slot)
        if isinstance(self._source, recorded_machine.RecordedMachine):
            self._log.info("recording", **self._source.account.as_dict())
        if self._journals:
            for s in self._source.sensors:
                row = Sensor(
                    worker=self._config.worker,
                    t_ns=now_ns(),
                    sensor=s.index,
                    name=s.name,
                    kind=s.kind,
                    location=s.location,
                )
                self._journals.rows.write(row)

    def offer_all(self, schedule: SendSchedule) -> None:
        """Offer what is due, until told to stop or the source ends.

        The clock is read once more after the order to stop: what is due then and does not fit into one more block is
        not offered. So a fleet that was kept from running until it was stopped says what it missed.
        """
        steps = list(schedule.steps)
        report_at = time.monotonic() + self._config.report_every_s
        ends = False
        while not ends:
            stopped = bool(self._stop)
            now = now_ns()
            while steps and steps[0].t_ns <= now:
                step = steps.pop(0)
                self._stage(step.rate_per_s, step.t_ns)
            due = self._due(schedule, now)
            count = min(due - self._slot, BLOCK_MAX)
            if count > 0:
                self._offer(count, schedule.intended_ns(self._slot, count))
            self._producer.poll(0)
            self._note_ready()
            if time.monotonic() >= report_at:
                report_at += self._config.report_every_s
                self._report("counters", behind_s=round((now_ns() - now) / NS, 3))
            ends = stopped or self._dead is not None or self._slot == self._source.total
            if count < BLOCK_MAX and not ends:
                time.sleep(max(0.0, TICK_S - (now_ns() - now) / NS))
        self._stage(0.0, now)
        self._give_up(schedule, due)

    def _due(self, schedule: SendSchedule, now: int) -> int:
        """How many slots are due: no more than the source has."""
        due, total = schedule.due(now), self._source.total
        return due if total is None else min(due, total)

    def _give_up(self, schedule: SendSchedule, due: int) -> None:
        """The slots up to `due` will not be offered."""
        while self._slot < due:
            first, count = self._slot, min(due - self._slot, MISSED_MAX)
            local, seq = self._source.filled(first, count)
            slots = seq * len(self._index) + local
            if self._journals:
                self._journals.not_offered(seq, self._index[local], schedule.intended_ns(first, count)[slots - first])
            self._counts["not_offered"] += len(seq)
            self._slot += count

    def _stage(self, rate_per_s: float, t_ns: int) -> None:
        self._log.info("rate", rate_per_s=round(rate_per_s, 3))
        if self._journals:
            self._journals.rows.write(Stage(worker=self._config.worker, t_ns=t_ns, rate_per_s=rate_per_s))

    def _offer(self, count: int, intended: NDArray[np.int64]) -> None:
        """Offer the readings of the next slots; `intended` is the time of each slot."""
        poisoned = self._dice.random() < self._config.poison_rate
        at = IMPOSSIBLE_TIME if poisoned else messages.timestamp_text(time.time_ns() // 1000)
        block = self._source.block(self._slot, count, at)
        values = list(map(self._encode, block.readings))
        if self._journals:
            hashes = np.fromiter(map(payload_hash, values), np.uint64, len(values))
            slots = block.seq * len(self._index) + block.local
            self._journals.intend(block, self._index, hashes, intended[slots - self._slot])
        self._offered += len(values)
        self._slot += count
        keys, before = self._keys, self._counts["shed"] + self._counts["refused"]
        produce, topic = self._producer.produce, self._config.sensor_topic
        answered = self._journals.acks.report if self._journals and not self._metrics else self._answered
        for value, local in zip(values, block.local.tolist(), strict=True):
            try:
                produce(topic, value, keys[local], ANY_PARTITION, answered)  # named arguments take half as long again
            except (BufferError, KafkaException) as error:
                self._refused(value, error)
        self._sent += len(values) - (self._counts["shed"] + self._counts["refused"] - before)
        self._label(block)

    def _label(self, block: Block) -> None:
        if self._config.label_topic:
            for label in block.labels:
                try:
                    self._producer.produce(self._config.label_topic, messages.encode(label), label.sensor_id)
                except (BufferError, KafkaException):
                    self._counts["labels_shed"] += 1

    def _answered(self, error: KafkaError | None, message: Message) -> None:
        """Delivery report of one reading, where metrics are kept or no journal is."""
        if self._journals:
            self._journals.acks.report(error, message)
        elif error is not None:
            self._failed(error)
        else:
            self._unjournalled += 1
        if self._metrics and error is None:
            self._metrics.acked(message.latency())

    @property
    def _acked(self) -> int:
        return self._journals.acks.acked if self._journals else self._unjournalled

    def _failed(self, error: KafkaError) -> None:
        self._nacked += 1
        self._counts[error.name()] += 1
        self._note_death(error)

    @property
    def _unanswered(self) -> int:
        return self._sent - self._acked - self._nacked

    def _refused(self, value: bytes, error: BufferError | KafkaException) -> None:
        """produce() itself said no: the reading cannot be in the log."""
        reason = error.args[0]
        code = reason.code() if isinstance(reason, KafkaError) else KafkaError._QUEUE_FULL
        self._counts["shed" if code == KafkaError._QUEUE_FULL else "refused"] += 1
        if isinstance(reason, KafkaError):
            self._note_death(reason)
        if self._journals:
            self._journals.acks.add(payload_hash(value), NOWHERE, REFUSED, code)

    def _note_death(self, error: KafkaError) -> None:
        """The loop ends with the block that is being offered; answers that are out may still come."""
        if is_dead(error) and self._dead is None:
            self._dead = error
            self._log.error("client_dead", error=error.str())

    def _note_ready(self) -> None:
        if self._acked and not self._ready:
            self._ready = True
            self._log.info("ready")

    def _flush(self) -> None:
        self._log.info("stopping", waiting_for=self._unanswered)
        deadline = time.monotonic() + self._flush_s
        while self._producer.flush(0.2) and time.monotonic() < deadline and self._stop.signals < 2:
            self._note_ready()
        self._note_ready()

    def _look(self) -> FleetCounts:
        """For whoever asks for metrics, from another thread."""
        return FleetCounts(self._offered, self._acked, self._unanswered, dict(self._counts))

    def _report(self, event: str, **more: float) -> None:
        if self._metrics:
            self._metrics.settle()
        cpu_s = round(time.process_time(), 3)
        counts = {"offered": self._offered, "acked": self._acked, "queued": self._unanswered, **self._counts}
        self._log.info(event, **counts, cpu_s=cpu_s, **more)


def make_source(config: FleetConfig) -> Source:
    """The source that a configuration names.

    Raises:
        UsageError: the recording breaks a rule.
    """
    source = recorded_machine.source_of(config)
    if source is not None:
        return recorded_machine.RecordedMachine(source, config.source_sensor)
    return Simulation(
        sensors=config.sensors,
        kinds=config.kinds,
        seed=config.seed,
        anomaly_rate=config.anomaly_rate,
        index=config.fleet_index,
        count=config.fleet_count,
    )


def main(config: FleetConfig, logger: json_logs.Logger, stop: StopSignal) -> None:
    Fleet(config, logger, stop).run()
