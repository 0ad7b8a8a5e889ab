"""What a check of settings tells: the files as they were read, what they allow, and what depends on more."""

from __future__ import annotations

import msgspec

from factorylab.scenarios.configuration.keys import Client, Role
from factorylab.scenarios.configuration.rule import Kind
from factorylab.scenarios.configuration.stall_times import Stall
from factorylab.scenarios.controls import ControlName

RECORDS: tuple[Kind, ...] = ("loss", "double", "reorder")
"""What may happen to records; a stall is over some day."""


class KeyRead(msgspec.Struct, frozen=True):
    """What became of a key of a file. `name`: its one spelling. No value: it may be a secret."""

    key: str
    line: int
    standing: str
    name: str
    why: str


class FileRead(msgspec.Struct, frozen=True):
    """A file as it was understood. Where its program does not `start`, nothing is said of what it allows."""

    file: str
    role: Role
    client: Client
    version: str
    told_by: str
    starts: bool
    keys: list[KeyRead]
    problems: list[str]


class InForce(msgspec.Struct, frozen=True):
    name: str
    value: str
    source: str


class Shown(msgspec.Struct, frozen=True):
    """A control that shows it on a real cluster, and the page that has its record."""

    control: ControlName
    injection: str
    page: str = "docs/controls.md"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings of a file allow. With `depends_on` they allow it or not, as that decides."""

    rule: str
    kind: Kind
    file: str
    role: Role
    settings: list[InForce]
    failure: str
    why: str
    prevention: str
    source: str
    shown_by: list[Shown]
    stall: Stall | None = None
    depends_on: str = ""


class Report(msgspec.Struct, frozen=True):
    files: list[FileRead]
    allowed: list[Finding]
    depends: list[Finding]
    assumed: list[str]

    @property
    def wrong(self) -> bool:
        """Is anything wrong with a file?"""
        return any(one.problems for one in self.files)

    @property
    def harms_records(self) -> bool:
        """May records be lost, doubled or reordered?"""
        return any(one.kind in RECORDS for one in self.allowed)
