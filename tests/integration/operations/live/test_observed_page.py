"""The page of an observation in a browser, fed with the moments of an account on a clock of its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import psutil
import pytest
from playwright.sync_api import Browser, expect

from factorylab.core.waiting import wait_until
from factorylab.operations.live.beside import WAITING_MAX, fed
from factorylab.operations.observe.shown import QUESTIONS, ObservedMoment
from tests.support.browser import Visit, chromium
from tests.support.observed_moments import OUT_S, STOPPED_S, story

SETUP = msgspec.json.encode({"questions": QUESTIONS, "stale_s": 2.5, "read_only": True})
LONG_MS = 30_000
STEADY = 0.1  # a cumulative layout shift that counts as good (web.dev/cls)


@pytest.fixture(scope="module")
def told() -> list[ObservedMoment]:
    return list(story())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def test_it_shows_what_was_out_what_explains_it_and_what_was_not_observed(
    browser: Browser, told: list[ObservedMoment]
) -> None:
    """Who opens it late has the ribbons of both services with the outage and its cause, the observer's own pause, the
    events; what nobody answers is named. When the observation is over it says so, and then how old it is."""
    said: list[str] = []
    with fed(SETUP, said.append) as take:
        url = said[0].removeprefix("live page: ")
        feed(take, told)
        visit = Visit(browser, url)
        expect(visit.page.locator("#unanswered")).not_to_be_empty(timeout=LONG_MS)
        assert "⚠ leaders" in visit.text("#answers")
        for service in (0, 1):
            pieces = visit.page.evaluate(f"RIBBONS[{service}].pieces(0)")
            assert [value for *_, value in pieces] == ["available", "available", "no leader", "not observed"]
            _, _, (start_s, end_s, _), (since_s, until_s, _) = pieces
            assert OUT_S - 1 < end_s - start_s < OUT_S + 1 and until_s - since_s >= STOPPED_S
            assert "no leader" not in str(visit.page.evaluate(f"RIBBONS[{service}].pieces(1)"))
        assert "FAIL so far: produce was available" in visit.text("#verdict")
        assert "the observer did not run for" in visit.text("#unseen")
        assert "does not answer" in visit.text("#nodes") and "leader 1 → 2" in visit.text("#marks")
        assert visit.page.get_by_role("button").all_inner_texts() == ["Follow"]
        assert visit.page.locator("#outages tbody tr").count() == 2
        feed(take, [msgspec.structs.replace(told[-1], at_s=told[-1].at_s + 0.5, status="ended")])
        expect(visit.page.locator("#lab")).to_have_text("the observation has ended", timeout=LONG_MS)
        assert visit.trouble == [] and visit.shift() < STEADY
    expect(visit.page.locator("#as-of")).to_contain_text("the observer is silent for", timeout=LONG_MS)
    visit.close()


def feed(take: Callable[[bytes], bool], moments: list[ObservedMoment]) -> None:
    """As fast as the page's process takes them, none left out."""
    for moment in moments:
        wait_until(partial(take, msgspec.json.encode(moment)), what="a moment to be taken", timeout_s=30)


def test_a_page_that_does_not_keep_up_holds_up_nobody(told: list[ObservedMoment]) -> None:
    """While its process is stopped moments are left out, far more than wait; it ends with the observation all the
    same."""
    before = set(psutil.Process().children())
    moment = msgspec.json.encode(told[-1])
    with fed(SETUP, lambda _: None) as take:
        (page,) = set(psutil.Process().children()) - before
        os.kill(page.pid, signal.SIGSTOP)
        assert sum(take(moment) for _ in range(WAITING_MAX * 100)) < WAITING_MAX * 100
        os.kill(page.pid, signal.SIGCONT)
    assert not page.is_running()
