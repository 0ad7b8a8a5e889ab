"""The live page of a real lab in a real browser, while a broker dies and the database is frozen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from prometheus_client import Metric

from factorylab.cluster import manage
from factorylab.core.waiting import wait_until
from factorylab.execution.shared_lab import forget
from factorylab.operations import standing_factory
from factorylab.operations.live.beside import beside
from tests.support.browser import Visit, chromium
from tests.support.labs import LabOfTests
from tests.support.scraped import scrape, value

LONG_MS = 90_000
WORKERS = ("fleet-temperature", "fleet-vibration", "fleet-energy", "processor-a", "processor-b")
NODES = ("broker-1", "broker-2", "broker-3", "database")
STEADY = 0.1  # a cumulative layout shift that counts as good (web.dev/cls)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def lab(browser: Browser, lab_of_tests: LabOfTests) -> Iterator[tuple[Path, str]]:
    """The folder of a lab with the standing factory that nobody drives, and the address of its page."""
    cluster = lab_of_tests.up()
    standing_factory.start(cluster, cluster.home)
    said: list[str] = []
    with lab_of_tests.lent() as home, beside(home, said.append):
        yield home, said[0].removeprefix("live page: ")
    lab_of_tests.up().stop(WORKERS)
    forget(cluster.endpoints, "")


def break_it(visit: Visit, component: str, kind: str, target: str, hold_s: int) -> None:
    page = visit.page
    page.select_option("#component", component)
    page.select_option("#kind", kind)
    if target:
        page.fill("#target", target)
    page.fill("#hold", str(hold_s))
    page.get_by_role("button", name="Break it").click()


def test_a_brokers_death_empties_nothing(browser: Browser, lab: tuple[Path, str]) -> None:
    """After a click that kills a broker the page names the node and what nobody answers, keeps every other number, goes
    on moving, and shows the time that remains; who opens it then sees what was before. Over 10 s: it returns."""
    _, url = lab
    visit = Visit(browser, url)
    expect(visit.page.locator("#partitions tbody tr")).to_have_count(3, timeout=LONG_MS)
    expect(visit.page.locator("#processors tbody tr")).to_have_count(2, timeout=LONG_MS)
    expect(visit.page.locator("#unanswered")).to_have_text("Every question is answered.", timeout=LONG_MS)
    break_it(visit, "broker", "kill", "broker:1", 12)
    expect(visit.page.locator("#nodes .bad", has_text="broker-1 dead (kill)")).to_have_count(1, timeout=LONG_MS)
    expect(visit.page.locator("#unanswered")).to_contain_text("the ends of the log", timeout=LONG_MS)
    assert re.search(r"kill broker-1: held for \d+ s, \d+ s remain", visit.text("#faults"))
    rows = visit.page.locator("#partitions tbody tr").all_inner_texts()
    assert len(rows) == 3 and all("broker-" in row for row in rows)
    nodes = visit.text("#nodes")
    assert all(name in nodes for name in (*NODES, *WORKERS)) and visit.page.locator("#processors td").count() == 8
    expect(visit.page.locator("#tiles")).to_contain_text(re.compile(r"Offered[\d,]+readings/s"), timeout=LONG_MS)
    assert visit.text("#as-of").startswith("as of ")
    late = Visit(browser, url)
    assert late.page.evaluate("all.length") > 10 and "kill broker-1" in late.text("#marks")
    expect(visit.page.locator("#faults")).to_have_text("No fault is held.", timeout=LONG_MS)
    expect(visit.page.locator("#said")).to_contain_text("every replica of sensor-data is in sync", timeout=LONG_MS)
    assert "✓ healed: kill broker-1" in visit.text("#marks")
    assert visit.trouble == late.trouble == [] and visit.shift() < STEADY
    late.close()
    visit.close()


def test_one_endpoint_has_the_metrics_of_all_workers(lab: tuple[Path, str]) -> None:
    """Every fleet and processor answers through the page, and its numbers carry its name."""
    _, url = lab
    wait_until(lambda: up_in(scrape(f"{url}metrics")) == set(WORKERS), what="all workers to be up", timeout_s=60)
    found = scrape(f"{url}metrics")
    for name, workers in (
        ("fleet_readings_offered_total", WORKERS[:3]),
        ("processor_readings_stored_total", WORKERS[3:]),
    ):
        assert all(value(found, name, worker=worker) > 0 for worker in workers)
    assert value(found, "lab_up") == 1 and value(found, "answer_age_seconds", question="store") < 5


def up_in(families: dict[str, Metric]) -> set[str]:
    return {one.labels["worker"] for one in families["factorylab_worker_up"].samples if one.value == 1}


def test_the_button_heals_at_once(browser: Browser, lab: tuple[Path, str]) -> None:
    """A database that is frozen for five minutes is named as what does not answer, and answers soon after a click on
    Heal now; the command wrote the healing down. Over 10 s: an answer has to grow old, and the lab to be healed."""
    home, url = lab
    visit = Visit(browser, url)
    expect(visit.page.get_by_role("button", name="Break it")).to_be_enabled(timeout=LONG_MS)
    break_it(visit, "database", "pause", "", 300)
    expect(visit.page.locator("#unanswered")).to_contain_text("PostgreSQL does not answer", timeout=LONG_MS)
    assert "database paused (pause)" in visit.text("#nodes")
    visit.page.get_by_role("button", name="Heal now").click()
    expect(visit.page.locator("#said")).to_contain_text("healed: database is running", timeout=LONG_MS)
    expect(visit.page.locator("#unanswered")).not_to_contain_text("PostgreSQL", timeout=LONG_MS)
    wait_until(lambda: manage.driver_of(home) is None, what="the command to let go of the lab", timeout_s=60)
    assert visit.trouble == []
    visit.close()
