"""How a file is read: its client, its role, its keys in one spelling, and what is never shown of it."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from factorylab.core.errors import UsageError
from factorylab.core.kafka_versions import DEFAULT_KAFKA
from factorylab.scenarios.configuration.checking import Named, check, read_all
from factorylab.scenarios.configuration.keys import Key, kafka
from factorylab.scenarios.configuration.report import Report
from tests.support.property_files import SETS, known, report_of


def keys_of(report: Report) -> dict[str, tuple[str, str]]:
    """Of each key: its spelling and its standing."""
    return {key.key: (key.name, key.standing) for file in report.files for key in file.keys}


def test_librdkafkas_other_names_have_one_spelling(tmp_path: Path) -> None:
    """A key under its older name counts as the setting that it is."""
    keys = keys_of(report_of(tmp_path, ("producer", "request.required.acks=1\nqueue.buffering.max.ms=5\n")))
    assert keys["request.required.acks"] == ("acks", "used") and keys["queue.buffering.max.ms"] == ("linger.ms", "used")


def test_one_file_may_serve_both_roles(tmp_path: Path) -> None:
    """Said to be of a producer, it is no error that it has a consumer's keys: they are named as another role's."""
    text = "sasl.username=u\nacks=all\nsession.timeout.ms=45000\n"
    report = report_of(tmp_path, ("producer", text), ("consumer", text))
    assert [file.problems for file in report.files] == [[], []]
    assert [k.key for k in report.files[0].keys if k.standing == "another role's"] == ["session.timeout.ms"]
    assert [k.key for k in report.files[1].keys if k.standing == "another role's"] == ["acks"]


def test_what_no_key_tells_is_said(tmp_path: Path) -> None:
    """A file of names that both clients have is taken for Java's, with a word; --client takes it for the other's."""
    java, other = (report_of(tmp_path, ("producer", "acks=all\n"), client=one) for one in (None, "librdkafka"))
    assert (java.files[0].client, other.files[0].client) == ("java", "librdkafka")
    assert "no key tells, and --client says another" in java.files[0].told_by


def test_a_mixed_file_of_librdkafka_does_not_start(tmp_path: Path) -> None:
    """Taken for librdkafka's by the caller, Java's names stop it; taken for Java's, librdkafka's are ignored."""
    text = "buffer.memory=1\nmessage.timeout.ms=30000\nacks=1\n"
    java, other = (report_of(tmp_path, ("producer", text), client=one) for one in ("java", "librdkafka"))
    assert java.files[0].starts and java.harms_records and "is ignored" in java.files[0].problems[0]
    assert not other.files[0].starts and other.allowed == []


def test_of_a_key_that_is_there_twice_the_last_value_counts(tmp_path: Path) -> None:
    """The former one, wrong as it may be, stops nothing and decides nothing."""
    file = report_of(tmp_path, ("producer", "acks=never\nkey.serializer=x\nacks=all\n"))
    assert file.files[0].starts and file.files[0].problems == ["line 3: acks is on line 1 already: the last one counts"]
    assert not file.harms_records


def test_librdkafka_is_asked_itself(tmp_path: Path) -> None:
    """Settings that it refuses together are refused in its own words."""
    report = report_of(tmp_path, ("producer", "socket.timeout.ms=1000\nenable.idempotence=true\nacks=1\n"))
    assert "`acks` must be set to `all`" in report.files[0].problems[0] and not report.files[0].starts


def test_acks_that_brokers_refuse(tmp_path: Path) -> None:
    """librdkafka takes acks=2, and no broker does."""
    (problem,) = report_of(tmp_path, ("producer", "socket.timeout.ms=1000\nacks=2\n")).files[0].problems
    assert "brokers take acks of all (-1), 1 and 0 alone" in problem


def test_a_file_of_java_8s_encoding_is_read(tmp_path: Path) -> None:
    """German comments in ISO-8859-1 are no error, and that they were read so is said."""
    path = tmp_path / "alt.properties"
    path.write_bytes("# Prüfstand, bitte nicht ändern\nacks=1\nkey.serializer=x\n".encode("iso-8859-1"))
    report = check([Named(path)], None, known())
    assert report.files[0].told_by.endswith("read as ISO-8859-1") and report.harms_records


def test_an_escape_that_means_nothing_ends_the_reading(tmp_path: Path) -> None:
    """`C:\\users` in one backslash: Java reads no further and ends, so nothing is said of what the rest would allow."""
    report = report_of(tmp_path, ("producer", "key.serializer=x\nssl.truststore.location=C:\\users\\x\nacks=0\n"))
    assert "write \\\\ for a backslash" in report.files[0].problems[0]
    assert not report.files[0].starts and report.allowed == []


SPRING = """
spring.kafka.properties.max.block.ms=500
spring.kafka.producer.batchSize=32KB
spring.kafka.producer.buffer-memory=64MB
spring.kafka.producer.transaction-id-prefix=tx-
spring.kafka.producer.properties.linger.ms=20
spring.kafka.producer.security.protocol=SSL
spring.kafka.producer.ack=1
spring.kafka.consumer.auto-commit-interval=2s
spring.kafka.consumer.fetch-max-wait=soon
server.port=80
"""


def test_spring_boots_names_and_units_are_the_clients(tmp_path: Path) -> None:
    """Dashes and camel case, durations and sizes; a name that is none of the client's is named with the nearest."""
    path = tmp_path / "application.properties"
    path.write_text(SPRING)
    producer, consumer = (file for file in read_all([Named(path)], None, known()))
    assert {name: entry.value for name, entry in producer.given.items()} == {
        "max.block.ms": "500", "batch.size": "32768", "buffer.memory": "67108864", "transactional.id": "tx-",
        "linger.ms": "20",
    }  # fmt: skip
    assert consumer.given["auto.commit.interval.ms"].value == "2000"
    assert "did you mean acks?" in producer.problems[0].text and len(producer.problems) == 1
    assert consumer.problems[0].text.startswith("fetch.max.wait.ms=soon: must be a whole number")
    (alone,) = read_all([Named(path, "producer")], None, known())
    assert alone.role == "producer"


def test_a_file_of_spring_boot_without_a_client_is_refused(tmp_path: Path) -> None:
    """There is no producer or consumer to check, or not the one that was asked for."""
    path = tmp_path / "application.properties"
    path.write_text("spring.kafka.bootstrap-servers=k:9092\nspring.kafka.producer.acks=1\n")
    with pytest.raises(UsageError, match=r"has no setting of spring\.kafka\.consumer"):
        read_all([Named(path, "consumer")], None, known())


@pytest.mark.parametrize("name", ["nowhere.properties", "."])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    """It is named with the system's reason."""
    with pytest.raises(UsageError, match=r"cannot be read: (No such file|Is a directory)"):
        check([Named(tmp_path / name)], None, known())


def test_no_value_of_a_login_is_in_the_report() -> None:
    """Of every set the report has no secret, whether its key is known, misspelt, or no key at all."""
    for path in SETS.glob("*.properties"):
        try:
            text = msgspec.json.encode(check([Named(path)], None, known())).decode()
        except UsageError as error:
            text = str(error)
        assert "fake" not in text.lower() and "FAKE" not in text, path.name


def test_whatever_a_file_holds_it_is_read_or_refused(tmp_path: Path) -> None:
    """Cut, doubled and scrambled files end in a report or in a clear refusal, never in another error."""
    dice, path = random.Random(1), tmp_path / "scrambled.properties"
    texts = [one.read_bytes() for one in sorted(SETS.glob("*.properties"))]
    for _ in range(60):
        lines = [line for text in dice.sample(texts, 2) for line in text.splitlines(keepends=True)]
        dice.shuffle(lines)
        data = bytearray(b"".join(lines[: dice.randrange(12)]))
        for _ in range(dice.randrange(4)):
            data[dice.randrange(len(data) + 1) : 0] = bytes([dice.randrange(256)])
        path.write_bytes(data)
        try:
            report = check([Named(path, dice.choice(["producer", "consumer", "broker"]))], None, known())
        except UsageError:
            continue
        assert report.files[0].keys or report.files[0].problems or not data.strip()


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        (Key("int", valid="[0,...]"), ("0", " 5 ", "+5"), ("-1", "5.0", "1_000", "0x10", "", "2147483648", "٣")),
        (Key("int", valid="[1,...,9] or -1"), ("1", "9", "-1"), ("0", "10", "-2")),
        (Key("double", valid="[0.5,...,1.0]"), ("0.5", "1", "8e-1"), ("0.4", "1.1", "half")),
        (Key("boolean"), ("true", "FALSE"), ("yes", "1", "")),
        (Key("string", valid="[all, -1, 0, 1]"), ("all", "-1"), ("ALL", "2", "")),
        (Key("string", valid="(case insensitive) [CONSUMER, CLASSIC]"), ("consumer", "Classic"), ("share",)),
        (Key("string", valid="[latest, by_duration:PnDTnHnMn.nS]"), ("latest", "by_duration:PT1H"), ("by_duration:1",)),
        (Key("list", valid="[compact, delete]"), ("compact", "delete, compact"), ("delete,zip",)),
        (Key("string", valid="non-empty string"), ("x",), (" ",)),
        (Key("string"), ("", "anything"), ()),
    ],
)  # fmt: skip
def test_values_are_judged_as_kafka_does(key: Key, good: tuple[str, ...], bad: tuple[str, ...]) -> None:
    """Types, ranges and words of Kafka's own definitions, with the rule in words where one is broken."""
    assert [key.problem(value) for value in good] == [""] * len(good)
    assert all(key.problem(value) for value in bad)


def test_defaults_are_valid() -> None:
    """Every default that Kafka defines fits its own rule, so that no rule here is stricter than Kafka's."""
    defaults = [(name, key) for keys in kafka().roles.values() for name, key in keys.items() if key.default is not None]
    assert len(defaults) > 400
    assert [(name, why) for name, key in defaults if (why := key.problem(key.default or ""))] == []


def test_the_definitions_are_those_of_the_kafka_that_runs() -> None:
    """A lab's brokers and the recorded definitions are of one version; `Definitions.java` writes them anew."""
    assert kafka().version == DEFAULT_KAFKA
