"""What every page of ours is served by: loopback only, nothing from anywhere else.

/        the page        /setup   what it should know before the first moment
/page    its files       /moments the kept moments, then each new one, as server-sent events
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from factorylab.operations.live.stream import MomentStream

PAGE = Path(__file__).parent / "page"
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}


class OwnHeaders:
    """Every answer carries HEADERS."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


class PageServer(ABC):
    """Serves one page of `PAGE`; `watch` puts its moments into the `stream`, as long as the server lives."""

    def __init__(self, page: str) -> None:
        self._page = PAGE / page
        self.stream = MomentStream()
        self._watching: asyncio.Task[None] | None = None

    @abstractmethod
    async def watch(self) -> None: ...

    @abstractmethod
    async def setup(self, request: Request) -> Response: ...

    @abstractmethod
    def close(self) -> None:
        """Ask nobody any more."""

    @property
    def over(self) -> bool:
        """Nothing comes any more: there is nothing to serve the page for."""
        return False

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/", lambda _: FileResponse(self._page)),
            Route("/setup", self.setup),
            Route("/moments", lambda _: EventSourceResponse(self.stream.events(), ping=15)),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]

    def app(self) -> Starlette:
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        return Starlette(routes=self.routes(), middleware=[Middleware(OwnHeaders), hosts], lifespan=self._lifespan)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self._watching = asyncio.create_task(self.watch())
        try:
            yield
        finally:
            self._watching.cancel()
            self.close()

    @property
    def broken(self) -> BaseException | None:
        """What ended the watching, which nothing should."""
        done = self._watching is not None and self._watching.done() and not self._watching.cancelled()
        return self._watching.exception() if self._watching and done else None
