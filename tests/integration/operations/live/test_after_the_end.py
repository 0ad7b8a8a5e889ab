"""What a browser shows when the lab, and then the page's own server, is gone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from playwright.sync_api import expect

from factorylab.cluster import control
from factorylab.operations.live.beside import beside
from tests.support.browser import Visit, chromium
from tests.support.labs import silent_lab, tiny

LONG_MS = 20_000
STEADY = 0.1  # a cumulative layout shift that counts as good (web.dev/cls)


def test_the_last_picture_stays(home: Path) -> None:
    """After a SIGKILL of the supervisor the page says that the lab has ended and keeps its nodes as last seen, and
    nothing of it jumps; without its server it counts the seconds and keeps them still."""
    said: list[str] = []
    with chromium() as browser:
        with beside(home, said.append):
            supervisor = silent_lab(home)
            control.ask(home, control.Start([tiny("broker-1", home)]))
            visit = Visit(browser, said[0].removeprefix("live page: "))
            expect(visit.page.locator("#lab")).to_have_text("lab is up", timeout=LONG_MS)
            silent = "no answer yet: leaders and replicas (no broker answers)"
            expect(visit.page.locator("#unanswered")).to_contain_text(silent, timeout=LONG_MS)
            os.kill(supervisor.pid, signal.SIGKILL)
            expect(visit.page.locator("#lab")).to_have_text("the lab has ended", timeout=LONG_MS)
            expect(visit.page.locator("#nodes")).to_contain_text("broker-1 last seen running")
            assert visit.trouble == [] and visit.shift() < STEADY
        expect(visit.page.locator("#as-of")).to_contain_text("the page's server is silent for", timeout=LONG_MS)
        silent = "Nothing comes from the page's server: all of this is"
        assert silent in visit.text("#unanswered") and "broker-1" in visit.text("#nodes")
        visit.close()
