"""How keys of a file are shown, and which setting was meant by one that nobody knows."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

NAME = re.compile(r"[A-Za-z](?:[a-z0-9]|[A-Z](?![A-Z0-9])|[._-](?=\w)){1,80}")
"""What the name of a setting looks like. Another key may be a line of a private key, and is not shown."""
LIKE = 0.75
"""How alike names must be (difflib) to be taken for a slip of the other."""


def shown(key: str) -> str:
    """The key as it may be shown: what is no name may be a piece of a secret."""
    return key if NAME.fullmatch(key) else "a key that is no name, and may be part of a secret"


def nearest(key: str, names: Iterable[str]) -> str:
    """What to say of a key that is none of `names`."""
    near = difflib.get_close_matches(key, sorted(names), 1, LIKE)
    return f"is no setting; did you mean {near[0]}?" if near else "is no setting, and none is like it"
