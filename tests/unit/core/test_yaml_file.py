"""YAML: what is refused, with its file and line, and what the words of a file mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from factorylab.core.errors import UsageError
from factorylab.core.yaml_file import BYTES_MAX, parse_mapping, read_mapping
from factorylab.execution import batch
from factorylab.scenarios import loading

WORDS = """\
a: yes
b: on
c: 1_000
d: 1:30
e: 2026-01-31
f: 1e3
g: .inf
h: ~
i: 0x1F
j: '012'
k: TRUE
l: !!str 12
m: -.5
n: 1.2.3
"""
DEEP, BOMB = "[" * 800, "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))
MERGES = "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9))


def test_words_mean_what_yaml_1_2_says() -> None:
    """Only true and false are truth values, no text becomes a number of sixties or a date, and numbers are numbers."""
    assert parse_mapping(WORDS.encode(), "x") == {
        "a": "yes", "b": "on", "c": 1000, "d": "1:30", "e": "2026-01-31", "f": 1000.0, "g": float("inf"), "h": None,
        "i": 31, "j": "012", "k": True, "l": "12", "m": -0.5, "n": "1.2.3",
    }  # fmt: skip


def test_a_merge_brings_what_its_mapping_has_not() -> None:
    """A merge's keys may be overridden, of several merged mappings the first wins, and no alias is changed by it."""
    text = "b: &b {x: 1, y: 2}\nc: {x: 5, <<: *b}\nd: {<<: [*b, {x: 3, z: 4}]}\ne: *b\n"
    assert parse_mapping(text.encode(), "x") == {
        "b": {"x": 1, "y": 2}, "c": {"x": 5, "y": 2}, "d": {"x": 1, "y": 2, "z": 4}, "e": {"x": 1, "y": 2},
    }  # fmt: skip


@pytest.mark.parametrize("text", [b"\xef\xbb\xbfa: \xc3\xa4", "a: ä".encode("utf-16"), b"a: \xc3\xa4\r\n"])
def test_the_usual_encodings_are_read(text: bytes) -> None:
    """UTF-8 with and without a mark, UTF-16 with one, and lines of Windows."""
    assert parse_mapping(text, "x") == {"a": "ä"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 1\n", "line 3: the key 'a' is on line 1 already"),
        ("x: {a: 1, 'a': 2}", "line 1: the key 'a' is on line 1 already"),
        ("x:\n  - {b: 1}\n  - b: 1\n    b: 2", "line 4: the key 'b' is on line 3 already"),
        ("{<<: {a: 1}, <<: {b: 2}}", "line 1: the key '<<' is on line 1 already"),
        ("a: 1\r\nb: 1\r\na: 1\r\n", "line 3: the key 'a'"),
        ("a: 1\nb: 012", "line 2: '012'"),
        ("1: a", "line 1: a key must be text, and '1'"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: 1\n\tb: 2", "line 2"),
        ("a: b: c", "line 1: mapping values are not allowed"),
        ("a: 1\n---\na: 2", "line 2: expected a single document"),
        ("a: !!int x", "the tag '!!int' is not read"),
        ("a: !!python/object:os.system x", "is not read"),
        ("a: !!set {b}", "the tag '!!set' is not read"),
        ("<<: [1]", "a merge (<<) takes a mapping"),
        ("a: *b", "undefined alias"),
        ("a: &a [*a]", "an alias contains itself"),
        ("a: " + DEEP, "nested too deeply"),
        ("a0: &a0 [1, 2]\n" + BOMB, "more than 100,000 values"),
        ("a0: &a0 {}\n" + MERGES, "more than 100,000 values"),
        ("a: " + "9" * 5000, "line 1"),
        ("", "it is empty"),
        ("# nothing\n", "it is empty"),
        ("- a", "it holds a list and no keys"),
        ("broker_loss", "it holds no keys but 'broker_loss'"),
        ("a: 1\nb: \x00", "line 2: the character 0x00"),
    ],
    ids=lambda text: text[:30],
)
def test_what_does_not_say_one_thing_is_refused(text: str, words: str) -> None:
    """Whatever YAML reads as two things, or as nothing, is refused with the file and where there is one the line."""
    with pytest.raises(UsageError) as refused:
        parse_mapping(text.encode(), "some.yaml")
    assert str(refused.value).startswith("some.yaml") and words in str(refused.value)
    assert len(str(refused.value)) < 300


def test_other_bytes_are_refused() -> None:
    """Text in another encoding is refused with the line and the byte, a file too large with its limit."""
    with pytest.raises(UsageError, match=r"line 2: the byte 0xe4 is no UTF-8"):
        parse_mapping("a: 1\nb: ä".encode("latin-1"), "x")
    with pytest.raises(UsageError, match="larger than"):
        parse_mapping(b" " * (BYTES_MAX + 1), "x")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a file that is not there and a name that none can have are errors with the name."""
    for path in (tmp_path, tmp_path / "none.yaml", tmp_path / "a\0b"):
        with pytest.raises(UsageError, match="cannot be read as YAML"):
            read_mapping(path)


@pytest.mark.parametrize("read", [loading.scenario_file, batch.load_batch])
def test_every_file_is_read_so(tmp_path: Path, read: object) -> None:
    """Scenario and batch files with a key twice are refused with both lines."""
    file = tmp_path / "own.yaml"
    file.write_text("name: own\nfaults: []\nruns: []\nfaults: []\n")
    with pytest.raises(UsageError, match=r"own\.yaml, line 4: the key 'faults' is on line 2 already"):
        read(file)  # type: ignore[operator]
