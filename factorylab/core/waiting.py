"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from factorylab.core.errors import WaitTimeout

T = TypeVar("T")


def wait_until(
    look: Callable[[], T | None],
    *,
    what: str,
    timeout_s: float,
    every_s: float = 0.05,
    last_seen: Callable[[], str] = lambda: "",
) -> T:
    """Call `look` until it returns something truthy and return that.

    `what` completes the sentence "waited 10 s for …". `last_seen` describes the state at the deadline.
    Exceptions raised by `look` pass through: a broken look must not pass for a condition not met.

    Raises:
        WaitTimeout: nothing truthy came within `timeout_s` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() >= deadline:
            seen = last_seen()
            raise WaitTimeout(f"waited {timeout_s:g} s for {what}" + (f"; last seen: {seen}" if seen else ""))
        time.sleep(min(every_s, max(0.0, deadline - time.monotonic())))
