"""The live page in a notebook: in a real JupyterLab and a real browser, and in a notebook that nobody looks at."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbclient
import nbformat
import pytest
from playwright.sync_api import Page, expect

from factorylab.cluster import control
from factorylab.core.waiting import wait_until
from factorylab.operations.live.in_notebook import ENDED, OPEN_IN
from tests.support.browser import chromium
from tests.support.labs import shell, silent_lab, tiny

CODE = """from pathlib import Path
import time
import factorylab as lab
with lab.live_view():
    while not Path("done").exists():
        time.sleep(0.05)"""
ALONE = ("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None")
LONG_MS = 60_000


@contextmanager
def jupyterlab(folder: Path, home: Path) -> Iterator[str]:
    """A JupyterLab of its own on `folder`, with no settings of whoever runs the tests; its address."""
    env = shell() | {"FACTORYLAB_HOME": str(home), "HOME": str(folder), "JUPYTER_TOKEN": "opens"}
    words = ["--no-browser", "--allow-root", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}", *ALONE]
    command = [sys.executable, "-m", "jupyterlab", *words]
    with (folder / "log").open("w") as log, subprocess.Popen(command, stderr=log, env=env, cwd=folder) as process:
        said = re.compile(r"(http://127\.0\.0\.1:\d+)/lab")
        try:
            found = wait_until(
                lambda: said.search((folder / "log").read_text()), what="JupyterLab to serve", timeout_s=60
            )
            yield found[1]
        finally:
            process.terminate()


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    file = tmp_path / "n.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # else JupyterLab asks which one
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)], metadata=kernel), file)
    return file


def run_cell(page: Page, url: str) -> None:
    """JupyterLab passes over a cell that is to run while the kernel's session is still being connected."""
    page.goto(f"{url}/lab/tree/n.ipynb?token=opens")
    page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(timeout=LONG_MS)

    def begun() -> bool:
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        page.wait_for_timeout(500)
        return "*" in page.locator(".jp-CodeCell .jp-InputPrompt").first.inner_text()

    wait_until(begun, what="the cell to run", timeout_s=60)


def test_it_lives_while_the_cell_runs(home: Path, tmp_path: Path, notebook: Path) -> None:
    """Though the kernel is busy the page is in the cell's output, shows the lab that comes up and ends; when
    the cell is done a sentence is in its place, and the saved notebook has no more than that. Nobody but JupyterLab is
    asked for anything. Over 10 s: JupyterLab starts."""
    with chromium() as browser, jupyterlab(tmp_path, home) as url:
        page = browser.new_page()
        elsewhere: list[str] = []
        own = (url, "data:", "blob:")
        page.on("request", lambda asked: None if asked.url.startswith(own) else elsewhere.append(asked.url))
        run_cell(page, url)
        frame = page.frame_locator("iframe[title='The lab, live']")
        expect(frame.locator("#lab")).to_have_text("no lab is up yet", timeout=LONG_MS)
        supervisor = silent_lab(home)
        control.ask(home, control.Start([tiny("broker-1", home)]))
        expect(frame.locator("#lab")).to_have_text("lab is up", timeout=LONG_MS)
        expect(frame.locator("#nodes")).to_contain_text("broker-1 running", timeout=LONG_MS)
        first = frame.locator("#as-of").inner_text()
        expect(frame.locator("#as-of")).not_to_have_text(first, timeout=LONG_MS)
        assert first.startswith("as of") and frame.get_by_role("button", name="Break it").count() == 0
        os.kill(supervisor.pid, signal.SIGKILL)
        expect(frame.locator("#lab")).to_have_text("the lab has ended", timeout=LONG_MS)
        (tmp_path / "done").touch()
        page.locator(".jp-OutputArea-output", has_text=ENDED).first.wait_for(timeout=LONG_MS)
        page.keyboard.press("Control+s")
        wait_until(lambda: ENDED in notebook.read_text(), what="the notebook to be saved", timeout_s=30)
    saved = notebook.read_text()
    assert elsewhere == [] and len(saved) < 3_000 and "widget" not in saved


def test_where_nobody_looks_nothing_is_shown(home: Path, notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that is run for its output, as by papermill and nbmake, gets none from it and no widget's state."""
    monkeypatch.delenv(OPEN_IN, raising=False)
    monkeypatch.setenv("FACTORYLAB_HOME", str(home))
    (notebook.parent / "done").touch()
    ran = nbformat.read(notebook, as_version=4)
    nbclient.NotebookClient(ran, timeout=60, resources={"metadata": {"path": str(notebook.parent)}}).execute()
    assert ran.cells[0].outputs == [] and "widgets" not in json.dumps(ran.metadata)
