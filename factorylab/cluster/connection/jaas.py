"""Java's `sasl.jaas.config`: which login module it names, and the options that it gives it.

The syntax is that of Kafka's JaasConfig, `Module flag option="value" …;`, of which a client takes exactly one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from factorylab.core import secret

PACKAGE = "org.apache.kafka.common.security"
MODULES = {
    f"{PACKAGE}.plain.PlainLoginModule": ("PLAIN",),
    f"{PACKAGE}.scram.ScramLoginModule": ("SCRAM-SHA-256", "SCRAM-SHA-512"),
    f"{PACKAGE}.oauthbearer.OAuthBearerLoginModule": ("OAUTHBEARER",),
}
"""Login modules and the mechanisms that each serves."""
_VALUE = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[^\s;"']+"""
_OPTION = re.compile(rf"(?P<name>[\w.$-]+)\s*=\s*(?P<value>{_VALUE})", re.DOTALL)
_WHOLE = re.compile(
    rf"\s*(?P<module>[\w.$]+)\s+(?P<flag>required|requisite|sufficient|optional)"
    rf"(?P<options>(?:\s+[\w.$-]+\s*=\s*(?:{_VALUE}))*)\s*;\s*",
    re.DOTALL | re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
FORM = 'write MODULE required username="…" password="…"; with its quotes and the semicolon at the end'


@dataclass(frozen=True)
class Jaas:
    """`options` hold secrets."""

    module: str
    options: dict[str, str] = field(repr=False)

    @property
    def mechanisms(self) -> tuple[str, ...]:
        return MODULES[self.module]


def parse(text: str) -> Jaas:
    """The one entry of a configuration.

    Raises:
        ValueError: a rule after "must"; it shows no value.
    """
    whole = _WHOLE.fullmatch(text)
    if not whole:
        raise ValueError(f"must be one login module with its options: {FORM}")
    if whole["module"] not in MODULES:
        names = ", ".join(module.rpartition(".")[2] for module in MODULES)
        raise ValueError(f"must name a login module that is offered ({names}), not {whole['module']}")
    options = {one["name"]: _plain(one["value"]) for one in _OPTION.finditer(whole["options"])}
    secret.remember(options)
    return Jaas(whole["module"], options)


def _plain(value: str) -> str:
    """Without its quotes; within them a backslash takes the sign after it as it is."""
    return _ESCAPED.sub(r"\1", value[1:-1]) if value[0] in "\"'" else value
