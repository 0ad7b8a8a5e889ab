"""Where settings come from: the environment (`FACTORYLAB_<NAME>`), a .properties file, defaults.

Only `load` and `variables` look there. Settings that are made in Python are what they are given and nothing else, so
what is left in a shell changes no process that is started with them.

FACTORYLAB_CONFIG names the file. A key of it is a setting's name, also in the Java manner: `database_url`,
`database.url` and `factorylab.database.url` are the same. One file may serve all processes: a key that belongs to
another one is left alone, one that belongs to none is an error. An empty value is none, in the environment and in the
file. Everything that is wrong is told at once, each with its variable or with its file and line; values of secrets are
never told.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from javaproperties import InvalidUEscapeError, KeyValue, parse
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.core.secret_text import SHOWN

PREFIX = "FACTORYLAB_"
FILE_VARIABLE = PREFIX + "CONFIG"
LIKE = 0.8  # of names: 1 is the same, 0 has nothing in common (difflib)
LAB = (
    "home", "results", "cache", "backend", "java", "postgres_bin", "port_base", "reader_password", "client", "prefix",
    "external_rate_per_s",
)  # fmt: skip
ELSEWHERE = (  # variables of compose.yaml and of the probe: no settings, but no misspelt ones either
    "config", "image", "netfault_image", "database_password", "database_port", "network", "user", "profile",
    "health_interval", "engine", "broker_1_port", "broker_2_port", "broker_3_port",
)  # fmt: skip
PROBE = "probe_"


@dataclass(frozen=True)
class Property:
    """One key of a .properties file with its value as it stands, and the line (from 1) that it begins on."""

    key: str
    value: str
    line: int

    @property
    def name(self) -> str:
        """The setting that it means."""
        return self.key.lower().replace(".", "_").replace("-", "_").removeprefix(PREFIX.lower())


def read_entries(path: Path) -> tuple[list[Property], list[str]]:
    """The keys of a .properties file in Java's syntax, and what is wrong with it (with file and line)."""
    try:
        return entries_of(path.read_text(encoding="utf-8-sig"), path)
    except UnicodeDecodeError:
        return [], [f"{path} is not UTF-8 text"]
    except OSError as error:
        return [], [f"{path} cannot be read: {error.strerror}"]


def entries_of(text: str, path: Path) -> tuple[list[Property], list[str]]:
    """The same of the text of the file `path`."""
    entries: list[Property] = []
    problems: list[str] = []
    line = 1
    try:
        for element in parse(text):
            if isinstance(element, KeyValue):
                if not element.value and not any(sign in element.source for sign in "=:"):
                    problems.append(f"{path}, line {line}: no 'key=value'")
                else:
                    entries.append(Property(element.key, element.value, line))
            line += max(1, element.source.count("\n"))
    except InvalidUEscapeError as error:
        problems.append(f"{path}, line {line}: {error.escape!r} is not a character: write \\\\ for a backslash")
    return entries, problems


def read_properties(path: Path) -> dict[str, str]:
    """Keys and values of a .properties file as they stand: like Java, with the blanks at the end of a value.

    Raises:
        UsageError: all lines that are wrong, a key that is there twice among them.
    """
    entries, problems = read_entries(path)
    lines: dict[str, int] = {}
    for entry in entries:
        if lines.setdefault(entry.key, entry.line) != entry.line:
            problems.append(f"{path}, line {entry.line}: {entry.key!r} is on line {lines[entry.key]} already")
    if problems:
        raise UsageError("\n".join(problems))
    found = {entry.key: entry.value for entry in entries}
    secret.remember(found)
    return found


def settings_file() -> Path | None:
    """The file that FACTORYLAB_CONFIG names."""
    given = os.environ.get(FILE_VARIABLE)
    return Path(given) if given else None


Shown = str | int | float | bool | list[str] | None


class Sourced(BaseSettings):
    """Settings of one process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    def model_post_init(self, context: object) -> None:
        """Have the secrets among the settings hidden in whatever this process writes."""
        del context
        given = {name: getattr(self, name) for name in type(self).model_fields}
        secret.remember({n: v.get_secret_value() for n, v in given.items() if isinstance(v, SecretStr)})

    def environ(self) -> dict[str, str]:
        """Variables that make a child process read the same settings, secrets included: never log them."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        prefix = self.model_config["env_prefix"]
        return {prefix + name.upper(): _text(value) for name, value in given.items() if value is not None}

    def shown(self) -> dict[str, Shown]:
        """All settings by name, secrets masked, groups of settings as the text that their variable has."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        hidden = {name: SHOWN for name, value in given.items() if isinstance(value, SecretStr)}
        groups = {name: _text(value) for name, value in given.items() if isinstance(value, BaseModel)}
        return self.model_dump(mode="json") | hidden | groups


def _text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, BaseModel):
        return value.model_dump_json(exclude_defaults=True)
    return ",".join(value) if isinstance(value, tuple) else str(value)


Model = TypeVar("Model", bound=Sourced)


def load(model: type[Model], known: Iterable[str]) -> Model:
    """The settings of this process; `known` are the names that the file may have.

    Raises:
        UsageError: everything that is wrong, a line each.
    """
    names = sorted({*known, *LAB})
    path = settings_file()
    entries, problems = read_entries(path) if path else ([], [])
    problems += [*_unknown(path, entries, names), *_misspelt(os.environ, names)]
    file = {e.name: e.value.strip() for e in entries if e.name in model.model_fields and e.value.strip()}
    try:
        found = model(**file | variables(model))
    except ValidationError as error:
        problems += _explain(error, model, {e.name: f"{path}, line {e.line}: {e.key}" for e in entries})
    if problems:
        raise UsageError("the settings are wrong:\n" + "\n".join(f"  {problem}" for problem in problems))
    return found


def variables(model: type[Sourced]) -> dict[str, Any]:
    """What the environment gives of the fields of `model`."""
    return EnvSettingsSource(model)()


def _unknown(path: Path | None, entries: Iterable[Property], names: list[str]) -> list[str]:
    """Keys of the file that mean nothing, or that are there twice."""
    problems: list[str] = []
    lines: dict[str, int] = {}
    for entry in entries:
        where = f"{path}, line {entry.line}"
        if entry.name not in names:
            problems.append(f"{where}: there is no setting {entry.key!r}{_nearest(entry.name, names)}")
        elif entry.name in lines:
            problems.append(f"{where}: {entry.key!r} is on line {lines[entry.name]} already")
        lines.setdefault(entry.name, entry.line)
    return problems


def _nearest(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f": did you mean {near[0]!r}?" if near else f"; there are: {', '.join(names)}"


def _misspelt(environ: Mapping[str, str], names: list[str]) -> list[str]:
    """Variables that are almost one of ours: others may have variables with our prefix, so the rest is left alone."""
    given = [name.removeprefix(PREFIX).lower() for name, value in environ.items() if name.startswith(PREFIX) and value]
    others = [n for n in given if n not in names and n not in ELSEWHERE and not n.startswith(PROBE)]
    near = {name: difflib.get_close_matches(name, names, 1, LIKE) for name in sorted(others)}
    return [
        f"{PREFIX}{name.upper()}: there is no such setting: did you mean {PREFIX}{like[0].upper()}?"
        for name, like in near.items()
        if like
    ]


def _explain(error: ValidationError, model: type[Sourced], lines: Mapping[str, str]) -> list[str]:
    """A line for each field that breaks a rule: where it was given, the rule, and the value unless it is a secret."""
    problems = []
    for item in error.errors():
        name = str(item["loc"][0]) if item["loc"] else ""
        variable = PREFIX + name.upper()
        where = lines.get(name, variable) if not os.environ.get(variable) else variable
        message = item["msg"].removeprefix("Value error, ")
        if not name:
            problems.append(message)
        elif item["type"] == "missing":
            problems.append(f"{where}: is required, here or as {name} in the file that {FILE_VARIABLE} names")
        else:
            kind = model.model_fields[name].annotation
            hidden = SecretStr in {kind, *get_args(kind)}
            given = "" if hidden else f" (given: {secret.masked(str(item['input']))!r})"
            problems.append(f"{where}: {message}{given}")
    return problems
