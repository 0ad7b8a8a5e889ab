"""Capped exponential backoff with jitter, so that many processes do not come back in step."""

from __future__ import annotations

import random
import time


class Backoff:
    """When to try again; the pause doubles with each failure up to `cap_s`."""

    def __init__(self, first_s: float = 0.1, cap_s: float = 2.0) -> None:
        self._first_s, self._cap_s = first_s, cap_s
        self._failures = 0
        self._until_s = 0.0

    @property
    def ready(self) -> bool:
        return time.monotonic() >= self._until_s

    def failed(self) -> None:
        pause_s = min(self._cap_s, self._first_s * 2**self._failures)
        self._failures = min(self._failures + 1, 30)
        self._until_s = time.monotonic() + random.uniform(pause_s / 2, pause_s)

    def succeeded(self) -> None:
        self._failures, self._until_s = 0, 0.0
