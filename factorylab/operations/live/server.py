"""The live page's server: loopback only, nothing from anywhere else.

    /            the page          /moments   the kept moments, then each new one, as server-sent events
    /setup       what buttons there are              /metrics   all workers' exporters and the lab's own numbers
    POST /fault, POST /heal        with the page's token, from the page itself

The token is a secret that only a page of this origin can read, and it comes in a header of our own, which no form and
no image of another page can send. Host and Origin are checked as well, against names that are made to point here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from factorylab.core.errors import LabError
from factorylab.operations.live import by_hand, lab_metrics
from factorylab.operations.live.by_hand import ByHand, FaultOrder
from factorylab.operations.live.moments import QUESTIONS
from factorylab.operations.live.observer import TICK_S, Observer
from factorylab.operations.live_view import STALE_S

PAGE = Path(__file__).parent / "page"
TOKEN_HEADER = "x-factorylab-token"
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}
BODY_MAX = 4096


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


class LivePage:
    """The page of the lab in `home`; with `read_only` it has no buttons, and refuses what they would ask."""

    def __init__(self, home: Path, *, read_only: bool) -> None:
        self._home, self._read_only = home, read_only
        self._token = secrets.token_urlsafe(32)
        self._by_hand = ByHand(home)
        self.observer = Observer(home, self._by_hand)
        self._news = asyncio.Condition()
        self._closing = False
        self.ticking: asyncio.Task[None] | None = None

    def app(self) -> Starlette:
        routes = [
            Route("/", lambda _: FileResponse(PAGE / "index.html")),
            Route("/setup", self._setup),
            Route("/moments", self._moments),
            Route("/metrics", self._metrics),
            Route("/fault", self._fault, methods=["POST"]),
            Route("/heal", self._heal, methods=["POST"]),
            Mount("/page", StaticFiles(directory=PAGE)),
        ]
        hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
        return Starlette(routes=routes, middleware=[Middleware(OwnHeaders), hosts], lifespan=self._watching)

    @asynccontextmanager
    async def _watching(self, _: Starlette) -> AsyncIterator[None]:
        self.ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            self.ticking.cancel()
            self.close()

    @property
    def broken(self) -> BaseException | None:
        """What ended the watching, which nothing should."""
        done = self.ticking is not None and self.ticking.done() and not self.ticking.cancelled()
        return self.ticking.exception() if self.ticking and done else None

    def close(self) -> None:
        """Ask nobody any more; a fault of the page's is healed."""
        self._by_hand.close()
        self.observer.close()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            async with self._news:
                self.observer.tick()
                self._news.notify_all()
            due_s = max(due_s + TICK_S, loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def end_streams(self) -> None:
        """Let go of whoever listens, so that the server can end."""
        self._closing = True
        async with self._news:
            self._news.notify_all()

    async def _setup(self, _: Request) -> Response:
        base = {"questions": QUESTIONS, "stale_s": STALE_S, "read_only": self._read_only, "home": str(self._home)}
        if self._read_only:
            return JSONResponse(base)
        try:
            kinds = await run_in_threadpool(by_hand.possible, self._home)
        except LabError:
            kinds = {}
        return JSONResponse(base | {"token": self._token, "kinds": kinds, "targets": by_hand.TARGETS})

    async def _moments(self, _: Request) -> Response:
        return EventSourceResponse(self._events(), ping=15)

    async def _events(self) -> AsyncIterator[ServerSentEvent]:
        kept = list(self.observer.moments)
        yield ServerSentEvent(data=msgspec.json.encode(kept).decode(), event="kept")
        last_s = kept[-1].at_s if kept else 0.0
        while not self._closing:
            async with self._news:
                await self._news.wait()
            for moment in self.observer.since(last_s):  # several, where this browser was slow
                last_s = moment.at_s
                yield ServerSentEvent(data=msgspec.json.encode(moment).decode(), event="moment")

    async def _metrics(self, _: Request) -> Response:
        last = self.observer.moments[-1] if self.observer.moments else None
        text = await run_in_threadpool(lab_metrics.exposition, last, self.observer.exporters)
        return Response(text, media_type=lab_metrics.CONTENT_TYPE)

    def _check(self, request: Request) -> None:
        """Refuse what does not come from the page."""
        if self._read_only:
            raise HTTPException(403, "this page is read-only")
        if request.headers.get("origin") != f"http://{request.headers.get('host')}":
            raise HTTPException(403, "not asked by the page itself: its origin is another")
        if not secrets.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), self._token.encode()):
            raise HTTPException(403, "the page's token is missing or another server's: load the page again")

    async def _fault(self, request: Request) -> Response:
        self._check(request)
        body = await request.body()
        try:
            order = msgspec.json.decode(body[:BODY_MAX], type=FaultOrder)
            await run_in_threadpool(self._by_hand.inject, order)
        except (msgspec.DecodeError, LabError) as error:
            return JSONResponse({"error": str(error)}, 409 if isinstance(error, LabError) else 400)
        return JSONResponse({"said": "begun"}, 202)

    async def _heal(self, request: Request) -> Response:
        self._check(request)
        try:
            done = await run_in_threadpool(self._by_hand.heal)
        except LabError as error:
            return JSONResponse({"error": str(error)}, 409)
        return JSONResponse({"said": "; ".join(done)})
