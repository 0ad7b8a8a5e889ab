"""Dead letters: what is listed, what is chosen, and that each is sent again once."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from factorylab.cli.letters_commands import as_object, line
from factorylab.cluster.local.backend import LocalCluster
from factorylab.core.errors import LabError
from factorylab.execution.letters import Letter, letter_of
from factorylab.operations.dead_letters import RESENT, Choice, DeadLetters
from tests.support.factory_runs import FactoryRun, factory_run
from tests.unit.cli.test_cli import Call, call, results
from tests.unit.factory.test_factory_units import BAD, wire
from tests.unit.factory.test_poison import HOT, program

__all__ = ["call", "results"]  # fixtures


@pytest.fixture
def run(cluster: LocalCluster, tmp_path: Path) -> Iterator[FactoryRun]:
    """A factory of the test's own on the shared cluster."""
    with factory_run(cluster.endpoints, tmp_path) as factory:
        yield factory


class Record:
    """As much of a consumer's message as `letter_of` asks for."""

    def __init__(self, headers: dict[str, bytes], key: bytes | None = b"k", value: bytes | None = b"v") -> None:
        self._headers, self._key, self._value = headers, key, value

    def headers(self) -> list[tuple[str, bytes]]:
        return list(self._headers.items())

    def key(self) -> bytes | None:
        return self._key

    def value(self) -> bytes | None:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_700_000_000_000


def headers(offset: int = 41, **more: bytes) -> dict[str, bytes]:
    """Headers of a dead letter as the outbox writes them."""
    said = {
        "topic": b"sensor-data", "partition": b"2", "offset": str(offset).encode(), "stage": b"VALUE_CONVERTER",
        "exception.class.name": b"ValidationError", "exception.message": b"Expected `float`",
    }  # fmt: skip
    return {f"__connect.errors.{name}": value for name, value in said.items()} | more


def letter(offset: int, partition: int = 2, **given: object) -> Letter:
    known = {"key": b"s-1", "value": b"{", "error_class": "DecodeError", "error": "Input data was truncated",
             "stage": "VALUE_CONVERTER", "at_ms": 0, "cut": False}  # fmt: skip
    return Letter(("sensor-data", partition, offset), **(known | given))  # type: ignore[arg-type]


def test_a_letter_is_known_by_its_origin() -> None:
    """Origin and reason come from the headers; bytes that are not whole are marked; other records are no letters."""
    found = letter_of(Record(headers()))  # type: ignore[arg-type]
    assert found == Letter(
        ("sensor-data", 2, 41), b"k", b"v", "ValidationError", "Expected `float`", "VALUE_CONVERTER", 1_700_000_000_000,
        cut=False,
    )  # fmt: skip
    cut = letter_of(Record(headers() | {"factory.truncated.from.bytes": b"9999999"}, None, None))  # type: ignore[arg-type]
    assert cut and cut.cut and (cut.key, cut.value) == (None, None)
    assert letter_of(Record({})) is None  # type: ignore[arg-type]
    assert letter_of(Record(headers() | {"__connect.errors.offset": b"soon"})) is None  # type: ignore[arg-type]


def test_a_choice_takes_what_it_names() -> None:
    """Partition, reason, key and number limit a choice; what was sent again already is left out unless asked for."""
    letters = [letter(1), letter(2, key=b"s-2"), letter(3, partition=0, error_class="Poison"), letter(4, resent=True)]

    def chosen(**given: object) -> list[int]:
        return [one.origin[2] for one in Choice(**given).of(letters)]  # type: ignore[arg-type]

    assert chosen() == [1, 2, 3]
    assert chosen(resent_too=True) == [1, 2, 3, 4]
    assert chosen(partition=0) == [3]
    assert chosen(error="poison") == [3]
    assert chosen(error="TRUNCATED") == [1, 2, 3]
    assert chosen(key="s-2") == [2]
    assert chosen(limit=2) == [1, 2]


def test_a_line_is_plain_text_whatever_the_record_holds() -> None:
    """Bytes that would confuse a terminal are shown as escapes; the JSON form holds all bytes."""
    odd = letter(7, key=None, value=b"\x1b[31m\xff\n" + b"x" * 100, error="\x1b[2Jgone")
    text = line(odd)
    assert text.isprintable()
    assert "sensor-data/2@7" in text and "key -" in text and "\\x1b[31m\\xff\\n" in text and "107 bytes" in text
    machine = json.loads(json.dumps(as_object(odd)))
    assert machine["key"] is None and base64.b64decode(machine["value"]) == odd.value
    assert (machine["topic"], machine["partition"], machine["offset"]) == odd.origin


def test_without_a_lab_the_way_out_is_said(call: Call) -> None:
    """Where no lab is up the command ends with 5 and says how to start one."""
    code, out, err = call("dead-letters", "--json")
    assert (code, out) == (5, "") and "factorylab up" in err


# ---- on a cluster


@pytest.mark.cluster
def test_what_is_still_bad_comes_back_as_a_new_letter(run: FactoryRun) -> None:
    """Letters are listed as they were; sent again, each goes back once with key and bytes, and a second call sends
    none of them, but what they became in the meantime."""
    run.processor("p0")
    run.produce([record for bad in BAD.values() for record in (bad, wire(seq=1))])
    run.wait_drained()
    letters = DeadLetters(run.endpoints, run.names)
    first = letters.read()
    assert Counter((one.key, one.value) for one in first) == Counter(BAD.values())
    before = run.ends()
    done = letters.resend(Choice(limit=5))
    assert [one.origin for one in done.confirmed] == [one.origin for one in first[:5]]
    assert (done.cut, done.refused) == ([], [])
    assert sum(run.ends().values()) == sum(before.values()) + 5
    run.wait_drained()
    everything = letters.read()
    assert [one.origin for one in everything if one.resent] == [one.origin for one in first[:5]]
    again = [one for one in everything if one.origin[2] >= before[one.origin[1]]]
    assert Counter((one.key, one.value) for one in again) == Counter((one.key, one.value) for one in first[:5])
    rest = letters.resend(Choice())
    assert {one.origin for one in rest.confirmed} == {one.origin for one in everything if not one.resent}
    assert run.end("p0") == 0


@pytest.mark.cluster
def test_after_a_fix_what_was_set_aside_is_stored(run: FactoryRun, cluster: LocalCluster, call: Call,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    """Records that a bug made dead letters are stored once after the bug is mended and the command sent them again."""
    monkeypatch.setenv("FACTORYLAB_HOME", str(cluster.home))
    words = ("dead-letters", "--run", run.names.sensors.rpartition("-")[2])
    run.produce([wire(seq=n, readings={"temperature_c": HOT if n in {3, 8} else 70.0}) for n in range(10)])
    run.launch_processor("p0", program=program("raise ZeroDivisionError('a bug')"))
    run.wait_drained()
    assert run.end("p0") == 0
    code, out, err = call(*words)
    assert (code, out.count("ZeroDivisionError: a bug"), "2 dead letters" in err) == (0, 2, True)
    code, out, err = call(*words, "--resend", "--dry-run")
    assert (code, len(out.splitlines()), "would send 2 of these 2" in err) == (0, 2, True)
    assert sum(run.ends().values()) == 10
    run.processor("p0")
    for expected in (2, 0):
        code, out, err = call(*words, "--resend", "--json")
        said = json.loads(out)
        assert (code, len(said["sent"]), said["refused"]) == (0, expected, [])
    run.wait_drained()
    assert run.query("SELECT count(*), count(DISTINCT seq) FROM {s}.readings") == [(10, 10)]
    assert run.end("p0") == 0
    listed = json.loads(call(*words, "--all", "--json")[1])
    assert [one["resent"] for one in listed] == [True, True]
    assert json.loads(call(*words, "--json")[1]) == []


@pytest.mark.cluster
def test_two_senders_do_not_meet(run: FactoryRun) -> None:
    """While one call sends letters again, another is refused instead of sending them a second time."""
    letters = DeadLetters(run.endpoints, run.names)
    with closing(psycopg2.connect(run.endpoints.database_url)) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", (f"{RESENT} {run.names.schema}",))
        with pytest.raises(LabError, match="another command"):
            letters.resend(Choice())
    assert letters.resend(Choice()).confirmed == []
