"""A file of settings, understood: whose it is, what each key means, and what its program would refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from javaproperties import InvalidUEscapeError, loads

from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.core.secret_text import is_secret
from factorylab.core.sources import Property, entries_of
from factorylab.scenarios.configuration import spring_boot
from factorylab.scenarios.configuration.entries import REFERENCE, Entry, entry_of
from factorylab.scenarios.configuration.key_names import shown
from factorylab.scenarios.configuration.keys import Client, Definitions, Role
from factorylab.scenarios.configuration.whose_file import (
    OF_A_BROKER,
    client_of,
    refuse_framework,
    role_of,
    spring_roles,
)


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file. `stops`: its program would not start, so that nothing can be said of it."""

    line: int | None
    text: str
    stops: bool = False


@dataclass(frozen=True)
class SettingsFile:
    """`told_by`: what decided whose it is, in words. `framework`: what makes the client from it, if that is known."""

    path: Path
    definitions: Definitions
    role: Role
    told_by: str
    entries: list[Entry]
    problems: list[Problem] = field(default_factory=list)
    framework: str = ""

    @property
    def given(self) -> dict[str, Entry]:
        """Settings that count, by name; of two the last, as every client has it."""
        return {entry.name: entry for entry in self.entries if entry.standing == "used"}

    @property
    def starts(self) -> bool:
        """Would its program start?"""
        return not any(problem.stops for problem in self.problems)


def read(
    path: Path, role: Role | None, client: Client | None, known: Mapping[Client, Definitions]
) -> list[SettingsFile]:
    """The file; `role` and `client` as the caller says, None where the keys are to tell. Spring Boot's may be of a
    producer and a consumer: it is as many files as it has roles.

    Raises:
        UsageError: it cannot be read, or whose it is cannot be told; the message says how to say it.
    """
    text, encoding = _text(path)
    properties, unread = entries_of(text, path)
    secret.remember({one.key: one.value for one in properties})
    java, names = known["java"], [one.key for one in properties]
    problems = [Problem(None, words.removeprefix(f"{path}, "), stops=_breaks_off(text)) for words in unread]
    if spring_boot.is_one(properties) and role != "broker":
        roles = spring_roles(path, role, spring_boot.clients(properties))
        return [_understood(_of_spring(path, its, properties, problems, known)) for its in roles]
    if role == "broker" or (role is None and OF_A_BROKER & set(names)):
        told = "by the command line" if role else f"by {min(OF_A_BROKER & set(names))}"
        definitions, role = java, "broker"
    else:
        refuse_framework(path, names)
        definitions, told_client = client_of(path, names, client, known)
        role, told_role = role_of(path, names, role, definitions)
        told = f"{told_client}; {told_role}"
    told += encoding
    entries = [entry_of(one, role, definitions, known) for one in properties]
    return [_understood(SettingsFile(path, definitions, role, told, entries, problems))]


def _understood(file: SettingsFile) -> SettingsFile:
    """With all that is wrong with its keys and values."""
    file.problems.extend(_problems(file.entries, file.role, file.definitions))
    return file


def _of_spring(
    path: Path, role: Role, properties: list[Property], problems: list[Problem], known: Mapping[Client, Definitions]
) -> SettingsFile:
    """One client of a file of Spring Boot."""
    java, why = known["java"], "is of the application or of Spring itself, which is not looked at"
    entries = [entry_of(one, role, java, known) for one in spring_boot.clients(properties)[role]]
    entries += [Entry(o.key, o.key, o.value, o.line, "not needed", why) for o in spring_boot.others(properties)]
    told = f"java by spring.kafka; {role} by spring.kafka.{role}"
    return SettingsFile(path, java, role, told, entries, [*problems], spring_boot.NAME)


def _breaks_off(text: str) -> bool:
    """Does an escape that means nothing (`C:\\users`) end the reading? Java's programs end with it."""
    try:
        loads(text)
    except InvalidUEscapeError:
        return True
    return False


def _text(path: Path) -> tuple[str, str]:
    """Its text, and a word about an encoding that is not UTF-8: Kafka's own tools read files as ISO-8859-1."""
    try:
        data = path.read_bytes()
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return data.decode("iso-8859-1"), "; read as ISO-8859-1"
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def _problems(entries: list[Entry], role: Role, definitions: Definitions) -> list[Problem]:
    lines: dict[str, Entry] = {}
    found = []
    for entry in entries:
        former = lines.setdefault(entry.name, entry)
        if former is not entry:
            found.append(Problem(entry.line, _twice(entry, former)))
        lines[entry.name] = entry
        found += _problem_of(entry, definitions)
    counts = [e for e in lines.values() if e.standing == "used" and not REFERENCE.search(e.value)]
    found += [problem for entry in counts for problem in _wrong_value(entry, role, definitions)]
    refused = definitions.refuses(role, {entry.key: entry.value for entry in counts})
    return sorted(found, key=lambda one: one.line or 0) + [Problem(None, text, stops=True) for text in refused]


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
