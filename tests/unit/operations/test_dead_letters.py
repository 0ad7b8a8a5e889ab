"""Dead letters: what is listed, and what is chosen."""

from __future__ import annotations

import base64
import json

from factorylab.cli.dead_letters_commands import as_object, line
from factorylab.execution.dead_letter_record import Letter, letter_of
from factorylab.operations.dead_letters import Choice
from tests.support.commands import Call, call, results

__all__ = ["call", "results"]  # fixtures


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
