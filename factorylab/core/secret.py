"""What is secret, and what is shown in its place: the one place that decides.

Rules:
- A value is secret by the name of its key (librdkafka's, Java's, libpq's, of environment variables), or because it is
  a password in a URL, in `password=…`, a bearer's token or a private key in a text.
- Shown in its place is `***`; in a file of a run `***(12 hex digits)`, the start of an HMAC-SHA256. Its key lies
  outside the run (see `history.run_folders.secret_key`), so that the digest of a short password cannot be looked up,
  and yet two runs with the same secret show the same digest.
- What is shown already, and what merely refers to a secret (`${env:NAME}`), stays as it is; masking twice does no harm.
- A secret that this process was given is remembered, so that it is found also where a library quotes it in a text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import sys
import traceback
from collections.abc import Callable, Mapping
from html import escape
from types import TracebackType
from typing import TypeVar, cast
from urllib.parse import quote, unquote

from factorylab.core.secret_text import DIGITS, MASK, REFERENCE, SHOWN, Hide, in_message, in_value, is_secret

T = TypeVar("T")
SHORT = 4  # a shorter secret is not looked for in texts: it would be found in every word
LINE = 12  # a line of a secret of several, such as a private key, is looked for from this length on
YAML_SIGNS = ("*", "&", "!", "@", "`", "%")

_remembered: set[str] = set()


def masked(data: T, key: bytes | None = None) -> T:
    """A copy of plain data (mappings, lists, texts) in which no secret stands; with `key` each leaves its digest."""
    return cast(T, _walk(data, lambda value: _mask(value, key)))


def clean(text: str) -> str:
    """A finished text (an error, a line of a log, a traceback) without the secrets that are found in it."""
    found = _pattern()
    return in_message(found.sub(SHOWN, text) if found else text, _mask)


def cleaned(data: T) -> T:
    """A copy of plain data, masked, whose texts are cleaned as well: for what is written for people."""
    return cast(T, _walk(data, _mask, lambda text, hide: clean(in_value(text, hide))))


def remember(data: object) -> None:
    """Have `clean` find the secrets of `data` from now on, however a library quotes them."""
    _walk(data, _note)


def masks(data: object, at: str = "") -> list[str]:
    """Where in plain data a mask stands in place of a secret, as dotted names."""
    if isinstance(data, Mapping):
        return [where for key, value in data.items() for where in masks(value, f"{at}.{key}".lstrip("."))]
    return [at] if isinstance(data, str) and MASK.search(data) else []


def guard_tracebacks() -> None:
    """Have this process print the traceback of what nobody caught without secrets."""

    def show(_kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        print(clean("".join(traceback.format_exception(error))), end="", file=sys.stderr, flush=True)

    sys.excepthook = show


def _walk(data: object, hide: Hide, in_text: Callable[[str, Hide], str] = in_value) -> object:
    if isinstance(data, Mapping):
        return {k: _hidden(v, hide) if is_secret(str(k)) else _walk(v, hide, in_text) for k, v in data.items()}
    if isinstance(data, list | tuple):
        return type(data)(_walk(item, hide, in_text) for item in data)
    return in_text(data, hide) if isinstance(data, str) else data


def _hidden(value: object, hide: Hide) -> object:
    return value if value in (None, "") else hide(str(value))


def _mask(value: str, key: bytes | None = None) -> str:
    if MASK.fullmatch(value) or REFERENCE.fullmatch(value):
        return value
    return f"{SHOWN}({hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:DIGITS]})" if key else SHOWN


def _note(value: str) -> str:
    if not (MASK.fullmatch(value) or REFERENCE.fullmatch(value)):
        plain = {value, unquote(value), *(line for line in value.splitlines() if len(line) >= LINE)}
        if value.startswith(YAML_SIGNS):  # YAML's own error names what follows the sign
            plain |= {value[1:], value[1:].split(maxsplit=1)[0]} if value[1:].strip() else set()
        quoted = {quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1], escape(value)}
        _remembered.update(form for form in plain | quoted if len(form) >= SHORT)
    return value


def _pattern() -> re.Pattern[str] | None:
    """Whole words only: a password `kafka` is not found in `kafka_client`."""
    forms = sorted(_remembered, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, forms)) + r")(?!\w)") if forms else None
