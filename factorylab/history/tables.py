"""What happened: one row type a kind of event. Rows are appended while a run goes on and never changed.

Each actor (worker) keeps one journal; at the end of a run the journals become one Parquet file a table,
`raw/history/<table>.parquet`, with the columns below. Times are `time.monotonic_ns()` of one boot.
`sensor` is an index into the table `sensors`; `outcome` is never just yes or no: what was neither acknowledged nor
surely refused is unknown, and what was due and never offered is not_offered.

| table | a row is |
|---|---|
| workers | a process that wrote a journal: its pid and both clocks |
| sensors | a sensor that readings came from |
| stages | a change of the declared rate; 0: the fleet stopped |
| sends | a reading that was due (see `Send`) |
| reads | a partition's share of one poll of a processor |
| commits | one store transaction, or one that the fence refused |
| transactions | a Kafka transaction of a processor, for each partition whose records it covers |
| group | a callback of the consumer group |
| acquisitions | a record that a worker of a share group was given, each time |
| acknowledgements | what such a worker said of a record, and what came back |
| faults | a step of a fault |
| phases | the beginning of a phase of the run |
| log, rows, alerts, dead_letters, positions | the final read: what the log, the store and the sinks hold |
| frozen | the end of each partition, frozen before the final read |
| epochs | the part of a partition that was written in one leader epoch, by the final read |
| partitions, lag, processes, members | what the probe saw |
| events | what the processors noted in `system_events` |
| database | the same, where the database is part of the experiment: does it take connections and writes |
| stable | the same, where processors work in Kafka transactions: how far readers of committed alerts get |
| reach, views | the same, where the network is part of the experiment: who reaches whom, what each broker says |
"""

from __future__ import annotations

import msgspec

from factorylab.core.vocabulary import AckKind, DatabaseAnswer, GroupEvent, Outcome, Phase, ProcessStatus, Sink, Step


class Row(msgspec.Struct, frozen=True, tag_field="table", kw_only=True):
    """What every row has: who wrote it and when (monotonic ns)."""

    worker: str
    t_ns: int


class Worker(Row, frozen=True, tag="workers", kw_only=True):
    pid: int
    role: str
    boot_id: str
    wall_ns: int


class Sensor(Row, frozen=True, tag="sensors", kw_only=True):
    sensor: int
    name: str
    kind: str
    location: str


class Stage(Row, frozen=True, tag="stages", kw_only=True):
    """From `t_ns` on `rate_per_s` was due of this fleet; 0 is the end: what became due later is not counted."""

    rate_per_s: float


class Send(Row, frozen=True, tag="sends", kw_only=True):
    """`t_ns` is just before the send; `t_ack_ns`, `partition` and `offset` are None until acknowledged.

    An ack without an offset is legal (acks=0, a duplicate sequence number). `shed` was refused by the full
    local queue, `fail` by another rule of the client on the spot: neither can be in the log. `not_offered` was due
    before its fleet stopped at `t_ns`, and never handed to the producer: it has no payload, and `payload_hash` is 0.
    """

    sensor: int
    seq: int
    t_intended_ns: int
    t_ack_ns: int | None
    partition: int | None
    offset: int | None
    outcome: Outcome
    error: str | None
    payload_hash: int


class Read(Row, frozen=True, tag="reads", kw_only=True):
    """`hash_sum` is the sum of the payload hashes modulo 2^64, free of order."""

    partition: int
    first_offset: int
    last_offset: int
    count: int
    hash_sum: int
    rebalance_no: int


class Commit(Row, frozen=True, tag="commits", kw_only=True):
    """`t_ns` is when the store confirmed what began at `begun_ns`. The transaction covers offsets
    `from_offset` ≤ o < `to_offset`."""

    partition: int
    from_offset: int
    to_offset: int
    owner_epoch: int
    rows: int
    alerts: int
    dead_letters: int
    refused: bool
    begun_ns: int | None = None


class Transaction(Row, frozen=True, tag="transactions", kw_only=True):
    """A processor hears at `t_ns` what became of a Kafka transaction that began at `begun_ns`: `result` is COMMITTED,
    or the name of the error; then it was aborted, or its end is not known. It covers offsets `from_offset` ≤ o <
    `to_offset` and holds `sent` alerts and dead letters, of all its partitions together."""

    partition: int
    from_offset: int
    to_offset: int
    begun_ns: int
    sent: int
    result: str


class Group(Row, frozen=True, tag="group", kw_only=True):
    """Callbacks only fire inside a poll: a SIGKILLed member reports no revocation."""

    event: GroupEvent
    partitions: list[int]
    rebalance_no: int


class Acquisition(Row, frozen=True, tag="acquisitions", kw_only=True):
    """A worker of a share group was given a record; `delivery_count` is what the broker said, 1 at first."""

    partition: int
    offset: int
    delivery_count: int


class Acknowledgement(Row, frozen=True, tag="acknowledgements", kw_only=True):
    """A worker says (`result` SENT, just before it does) what becomes of a record, and hears (OK, or the name of the
    error). One without an answer may have counted or not."""

    partition: int
    offset: int
    kind: AckKind
    result: str


class FaultStep(Row, frozen=True, tag="faults", kw_only=True):
    """`target` is the role as declared, `node` what it resolved to at injection."""

    fault: int
    kind: str
    target: str
    node: str
    step: Step
    evidence: str


class PhaseStart(Row, frozen=True, tag="phases", kw_only=True):
    """`wall_ns` is the wall clock's time at `t_ns`: the two must go on side by side."""

    phase: Phase
    wall_ns: int | None = None


class LogRecord(Row, frozen=True, tag="log", kw_only=True):
    """A record of `sensor-data` as the final read found it; `sensor` is −1 where the payload names none of ours, and
    `value`, its main measure, NaN where it has none. `measures_hash` is that of all that it measured, and when."""

    partition: int
    offset: int
    sensor: int
    seq: int
    payload_hash: int
    value: float
    measures_hash: int


class StoredRow(Row, frozen=True, tag="rows", kw_only=True):
    """A row of `readings`; `value` is the main measure of the sensor's kind, `measures_hash` as of its record."""

    sensor: int
    seq: int
    partition: int
    offset: int
    value: float
    measures_hash: int


class CrossRead(Row, frozen=True, tag="cross_reads", kw_only=True):
    """A sample of the log as a client of another implementation read it; `hash_sum` as in `reads`."""

    partition: int
    first_offset: int
    last_offset: int
    count: int
    hash_sum: int


class AlertSeen(Row, frozen=True, tag="alerts", kw_only=True):
    """`sink` "replay" is no sink: the alerts that one uninterrupted pass over the final log raises."""

    sink: Sink
    alert_id: str
    sensor: int
    seq: int
    rule: str
    severity: str


class DeadLetterSeen(Row, frozen=True, tag="dead_letters", kw_only=True):
    """`partition` and `offset` are those of the original record."""

    partition: int
    offset: int
    reason: str
    payload_hash: int


class Position(Row, frozen=True, tag="positions", kw_only=True):
    """The store's next offset of a partition at the end."""

    partition: int
    next_offset: int
    owner_epoch: int


class FrozenEnd(Row, frozen=True, tag="frozen", kw_only=True):
    """Log start and high watermark, fixed after healing; the final read goes from one to the other."""

    partition: int
    start: int
    end: int


class EpochSpan(Row, frozen=True, tag="epochs", kw_only=True):
    """Records of one leader epoch that the log holds: the first and last offset, and how many."""

    partition: int
    epoch: int
    first_offset: int
    last_offset: int
    count: int


class PartitionSample(Row, frozen=True, tag="partitions", kw_only=True):
    """`valid` is false where a broker did not answer in time; then `end` and `epoch` mean nothing.

    `end` is the high watermark at some moment between `asked_ns` and `t_ns`; None where nothing valid was said.
    """

    partition: int
    leader: int
    epoch: int
    isr: list[int]
    end: int
    valid: bool
    asked_ns: int | None = None


class LagSample(Row, frozen=True, tag="lag", kw_only=True):
    """Consumer lag in records is `end` − `committed`; only where `valid`."""

    partition: int
    committed: int
    end: int
    valid: bool


class ProcessSample(Row, frozen=True, tag="processes", kw_only=True):
    """`cpu_s` is CPU time of the node's processes so far, ended ones and children included; `cpu_limit`, how many
    CPUs the kernel lets its control group use, is None where there is no limit."""

    name: str
    pid: int
    status: ProcessStatus
    cpu_s: float
    rss_bytes: int
    cpu_limit: float | None = None


class MemberSample(Row, frozen=True, tag="members", kw_only=True):
    """One member of the group; `member` is its client id (the worker's name)."""

    state: str
    member: str
    partitions: list[int]


class ReachSample(Row, frozen=True, tag="reach", kw_only=True):
    """`source` (a node, or "host") tried to open a connection to `target`; `ok` is false when that took too long."""

    source: str
    target: str
    ok: bool


class ViewSample(Row, frozen=True, tag="views", kw_only=True):
    """What broker `broker`, asked alone, says of a partition; a broker that does not answer has no row."""

    broker: int
    partition: int
    leader: int
    epoch: int
    isr: list[int]


class StableSample(Row, frozen=True, tag="stable", kw_only=True):
    """A partition of the topic of alerts: `stable` is its last stable offset, at which readers of committed records
    stand, and `end` its high watermark, asked for just after it."""

    partition: int
    stable: int
    end: int


class DatabaseSample(Row, frozen=True, tag="database", kw_only=True):
    """How the database answered a connection and a write that were tried at `t_ns`."""

    answer: DatabaseAnswer


class SystemEvent(Row, frozen=True, tag="events", kw_only=True):
    """A row of `system_events`, by the final read; `t_ns` is when it happened, by the clock of its `process`."""

    process: str
    event: str
    detail: str


ROW_TYPES: tuple[type[Row], ...] = (
    Worker, Sensor, Stage, Send, Read, Commit, Group, FaultStep, PhaseStart, LogRecord, StoredRow, AlertSeen,
    DeadLetterSeen, Position, FrozenEnd, PartitionSample, LagSample, ProcessSample, MemberSample, ReachSample,
    ViewSample, DatabaseSample, SystemEvent, EpochSpan, CrossRead, Acquisition, Acknowledgement, Transaction,
    StableSample,
)  # fmt: skip
SINCE: dict[str, int] = {
    "epochs": 2, "phases.wall_ns": 2, "partitions.asked_ns": 2, "database": 2, "events": 2, "log.value": 4,
    "processes.cpu_limit": 5, "commits.begun_ns": 6, "log.measures_hash": 6, "rows.measures_hash": 6,
    "cross_reads": 6, "acquisitions": 7, "acknowledgements": 7, "transactions": 8, "stable": 8,
}  # fmt: skip
"""Tables and columns that came later than the first schema version, by the version that brought them."""
SENT, ANSWERED_OK = "sent", "ok"
"""Results of acknowledgements: on its way, and taken by the broker."""
COMMITTED = "committed"
"""The result of a transaction that counts."""
COUNTS_DUE = 6
"""The first version whose `sends` hold what was due and not offered, and whose `stages` say when a fleet stopped."""
TABLES: dict[str, type[Row]] = {str(row.__struct_config__.tag): row for row in ROW_TYPES}
OF_SHARE_GROUPS = frozenset({"acquisitions", "acknowledgements"})
"""Tables that only the workers of a share group fill."""
OF_TRANSACTIONS = frozenset({"transactions", "stable"})
"""Tables that only runs with Kafka transactions fill."""
WRITERS = {
    "runner": ("faults", "phases"),
    "probe": ("partitions", "lag", "processes", "members", "reach", "views", "database", "stable"),
    "fleet": ("sensors", "stages", "sends"),
    "processor": ("reads", "commits", "group", "acquisitions", "acknowledgements", "transactions"),
}
"""The role whose workers write a table; the final read writes the others."""
FINAL_READ = "final-read"
"""Who writes them."""
