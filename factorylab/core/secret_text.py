"""Secrets inside a text: passwords in URLs and `name=value` forms, tokens of bearers, private keys.

The text may be a URL (also a wrong one), libpq's keywords, a JAAS configuration, lines of YAML, JSON or properties, or
a message that quotes one of them. What is found is handed to a function that says what to write in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Hide = Callable[[str], str]

SHOWN = "***"
DIGITS = 12
_SHOWN = rf"\*\*\*(?:\([0-9a-f]{{{DIGITS}}}\))?"
MASK = re.compile(_SHOWN)
"""What stands in place of a secret; with the start of its digest in a file of a run."""

REFERENCE = re.compile(r"\$\{env:(?P<variable>[A-Za-z_][A-Za-z0-9_]*)\}")
"""Where a secret is, and not the secret itself: an environment variable, written as Java's clients write it."""

PLACEHOLDER = "password"
"""What our own messages write where a password goes in a URL."""

ENDINGS = (
    "password", "passwd", "passwort", "pwd", "pass", "passphrase", "secret", "token", "credential", "credentials",
    "authorization", "jaasconfig", "oauthbearerconfig", "keypem", "keystorekey", "privatekey", "secretkey", "apikey",
    "accesskey", "accountkey", "encryptionkey", "userinfo",
)  # fmt: skip
"""How the name of a secret ends, without its dots, dashes and underscores. `ssl.key.location` and the like are none."""

_PEM = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----.*?(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|\Z)", re.DOTALL
)
_URL = re.compile(r"""(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*:/{1,3})(?P<user>[^\s:/@'"]*)(?::(?P<password>[^\s'"]*))?@""")
_WHOLE_URL = re.compile(
    r"\s*(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*:/{1,3})(?P<user>[^:/@]*)(?::(?P<password>.*))?@", re.DOTALL
)
_NAME = r"(?P<name>[A-Za-z][A-Za-z0-9_.-]*)"
_QUOTED = r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'"""
_IN_QUERY = re.compile(rf"(?<=[?&]){_NAME}="), re.compile(r"[^\s&#'\"]+")
_ASSIGNED = (
    re.compile(rf"(?<![?&\w.-]){_NAME}(?:\s*=\s*|\\?[\"']\s*[:=]\s*)"),
    re.compile(rf"{_SHOWN}(?!\S)|{_QUOTED}|{_SHOWN}(?=[\s'\")\]}}>,;])|\S*[^\s'\")\]}}>,;]"),
)
_IN_YAML = re.compile(rf"{_NAME}:[ \t]+"), re.compile(rf"{_QUOTED}|[^\n]*[^\s}}\]]")
"""How the name of a secret begins in a text, and the value that follows it."""
_BEARER = re.compile(r"\bBearer\s+(?P<value>[A-Za-z0-9._~+/=-]{12,})")


def is_secret(name: str) -> bool:
    """Whether the value of the key `name` is a secret: `sasl.password`, `PGPASSWORD`, `clientSecret`, …"""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return plain.endswith(ENDINGS) or "passw" in plain


def in_value(text: str, hide: Hide) -> str:
    """A text that somebody gave, which may be a URL (also a wrong one), or lines of YAML or properties."""
    text = _WHOLE_URL.sub(lambda fits: _url(fits, hide), text, count=1)
    return in_message(_named(_IN_YAML, text, hide), hide)


def in_message(text: str, hide: Hide) -> str:
    """A finished text, in which `password: must be …` is a sentence and no secret."""
    text = _PEM.sub(lambda fits: hide(fits[0]), text)
    text = _URL.sub(lambda fits: fits[0] if fits["password"] == PLACEHOLDER else _url(fits, hide), text)
    text = _BEARER.sub(lambda fits: f"Bearer {hide(fits['value'])}", text)
    return _named(_ASSIGNED, _named(_IN_QUERY, text, hide), hide)


def _url(fits: re.Match[str], hide: Hide) -> str:
    scheme, user, password = fits["scheme"], fits["user"], fits["password"]
    if password:
        return f"{scheme}{user}:{hide(password)}@"
    return f"{scheme}{hide(user)}@" if user and scheme.lower().startswith("http") else fits[0]  # a token as the user


def _named(patterns: tuple[re.Pattern[str], re.Pattern[str]], text: str, hide: Hide) -> str:
    """Hide what follows the name of a secret. Only secrets are consumed: a name may follow another one's colon."""
    begins, is_value = patterns
    done, parts = 0, []
    for begin in begins.finditer(text):
        value = is_value.match(text, begin.end())
        if value and begin.start() >= done and is_secret(begin["name"]):
            mark = value[0][0] if value[0][0] in "\"'" else ""
            parts += [text[done : begin.end()], mark, hide(value[0].strip("\"'") if mark else value[0]), mark]
            done = value.end()
    return "".join(parts) + text[done:]
