"""The client settings of a scenario, tried on the client itself before anything starts. Nothing is connected to."""

from __future__ import annotations

from factorylab.core.errors import ScenarioError
from factorylab.factory import client_options
from factorylab.factory.profiles import Settings, consumer_defaults, fleet_defaults, typed
from factorylab.scenarios.model import Clients
from factorylab.scenarios.references import resolved


def check_clients(clients: Clients) -> None:
    """Refuse overrides that a client does not know, that it would read as something else, or that do not fit together.

    Raises:
        ScenarioError: naming each, with the rule or the client's own words.
        UsageError: a secret that they refer to is not given.
    """
    acks: dict[str, str] = {"acks": clients.acks, "enable.idempotence": str(clients.idempotent).lower()}
    defaults: dict[client_options.Role, Settings] = {
        "producer": {**fleet_defaults(clients.linger_ms, clients.compression), **acks},
        "consumer": consumer_defaults(clients.protocol, clients.session_timeout_s),
    }
    overrides: dict[client_options.Role, dict[str, str]] = {"producer": clients.producer, "consumer": clients.consumer}
    wrong = []
    for role, own in overrides.items():
        given = resolved(own, f"clients.{role}")
        problems = client_options.problems(role, given)
        if given and not problems:
            refused = client_options.refusal(role, {**defaults[role], **typed(given)})
            problems = [f"the client refuses these settings: {refused}"] if refused else []
        wrong += [f"clients.{role}: {problem}" for problem in problems]
    if wrong:
        raise ScenarioError("\n".join(wrong))
