"""Every kind of bad record with the fate that it must have, and random wounds of good ones."""

from __future__ import annotations

import json
import random
from typing import Literal

import numpy as np

from factorylab.factory.processor.intake import Records
from tests.support.wire import BAD, wire

Pair = tuple[bytes | None, bytes | None]
Fate = Literal["stored", "dead", "known"]  # known: the store holds the same reading already
GOOD = json.loads(wire()[1])


def without(field: str) -> Pair:
    return b"s-1", json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()


def raw(old: bytes, new: bytes) -> Pair:
    return b"s-1", wire(seq=900)[1].replace(old, new)


CASES: dict[str, tuple[Pair, Fate]] = {
    **{name: (pair, "dead") for name, pair in BAD.items()},
    **{f"without {field}": (without(field), "dead") for field in GOOD},
    "half a record": ((b"s-1", wire()[1][:40]), "dead"),
    "two records in one": ((b"s-1", wire()[1] * 2), "dead"),
    "a byte order mark": ((b"s-1", b"\xef\xbb\xbf" + wire()[1]), "dead"),
    "UTF-16": ((b"s-1", wire()[1].decode().encode("utf-16")), "dead"),
    "-Infinity": (raw(b"70.5", b"-Infinity"), "dead"),
    "infinite by its exponent, negative": (raw(b"70.5", b"-1e999"), "dead"),
    "a number as text": (wire(readings={"temperature_c": "70.5"}), "dead"),
    "a truth value as a number": (wire(readings={"temperature_c": True}), "dead"),
    "null": (wire(readings={"temperature_c": None}), "dead"),
    "below absolute zero": (wire(readings={"temperature_c": -273.16}), "dead"),
    "a measure too many": (wire(readings={"temperature_c": 1.0, "humidity": 1.0}), "dead"),
    "seq negative": (wire(seq=-1), "dead"),
    "seq a fraction": (wire(seq=1.5), "dead"),
    "an id that is empty": (wire(sensor_id=""), "dead"),
    "an id that is too long": (wire(sensor_id="s" * 201), "dead"),
    "a lone surrogate in the id": ((b"\xed\xa0\x80", raw(b'"s-1"', b'"\\ud800"')[1]), "dead"),
    "NUL as an escape": (raw(b"line-1", b"l\\u0000"), "dead"),
    "NUL as a byte": (raw(b"line-1", b"l\0"), "dead"),
    "ancient": (wire(timestamp="0001-01-01T00:00:00Z"), "dead"),
    "before 1970": (wire(timestamp="1969-12-31T23:59:59.999999Z"), "dead"),
    "the year 10000": (wire(timestamp="10000-01-01T00:00:00Z"), "dead"),
    "another zone of time": (wire(timestamp="2024-01-01T00:00:00+02:00"), "dead"),
    "no zone of time": (wire(timestamp="2024-01-01T00:00:00"), "dead"),
    "the 30th of February": (wire(timestamp="2024-02-30T00:00:00Z"), "dead"),
    "a leap second": (wire(timestamp="2016-12-31T23:59:60Z"), "dead"),
    "as large as a record can be": ((b"s-1", b"x" * 1_040_000), "dead"),
    "a key as large as a record can be": ((b"k" * 1_040_000, b"x"), "dead"),
    "an unknown sensor": (wire(sensor_id="never heard of", seq=0), "stored"),
    "an id in another script": (wire(sensor_id="датчик-\U0001f321", seq=0), "stored"),
    "old": (wire(seq=901, timestamp="1970-01-01T00:00:00Z"), "stored"),
    "from the future, but this century": (wire(seq=902, timestamp="2099-12-31T23:59:59.999999Z"), "stored"),
    "the largest seq": (wire(sensor_id="s-max", seq=2**63 - 1), "stored"),
    "a number too small to tell from 0": (wire(seq=903, readings={"temperature_c": 1e-320}), "stored"),
    "an unknown field beside the known ones": (wire(seq=904, quality="good"), "stored"),
    "out of order": (wire(seq=905, sensor_id="s-late"), "stored"),
    "out of order, and late": (wire(seq=5, sensor_id="s-late"), "stored"),
    "a stamp before its predecessor's": (wire(seq=906, timestamp="2023-01-01T00:00:00Z"), "stored"),
    "a duplicate": (wire(seq=3), "known"),
    "a duplicate with other content": (wire(seq=3, readings={"temperature_c": 12.0}), "known"),
}


def records(pairs: list[Pair], first: int = 0) -> Records:
    keys, values = zip(*pairs, strict=True)
    return Records(0, np.arange(first, first + len(pairs)), list(keys), list(values))


def mutated(dice: random.Random, pair: tuple[bytes, bytes]) -> Pair:
    """A good record with a few random wounds: bytes changed, cut, doubled, or a token replaced by a nasty one."""
    key, value = pair
    for _ in range(dice.randint(1, 4)):
        at, to = sorted(dice.choices(range(len(value) + 1), k=2))
        value = dice.choice([
            lambda v=value, a=at, b=to: v[:a] + dice.randbytes(dice.randint(0, 4)) + v[b:],
            lambda v=value, a=at: v[:a] + bytes([dice.randrange(256)]) + v[a + 1 :],
            lambda v=value, a=at, b=to: v[:b] + v[a:],
            lambda v=value, a=at: v[:a] + dice.choice(NASTY) + v[a:],
            lambda v=value: v.replace(dice.choice(TOKENS), dice.choice(NASTY), 1),
        ])()  # fmt: skip
    if dice.random() < 0.2:
        key = dice.choice([None, b"", b"\0", dice.randbytes(5), key + b"x"])
    return key, dice.choice([value, value, value, value, None, b"", dice.randbytes(dice.randint(1, 60))])


TOKENS = (
    b"70.5",
    b"0",
    b'"s-1"',
    b'"line-1"',
    b'"temperature"',
    b'"2024-01-01T00:00:00Z"',
    b":",
    b",",
    b"{",
    b"}",
    b'"',
)
NASTY = (
    *(b"NaN", b"-Infinity", b"1e309", b"-0", b"1E-400", b"null", b"true", b"[]", b"{}", b'""', b"1" * 400, b"\\"),
    *(b"9223372036854775808", b"9223372036854775807", b"[" * 600, b'{"a":' * 600),
    *(b'"\\u0000"', b"\0", b'"\\ud800"', b'"\\udc00\\ud800"', b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff\xfe"),
    *(b'"2100-01-01T00:00:00Z"', b'"0000-00-00T00:00:00Z"', b'"2024-01-01T24:00:00Z"', b"\xe2\x80\xa8"),
    b'"2024-01-01T00:00:00.123456789Z"',
)


def fuzzed(seed: int, count: int) -> list[Pair]:
    """Random records, most of them nearly good; every fifth is good."""
    dice = random.Random(seed)
    made = [wire(seq=n, sensor_id=f"s-{seed}-{n % 3}") for n in range(count)]
    return [pair if n % 5 == 0 else mutated(dice, pair) for n, pair in enumerate(made)]
