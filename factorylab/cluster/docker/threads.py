"""Calls to the engine block, so they run in threads beside the supervisor's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most `number` calls at once."""

    def __init__(self, number: int) -> None:
        self._pool = ThreadPoolExecutor(number)

    async def do(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What a blocking call returns."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(call, *args, **kwargs))
