"""A file of settings, understood: whose it is, what each key means, and what its program would refuse.

What decides, in this order: the caller's word; the keys. Java's and librdkafka's clients share many names, and of some
the defaults differ, so a file of both is refused, and one of neither is taken for Java's, with a word.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.core.secret_text import is_secret
from factorylab.core.sources import Property, entries_of
from factorylab.scenarios.client_settings import SPELLINGS
from factorylab.scenarios.configuration.keys import Client, Definitions, Role
from factorylab.scenarios.configuration.not_needed import (
    OF_OLDER,
    OF_OLDER_BROKERS,
    SCALA_CLIENT,
    framework,
    of_another_library,
    why_not_needed,
)

Standing = Literal["used", "not needed", "another role's", "another client's", "an older version's", "unknown"]
REFERENCE = re.compile(r"\$\{[^}]*\}")
"""A value that stands elsewhere: `${env:ACKS}`."""
NAME = re.compile(r"[A-Za-z](?:[a-z0-9]|[A-Z](?![A-Z0-9])|[._-](?=\w)){1,80}")
"""What the name of a setting looks like. Another key may be a line of a private key, and is not shown."""
LIKE = 0.75
"""How alike names must be (difflib) to be taken for a slip of the other."""
OF_A_BROKER = frozenset({"node.id", "broker.id", "process.roles", "log.dirs", "log.dir", "controller.quorum.voters"})


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file. `stops`: its program would not start, so that nothing can be said of it."""

    line: int | None
    text: str
    stops: bool = False


@dataclass(frozen=True)
class Entry:
    """One setting of a file. `name` is its one spelling, `why` what its standing means, in words."""

    key: str
    name: str
    value: str
    line: int
    standing: Standing
    why: str = ""


@dataclass(frozen=True)
class SettingsFile:
    """`told_by`: what decided whose it is, in words."""

    path: Path
    definitions: Definitions
    role: Role
    told_by: str
    entries: list[Entry]
    problems: list[Problem] = field(default_factory=list)

    @property
    def given(self) -> dict[str, Entry]:
        """Settings that count, by name; of two the last, as every client has it."""
        return {entry.name: entry for entry in self.entries if entry.standing == "used"}

    @property
    def starts(self) -> bool:
        """Would its program start?"""
        return not any(problem.stops for problem in self.problems)


def read(path: Path, role: Role | None, client: Client | None, known: Mapping[Client, Definitions]) -> SettingsFile:
    """The file; `role` and `client` as the caller says, None where the keys are to tell.

    Raises:
        UsageError: it cannot be read, or whose it is cannot be told; the message says how to say it.
    """
    text, encoding = _text(path)
    properties, unread = entries_of(text, path)
    secret.remember({one.key: one.value for one in properties})
    names = [one.key for one in properties]
    java = known["java"]
    if role == "broker" or (role is None and OF_A_BROKER & set(names)):
        told = "by the command line" if role else f"by {min(OF_A_BROKER & set(names))}"
        definitions, role = java, "broker"
    else:
        _no_framework(path, names)
        definitions, told_client = _whose(path, names, client, known)
        role, told_role = _role(path, names, role, definitions)
        told = f"{told_client}; {told_role}"
    told += encoding
    entries = [_entry(one, role, definitions, known) for one in properties]
    problems = [Problem(None, text.removeprefix(f"{path}, ")) for text in unread]
    return SettingsFile(path, definitions, role, told, entries, problems + _problems(entries, role, definitions))


def _text(path: Path) -> tuple[str, str]:
    """Its text, and a word about an encoding that is not UTF-8: Kafka's own tools read files as ISO-8859-1."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return data.decode("iso-8859-1"), "; read as ISO-8859-1"
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _no_framework(path: Path, names: list[str]) -> None:
    one, key = framework(names)
    if one:
        raise UsageError(
            f"{path}: {shown(key)} is a setting of {one}, which makes clients of its own from this file and its own "
            "defaults, and those are not known here. Its log has their settings ('ProducerConfig values', "
            "'ConsumerConfig values'): put those that it shows into a file for each client"
        )


def _whose(
    path: Path, names: list[str], client: Client | None, known: Mapping[Client, Definitions]
) -> tuple[Definitions, str]:
    """Which client reads it, and what told so."""
    if client:
        return known[client], f"{client} by the command line"
    java, other = known["java"], known["librdkafka"]
    of_java = sorted(set(names) & (java.names - other.names))
    of_other = sorted(set(names) & (other.names - java.names))
    if SCALA_CLIENT & set(names):
        return java, f"java, of an older version, by {min(SCALA_CLIENT & set(names))}"
    if of_java and of_other:
        raise UsageError(
            f"{path} has settings of Java's client alone ({', '.join(of_java)}) and of librdkafka alone "
            f"({', '.join(of_other)}): librdkafka would not start with it, and Java's client would ignore the latter. "
            "Split it, or say whose it is: --client java or --client librdkafka"
        )
    if of_other:
        return other, f"librdkafka by {of_other[0]}"
    return java, f"java by {of_java[0]}" if of_java else "java by its form: no key tells, and --client says another"


def _role(path: Path, names: list[str], role: Role | None, definitions: Definitions) -> tuple[Role, str]:
    if role:
        return role, f"{role} by the command line"
    producer, consumer = (definitions.keys(one).keys() for one in ("producer", "consumer"))
    meant = {name: OF_OLDER.get(name, name) if definitions.client == "java" else name for name in names}
    writes, reads = (
        sorted(name for name, one in meant.items() if one in its and one not in others)
        for its, others in ((producer, consumer), (consumer, producer))
    )
    if bool(writes) != bool(reads):
        return ("producer", f"producer by {writes[0]}") if writes else ("consumer", f"consumer by {reads[0]}")
    says = (
        f"settings of a producer ({', '.join(writes)}) and of a consumer ({', '.join(reads)})"
        if writes
        else "no setting that only a producer or only a consumer has" + _slips(names, definitions)
    )
    raise UsageError(
        f"{path} has {says}: say what it is for with --producer {path}, --consumer {path}, or both. "
        "Of an admin client there is nothing to check"
    )


def _slips(names: Iterable[str], definitions: Definitions) -> str:
    """Names that nobody knows, which may be why a file tells nothing."""
    unknown = [n for n in names if n not in definitions.names and not of_another_library(n)]
    told = "; ".join(f"{shown(n)} {_nearest(n, definitions.names)}" for n in unknown)
    return f" ({told})" if unknown else ""


def shown(key: str) -> str:
    """The key as it may be shown: what is no name may be a piece of a secret."""
    return key if NAME.fullmatch(key) else "a key that is no name, and may be part of a secret"


def _entry(one: Property, role: Role, definitions: Definitions, known: Mapping[Client, Definitions]) -> Entry:
    name = SPELLINGS.get(one.key, one.key) if definitions.client == "librdkafka" else one.key
    standing, why = _standing(one.key, role, definitions, known)
    return Entry(one.key, name, one.value, one.line, standing, why)


def _standing(
    key: str, role: Role, definitions: Definitions, known: Mapping[Client, Definitions]
) -> tuple[Standing, str]:
    here, elsewhere = key in definitions.keys(role), role != "broker" and key in definitions.names
    why = why_not_needed(key, of_broker=role == "broker")
    if (here or elsewhere) and why:
        return "not needed", why
    if here:
        return "used", ""
    if elsewhere:
        return "another role's", f"is no setting of a {role}, which ignores it with a warning"
    return _unknown(key, role, definitions, known)


def _unknown(
    key: str, role: Role, definitions: Definitions, known: Mapping[Client, Definitions]
) -> tuple[Standing, str]:
    """What this program does not define."""
    java = definitions.client == "java"
    if of_another_library(key):
        return "not needed", "belongs to another library, which is not looked at"
    older = OF_OLDER_BROKERS if role == "broker" else OF_OLDER
    if java and key in older:
        return "an older version's", f"is no setting of Kafka {definitions.version} any more (now {older[key]})"
    other = known["librdkafka" if java else "java"]
    if role != "broker" and key in other.names:
        return "another client's", f"is a setting of {other.client} alone"
    return "unknown", _nearest(key, definitions.keys(role))


def _nearest(key: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, sorted(names), 1, LIKE)
    return f"is no setting; did you mean {near[0]}?" if near else "is no setting, and none is like it"


def _problems(entries: list[Entry], role: Role, definitions: Definitions) -> list[Problem]:
    lines: dict[str, Entry] = {}
    found = []
    for entry in entries:
        former = lines.setdefault(entry.name, entry)
        if former is not entry:
            found.append(Problem(entry.line, _twice(entry, former)))
        lines[entry.name] = entry
        found += _problem_of(entry, definitions)
        if entry.standing == "used" and not REFERENCE.search(entry.value):
            found += _wrong_value(entry, role, definitions)
    used = {e.key: e.value for e in lines.values() if e.standing == "used" and not REFERENCE.search(e.value)}
    return found + [Problem(None, text, stops=True) for text in definitions.refuses(role, used)]


def _twice(entry: Entry, former: Entry) -> str:
    same = "" if former.key == entry.key else f", as {shown(former.key)}"
    return f"{shown(entry.key)} is on line {former.line} already{same}: the last one counts"


def _problem_of(entry: Entry, definitions: Definitions) -> list[Problem]:
    """What its standing means for the program: librdkafka starts with no name that it does not know."""
    if entry.standing in {"used", "not needed", "another role's"}:
        return []
    strict = definitions.client == "librdkafka"
    what = "librdkafka does not start with it" if strict else "it is ignored, with a warning at most"
    return [Problem(entry.line, f"{shown(entry.key)} {entry.why}: {what}".replace("?:", "?"), stops=strict)]


def _wrong_value(entry: Entry, role: Role, definitions: Definitions) -> list[Problem]:
    rule = definitions.keys(role)[entry.key].problem(entry.value)
    value = "" if is_secret(entry.key) else f"={secret.clean(entry.value)}"
    return [Problem(entry.line, f"{entry.key}{value}: must be {rule}", stops=True)] if rule else []
