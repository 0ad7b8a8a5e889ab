"""The controls as scenarios: each breaks one promise in a known way, and its twin differs by what prevents that.

P1 … P14 must be reported as declared (there is no P10), NP is the network partition, N1 … N4 are negative: whatever
they look like, they must stay PASS. One small, slow workload for all; one partition where it is about one leader.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from factorylab.core.limits import Count
from factorylab.scenarios.model import Clients, Expect, Fault, Objectives, Scenario, Schedule, Topology, Workload

ControlName = Literal[
    "P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P11", "P12", "P13", "P14", "NP", "N1", "N2", "N3", "N4"
]
NAMES: tuple[ControlName, ...] = get_args(ControlName)
FAST: tuple[ControlName, ...] = ("P1", "P5", "P6", "P9", "P14", "N1")
"""A subset for every day: the log, the pipeline, the store, the producer, bad input, and one that must stay PASS."""


@dataclass(frozen=True)
class Control:
    """`injection` and `prevented_by` in words; the broken scenario says how it must end, the repaired one must pass.
    A negative control has no twin."""

    injection: str
    prevented_by: str
    broken: Scenario
    repaired: Scenario | None = None

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return (self.broken, self.repaired) if self.repaired else (self.broken,)


SCHEDULE = Schedule(warm_up_s=2, steady_s=6, after_s=4, drain_s=60)
WORKLOAD = Workload(rate_per_s=500, sensors=30, anomaly_rate=0)
LINGER_MS = 100  # few and larger requests, as in PATIENT: several labs at once then fit on two cores
PATIENT = {"fetch.wait.max.ms": "150"}
SAFE = Topology(profile="safe")
ONE_SAFE, ONE_FACTORY = (Topology(partitions=1, profile=profile) for profile in ("safe", "factory"))
FENCED = Clients(session_timeout_s=6)
EARLIEST = {"auto.offset.reset": "earliest"}
COMMITS_ITSELF = {"enable.auto.commit": "true", "enable.auto.offset.store": "true", "auto.commit.interval.ms": "100"}
NAIVE = Clients(session_timeout_s=6, processor="naive", consumer=EARLIEST)
AUTO_COMMIT = Clients(session_timeout_s=6, processor="naive", consumer=EARLIEST | COMMITS_ITSELF)
LOST = ("lost_in_log", "inconsistent_offset")  # what was cut off is missing, and its offsets hold other readings
FENCE = "the position in the store's own transaction, behind a fence"


def _declared(
    variant: str,
    *faults: Fault,
    topology: Topology = SAFE,
    clients: Clients = FENCED,
    workload: Workload = WORKLOAD,
    schedule: Schedule = SCHEDULE,
    unstored: int | None = None,
    expect: Expect = "pass",
) -> Scenario:
    return Scenario(
        name="control",
        variant=variant,
        topology=topology,
        workload=workload,
        clients=clients.model_copy(update={"linger_ms": LINGER_MS, "consumer": PATIENT | clients.consumer}),
        faults=faults,
        schedule=schedule,
        objectives=Objectives(unstored=unstored),
        expect=expect,
    )


ONCE = {"message.send.max.retries": "0"}  # without a retry nothing is written twice: that would be another story


def _acks_of_the_leader_alone() -> Control:
    weak, safe = (Clients(acks=a, idempotence=False, producer=ONCE, session_timeout_s=6) for a in ("1", "all"))
    faults = (
        Fault(kind="pause", target="followers:0", hold_s=8),
        Fault(kind="kill", target="leader:0", at_s=3, hold_s=14, until_replaced=True),
    )
    return Control(
        "acks=1; both followers are frozen, the leader acknowledges alone and is killed, the followers wake up",
        "acks=all",
        _declared("P1", *faults, topology=ONE_SAFE, clients=weak, expect=LOST),
        _declared("P1 repaired", *faults, topology=ONE_SAFE, clients=safe),
    )


NO_READER = Fault(kind="terminate", target="processor:0", hold_s=24)
ALONE = Clients(session_timeout_s=6, processors=1, idempotence=False, producer=ONCE)
"""While the only processor is stopped, the position stays where all replicas agree. Without idempotence: its sequence
numbers are lost with the log, and an idempotent producer ends with a fatal error at its next request."""


def _unclean_election() -> Control:
    weak, safe = (t.model_copy(update={"unclean_election": True}) for t in (ONE_FACTORY, ONE_SAFE))
    faults = (
        NO_READER,
        Fault(kind="terminate", target="follower:0", at_s=1, hold_s=8),
        Fault(kind="kill", target="leader:0", at_s=5, hold_s=10, until_replaced=True),
    )
    return Control(
        "2 replicas, min ISR 1, unclean election on; the follower is stopped, the leader acknowledges alone and is "
        "killed, the follower comes back first",
        "3 replicas, min ISR 2",
        _declared("P2", *faults, topology=weak, clients=ALONE, expect=LOST),
        _declared("P2 repaired", *faults, topology=safe, clients=ALONE),
    )


def _lost_disk() -> Control:
    """A bare offset is taken for a place in the new log, and a reader passes over what lies below. The factory's own
    processor would end with the news that its position was cut off; a naive one goes on."""
    reader = NAIVE.model_copy(update={"processors": 1, "idempotence": False, "producer": ONCE})
    faults = (
        NO_READER.model_copy(update={"hold_s": 36}),
        Fault(kind="terminate", target="follower:0", at_s=1, hold_s=10),
        Fault(kind="kill", target="leader:0", at_s=5, hold_s=6, wipe=True),
    )
    return Control(
        "2 replicas, min ISR 1; the follower is stopped, the leader acknowledges alone, is killed and loses its disk, "
        "both come back",
        "3 replicas, min ISR 2",
        _declared("P3", *faults, topology=ONE_FACTORY, clients=reader, expect=(*LOST, "lost_in_pipeline")),
        _declared("P3 repaired", *faults, topology=ONE_SAFE, clients=reader),
    )


def _acks_of_nobody() -> Control:
    """The pause ends after the kill: whoever heals a pause starts what is dead."""
    weak, safe = (Clients(acks=a, session_timeout_s=6) for a in ("0", "all"))
    faults = (
        Fault(kind="pause", target="leader:0", hold_s=20),
        Fault(kind="kill", target="leader:0", at_s=3, hold_s=12, until_replaced=True),
    )
    return Control(
        "acks=0; the leader is frozen, readings are sent to it, it is killed",
        "acks=all",
        _declared("P4", *faults, topology=ONE_SAFE, clients=weak, unstored=0, expect=("unstored",)),
        _declared("P4 repaired", *faults, topology=ONE_SAFE, clients=safe, unstored=0),
    )


def _slow_processing() -> Control:
    """The database stands still, so processing does; who does not poll is put out of the group."""
    frozen = Fault(kind="pause", target="database", hold_s=14)
    impatient = FENCED.model_copy(update={"consumer": {"max.poll.interval.ms": "6000"}})
    return Control(
        "a batch takes longer than max.poll.interval.ms: the database is frozen for 14 s, the limit is 6 s",
        "a limit that outlasts the batch; what it cannot prevent is fenced",
        _declared("P8", frozen, clients=impatient),
        _declared("P8 repaired", frozen),
    )


def _retries_without_idempotence() -> Control:
    slow = {"socket.timeout.ms": "3000", "max.in.flight.requests.per.connection": "1"}
    weak, safe = (Clients(idempotence=on, producer=slow, session_timeout_s=6) for on in (False, True))
    frozen = Fault(kind="pause", target="leader:0", hold_s=5)
    return Control(
        "idempotence off, requests time out after 3 s; the leader is frozen for 5 s with requests in flight",
        "idempotence",
        _declared("P9", frozen, clients=weak, expect=("duplicate_in_log",)),
        _declared("P9 repaired", frozen, clients=safe),
    )


def _new_group() -> Control:
    late = SCHEDULE.model_copy(update={"backlog_s": 4})
    latest = NAIVE.model_copy(update={"consumer": {"auto.offset.reset": "latest"}})
    return Control(
        "a new group with the default auto.offset.reset=latest joins after the first readings",
        "auto.offset.reset=earliest",
        _declared("P11", clients=latest, schedule=late, expect=("lost_in_pipeline",)),
        _declared("P11 repaired", clients=NAIVE, schedule=late),
    )


def _retention() -> Control:
    short, long = (SAFE.model_copy(update={"retention_s": seconds}) for seconds in (8.0, 3600.0))
    alone = NAIVE.model_copy(update={"processors": 1})
    return Control(
        "readings are kept for 8 s and nobody reads for 24 s",
        "retention longer than the longest outage",
        _declared("P12", NO_READER, topology=short, clients=alone, expect=("expired",)),
        _declared("P12 repaired", NO_READER, topology=long, clients=alone),
    )


def _answer_of_commit_lost() -> Control:
    """The client stands with its transaction open; the database is frozen; the client goes on, so that its COMMIT waits
    in the frozen server, and is killed; the server wakes up and carries it out."""
    faults = (
        Fault(kind="pause", target="owner:0", hold_s=2, step="in_store"),
        Fault(kind="pause", target="database", at_s=1, hold_s=4),
        Fault(kind="kill", target="owner:0", at_s=3, hold_s=6),
    )
    return Control(
        "the database is frozen, the client is killed in the middle of COMMIT, the database wakes up and commits",
        FENCE,
        _declared("P13", *faults, clients=NAIVE, expect=("duplicate_in_store",)),
        _declared("P13 repaired", *faults),
    )


def _poison() -> Control:
    poisoned = WORKLOAD.model_copy(update={"poison_rate": 0.05})
    return Control(
        "one tick in twenty carries readings with an impossible time, in batches with good ones",
        "a record that is not stored goes to the dead letters",
        _declared("P14", clients=NAIVE, workload=poisoned, expect=("lost_in_pipeline",)),
        _declared("P14 repaired", workload=poisoned),
    )


def _network_partition() -> Control:
    looks = {"topic.metadata.refresh.interval.ms": "10000"}
    weak, safe = (Clients(acks=a, producer=looks, session_timeout_s=6) for a in ("1", "all"))
    cut = Fault(kind="partition", target="leader:0", hold_s=20)
    return Control(
        "acks=1; the leader is cut off from its peers for 20 s while clients still reach it",
        "acks=all",
        _declared("NP", cut, clients=weak, expect=LOST),
        _declared("NP repaired", cut, clients=safe),
    )


def _at_a_step(injection: str, variant: str, clients: Clients, faults: tuple[Fault, Fault], expect: Expect) -> Control:
    return Control(
        injection,
        FENCE,
        _declared(variant, faults[0], clients=clients, expect=expect),
        _declared(f"{variant} repaired", faults[1]),
    )


KILLED = Fault(kind="kill", target="owner:0", hold_s=4)
BEFORE, AFTER, COMMITTED = (
    KILLED.model_copy(update={"step": step}) for step in ("before_store", "after_store", "after_commit")
)
FROZEN = Fault(kind="pause", target="owner:0", hold_s=14, step="before_store", until_replaced=True)
# The leader lives and writes at once; only the followers, and so the answers, are late. One request at a time, never
# sent again: with more, time-outs double or reorder, which is another story (see docs/controls.md).
ONE_BY_ONE = ONCE | {"delivery.timeout.ms": "3000", "max.in.flight": "1"}
LATE_ANSWER = Clients(idempotence=False, producer=ONE_BY_ONE, session_timeout_s=6)
CONTROLS: dict[ControlName, Control] = {
    "P1": _acks_of_the_leader_alone(),
    "P2": _unclean_election(),
    "P3": _lost_disk(),
    "P4": _acks_of_nobody(),
    "P5": _at_a_step(
        "the client commits by itself; the processor is killed after that and before the batch is inserted",
        "P5", AUTO_COMMIT, (COMMITTED, BEFORE), ("lost_in_pipeline",),
    ),
    "P6": _at_a_step(
        "no unique key, the offset is committed after the insert; the processor is killed between the two",
        "P6", NAIVE, (AFTER, AFTER), ("duplicate_in_store",),
    ),
    "P7": _at_a_step(
        "the processor is frozen with a batch in hand until another one owns its partition, then it goes on",
        "P7", NAIVE, (FROZEN, FROZEN), ("zombie_write", "duplicate_in_store"),
    ),
    "P8": _slow_processing(),
    "P9": _retries_without_idempotence(),
    "P11": _new_group(),
    "P12": _retention(),
    "P13": _answer_of_commit_lost(),
    "P14": _poison(),
    "NP": _network_partition(),
    "N1": Control(
        "readings time out at the producer and are found in the log later",
        "–",
        _declared("N1", Fault(kind="pause", target="followers:0", hold_s=5), topology=ONE_SAFE, clients=LATE_ANSWER),
    ),
    "N2": Control(
        "a leader is killed, safe profile", "–", _declared("N2", Fault(kind="kill", target="leader:0", hold_s=12))
    ),
    "N3": Control("a planned rebalance", "–", _declared("N3", Fault(kind="terminate", target="processor:1", hold_s=6))),
    "N4": Control("no fault", "–", _declared("N4")),
}  # fmt: skip


def control(*, which: ControlName = "P1", repaired: bool = False, seed: Count = 1) -> Scenario:
    """A set-up that must fail in a known way, or with `repaired` its twin that must pass."""
    return seeded(CONTROLS[which].scenarios[-1 if repaired else 0], seed)


def seeded(scenario: Scenario, seed: int) -> Scenario:
    """The same with another workload."""
    return scenario.model_copy(update={"workload": scenario.workload.model_copy(update={"seed": seed})})
