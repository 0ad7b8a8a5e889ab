"""What is secret, and what is shown in its place: the one place that decides.

Rules:
- A value is secret by the name of its key (librdkafka's, Java's, libpq's, of environment variables), or because it is
  a password in a URL, in `password=…`, a bearer's token or a private key in a text.
- Shown in its place is `***`; in a file of a run `***(12 hex digits)`, the start of an HMAC-SHA256. Its key lies
  outside the run (see `runs.secret_key`), so that the digest of a short password cannot be looked up, and yet two
  runs with the same secret show the same digest.
- What is shown already, and what merely refers to a secret (`${env:NAME}`), stays as it is; masking twice does no harm.
- A secret that this process was given is remembered, so that it is found also where a library quotes it in a text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from typing import TypeVar, cast
from urllib.parse import quote, unquote

T = TypeVar("T")
Hide = Callable[[str], str]

SHOWN = "***"
DIGITS = 12
_SHOWN = rf"\*\*\*(?:\([0-9a-f]{{{DIGITS}}}\))?"
MASK = re.compile(_SHOWN)
REFERENCE = re.compile(r"\$\{env:(?P<variable>[A-Za-z_][A-Za-z0-9_]*)\}")

ENDINGS = (
    "password", "passwd", "passwort", "pwd", "pass", "passphrase", "secret", "token", "credential", "credentials",
    "authorization", "jaasconfig", "oauthbearerconfig", "keypem", "keystorekey", "privatekey", "secretkey", "apikey",
    "accesskey", "accountkey", "encryptionkey", "userinfo",
)  # fmt: skip
"""How the name of a secret ends, without its dots, dashes and underscores. `ssl.key.location` and the like are none."""

_SHORT = 4  # a shorter secret is not looked for in texts: it would be found in every word
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

_remembered: set[str] = set()


def is_secret(name: str) -> bool:
    """Whether the value of the key `name` is a secret: `sasl.password`, `PGPASSWORD`, `clientSecret`, …"""
    plain = re.sub(r"[^a-z]", "", name.lower())
    return plain.endswith(ENDINGS) or "passw" in plain


def masked(data: T, key: bytes | None = None) -> T:
    """A copy of plain data (mappings, lists, texts) in which no secret stands; with `key` each leaves its digest."""
    return cast(T, _walk(data, lambda value: _mask(value, key)))


def clean(text: str) -> str:
    """A finished text (an error, a line of a log, a traceback) without the secrets that are found in it."""
    if found := _pattern():
        text = found.sub(SHOWN, text)
    return _in_text(text, _mask)


def remember(data: object) -> None:
    """Have `clean` find the secrets of `data` from now on, however a library quotes them."""
    _walk(data, _note)


def masks(data: object, at: str = "") -> list[str]:
    """Where in plain data a mask stands in place of a secret, as dotted names."""
    if isinstance(data, Mapping):
        return [where for key, value in data.items() for where in masks(value, f"{at}.{key}".lstrip("."))]
    return [at] if isinstance(data, str) and MASK.search(data) else []


def _walk(data: object, hide: Hide) -> object:
    if isinstance(data, Mapping):
        return {k: _hidden(v, hide) if is_secret(str(k)) else _walk(v, hide) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(_walk(item, hide) for item in data)
    return _in_value(data, hide) if isinstance(data, str) else data


def _hidden(value: object, hide: Hide) -> object:
    return value if value in (None, "") else hide(str(value))


def _mask(value: str, key: bytes | None = None) -> str:
    if MASK.fullmatch(value) or REFERENCE.fullmatch(value):
        return value
    return f"{SHOWN}({digest(value, key)})" if key else SHOWN


def digest(value: str, key: bytes) -> str:
    """The start of the HMAC-SHA256 of a secret, in hex digits."""
    return hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:DIGITS]


def _in_value(text: str, hide: Hide) -> str:
    """A text that somebody gave, which may be a URL (also a wrong one), or lines of YAML or properties."""
    text = _WHOLE_URL.sub(lambda fits: _url(fits, hide), text, count=1)
    return _in_text(_named(_IN_YAML, text, hide), hide)


def _in_text(text: str, hide: Hide) -> str:
    text = _PEM.sub(lambda fits: hide(fits[0]), text)
    text = _URL.sub(lambda fits: _url(fits, hide), text)
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


def _note(value: str) -> str:
    if not (MASK.fullmatch(value) or REFERENCE.fullmatch(value)):
        plain = {value, unquote(value)}
        quoted = {quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1]}
        _remembered.update(form for form in plain | quoted if len(form) >= _SHORT)
    return value


def _pattern() -> re.Pattern[str] | None:
    """Whole words only: a password `kafka` is not found in `kafka_client`."""
    forms = sorted(_remembered, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, forms)) + r")(?!\w)") if forms else None
