"""What a browser shows of a recorded run's live page, as files of a hand-in."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from factorylab.history.saved_run import Run
from factorylab.operations.live.handed_in import FRAMES_MAX, live_page
from factorylab.operations.live.screen import FRAME_MS, WIDTH_PX, opened
from factorylab.report.hand_in.live_page import LivePage, PageFile
from tests.support.recorded_runs import unpack

SECRET = "20261129T233433Z-328a60"  # it stands in each moment's subject
ALIKE = 32  # of 255 shades


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(unpack("broker_loss", tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="module")
def page(run: Run) -> LivePage:
    if shutil.which("chromium") is None:
        pytest.skip("no Chromium on the PATH")
    return live_page(run)


def picture(file: PageFile) -> Image.Image:
    return Image.open(io.BytesIO(file.content))


def test_pictures_are_of_different_moments(page: LivePage) -> None:
    """Before, during and after: as wide as the page, not alike, each below 200 kB, with words of what is to be seen."""
    assert [shot.name for shot in page.shots] == ["before.png", "during.png", "after.png"]
    assert {(picture(shot).format, picture(shot).width) for shot in page.shots} == {("PNG", WIDTH_PX)}
    assert len({picture(shot).convert("RGB").tobytes() for shot in page.shots}) == 3
    assert max(len(shot.content) for shot in page.shots) < 200_000
    assert ["kill broker-2; broker-2 dead" in shot.about for shot in page.shots] == [False, True, False]


def test_the_recording_goes_through_the_fault(page: LivePage) -> None:
    """It plays once, in no more frames and bytes than are allowed, most of them unlike the others."""
    assert page.recording is not None and len(page.recording.content) < 1_000_000
    film = picture(page.recording)
    assert film.format == "WEBP" and film.info["loop"] == 1 and 10 < film.n_frames <= FRAMES_MAX  # type: ignore[attr-defined]
    frames, lasts_ms = set(), set()
    for number in range(film.n_frames):  # type: ignore[attr-defined]
        film.seek(number)
        frames.add(film.convert("RGB").tobytes())
        lasts_ms.add(film.info["duration"])
    assert len(frames) > 10 and lasts_ms == {FRAME_MS}


def differs(one: bytes, other: bytes) -> int:
    """How many pixels are of clearly another colour; the browser shades rounded corners a little differently."""
    two = (Image.open(io.BytesIO(png)).convert("RGB") for png in (one, other))
    shades = ImageChops.difference(*two).convert("L").histogram()
    return sum(shades[ALIKE:])


def test_a_moment_looks_the_same_whenever_it_is_shown(page: LivePage, tmp_path: Path) -> None:
    """Back at a moment after others, and in a browser of its own, its picture is the same; that of another is not."""
    (tmp_path / "live.html").write_bytes(page.replay.content)
    pictures = []
    for _ in range(2):
        with opened(tmp_path / "live.html") as screen:
            pictures += [screen.at(number) for number in (10, 30, 10)]
    assert [differs(pictures[0], pictures[number]) for number in (2, 3, 5)] == [0, 0, 0]
    assert differs(pictures[0], pictures[1]) > 1000


def test_what_is_missing_is_told(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a browser there is the replay alone, with the reason; nor is a secret in it."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("factorylab.core.secret._remembered", {SECRET})
    page = live_page(run)
    assert (page.shots, page.recording) == ((), None) and page.files == [page.replay]
    assert re.fullmatch("this machine has none of chromium, .*, which show the page", page.without)
    assert b"Content-Security-Policy" in page.replay.content and SECRET.encode() not in page.replay.content
    assert live_page(run, with_pictures=False).without == "they were left out (--no-pictures)"


def test_a_page_that_does_not_come_up_is_told(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the browser ends at once the reason names it, and the hand-in is made all the same."""
    program = tmp_path / "chromium"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "chromium did not show the page (" in live_page(run).without
