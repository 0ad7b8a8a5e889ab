"""Files as people have them: whose they are, what is wrong with them, and what they allow to happen to records."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from factorylab.core.errors import UsageError
from factorylab.scenarios.configuration.report import RECORDS
from tests.support.property_files import SETS, report_of_set


class Told(NamedTuple):
    """`client` and `role` in one word; `wrong`: a part of each problem, in their order; `harms`: the rules about
    records that are told as allowed."""

    whose: str
    harms: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    starts: bool = True


WEAK = ("acks_of_the_leader_alone", "sent_twice", "overtaken")
READ: dict[str, Told] = {
    "confluent_cloud_consumer": Told("java consumer", ("committed_late",)),
    "cooperative_consumer": Told("java consumer", ("committed_late", "begins_at_the_end")),
    "delivery_too_short": Told("java producer", (), ("at least linger.ms + request.timeout.ms",), starts=False),
    "dirty_reader": Told("java consumer"),
    "eager_consumer": Told("java consumer", ("committed_late", "begins_at_the_end")),
    "escapes": Told("java producer"),
    "exactly_once_consumer": Told("java consumer"),
    "exactly_once_producer": Told("java producer"),
    "fire_and_forget": Told("java producer", ("acks_of_nobody",)),
    "from_the_environment": Told("java producer"),
    "german": Told("java producer"),
    "gives_up_early": Told("java producer", ("given_up_early", "given_up_and_written")),
    "kip_848_static": Told("librdkafka consumer"),
    "kip_848_with_session": Told(
        "java consumer", (), ("session.timeout.ms cannot be set", "heartbeat.interval.ms cannot be set"), starts=False
    ),
    "no_idempotence": Told("java producer", ("sent_twice",)),
    "old_producer": Told(
        "java producer",
        ("acks_of_the_leader_alone", "never_sent_again"),
        ("timeout.ms is no setting", "(now max.block.ms)", "line 7: metadata.fetch.timeout.ms"),
    ),
    "pasted_key": Told("java producer", (), ("line 5", "line 6: a key that is no name", "line 7: a key that")),
    "python_consumer": Told(
        "librdkafka consumer", ("committed_before_processed", "committed_late", "begins_at_the_end")
    ),
    "python_producer": Told("librdkafka producer", ("sent_twice", "overtaken")),
    "python_safe_producer": Told("librdkafka producer"),
    "safe_consumer": Told("java consumer"),
    "safe_producer": Told("java producer"),
    "scala_consumer": Told(
        "java consumer",
        (),
        ("(now bootstrap.servers)", "zookeeper.session", "(now enable.auto.commit)", "auto.offset.reset=smallest"),
        starts=False,
    ),
    "scala_producer": Told(
        "java producer", (), ("bootstrap.servers", "value.serializer", "asynchronous", "now acks", "now linger.ms")
    ),
    "server_as_shipped": Told("java broker", ("one_replica",)),
    "server_safe": Told("java broker"),
    "server_unclean": Told("java broker", ("unclean_election",)),
    "server_zookeeper": Told("java broker", (), ("since Kafka 4.0", "broker.session.timeout.ms", "metadata.version")),
    "spring_like_producer": Told("java producer", WEAK),
    "static_member": Told("java consumer"),
    "ten_in_flight": Told("java producer", (), ("must be 5 at most",), starts=False),
    "twice": Told("java producer", (), ("line 3: acks is on line 1 already",)),
    "twice_by_another_name": Told("librdkafka producer", WEAK, ("line 2: request.required.acks is on line 1",)),
    "typos": Told(
        "java producer",
        (),
        tuple(f"did you mean {name}?" for name in (
            "acks", "enable.idempotence", "linger.ms", "max.in.flight.requests.per.connection", "sasl.jaas.config",
        )),
    ),
    "windows": Told("java consumer"),
    "wrong_values": Told(
        "java producer",
        (),
        ("acks=2: must be one of all", "linger.ms=5ms", "retries=-1", "idempotence=yes: must be true or false", "ZSTD",
         "batch.size=99999999999: must be a whole number of 32 bits"),
        starts=False,
    ),
    "wrong_values_librdkafka": Told(
        "librdkafka producer", (), ("from 10 to 300000", "linger.ms=abc", "message.timeout.ms=1_000"), starts=False
    ),
}  # fmt: skip
REFUSED = {
    "admin_only": "no setting that only a producer or only a consumer has: say what it is for with --producer",
    "confluent_cloud_python": r"of a producer \(acks\) and of a consumer \(session\.timeout\.ms\): say what it is for",
    "connect_worker": r"key\.converter is a setting of Kafka Connect",
    "kafka_streams": r"application\.id is a setting of Kafka Streams",
    "mirrormaker": "clusters is a setting of MirrorMaker",
    "mixed": r"Java's client alone \(buffer\.memory, max\.block\.ms\) and of librdkafka alone \(message\.timeout\.ms,",
    "quarkus": r"kafka\.bootstrap\.servers is a setting of Quarkus",
}

SPRING = "spring_boot"


@pytest.mark.parametrize("name", READ)
def test_a_set_is_understood(name: str) -> None:
    """Its client and role, each problem in its place, and exactly these harms to records."""
    report, told = report_of_set(name), READ[name]
    (file,) = report.files
    assert (f"{file.client} {file.role}", file.starts) == (told.whose, told.starts)
    assert len(file.problems) == len(told.wrong)
    assert all(part in problem for part, problem in zip(told.wrong, file.problems, strict=True))
    assert tuple(one.rule for one in report.allowed if one.kind in RECORDS) == told.harms


@pytest.mark.parametrize("name", REFUSED)
def test_whose_a_set_is_may_not_be_told(name: str) -> None:
    """Then it is refused, with the keys that tell and what to do."""
    with pytest.raises(UsageError, match=REFUSED[name]):
        report_of_set(name)


def test_a_file_of_spring_boot_has_a_producer_and_a_consumer() -> None:
    """Both are read by the clients' names, with what Spring itself sets: no automatic commit."""
    report = report_of_set(SPRING)
    assert [(file.role, file.problems, file.starts) for file in report.files] == [
        ("producer", [], True), ("consumer", [], True),
    ]  # fmt: skip
    assert {one.rule for one in report.allowed if one.kind in RECORDS} == {*WEAK, "begins_at_the_end"}
    (by_program,) = (one for one in report.depends if one.rule == "committed_by_program")
    assert "Spring's listener containers" in by_program.settings[0].source


def test_every_set_is_tried() -> None:
    """No file lies there unread, and there are at least twenty."""
    there = {path.stem for path in SETS.glob("*.properties")}
    assert there == {*READ, *REFUSED, SPRING} and len(there) >= 20


def test_one_transaction_makes_a_reader_dirty() -> None:
    """Beside a producer of transactions a reader with Java's default isolation is told to see what was aborted."""
    together = {one.rule for one in report_of_set("dirty_reader", "exactly_once_producer").allowed}
    safe = {one.rule for one in report_of_set("exactly_once_consumer", "exactly_once_producer").allowed}
    assert "sees_aborted" in together and "sees_aborted" not in safe


def test_members_without_a_common_assignor_are_told_of_each_other() -> None:
    """Both files of a group with an eager and a cooperative member are named."""
    found = [
        o for o in report_of_set("eager_consumer", "cooperative_consumer").allowed if o.rule == "no_common_assignor"
    ]
    assert [one.file.rpartition("/")[2] for one in found] == [
        "eager_consumer.properties",
        "cooperative_consumer.properties",
    ]


def test_brokers_decide_what_acks_of_all_are_worth() -> None:
    """With min.insync.replicas=1 the last replica acknowledges alone: a loss, which 2 prevents."""
    weak = {one.rule for one in report_of_set("safe_producer", "server_zookeeper").allowed}
    safe = report_of_set("safe_producer", "server_safe")
    assert "last_in_sync" in weak and not safe.harms_records
    assert "last_in_sync" not in {one.rule for one in safe.depends}


def test_two_broker_files_are_refused() -> None:
    """A check has one cluster."""
    with pytest.raises(UsageError, match="are both of brokers: name one"):
        report_of_set("server_safe", "server_unclean")
