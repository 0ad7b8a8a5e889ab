"""The factory without a cluster: configuration, schedule, sensors, intake of good and bad records."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from factorylab.core.clock import NS
from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.layout import Layout
from factorylab.execution.workers import rate_plan
from factorylab.factory import client_options, profiles
from factorylab.factory.config import FleetConfig, ProcessorConfig, RateStage, from_environment, parse_rate
from factorylab.factory.fleet.schedule import SendSchedule
from factorylab.factory.processor.intake import Records, take_in
from factorylab.factory.processor.outbox import printable
from factorylab.factory.processor.owned_partition import Owned
from factorylab.factory.processor.polls import records_of
from factorylab.factory.sensors.recorded_machine import RecordedMachine, SourceFile
from factorylab.factory.store.copy_binary import HEADER, TRAILER, Columns, copy_bytes, names
from factorylab.factory.store.positions import Taken
from factorylab.scenarios.catalog import build
from factorylab.scenarios.client_settings import SPELLINGS
from tests.support.wire import BAD, wire


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No FACTORYLAB_ variable of the caller's."""
    import os

    for name in [name for name in os.environ if name.startswith("FACTORYLAB_")]:
        monkeypatch.delenv(name)
    return monkeypatch


def processor(**given: object) -> ProcessorConfig:
    url = "postgresql://u:secret@h/d"
    return ProcessorConfig.model_validate({"bootstrap": "a:1", "worker": "p", "database_url": url} | given)


# ---- configuration


def test_configuration_passes_through_an_environment(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What environ() gives makes a child read the same configuration, secrets and lists included."""
    fleet = FleetConfig(
        bootstrap="a:1", worker="f", rate="10:2,20", kinds=("energy", "vibration"), journal_dir=tmp_path
    )
    for config in (fleet, processor(protocol="consumer")):
        with clean.context() as environment:
            for name, value in config.environ().items():
                environment.setenv(name, value)
            assert from_environment(type(config)) == config


def test_all_errors_of_the_environment_come_at_once(clean: pytest.MonkeyPatch) -> None:
    """Every wrong or missing variable is named in one message, with its value unless it is a secret."""
    clean.setenv("FACTORYLAB_SENSORS", "-3")
    clean.setenv("FACTORYLAB_RATE", "fast")
    clean.setenv("FACTORYLAB_SOURCE", "/no/such.csv")
    with pytest.raises(UsageError) as caught:
        from_environment(FleetConfig)
    text = str(caught.value)
    for word in ("FACTORYLAB_BOOTSTRAP", "FACTORYLAB_WORKER", "FACTORYLAB_SENSORS", "'-3'", "'fast'", "/no/such.csv"):
        assert word in text


def test_secrets_are_not_shown() -> None:
    """The password of the database is in no text that a configuration makes of itself."""
    assert "secret" not in repr(processor())
    assert "secret" in processor().environ()["FACTORYLAB_DATABASE_URL"]


@pytest.mark.parametrize("fleet", ["1/1", "3/2", "0/4"])
def test_a_fleet_without_a_share_is_refused(fleet: str) -> None:
    """The index is below the count, and no fleet is without sensors."""
    with pytest.raises(ValueError, match="fleet"):
        FleetConfig(bootstrap="a:1", worker="f", sensors=3, fleet=fleet)


def test_rates_are_stages() -> None:
    """A rate is one stage for ever; with steps each but the last has its seconds."""
    assert parse_rate("2000") == (RateStage(2000, None),)
    assert parse_rate("2000:12,5000:6") == (RateStage(2000, 12), RateStage(5000, None))
    for wrong in ("", "0", "-5", "5:", "1000,2000", "nan", "1e400"):
        with pytest.raises(ValueError, match=r"rate|seconds"):
            parse_rate(wrong)


def test_a_rate_arrives_as_it_was_asked_for() -> None:
    """Whatever rate and step a scenario has, its fleets read the very same numbers."""
    for rate in (2000, 1e6, 123456.5, 1e-5, 1 / 3):
        assert parse_rate(rate_plan(build("baseline", {"rate_per_s": rate}))) == (RateStage(rate, None),)
    stepped = build("high_load", {"steps_per_s": [123456.75, 1e6], "step_s": 1234.5678})
    stages = parse_rate(rate_plan(stepped))
    assert stages[1:3] == (RateStage(123456.75, 1234.5678), RateStage(1e6, 1234.5678))


TOO_MUCH = [
    ("report_every_s", "86401"), ("report_every_s", "inf"), ("report_every_s", "0"), ("rate", "1000001"),
    ("rate", "10:86401,5"), ("rate", "1e400"), ("rate", "9" * 400), ("linger_ms", "900001"), ("linger_ms", "inf"),
    ("seed", str(2**63)), ("anomaly_rate", "1.1"), ("poison_rate", "nan"), ("produce_deadline_s", "86401"),
    ("produce_deadline_s", "inf"), ("store_deadline_s", "1e10"), ("session_timeout_s", "nan"), ("batch_wait_s", "nan"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), TOO_MUCH)
def test_a_process_by_hand_has_the_bounds_of_a_run(clean: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A number above what limits.py allows, or one that is none, is refused by the process itself, by its variable."""
    kind = FleetConfig if name in FleetConfig.model_fields else ProcessorConfig
    given = {"bootstrap": "a:1", "worker": "w", "database_url": "postgresql://u:p@h/d", name: value}
    for key, text in given.items():
        clean.setenv(f"FACTORYLAB_{key.upper()}", text)
    with pytest.raises(UsageError, match=f"FACTORYLAB_{name.upper()}: "):
        from_environment(kind)


def test_properties_of_the_user_win_over_the_safe_profile(tmp_path: Path) -> None:
    """Java-style files are read with comments and continued lines, and win key by key."""
    file = tmp_path / "x.properties"
    file.write_text("# a comment\nretries = 1\nqueue.buffering.max.ms: 7\n! another\nclient.id=\\\n   mine\nacks=0\n")
    config = FleetConfig(bootstrap="a:1", worker="f", producer_config=file)
    settings = profiles.fleet_producer(config)
    assert (settings["acks"], settings["linger.ms"], settings["client.id"]) == ("0", "7", "mine")
    assert settings["partitioner"] == "murmur2_random" and settings["message.send.max.retries"] == "1"
    file.write_text("acks")
    with pytest.raises(UsageError, match="line 1"):
        profiles.fleet_producer(config)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("acks=1\n\nacks=1", "line 3: 'acks' is on line 1 already"),
        ("retries=1\nmessage.send.max.retries=2", "retries and message.send.max.retries are the same setting"),
        ("bootstrap.servers=b:1", "FACTORYLAB_BOOTSTRAP"),
        ("liner.ms=1", "did you mean linger.ms?"),
        ("batch.size=1e5", "in plain digits"),
        ("delivery.report.only.error=true", "keeps acknowledgements back"),
    ],
)
def test_a_wrong_file_of_a_client_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """A key that is there twice, or under two names, the lab's own, unknown or read as another number is refused with
    the file."""
    file = tmp_path / "x.properties"
    file.write_text(text)
    with pytest.raises(UsageError, match=re.escape(words)) as refused:
        profiles.fleet_producer(FleetConfig(bootstrap="a:1", worker="f", producer_config=file))
    assert str(file) in str(refused.value)


def test_a_truth_value_of_python_comes_from_a_text(tmp_path: Path) -> None:
    """The one setting that the client takes as True or False alone is given as a word like all others."""
    (tmp_path / "x.properties").write_text("delivery.report.only.error=false\n")
    config = FleetConfig(bootstrap="a:1", worker="f", producer_config=tmp_path / "x.properties")
    assert profiles.fleet_producer(config)["delivery.report.only.error"] is False


def test_other_spellings_are_those_of_the_client() -> None:
    """Each setting that librdkafka calls an alias has one spelling here."""
    aliases = re.findall(r"^([\w.]+) .*Alias for `([\w.]+)`", client_options.table(), re.MULTILINE)
    assert len(aliases) > 10
    assert set(map(frozenset, aliases)) == set(map(frozenset, SPELLINGS.items()))


def test_the_safe_profile_is_safe() -> None:
    """Without overrides: acks=all and idempotent; offsets by hand, and no silent reset of a lost position."""
    producer = profiles.fleet_producer(FleetConfig(bootstrap="a:1", worker="f"))
    assert (producer["acks"], producer["enable.idempotence"]) == ("all", True)
    consumer = profiles.processor_consumer(processor())
    assert (consumer["enable.auto.commit"], consumer["auto.offset.reset"]) == (False, "error")
    kip848 = profiles.processor_consumer(processor(protocol="consumer"))
    assert not {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"} & set(kip848)


@pytest.mark.parametrize("protocol", ["range", "consumer"])
def test_a_static_member_is_known_by_its_name(protocol: str) -> None:
    """Asked for, its worker's name is its instance id with either protocol; otherwise it has none."""
    one, other = (processor(protocol=protocol, worker="processor-7", static_member=given) for given in (True, False))
    assert profiles.processor_consumer(one)["group.instance.id"] == "processor-7"
    assert "group.instance.id" not in profiles.processor_consumer(other)


@pytest.mark.parametrize("seconds", [9, 14])
def test_a_session_that_the_broker_decides_is_refused(seconds: float) -> None:
    """With the protocol `consumer` any session timeout is refused, the usual one too; the classic ones take 20 s."""
    with pytest.raises(ValueError, match="leave session_timeout_s out"):
        processor(protocol="consumer", session_timeout_s=seconds)
    assert profiles.processor_consumer(processor())["session.timeout.ms"] == 20_000
    assert profiles.processor_consumer(processor(session_timeout_s=seconds))["session.timeout.ms"] == seconds * 1000


# ---- schedule


def test_intended_times_are_fixed_by_the_schedule() -> None:
    """Readings are evenly spread within a stage, a stage begins where the last ended, and time never steps back."""
    schedule = SendSchedule(parse_rate("100:2,1000"), share=0.5, start_ns=7 * NS)
    times = schedule.intended_ns(0, 300)
    assert times[0] == 7 * NS
    assert times[1] - times[0] == NS // 50
    assert times[100] == 9 * NS
    assert times[101] - times[100] == NS // 500
    assert (np.diff(times) > 0).all()
    assert np.array_equal(schedule.intended_ns(90, 20), times[90:110])


def test_due_agrees_with_the_intended_times() -> None:
    """At any moment exactly the readings whose intended time has come are due."""
    schedule = SendSchedule(parse_rate("70:1,300:0.5,11"), share=1, start_ns=0)
    times = schedule.intended_ns(0, 300)
    for now in [*range(-1, 3 * NS, NS // 97), *times[:200].tolist()]:
        assert abs(schedule.due(now) - np.count_nonzero(times <= now)) <= 1
    assert schedule.due(-1) == 0


# ---- sensors


def csv_file(folder: Path, text: str) -> Path:
    file = folder / "pump 7.csv"
    file.write_text(text)
    return file


def test_a_recording_is_replayed_as_it_is(tmp_path: Path) -> None:
    """Values, order and times of the file are kept, duplicates and steps back included; seq is the row's number."""
    file = csv_file(tmp_path, "when,v\n2014-01-01 00:05:00,81.5\n2014-01-01 00:00:00,7\n2014-01-01 00:00:00,7\n")
    source = RecordedMachine(SourceFile(file, "when", "v"))
    assert source.total == source.account.kept == 3
    readings = source.block(0, 3, "ignored").readings
    assert [r.readings.temperature_c for r in readings] == [81.5, 7, 7]  # type: ignore[union-attr]
    assert [r.timestamp for r in readings][:2] == ["2014-01-01T00:05:00.000000Z", "2014-01-01T00:00:00.000000Z"]
    assert [(r.sensor_id, r.seq) for r in readings] == [("pump 7", 0), ("pump 7", 1), ("pump 7", 2)]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("when,x\n2014-01-01,1\n", "no column 'v'; its columns are when, x"),
        ("", "is empty"),
        ("when,v\n", "no reading"),
        ("when,v\n2014-01-01,1\n2014-01-01,warm\n", "line 3: 'warm' is no number"),
        ("when,v\n2014-01-01,nan\n", "holds no number, but 'nan'"),
        ("when,v\n2014-01-01,-400\n", "line 2: -400 is not a temperature"),
        ("when,v\nyesterday,1\n", "line 2: 'yesterday' in column 'when' is no time"),
        ("when,v\n2014-01-01\n", "line 2: 1 field where the header has 2"),
    ],
)
def test_a_wrong_recording_is_refused(tmp_path: Path, text: str, rule: str) -> None:
    """The error names the file, the line and the rule, before anything starts."""
    with pytest.raises(UsageError) as caught:
        RecordedMachine(SourceFile(csv_file(tmp_path, text), "when", "v"))
    assert "pump 7.csv" in str(caught.value)
    assert rule in str(caught.value)


def test_a_recording_is_read_as_its_layout_says(tmp_path: Path) -> None:
    """One machine of several, in local time, with decimal commas: rows without a number are left out and said."""
    rows = ["1;31.03.2024 01:30;70,5", "2;31.03.2024 01:30;1,5", "1;31.03.2024 03:30;Bad", "1;31.03.2024 04:00;-999"]
    file = csv_file(tmp_path, "\n".join(["pump;Zeit;Wert", *rows, "1;31.03.2024 05:00;71,5"]) + "\n")
    layout = Layout(by="pump=1", time_zone="Europe/Berlin", missing=("-999",))
    source = RecordedMachine(SourceFile(file, layout=layout))
    readings = source.block(0, 9, "ignored").readings
    assert [r.readings.temperature_c for r in readings] == [70.5, 71.5]  # type: ignore[union-attr]
    assert [r.timestamp[:16] for r in readings] == ["2024-03-31T00:30", "2024-03-31T03:00"]
    assert "2 rows without a number" in source.account.left_out
    with pytest.raises(UsageError, match="by: pump=1"):
        RecordedMachine(SourceFile(file, layout=Layout(by="pump")))


def test_a_layout_reaches_a_fleet_through_its_environment(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A layout is JSON in a variable and comes out as it went in; an unknown key of it is refused."""
    file = csv_file(tmp_path, "when,v\n2014-01-01,1\n")
    layout = Layout(time_zone="Europe/Berlin", missing=("-999", "Bad"), header=True)
    config = FleetConfig(bootstrap="b:1", worker="w", source=file, layout=layout)
    assert config.shown()["layout"] == '{"time_zone":"Europe/Berlin","missing":["-999","Bad"]}'
    for name, value in config.environ().items():
        clean.setenv(name, value)
    assert from_environment(FleetConfig).layout == layout
    clean.setenv("FACTORYLAB_LAYOUT", '{"zone": "UTC"}')
    with pytest.raises(UsageError, match="FACTORYLAB_LAYOUT"):
        from_environment(FleetConfig)


# ---- intake


@pytest.mark.parametrize("what", BAD)
def test_each_record_is_good_or_bad_and_never_both(what: str) -> None:
    """One bad record among good ones is told apart with its bytes, place and reason; the good ones stay good."""
    good = [wire(seq=n) for n in range(3)]
    batch = [good[0], BAD[what], *good[1:]]
    records = Records(2, np.array([10, 11, 12, 14]), [key for key, _ in batch], [value for _, value in batch])
    taken = take_in(records)
    assert [reading.seq for reading in taken.readings] == [0, 1, 2]
    assert taken.at.tolist() == [0, 2, 3]
    assert [(bad.partition, bad.offset, bad.key, bad.value) for bad in taken.bad] == [(2, 11, *BAD[what])]
    reason = printable(taken.bad[0].error)
    assert reason.isascii()
    assert "\0" not in reason


def test_the_bulk_path_and_the_careful_path_agree() -> None:
    """A batch of good records gives the same whether or not a bad one beside it makes each be looked at."""
    good = [wire(seq=n, timestamp=f"2024-01-01T00:00:{n:02}Z") for n in range(20)]
    keys, values = [key for key, _ in good], [value for _, value in good]
    bulk = take_in(Records(0, np.arange(20), [*keys], [*values]))
    careful = take_in(Records(0, np.arange(21), [*keys, b"x"], [*values, b"{"]))
    assert (bulk.readings, bulk.names) == (careful.readings, careful.names)
    assert np.array_equal(bulk.recorded_us, careful.recorded_us)
    assert (len(bulk.bad), len(careful.bad)) == (0, 1)


# ---- a partition's batches


class FakeMessage(NamedTuple):
    """As much of a message as `records_of` looks at."""

    at: int

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes:
        return b"s-1"

    def value(self) -> bytes:
        return wire(seq=self.at)[1]


@pytest.mark.parametrize(
    ("offsets", "kept"), [([5, 6, 7], [5, 6, 7]), ([8, 9, 5, 6], [5, 6]), ([5, 6, 5, 6, 7], [5, 6, 7]), ([9, 5], [5])]
)
def test_what_was_left_over_from_before_a_seek_is_dropped(offsets: list[int], kept: list[int]) -> None:
    """After a step back in the offsets only what follows counts."""
    assert records_of(0, [FakeMessage(at) for at in offsets]).offsets.tolist() == kept  # type: ignore[misc]


def test_records_before_the_position_are_dropped() -> None:
    """`since` cuts at the position and says when nothing is left."""
    records = records_of(0, [FakeMessage(at) for at in (5, 6, 8)])  # type: ignore[misc]
    rest = records.since(6)
    assert rest is not None
    assert rest.offsets.tolist() == [6, 8]
    assert records.since(9) is None


def prepared(sizes: list[int]) -> tuple[list[str], list[tuple[int, int, int]]]:
    """Alert ids and (from, to, rows) of a stream of 60 readings that is cut into batches."""
    owned = Owned.of(3, Taken(0, 1), 1)
    ids: list[str] = []
    spans, at = [], 0
    for size in sizes:
        values = [wire(seq=n, readings={"temperature_c": 70 + n % 7 * 6.0}) for n in range(at, at + size)]
        records = Records(3, np.arange(at, at + size), [key for key, _ in values], [value for _, value in values])
        one = owned.prepare(records, lambda sensors: {name: 17 for name, _, _ in sensors})
        ids += [alert.alert_id for alert in one.alerts]
        assert [row.alert_id for row in one.batch.alerts] == [alert.alert_id for alert in one.alerts]
        assert {row.sensor_id for row in one.batch.alerts} <= {17}
        spans.append((one.batch.from_offset, one.batch.to_offset, one.batch.rows))
        owned = Owned.of(3, Taken(one.batch.to_offset, 2, [one.batch.state.data]), 2)
        at += size
    return ids, spans


def test_batches_join_without_a_seam() -> None:
    """Cut differently and handed over between owners, a stream gives the same alerts and gapless spans."""
    whole, _ = prepared([60])
    parts, spans = prepared([1, 20, 9, 30])
    assert len(whole) > 10
    assert parts == whole
    assert spans == [(0, 1, 1), (1, 21, 20), (21, 30, 9), (30, 60, 30)]


def test_binary_copy_is_postgres_format() -> None:
    """A row is its number of fields, then length and big-endian bytes of each."""
    columns = {"a": np.array([1], np.int32), "b": np.array([0.5]), "c": np.array([True]), "d": np.array([-2], np.int16)}
    row = bytes.fromhex("0004 00000004 00000001 00000008 3fe0000000000000 00000001 01 00000002 fffe")
    assert copy_bytes([columns]) == HEADER + row + TRAILER


def test_binary_copy_of_several_groups_has_nulls() -> None:
    """A column that a group lacks is a field of length -1 in its rows, in the order of `names`."""
    groups: list[Columns] = [{"a": np.array([1], np.int16)}, {"b": np.array([True]), "a": np.array([2], np.int16)}]
    first = bytes.fromhex("0002 00000002 0001 ffffffff")
    second = bytes.fromhex("0002 00000002 0002 00000001 01")
    assert names(groups) == ["a", "b"]
    assert copy_bytes(groups) == HEADER + first + second + TRAILER
