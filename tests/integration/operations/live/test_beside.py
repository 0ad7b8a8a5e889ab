"""The page beside a command: it is there as long as the command, or the lab, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from factorylab.core.waiting import wait_until
from factorylab.operations.live.beside import beside, stay, still_served
from tests.support.labs import listening, shell, silent_lab
from tests.support.scraped import scrape, value

COMMAND = """
import sys, time
from pathlib import Path
from factorylab.operations.live.beside import beside
with beside(Path(sys.argv[1]), lambda text: print(text, flush=True)):
    time.sleep(600)
"""


def port_of(url: str) -> int:
    return int(url.rstrip("/").rpartition(":")[2])


def gone(url: str) -> None:
    wait_until(lambda: not listening([port_of(url)]), what=f"nobody to listen at {url}", timeout_s=20)


def lab_up(url: str) -> float:
    return value(scrape(f"{url}metrics"), "lab_up")


def test_it_ends_with_its_command(home: Path) -> None:
    """Also before there is a lab the page answers on loopback, and when the command is done nobody listens any more."""
    said: list[str] = []
    with beside(home, said.append):
        (url,) = (text.removeprefix("live page: ") for text in said)
        assert lab_up(url) == 0
    assert url.startswith("http://127.0.0.1:") and listening([port_of(url)]) == []


def test_a_killed_command_leaves_no_page(home: Path) -> None:
    """A SIGKILL of the command ends the page as well."""
    words = [sys.executable, "-c", COMMAND, str(home)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=shell()) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip().removeprefix("live page: ")
        assert lab_up(url) == 0
        process.kill()
    gone(url)


def test_the_page_of_a_lab_that_stays_ends_with_the_lab(home: Path) -> None:
    """It is served once however often it is asked for, is known to whoever asks for the status, and ends by itself."""
    supervisor = silent_lab(home)
    url = stay(home)
    wait_until(lambda: lab_up(url) == 1, what="the page to see the lab", timeout_s=20)
    assert stay(home) == url == still_served(home)
    os.kill(supervisor.pid, signal.SIGKILL)
    gone(url)
    wait_until(lambda: still_served(home) is None, what="the page's process to be gone", timeout_s=20)
