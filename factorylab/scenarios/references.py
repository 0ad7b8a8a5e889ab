"""Settings that refer to a secret instead of holding it: `${env:NAME}`, wherever it stands in a value."""

from __future__ import annotations

import os
from collections.abc import Mapping

from factorylab.core import secret
from factorylab.core.errors import UsageError
from factorylab.core.secret_text import REFERENCE
from factorylab.scenarios.model import Scenario

AGAIN = "a saved run keeps digests of its secrets, not the secrets: to run it again, give them again"


def resolved(settings: Mapping[str, str], where: str) -> dict[str, str]:
    """Settings as a client needs them: each `${env:NAME}` is the value of that variable.

    Raises:
        UsageError: a variable is not set, or a mask stands where a secret should be. `where` names the settings.
    """
    if lacking := secret.masks(settings, where):
        raise UsageError(f"{', '.join(lacking)}: {AGAIN}")
    variables = {name: REFERENCE.findall(value) for name, value in settings.items()}
    for name, wanted in variables.items():
        if unset := [variable for variable in wanted if not os.environ.get(variable)]:
            raise UsageError(f"{where}.{name}: set the environment variable {', '.join(unset)}: it is unset or empty")
    found = {k: REFERENCE.sub(lambda fits: os.environ[fits["variable"]], v) for k, v in settings.items()}
    secret.remember(found)
    return found


def missing(scenario: Scenario) -> list[str]:
    """Where in the scenario of a saved run a digest stands in place of a secret, as dotted names."""
    return secret.masks(scenario.model_dump(mode="json"))
