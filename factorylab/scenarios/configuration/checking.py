"""A check of files of settings: what is wrong with them, what they allow to happen, and what that depends on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from factorylab.core.errors import UsageError
from factorylab.scenarios.configuration import broker_rules, consumer_rules, group_rules, producer_rules
from factorylab.scenarios.configuration.effective import NotGiven, Side, Together, Value
from factorylab.scenarios.configuration.key_names import shown
from factorylab.scenarios.configuration.keys import Client, Definitions, Role
from factorylab.scenarios.configuration.refusals import refused
from factorylab.scenarios.configuration.report import FileRead, Finding, InForce, KeyRead, Report, Shown
from factorylab.scenarios.configuration.rule import Rule
from factorylab.scenarios.configuration.settings_file import SettingsFile, read
from factorylab.scenarios.configuration.stall_times import Stall
from factorylab.scenarios.controls import CONTROLS

RULES: tuple[Rule, ...] = (
    *producer_rules.RULES,
    *consumer_rules.RULES,
    *group_rules.RULES,
    *broker_rules.RULES,
)


class Named(NamedTuple):
    """A file, and what the caller says of it: None where its keys are to tell."""

    path: Path
    role: Role | None = None


def check(named: Iterable[Named], client: Client | None, known: Mapping[Client, Definitions]) -> Report:
    """Read all files and ask every rule of each, as `read_all` and `asked` do.

    Raises:
        UsageError: a file cannot be read, whose it is cannot be told, or two are of brokers.
    """
    return asked(read_all(named, client, known))


def read_all(named: Iterable[Named], client: Client | None, known: Mapping[Client, Definitions]) -> list[SettingsFile]:
    """The files with all that is wrong with them; `known` has what both clients define.

    Raises:
        UsageError: a file cannot be read, or whose it is cannot be told.
    """
    return [_complete(file) for one in named for file in read(one.path, one.role, client, known)]


def asked(files: list[SettingsFile]) -> Report:
    """What the files that start allow together.

    Raises:
        UsageError: two are of brokers.
    """
    sides = [Side(one) for one in files if one.starts]
    brokers = [one for one in sides if one.file.role == "broker"]
    if len(brokers) > 1:
        raise UsageError(f"{brokers[0].name} and {brokers[1].name} are both of brokers: name one")
    around = Together(_of(sides, "producer"), _of(sides, "consumer"), brokers[0] if brokers else None)
    found = [_asked(rule, side, around) for side in sides for rule in RULES if rule.role == side.file.role]
    told = [one for one in found if one]
    return Report(
        [_read(one) for one in files],
        [one for one in told if not one.depends_on],
        [one for one in told if one.depends_on],
        _assumed(files, around),
    )


def _of(sides: list[Side], role: Role) -> tuple[Side, ...]:
    return tuple(one for one in sides if one.file.role == role)


def _complete(file: SettingsFile) -> SettingsFile:
    """With what its client refuses of settings that are right each by itself."""
    file.problems.extend(refused(Side(file)))
    return file


def _asked(rule: Rule, side: Side, around: Together) -> Finding | None:
    try:
        values = rule.when(side, around)
    except NotGiven as missing:
        return _finding(rule, side, (), depends_on=str(missing))
    if not values:
        return None
    stall = rule.stall(side, around) if rule.stall and not rule.depends_on else None
    return _finding(rule, side, values, stall, depends_on=rule.depends_on)


def _finding(
    rule: Rule, side: Side, values: tuple[Value, ...], stall: Stall | None = None, *, depends_on: str = ""
) -> Finding:
    return Finding(
        rule=rule.name,
        kind=rule.kind,
        file=side.name,
        role=rule.role,
        settings=[InForce(one.name, one.text, one.source) for one in values],
        failure=rule.failure,
        why=rule.why,
        prevention=rule.prevention,
        source=rule.source,
        shown_by=[Shown(name, CONTROLS[name].injection) for name in rule.shown_by],
        stall=stall,
        depends_on=depends_on,
    )


def _read(file: SettingsFile) -> FileRead:
    keys = [KeyRead(shown(e.key), e.line, e.standing, shown(e.name), e.why) for e in file.entries]
    problems = [f"line {one.line}: {one.text}" if one.line else one.text for one in file.problems]
    software = file.definitions
    return FileRead(
        str(file.path), file.role, software.client, software.version, file.told_by, file.starts, keys, problems
    )


def _assumed(files: list[SettingsFile], around: Together) -> list[str]:
    """What was taken for granted."""
    told = []
    java = [one for one in files if one.definitions.client == "java" and one.role != "broker"]
    if java:
        told.append(
            f"Java clients of version {java[0].definitions.version}: what no file says has its defaults. Before 3.0 a "
            "producer had acks=1 and no idempotence, before 4.0 linger.ms=0"
        )
    told += [
        f"{one.name} has no group.id: its program assigns partitions itself and commits nothing"
        for one in around.consumers
        if not group_rules.member(one)
    ]
    if around.producers or around.consumers:
        told.append(
            "predictions are for three brokers with little load, which are controllers as well unless process.roles "
            "says otherwise"
        )
    if around.brokers is None and (around.producers or around.consumers):
        told.append("no broker file: predictions take Kafka's defaults for the brokers")
    if around.brokers:
        told.append("no topic has settings of its own that differ from the brokers'")
    return told
