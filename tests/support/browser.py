"""The system's Chromium, driven by playwright; what it asks of anybody but the page's own server is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

SHIFT = """() => new Promise((done) => new PerformanceObserver((list) => done(
  list.getEntries().filter((one) => !one.hadRecentInput).reduce((sum, one) => sum + one.value, 0)
)).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done(0), 300))"""
NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the test is skipped where this machine has none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visit:
    """A page that is looked at; `trouble` is what its scripts threw, and whom it asked besides its origin."""

    def __init__(self, browser: Browser, url: str, width: int = 1280, *, dark: bool = False) -> None:
        size: ViewportSize = {"width": width, "height": 900}
        self.trouble: list[str] = []
        self._context = browser.new_context(viewport=size, color_scheme="dark" if dark else "light")
        self.page: Page = self._context.new_page()
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        self.page.on(
            "request", lambda asked: None if asked.url.startswith((url, "data:")) else self.trouble.append(asked.url)
        )
        self.page.goto(url)
        self.page.locator("#nodes li").first.wait_for()

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def shift(self) -> float:
        """How much of the page moved by itself so far: the browser's cumulative layout shift, 0 to about 1."""
        return float(self.page.evaluate(SHIFT))

    def close(self) -> None:
        self._context.close()
