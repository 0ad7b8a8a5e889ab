"""The live page of a lab: beside what every page has,

    /metrics                   all workers' exporters and the lab's own numbers
    POST /fault, POST /heal    with the page's token, from the page itself

The token is a secret that only a page of this origin can read, and it comes in a header of our own, which no form and
no image of another page can send. Host and Origin are checked as well, against names that are made to point here.
"""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from factorylab.core.errors import LabError
from factorylab.operations.answer_age import STALE_S
from factorylab.operations.live import by_hand, lab_metrics
from factorylab.operations.live.by_hand import ByHand, FaultOrder
from factorylab.operations.live.moments import QUESTIONS
from factorylab.operations.live.observer import Observer
from factorylab.operations.live.page_server import PageServer
from factorylab.operations.live.stream import TICK_S

TOKEN_HEADER = "x-factorylab-token"
BODY_MAX = 4096


class LivePage(PageServer):
    """The page of the lab in `home`; with `read_only` it has no buttons, and refuses what they would ask."""

    def __init__(self, home: Path, *, read_only: bool) -> None:
        super().__init__("index.html")
        self._home, self._read_only = home, read_only
        self._token = secrets.token_urlsafe(32)
        self._by_hand = ByHand(home)
        self.observer = Observer(home, self._by_hand)

    def routes(self) -> list[BaseRoute]:
        return [
            *super().routes(),
            Route("/metrics", self._metrics),
            Route("/fault", self._fault, methods=["POST"]),
            Route("/heal", self._heal, methods=["POST"]),
        ]

    def close(self) -> None:
        """Ask nobody any more; a fault of the page's is healed."""
        self._by_hand.close()
        self.observer.close()

    async def watch(self) -> None:
        """A moment each TICK_S."""
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        while True:
            await self.stream.put(msgspec.json.encode(self.observer.tick()).decode())
            due_s = max(due_s + TICK_S, loop.time())
            await asyncio.sleep(due_s - loop.time())

    async def setup(self, _: Request) -> Response:
        """What buttons there are, and the token for them."""
        base = {"questions": QUESTIONS, "stale_s": STALE_S, "read_only": self._read_only, "home": str(self._home)}
        if self._read_only:
            return JSONResponse(base)
        try:
            kinds = await run_in_threadpool(by_hand.possible, self._home)
        except LabError:
            kinds = {}
        return JSONResponse(base | {"token": self._token, "kinds": kinds, "targets": by_hand.TARGETS})

    async def _metrics(self, _: Request) -> Response:
        text = await run_in_threadpool(lab_metrics.exposition, self.observer.latest, self.observer.exporters)
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
