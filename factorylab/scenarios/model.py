"""What is to be done: a frozen, validated description of one experiment.

Every duration ends in `_s`, every rate in `_per_s`. An unknown key or a wrong value is an error before
anything starts. Precedence: defaults < YAML < `-p` on the command line.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from itertools import pairwise, permutations
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from factorylab.core import secret
from factorylab.core.errors import ScenarioError
from factorylab.core.kafka_versions import KafkaVersion
from factorylab.core.limits import (
    DAY_S,
    FAULTS_MAX,
    STEPS_MAX,
    YEAR_S,
    Count,
    Milliseconds,
    Number,
    Rate,
    Seconds,
    SessionTimeout,
    Share,
    SomeSeconds,
    Whole,
)
from factorylab.core.secret_text import SHOWN, is_secret
from factorylab.core.spelling import NAME
from factorylab.core.vocabulary import AwayFrom, Compression, Direction, GroupProtocol, WorkStep
from factorylab.detectors.recordings.layout import Layout
from factorylab.scenarios.client_settings import SPELLINGS, TRUE, as_text, spelled
from factorylab.scenarios.fault_catalog import FAULT_KINDS, KindName
from factorylab.scenarios.faults.kind import DatabaseAnswers, FaultKind, LinksBreak, MembershipEnds, TargetRole
from factorylab.scenarios.share_group import (
    ALERTS_NEED_ORDER,
    HAVE_DEAD_LETTERS,
    Consumption,
    ShareGroup,
    ShareKind,
)
from factorylab.scenarios.subject import ASKS_A_JOURNAL, Subject
from factorylab.scenarios.targets import Target, TargetParts, parts
from factorylab.scenarios.transactions import TransactionalKind, Transactions


def _acks_as_text(value: object) -> object:
    return str(value) if value in (0, 1) and not isinstance(value, bool) else value  # YAML reads 1 as a number


Acks = Annotated[Literal["0", "1", "all"], BeforeValidator(_acks_as_text)]
Profile = Literal["factory", "safe"]
ProcessorKind = Literal["fenced", "naive", "subject"] | ShareKind | TransactionalKind
EXPECTABLE_CHECKS = (
    "lost_in_log", "expired", "lost_in_pipeline", "not_drained", "phantom", "duplicate_in_log", "duplicate_in_store",
    "reordered_in_log", "inconsistent_offset", "dead_and_stored", "corrupt", "skipped", "rewound", "zombie_write",
    "two_owners", "duplicate_alert", "alert_missing", "alert_spurious", "alert_differs", "recovery_s", "ack_gap_s",
    "latency_p99_s", "shed", "unstored", "kept_per_s", "died_unasked", "accepted_unstored", "archived_unstored",
    "redelivered_after_accept", "delivery_counts", "two_holders", "redelivered_late", "alert_not_once",
    "committed_twice",
)  # fmt: skip
"""The audit's checks that can find something; those of the others say that a run is INVALID."""
OF_ALERTS = frozenset({"duplicate_alert", "alert_missing", "alert_spurious", "alert_differs"})
"""Those of them that look at what detectors raised."""


def _known(value: object) -> object:
    """A list of checks has at least one, each once and spelt right; a word is one of the two."""
    words: list[Any] = list(value) if isinstance(value, list | tuple) else []
    if isinstance(value, list | tuple) and not words:
        raise ValueError("an empty list names no check: write pass")
    if twice := sorted({str(word) for word in words if words.count(word) > 1}):
        raise ValueError(f"{', '.join(twice)} stands there twice")
    if isinstance(value, str) and value in EXPECTABLE_CHECKS:
        raise ValueError(f"checks are a list: write [{value}]")
    wrong = [word for word in words if word not in EXPECTABLE_CHECKS]
    if isinstance(value, str) and value not in {"pass", "invalid"}:
        wrong = [value]
    if wrong:
        raise ValueError("; ".join(map(_no_check, wrong)))
    return value


def _no_check(word: object) -> str:
    if word in {"pass", "invalid"}:
        return f"{word} stands alone, not in a list"
    near = difflib.get_close_matches(str(word), ("pass", "invalid", *EXPECTABLE_CHECKS), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"write pass, invalid or a list of {', '.join(EXPECTABLE_CHECKS)}"
    return f"there is no check {word!r}: {hint}"


Expect = Annotated[
    Literal["pass", "invalid"] | tuple[str, ...],
    BeforeValidator(_known),
    Field(description="how the run must end; a list names checks"),
]

OF_TRANSACTIONS: tuple[WorkStep, ...] = ("in_transaction", "committed")
"""Steps of those who work in Kafka transactions alone."""
STEPS: dict[ProcessorKind, tuple[WorkStep, ...]] = {
    "fenced": tuple(step for step in get_args(WorkStep) if step not in OF_TRANSACTIONS),
    "naive": ("polled", "prepared", "before_store", "in_store", "after_store", "after_commit", "revoking"),
    "subject": (),
    "idempotent": ("polled", "prepared", "delivered", "before_store", "in_store", "after_store", "after_commit"),
    "acknowledges_first": ("polled", "prepared", "delivered", "before_store", "in_store", "after_store"),
    "transactional": get_args(WorkStep),
    "offsets_outside": get_args(WorkStep),
}
"""The steps that each kind of processor goes through. A client that commits by itself does so before the store. Of a
program under test nobody knows them."""
KINDS: dict[str, tuple[ProcessorKind, ...]] = {
    "share": get_args(ShareKind),
    "transactional": get_args(TransactionalKind),
}
"""The kinds of processor that a way to consume has for itself, the usual one first."""
PLAYED_BY: dict[str, TargetRole] = {"owner": "processor", "processor": "processor", "database": "database"}
"""What plays the role of a target; a broker plays the others."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, ser_json_inf_nan="strings")

    def __repr_args__(self) -> Iterable[tuple[str | None, object]]:
        """For `repr` and `str`: a secret is masked wherever a scenario is shown."""
        return [(name, secret.masked({name: value})[name]) for name, value in super().__repr_args__()]


def _asked(found: dict[str, Any], *younger: str) -> dict[str, Any]:
    """A description without those of the keys `younger` that ask for nothing: keys that are younger
    than recorded scenarios change none of them."""
    return {name: value for name, value in found.items() if name not in younger or value}


class Topology(Model):
    """Where the readings are kept. `factory` is RF 2 with min ISR 1, `safe` is RF 3 with min ISR 2.

    Without `kafka` the brokers are those of the lab that is up, or of a new one's default version; such a scenario is
    written as it was before there was a choice.
    """

    partitions: Whole = Field(default=3, ge=1, le=64)
    profile: Profile = "factory"
    unclean_election: bool = False
    kafka: KafkaVersion | None = Field(
        default=None, description="the brokers' version; None: that of the lab that is up, else the default"
    )
    retention_s: Annotated[Number, Field(gt=0, le=YEAR_S)] | None = Field(
        default=None, description="of the readings' topic; None: the broker's, 7 days"
    )

    @model_serializer(mode="wrap")
    def _without_a_version_that_is_none(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _asked(written(self), "kafka")

    @property
    def replication(self) -> int:
        return {"factory": 2, "safe": 3}[self.profile]

    @property
    def min_isr(self) -> int:
        return {"factory": 1, "safe": 2}[self.profile]


def _names_a_file(path: Path) -> Path:
    if "\0" in str(path):
        raise ValueError("NUL is in no file's name")
    return path


class Workload(Model):
    """Offered traffic: open loop, so a stall does not slow the sensors down.

    With `steps_per_s` the rate stays at `rate_per_s` until the end of the steady state and then takes each
    step for `step_s` seconds. With `source` the readings come from a CSV file instead of the simulators.
    """

    rate_per_s: Rate = 2_000
    steps_per_s: tuple[Rate, ...] = Field(default=(), max_length=STEPS_MAX)
    step_s: Seconds = 6
    sensors: Whole = Field(default=300, ge=3, le=100_000)
    anomaly_rate: Share = 0.02
    seed: Count = 1
    fleets: Whole = Field(default=1, ge=1, le=16)
    poison_rate: Share = Field(default=0, description="share of ticks whose readings carry an impossible time")
    source: Annotated[Path, AfterValidator(_names_a_file)] | None = None
    time_column: str | None = Field(
        default=None, min_length=1, description="None: by its name, as timestamp, Date or time"
    )
    value_column: str | None = Field(
        default=None, min_length=1, description="None: the only one of numbers, or the one called value"
    )
    layout: Layout = Field(default=Layout(), description="how the file is laid out, where that cannot be found out")

    @model_validator(mode="after")
    def _source_is_steady(self) -> Workload:
        if self.source is not None and (self.steps_per_s or self.fleets != 1):
            raise ValueError("a recorded source is replayed by one fleet at one rate: leave out steps_per_s and fleets")
        return self


Overrides = Annotated[
    dict[str, Annotated[str, BeforeValidator(as_text)]],
    AfterValidator(spelled),
    Field(description="settings of librdkafka"),
]
TWINS: dict[str, tuple[str, Callable[[str], object]]] = {
    "acks": ("acks", lambda text: text.replace("-1", "all")),
    "enable.idempotence": ("idempotence", lambda text: text.lower() in TRUE),
    "linger.ms": ("linger_ms", float),
    "compression.type": ("compression", str),
}
"""Settings of a producer that have a key of their own, and what their text says in the key's terms."""
GIVEN_MAX = 200  # characters of a wrong value in a message
COMMITS = ("enable.auto.commit", "enable.auto.offset.store")


class Clients(Model):
    """How producers and the group `sensor-processors` are configured; overrides are librdkafka's own names."""

    acks: Acks = "all"
    idempotence: bool | None = Field(default=None, description="None: on when acks=all")
    linger_ms: Milliseconds = 20
    compression: Compression = "lz4"
    processors: Whole = Field(default=2, ge=1, le=16)
    processor: ProcessorKind = Field(
        default="fenced",
        description="the factory's own, one without a fence that loses, the program under test, of a share group: "
        "one that stores by identity before it acknowledges, or one that acknowledges first and loses, or in Kafka "
        "transactions: one whose offsets are in them, or one whose are not, which repeats alerts",
    )
    protocol: GroupProtocol = "range"
    session_timeout_s: SessionTimeout = None
    static_members: bool = Field(
        default=False,
        description="each processor is a static member by its name (group.instance.id): it leaves no group",
    )
    producer: Overrides = {}
    consumer: Overrides = {}

    @model_validator(mode="before")
    @classmethod
    def _taken_from_the_producer(cls, given: Any) -> Any:
        """What has a key of its own may be given as an override instead; the key then says it, too."""
        own = given.get("producer") if isinstance(given, dict) else None
        if not isinstance(own, dict):
            return given
        names = {SPELLINGS.get(str(name), str(name)): as_text(value) for name, value in own.items()}
        taken = {key: names[name] for name, (key, _) in TWINS.items() if name in names and given.get(key) is None}
        return given | taken | ({"acks": "all"} if taken.get("acks") == "-1" else {})

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> Clients:
        for name, (key, read) in TWINS.items():
            if name in self.producer and read(self.producer[name]) != getattr(self, key):
                given = f"{key}={getattr(self, key)} and producer {name}={self.producer[name]}"
                raise ValueError(f"{given} say two things: leave one of them out")
        return self

    @model_validator(mode="after")
    def _workers_keep_their_names(self) -> Clients:
        if "client.id" in {*self.producer, *self.consumer}:
            raise ValueError("client.id is the worker's name, by which its part in the group is known: leave it out")
        return self

    @model_validator(mode="after")
    def _positions_are_the_stores(self) -> Clients:
        commits = [name for name in COMMITS if self.consumer.get(name, "").lower() in TRUE]
        if commits and self.positions_in_store:
            raise ValueError(
                f"consumer {commits[0]}: the {self.processor} processor's position is in the store, not in Kafka: "
                'leave it out, or take processor="naive"'
            )
        return self

    @field_validator("producer", "consumer")
    @classmethod
    def _has_no_end(cls, settings: dict[str, str]) -> dict[str, str]:
        """The client takes a NUL for the end of a text, and would go on with what stands before it."""
        for key, value in settings.items():
            if "\0" in key + value:
                raise ValueError(f"{key}={value!r} holds the sign NUL, which no setting can have: leave it out")
        return settings

    @model_validator(mode="after")
    def _idempotence_needs_all(self) -> Clients:
        if self.idempotence and self.acks != "all":
            raise ValueError(f'acks="{self.acks}" cannot be idempotent: leave idempotence out, or set acks="all"')
        if self.protocol == "consumer" and self.session_timeout_s is not None:
            raise ValueError("protocol=consumer takes its session timeout from the broker: leave session_timeout_s out")
        return self

    @property
    def idempotent(self) -> bool:
        return self.acks == "all" if self.idempotence is None else self.idempotence

    @property
    def positions_in_store(self) -> bool:
        """Do the processors keep their positions in the store, behind its fence, and run detectors?"""
        return self.processor in ("fenced", *get_args(TransactionalKind))


class Fault(Model):
    """One thing done to one target: `at_s` seconds into the fault window, undone after `hold_s` seconds.

    A partition drops the target's packets from and to the (other) brokers, or from and to everybody; one way only
    where `direction` says so, seen from the target. A disconnect takes the target off its network.

    With `step` a processor is hit when it next reaches that step of its work. With `until_replaced` the fault is held
    on until another node plays the target's role. With `wipe` a killed broker has lost its copy of the target's
    partition when it comes back. With `in_sync_first` it waits until every replica of the cluster is in sync. With
    `raise_features` the features of the cluster are raised, once that is so again, as far as its brokers can.
    """

    kind: KindName
    target: Target
    at_s: SomeSeconds = 0
    hold_s: SomeSeconds = 12
    away_from: AwayFrom = "brokers"
    direction: Direction = "both"
    step: WorkStep | None = None
    until_replaced: bool = False
    wipe: bool = False
    in_sync_first: bool = False
    raise_features: bool = False

    @model_serializer(mode="wrap")
    def _without_what_is_not_asked(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _asked(written(self), "in_sync_first", "raise_features")

    @field_validator("hold_s")
    @classmethod
    def _is_held(cls, hold_s: float, given: ValidationInfo) -> float:
        kind = FAULT_KINDS.get(given.data.get("kind", ""))
        if not hold_s and kind and not kind.undoes_itself:
            raise ValueError(f"a {kind.name} is held for some time: hold_s should be greater than 0")
        if kind and hold_s < kind.at_least_s:
            least = f"greater than or equal to {kind.at_least_s:g}"
            raise ValueError(f"the evidence of a {kind.name} takes time: hold_s should be {least}")
        return hold_s

    @model_validator(mode="after")
    def _fits_its_target(self) -> Fault:
        role, which, kind = self.aim.role, self.aim.which, self.declared
        if self.hits not in kind.roles:
            raise ValueError(f"only a {' or a '.join(kind.roles)} can {kind.name}: take target={kind.roles[0]}")
        if self.step and not (self.hits == "processor" and kind.at_step):
            raise ValueError("only a processor that is killed or paused is hit at a step: leave step out")
        if self.until_replaced and role not in {"leader", "owner"}:
            raise ValueError("only a leader:P and an owner:P can be replaced: leave until_replaced out")
        if self.wipe and not (kind.can_wipe and role in {"leader", "follower"} and which.isdigit()):
            raise ValueError("only a killed leader:P or follower:P, P a number, can lose its copy: leave wipe out")
        if self.raise_features and not kind.raises_features:
            able = " or ".join(name for name, one in FAULT_KINDS.items() if one.raises_features)
            raise ValueError(f"features are raised after an {able}: leave raise_features out")
        return self

    @model_validator(mode="after")
    def _only_partitions_have_sides(self) -> Fault:
        if not self.declared.has_sides and (self.away_from, self.direction) != ("brokers", "both"):
            raise ValueError(f"a {self.kind} has no sides: leave away_from and direction out, or take kind=partition")
        return self

    @property
    def declared(self) -> FaultKind:
        """What this kind of fault needs, does and shows."""
        return FAULT_KINDS[self.kind]

    @property
    def hits(self) -> TargetRole:
        """What plays its target's role."""
        return PLAYED_BY.get(self.aim.role, "broker")

    @property
    def aim(self) -> TargetParts:
        """Its target in its parts."""
        return parts(self.target)

    def hides(self, other: Fault) -> bool:
        """Is `other`, seen by its node's being stopped, hidden by this one, which stops what may be the same node?"""
        seen_by_a_stop = other.declared.stops or other.step is not None
        apart = {self.aim.role, other.aim.role} <= {"broker", "processor"}
        overlap = self.at_s < other.at_s + other.hold_s and other.at_s < self.at_s + self.hold_s
        one_node = self.hits == other.hits and not (apart and self.target != other.target)
        return self.declared.stops_in_turns and seen_by_a_stop and overlap and one_node

    @property
    def on_network(self) -> bool:
        return isinstance(self.declared.evidence, LinksBreak)

    @property
    def on_database(self) -> bool:
        """What only a database's own answers show."""
        return isinstance(self.declared.evidence, DatabaseAnswers)

    @property
    def by_request(self) -> bool:
        """Is it asked of the brokers, so that no node is broken?"""
        return self.declared.by_request

    def breaks(self, node: str, source: str, target: str) -> bool:
        """Whether this fault on `node` keeps `source` from opening a connection to the broker `target`.

        A connection takes packets both ways, so a cut of one direction breaks the same links as a cut of both.
        """
        evidence = self.declared.evidence
        if not isinstance(evidence, LinksBreak) or source == target or node not in {source, target}:
            return False
        other = target if node == source else source
        return evidence.all_links or self.away_from == "everybody" or other.startswith("broker-")


class Schedule(Model):
    """How long each phase lasts. The fault window opens when `steady_s` is over."""

    backlog_s: SomeSeconds = Field(default=0, description="the group joins so long after the first readings")
    warm_up_s: Seconds = 4
    steady_s: Seconds = 8
    after_s: SomeSeconds = 8
    recover_s: Seconds = 60
    drain_s: Seconds = 150


class Objectives(Model):
    """What the system promised. A missed objective fails the run like a lost record does; None is not asked."""

    recovery_s: Seconds | None = None
    ack_gap_s: Seconds | None = None
    latency_p99_s: Seconds | None = None
    shed: Count | None = None
    unstored: Count | None = Field(default=None, description="readings offered that are not stored at the end")
    kept_per_s: Rate | None = Field(default=None, description="the highest rate step that must be kept")


class Scenario(Model):
    """One declared experiment. `expect` is "pass", "invalid" or the names of the checks that must fire."""

    name: Annotated[str, NAME] = Field(max_length=60)
    variant: str = Field(default="", max_length=60, description="which one it is of several that share a name")
    topology: Topology = Topology()
    workload: Workload = Workload()
    clients: Clients = Clients()
    subject: Subject | None = Field(default=None, description="a program in the place of the processors")
    consumption: Consumption = Field(
        default="partitions",
        description="each processor owns partitions, or does and raises alerts in Kafka transactions, or all share all "
        "partitions record by record",
    )
    share_group: ShareGroup = Field(default=ShareGroup(), description="with consumption=share")
    transactions: Transactions = Field(default=Transactions(), description="with consumption=transactional")
    faults: tuple[Fault, ...] = Field(default=(), max_length=FAULTS_MAX)
    schedule: Schedule = Schedule()
    objectives: Objectives = Objectives()
    expect: Expect = "pass"

    @model_serializer(mode="wrap")
    def _without_what_it_does_not_have(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A scenario of the factory's own processors is written as it was before there were others."""
        found = _asked(written(self), "subject")
        shared, transactional = self.shared, self.transactional
        has = {"consumption": shared or transactional, "share_group": shared, "transactions": transactional}
        return {name: value for name, value in found.items() if has.get(name, True)}

    @model_validator(mode="before")
    @classmethod
    def _a_subject_takes_the_processors_place(cls, given: Any) -> Any:
        clients = given.get("clients", {}) if isinstance(given, dict) and given.get("subject") else None
        return given | {"clients": {"processor": "subject", **clients}} if isinstance(clients, dict) else given

    @model_validator(mode="before")
    @classmethod
    def _each_consumption_has_workers_of_its_own(cls, given: Any) -> Any:
        kind = KINDS.get(str(given.get("consumption")), ()) if isinstance(given, dict) else ()
        clients = given.get("clients", {}) if kind else None
        return given | {"clients": {"processor": kind[0], **clients}} if isinstance(clients, dict) else given

    @model_validator(mode="after")
    def _workers_fit_the_consumption(self) -> Scenario:
        kind = self.clients.processor
        for consumption, kinds in KINDS.items():
            if (self.consumption == consumption) != (kind in kinds):
                raise ValueError(
                    f"consumption={self.consumption} and clients.processor={kind} do not belong together: leave "
                    f"processor out, or take consumption={consumption} with one of {', '.join(kinds)}"
                )
        return self

    @model_validator(mode="after")
    def _transactions_hold_together(self) -> Scenario:
        if not self.transactional and self.transactions != Transactions():
            raise ValueError("transactions says how transactional processors work: add consumption=transactional")
        if self.transactional and self.clients.consumer.get("isolation.level") == "read_uncommitted":
            raise ValueError(
                "consumer isolation.level=read_uncommitted: a new owner of a partition would not wait for offsets of a "
                "transaction that is open: leave it out of consumption=transactional"
            )
        return self

    @model_validator(mode="after")
    def _a_share_group_owns_no_partition(self) -> Scenario:
        if not self.shared:
            if state := [fault.target for fault in self.faults if fault.aim.role == "share_coordinator"]:
                raise ValueError(f"target {state[0]!r}: only a share group has one: add consumption=share")
            if self.share_group != ShareGroup():
                raise ValueError("share_group says how a share group works: add consumption=share, or leave it out")
            return self
        classic = {"protocol": "range", "session_timeout_s": None, "static_members": False}
        for name, default in classic.items():
            if getattr(self.clients, name) != default:
                raise ValueError(f"clients.{name} is of a group that owns partitions: leave it out of a share group")
        for fault in self.faults:
            if fault.aim.role == "owner":
                raise ValueError(f"target {fault.target!r}: nobody owns a partition of a share group: take processor:0")
        if asked := sorted({*self.expect} & OF_ALERTS if isinstance(self.expect, tuple) else ()):
            raise ValueError(f"expect {', '.join(asked)}: {ALERTS_NEED_ORDER}; leave it out")
        return self

    @model_validator(mode="after")
    def _has_kafka_dead_letters(self) -> Scenario:
        wanted, kafka = self.share_group.kafka_dead_letters, self.topology.kafka
        if wanted != "none" and kafka not in HAVE_DEAD_LETTERS:
            raise ValueError(
                f"share_group.kafka_dead_letters={wanted} needs a Kafka that has them, and topology.kafka is "
                f"{kafka or 'not given'}: add topology: {{kafka: {HAVE_DEAD_LETTERS[0]}}}"
            )
        return self

    @model_validator(mode="after")
    def _is_no_journal_asked_of_a_subject(self) -> Scenario:
        if (self.clients.processor == "subject") != (self.subject is not None):
            raise ValueError(
                "clients.processor=subject and a subject belong together: leave processor out, and name the command of "
                "the program under test in subject"
            )
        asked = [name for name in ASKS_A_JOURNAL if getattr(self.objectives, name) is not None]
        if self.shared and asked:
            raise ValueError(f"objective {asked[0]} is measured on processors that own partitions: leave it out")
        if self.subject is not None and self.subject.times:
            asked = [name for name in asked if name != "latency_p99_s"]
        if self.subject is not None and asked:
            raise ValueError(
                f"objective {asked[0]} is measured on the journals of the factory's processors, and a program under "
                "test writes none: leave it out; latency_p99_s can be had of an output with times"
            )
        return self

    @model_validator(mode="after")
    def _subject_fits(self) -> Scenario:
        if self.subject is not None:
            simulated = self.workload.source is None and not self.workload.poison_rate
            self.subject.check_among(self.clients.processors, simulated=simulated)
        return self

    @model_validator(mode="after")
    def _targets_exist(self) -> Scenario:
        """A number in a target must be one that the topology or the group has, a step one that the processor has."""
        limits = {"broker": range(1, 4), "processor": range(self.clients.processors)}
        for fault in self.faults:
            role, which = fault.aim.role, fault.aim.which
            known = limits.get(role, range(self.topology.partitions))
            if which.isdigit() and int(which) not in known:
                raise ValueError(f"target {fault.target!r}: the numbers of a {role} go from {known[0]} to {known[-1]}")
            if fault.step and fault.step not in STEPS[self.clients.processor]:
                steps = ", ".join(STEPS[self.clients.processor]) or "none that are known"
                raise ValueError(f"step {fault.step!r}: a processor of the kind {self.clients.processor} has {steps}")
        return self

    @model_validator(mode="after")
    def _one_victim_has_chosen_roles(self) -> Scenario:
        """Roles are arranged before the steady state, for one broker."""
        if len(chosen := sorted({fault.target for fault in self.faults if fault.aim.also})) > 1:
            raise ValueError(f"{' and '.join(chosen)}: only one target of a scenario may say what else its broker is")
        return self

    @model_validator(mode="after")
    def _faults_can_be_told_apart(self) -> Scenario:
        for one, other in permutations(self.faults, 2):
            if one.hides(other):
                raise ValueError(
                    f"a {one.kind} {one.target} stops its process most of the time, so a {other.kind} {other.target}"
                    f"{' at a step' if other.step else ''} cannot be seen meanwhile: inject one after the other, or "
                    "name two nodes, as broker:1 and broker:2"
                )
        return self

    @model_validator(mode="after")
    def _evicts_members_that_note_it(self) -> Scenario:
        """What an evicted member is told is noted by the factory's own processors, which own partitions."""
        evicted = any(isinstance(fault.declared.evidence, MembershipEnds) for fault in self.faults)
        if evicted and self.clients.processor != "fenced":
            raise ValueError(
                f"evict is for processors that note what their group tells them, and clients.processor is "
                f"{self.clients.processor}: leave processor out, or take kind=restart"
            )
        return self

    @model_validator(mode="after")
    def _one_demotion_at_a_time(self) -> Scenario:
        """Undone, each gives partitions the order of replicas back that it found."""
        held = sorted((f.at_s, f.at_s + f.hold_s) for f in self.faults if f.by_request and f.declared.undo)
        if any(later[0] < former[1] for former, later in pairwise(held)):
            raise ValueError("a demotion begins while another is held, and would be undone in the wrong order: inject "
                             "one after the other")  # fmt: skip
        return self

    @model_validator(mode="after")
    def _promises_a_rate_that_is_offered(self) -> Scenario:
        promised, steps = self.objectives.kept_per_s, self.workload.steps_per_s
        if promised is not None and promised > max(steps, default=0):
            offered = f"steps_per_s goes up to {max(steps):,g}" if steps else "there are no steps_per_s"
            raise ValueError(f"objective kept_per_s={promised:,g} is never put to the test: {offered}")
        return self

    @model_validator(mode="after")
    def _ends_within_a_day(self) -> Scenario:
        if self.longest_s > DAY_S:
            raise ValueError(
                f"it may last {self.longest_s:,.0f} s, all phases together with the fault window, and a run lasts at "
                f"most {DAY_S:,} s, a day: shorten a phase, a fault or the steps"
            )
        return self

    @property
    def shared(self) -> bool:
        """Do the processors share all partitions, record by record?"""
        return self.consumption == "share"

    @property
    def transactional(self) -> bool:
        """Do the processors raise alerts in Kafka transactions?"""
        return self.consumption == "transactional"

    @property
    def owns_partitions(self) -> bool:
        """Do the factory's processors work, each on partitions of its own, whose polls and transactions they note?"""
        return self.subject is None and not self.shared

    @property
    def title(self) -> str:
        """The name, with the variant if there is one."""
        return f"{self.name} {self.variant}".rstrip()

    @property
    def rate_stages(self) -> list[tuple[float, float | None]]:
        """The declared rates in their order, each with its seconds; None: until the fleets are stopped."""
        load = self.workload
        if not load.steps_per_s:
            return [(load.rate_per_s, None)]
        steps = [(rate, load.step_s) for rate in load.steps_per_s]
        return [(load.rate_per_s, self.schedule.warm_up_s + self.schedule.steady_s), *steps, (load.rate_per_s, None)]

    @property
    def fault_window_s(self) -> float:
        """Seconds from the end of the steady state to the last undo or the last rate step."""
        last_undo = max((f.at_s + f.hold_s for f in self.faults), default=0.0)
        return max(last_undo, len(self.workload.steps_per_s) * self.workload.step_s)

    @property
    def longest_s(self) -> float:
        """Seconds from the first reading to the end of the drain, where recovery and drain take all that they may."""
        plan = self.schedule
        quiet_s = plan.backlog_s + plan.warm_up_s + plan.steady_s
        return quiet_s + self.fault_window_s + plan.after_s + plan.recover_s + plan.drain_s

    def describe(self) -> str:
        """The scenario as a short text for a person; secrets are masked."""
        shown = secret.masked(self.model_dump(mode="json", exclude_defaults=True))
        return yaml.safe_dump(shown, sort_keys=False).strip()


def scenario_from(data: object, origin: str) -> Scenario:
    """Validate plain data (from YAML or Python) as a scenario.

    Raises:
        ScenarioError: naming `origin`, every wrong key with its value, and the rule it breaks.
    """
    secret.remember(data)
    try:
        return Scenario.model_validate(data)
    except ValidationError as error:
        raise ScenarioError(f"{origin}:\n{explain(error)}") from None


def explain(error: ValidationError) -> str:
    """One line for each thing that is wrong: where, what was given (a secret is masked), which rule."""
    lines = []
    for item in error.errors():
        where = ".".join(str(part) for part in item["loc"]) or "scenario"
        hidden = any(is_secret(str(part)) for part in item["loc"])
        shown = SHOWN if hidden else secret.masked(item["input"])
        given = "" if item["type"] in {"missing", "value_error"} else f" (given: {_short(repr(shown))})"
        rule = (
            "there is no such key" if item["type"] == "extra_forbidden" else item["msg"].removeprefix("Value error, ")
        )
        lines.append(f"  {where}: {rule}{given}")
    return "\n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= GIVEN_MAX else f"{text[:GIVEN_MAX]}…"
