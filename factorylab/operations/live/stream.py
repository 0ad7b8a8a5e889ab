"""The moments of the last 15 minutes as JSON, and each new one, for every browser that listens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from itertools import takewhile

from sse_starlette import ServerSentEvent

from factorylab.operations.live.course import KEPT_S

TICK_S = 0.5


class MomentStream:
    """`put` each moment; whoever reads `events` gets those that are kept, then every one that comes."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, str]] = deque(maxlen=round(KEPT_S / TICK_S))
        self._count, self._ended = 0, False
        self._news = asyncio.Condition()

    async def put(self, moment: str) -> None:
        """One more, as JSON."""
        async with self._news:
            self._count += 1
            self._kept.append((self._count, moment))
            self._news.notify_all()

    async def end(self) -> None:
        """Let go of whoever listens, so that the server can end."""
        async with self._news:
            self._ended = True
            self._news.notify_all()

    async def events(self) -> AsyncIterator[ServerSentEvent]:
        last = self._count
        yield ServerSentEvent(data=f"[{','.join(moment for _, moment in self._kept)}]", event="kept")
        while not self._ended:
            async with self._news:
                if self._count == last:
                    await self._news.wait()
            for number, moment in self._since(last):  # several, where this browser was slow
                last = number
                yield ServerSentEvent(data=moment, event="moment")

    def _since(self, number: int) -> list[tuple[int, str]]:
        return [*takewhile(lambda kept: kept[0] > number, reversed(self._kept))][::-1]
