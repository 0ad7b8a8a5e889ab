"""The command that repeats a run: parameters of its named scenario that give the very same scenario."""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Iterator

from factorylab.core.errors import UsageError
from factorylab.scenarios.catalog import REFRESH, SCENARIOS, build
from factorylab.scenarios.model import Scenario

_KNOWN_AS = {"seconds_s": "steady_s"}


def command(scenario: Scenario) -> str | None:
    """`factorylab run …`, or None where no parameters of a named scenario give this one."""
    if scenario.name not in SCENARIOS:
        return None
    leaves = dict(reversed(list(_leaves(scenario.model_dump(mode="json")))))  # of a name twice, the first counts
    if refresh_ms := scenario.clients.producer.get(REFRESH):
        leaves["refresh_s"] = float(refresh_ms) / 1000
    parameters = inspect.signature(SCENARIOS[scenario.name]).parameters
    wanted = {name: leaves.get(_KNOWN_AS.get(name, name)) for name in parameters}
    chosen = {name: value for name, value in wanted.items() if not _same(value, parameters[name].default)}
    if not _builds(scenario, chosen):
        return None
    for name in list(chosen):  # some follow from others
        rest = {other: value for other, value in chosen.items() if other != name}
        chosen = rest if _builds(scenario, rest) else chosen
    words = [f"-p {shlex.quote(f'{name}={_text(value)}')}" for name, value in chosen.items()]
    return " ".join(["factorylab run", scenario.name, *words])


def _builds(scenario: Scenario, parameters: dict[str, object]) -> bool:
    try:
        return build(scenario.name, parameters) == scenario
    except UsageError:
        return False


def _leaves(data: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _leaves(value, key)
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        yield from _leaves(data[0])
    else:
        yield name, data


def _same(value: object, default: object) -> bool:
    return value == (list(default) if isinstance(default, tuple) else default)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
