"""YAML as the lab reads it, in one place: every file and every text of a user's passes through here.

Rules, so that a file means what it says:
- A key is text and stands once in its mapping. What a merge (`<<`) brings may be overridden; that is no second key.
- Only the words of YAML 1.2 are values: `yes`, `on`, `1:30` and `2026-01-31` are text, `1e3` is a number. What YAML 1.1
  and 1.2 read as different numbers (`012`) is refused.
- One document with a mapping in it, at most 128 KiB, and 100,000 values with every alias written out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from factorylab.core import secret
from factorylab.core.errors import UsageError

BYTES_MAX = 128 * 1024  # PyYAML takes seconds for it
VALUES_MAX = 100_000
TAG = "tag:yaml.org,2002:"
WORDS: dict[str, object] = {"": None, "~": None, "null": None, "true": True, "false": False}
PLAIN: dict[str, str] = {  # what a word without quotes is; the first that fits
    "null": r"(?:~|null|Null|NULL|)",
    "bool": r"(?:true|True|TRUE|false|False|FALSE)",
    "int": r"[-+]?(?:[0-9][0-9_]*|0[oxb][0-9a-fA-F_]+)",
    "float": r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
    "merge": r"<<",
}


class _Loader(yaml.SafeLoader):
    """Tells words, numbers and text apart as YAML 1.2 does."""

    yaml_implicit_resolvers = {None: [(TAG + name, re.compile(rf"(?:{rule})\Z")) for name, rule in PLAIN.items()]}  # noqa: RUF012


def read_mapping(path: Path) -> dict[str, object]:
    """The mapping in a YAML file.

    Raises:
        UsageError: it cannot be read, or breaks a rule of this module; with file and line.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UsageError(f"{path} cannot be read as YAML: {getattr(error, 'strerror', None) or error}") from None
    return parse_mapping(data, str(path))


def parse_mapping(data: bytes, origin: str) -> dict[str, object]:
    """The mapping in the text of a YAML file, in UTF-8 or, with its mark, UTF-16.

    Raises:
        UsageError: it breaks a rule of this module; with `origin` and line.
    """
    if len(data) > BYTES_MAX:
        raise UsageError(f"{origin} cannot be read as YAML: it is larger than {BYTES_MAX:,} bytes")
    secret.remember(data.decode(errors="replace"))  # an error may quote the text
    try:
        node = yaml.compose(data, Loader=_Loader)
        if not isinstance(node, MappingNode):
            raise UsageError(f"{origin}: it {_instead(node)}; write 'key: value'")
        found = _Reader(origin).mapping(node)
    except yaml.MarkedYAMLError as error:
        raise UsageError(f"{origin} cannot be read as YAML{_where(error.problem_mark)}: {_what(error)}") from None
    except ReaderError as error:
        raise UsageError(f"{origin} cannot be read as YAML{_line(data, error)}: {_unreadable(error)}") from None
    except RecursionError:
        raise UsageError(
            f"{origin} cannot be read as YAML: it is nested too deeply, or an alias contains itself"
        ) from None
    return found


def _instead(node: Node | None) -> str:
    if isinstance(node, SequenceNode):
        return "holds a list and no keys"
    return "is empty" if node is None or not node.value else f"holds no keys but {node.value!r}"


def _where(mark: yaml.Mark | None) -> str:
    return f", line {mark.line + 1}" if mark else ""


def _what(error: yaml.MarkedYAMLError) -> str:
    return ": ".join(part for part in (error.context, error.problem) if part)


def _line(data: bytes, error: ReaderError) -> str:
    """Where a byte or a character cannot be; in UTF-16 a character has two bytes, so its line is not known."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return ""
    line = data[: error.position].count(b"\n") + 1
    return f", line {line}"


def _unreadable(error: ReaderError) -> str:
    if error.encoding == "unicode":  # it was decoded
        return f"the character 0x{error.character:02x} cannot be in a text"
    return f"the byte 0x{error.character:02x} is no {error.encoding.upper()}: save the file as UTF-8"


class _Reader:
    """From nodes to plain values; an alias is read where it stands, and counts there."""

    def __init__(self, origin: str) -> None:
        self._origin, self._left = origin, VALUES_MAX

    def mapping(self, node: MappingNode) -> dict[str, object]:
        self._count(node)
        lines: dict[str, int] = {}
        merged: dict[str, object] = {}
        found: dict[str, object] = {}
        for key, value in node.value:
            name, line = self._key(key), key.start_mark.line + 1
            if name in lines:
                raise self._refused(key, f"the key {name!r} is on line {lines[name]} already")
            lines[name] = line
            if key.tag == TAG + "merge":
                for base in self._bases(value):
                    merged = self.mapping(base) | merged
            else:
                found[name] = self._value(value)
        return merged | found

    def _bases(self, node: Node) -> Iterator[MappingNode]:
        for base in node.value if isinstance(node, SequenceNode) else [node]:
            if not isinstance(base, MappingNode):
                raise self._refused(node, "a merge (<<) takes a mapping or a list of them")
            yield base

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode) or node.tag not in {TAG + "str", TAG + "merge"}:
            shown = repr(node.value) if isinstance(node, ScalarNode) else "a list or a mapping"
            raise self._refused(node, f"a key must be text, and {shown} is not: put it in quotes")
        return str(node.value)

    def _value(self, node: Node) -> object:
        if isinstance(node, ScalarNode):
            self._count(node)
            return self._scalar(node)
        if node.tag != TAG + ("map" if isinstance(node, MappingNode) else "seq"):
            raise self._no_tag(node)
        if isinstance(node, MappingNode):
            return self.mapping(node)
        self._count(node)
        return [self._value(item) for item in node.value]

    def _count(self, node: Node) -> None:
        self._left -= 1
        if self._left < 0:
            raise self._refused(node, f"more than {VALUES_MAX:,} values, every alias written out")

    def _scalar(self, node: ScalarNode) -> object:
        text: str = node.value
        kind = node.tag.removeprefix(TAG)
        if kind in {"str", "merge"}:
            return text
        if kind not in PLAIN or not re.fullmatch(PLAIN[kind], text):
            raise self._no_tag(node)
        if kind == "int":
            return self._whole(node)
        if kind == "float":
            return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        return WORDS[text.lower()]

    def _whole(self, node: ScalarNode) -> int:
        """Raises UsageError for a leading zero, which is octal to some, and for more digits than a number can have."""
        try:
            return int(node.value.replace("_", ""), 0)
        except ValueError:
            raise self._refused(
                node, f"{node.value[:40]!r} is read as different numbers: write it without a leading zero, or in quotes"
            ) from None

    def _no_tag(self, node: Node) -> UsageError:
        return self._refused(node, f"the tag {node.tag.replace(TAG, '!!')!r} is not read: leave it out")

    def _refused(self, node: Node, problem: str) -> UsageError:
        return UsageError(f"{self._origin}{_where(node.start_mark)}: {problem}")
