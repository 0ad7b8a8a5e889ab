"""A page whose moments come from another process, which observes a cluster: the first line is the page's setup, each
further one a moment. This process asks nobody anything, and the page has nothing to break."""

from __future__ import annotations

import asyncio
import sys

from starlette.requests import Request
from starlette.responses import Response

from factorylab.operations.live.page_server import PageServer

LINE_MAX = 16 * 1024 * 1024  # of the longest moment; beyond it the feed is broken


class FedPage(PageServer):
    """`over` when standard input has ended."""

    def __init__(self) -> None:
        super().__init__("observed.html")
        self._setup: asyncio.Future[bytes] | None = None
        self._over = False

    @property
    def over(self) -> bool:
        return self._over

    def close(self) -> None:
        """Whoever feeds it ends by itself."""

    async def watch(self) -> None:
        """What standard input says, until it ends."""
        loop, lines = asyncio.get_running_loop(), asyncio.StreamReader(LINE_MAX)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer)
        self._told().set_result(await lines.readline())
        async for line in lines:
            await self.stream.put(line.decode().rstrip())
        self._over = True

    async def setup(self, _: Request) -> Response:
        return Response(await asyncio.shield(self._told()), media_type="application/json")

    def _told(self) -> asyncio.Future[bytes]:
        if self._setup is None:
            self._setup = asyncio.get_running_loop().create_future()
        return self._setup
