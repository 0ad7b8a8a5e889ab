"""What the page's server gives, and what it refuses."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from factorylab.operations.live.fed import FedPage
from factorylab.operations.live.page_server import PAGE, PageServer
from factorylab.operations.live.server import TOKEN_HEADER, LivePage
from tests.support.contrast import contrast

HERE = "http://127.0.0.1"
ORDER = {"component": "broker", "kind": "kill", "target": "leader:0", "hold_s": 5}
SHA256 = {
    "LICENSE": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}  # of uPlot 1.6.32 as it was published


class Client:
    """Asks the application without a server; nobody watches a lab."""

    def __init__(self, page: PageServer) -> None:
        self._app = page.app()

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url=HERE) as client:
                return await client.request(method, path, **given)

        return asyncio.run(asked())

    def get(self, path: str, **given: Any) -> httpx.Response:
        return self.ask("GET", path, **given)

    def post(self, path: str, **given: Any) -> httpx.Response:
        return self.ask("POST", path, **given)


@contextmanager
def page(home: Path, *, read_only: bool = False) -> Iterator[Client]:
    with closing(LivePage(home, read_only=read_only)) as found:
        yield Client(found)


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with page(tmp_path) as found:
        yield found


def test_what_is_not_ours_is_as_it_was_published() -> None:
    """uPlot and its licence have their checksums, and nothing else lies beside them."""
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in (PAGE / "uplot").iterdir()}
    assert found == SHA256


def test_no_file_of_the_page_names_another_place() -> None:
    """Neither markup nor styles nor scripts of ours have an address in them."""
    texts = {file.name: file.read_text() for file in PAGE.iterdir() if file.is_file()}
    assert (
        "index.html" in texts
        and {name for name, text in texts.items() if re.search(r"https?:|//[a-z]+\.", text)} == set()
    )


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_every_colour_can_be_read_on_a_card_and_a_card_on_it(mode: int) -> None:
    """Words, lines and the words in ribbons have a contrast of at least 4.5."""
    block = (PAGE / "live.css").read_text().split(":root {")[1 + mode].split("}")[0]
    colours = {name: wide(code) for name, code in re.findall(r"--(\w+): #(\w+);", block)}
    inks = ("ink", "soft", "blue", "orange", "green", "purple", "red", "sky")
    assert {
        name: contrast(colours[name], colours["card"])
        for name in inks
        if contrast(colours[name], colours["card"]) < 4.5
    } == {}


def wide(code: str) -> tuple[int, int, int]:
    """#abc or #aabbcc."""
    red, green, blue = (code[n : n + len(code) // 3] * (6 // len(code)) for n in range(0, len(code), len(code) // 3))
    return int(red, 16), int(green, 16), int(blue, 16)


def test_every_answer_carries_a_policy_that_allows_this_origin_alone(client: Client) -> None:
    """The page, its files and refusals say that nothing may come from anywhere else, nor run inline."""
    for path in ("/", "/page/main.js", "/setup", "/nowhere"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy, path
    assert "<script src=" in client.get("/").text and "<script>" not in client.get("/").text


def test_a_name_that_was_made_to_point_here_is_refused(client: Client) -> None:
    """A page of another name cannot read this one by having its name resolve to loopback."""
    assert client.get("/setup", headers={"host": "rebound.example"}).status_code == 400


@pytest.mark.parametrize("path", ["/fault", "/heal"])
def test_only_the_page_itself_breaks_and_heals(client: Client, path: str) -> None:
    """Without the token, with another's, or from another origin it is refused; with all of them it is asked, and told
    that there is no lab."""
    token = client.get("/setup").json()["token"]
    good = {"origin": HERE, TOKEN_HEADER: token}
    for wrong in ({}, {"origin": HERE}, good | {TOKEN_HEADER: "guess"}, good | {"origin": "http://evil.example"}):
        assert client.post(path, json=ORDER, headers=wrong).status_code == 403, wrong
    assert client.get(path, headers=good).status_code == 405
    if path == "/heal":
        answer = client.post(path, json=ORDER, headers=good)
        assert (answer.status_code, "no lab is up" in answer.json()["error"]) == (409, True)
    else:
        answer = client.post(path, json=ORDER | {"kind": "burn"}, headers=good)
        assert (answer.status_code, "kind 'burn'" in answer.json()["error"]) == (409, True)
        assert client.post(path, content=b"{", headers=good).status_code == 400


def test_a_page_to_look_at_has_no_token_and_no_deeds(tmp_path: Path) -> None:
    """With --read-only there is nothing to break or heal with, not even for who knows how."""
    with page(tmp_path, read_only=True) as client:
        setup = client.get("/setup").json()
        assert setup["read_only"] and {"token", "kinds"}.isdisjoint(setup)
        assert client.post("/heal", headers={"origin": HERE, TOKEN_HEADER: ""}).status_code == 403


def test_without_a_lab_the_metrics_say_so(client: Client) -> None:
    """The endpoint answers, and what is not known has no sample."""
    text = client.get("/metrics").text
    assert "factorylab_lab_up 0.0" in text and "factorylab_lag_records{" not in text


def test_the_page_of_an_observation_has_nothing_to_break_with() -> None:
    """It has the same policy and the same files as the lab's page, and no deeds at all."""
    client = Client(FedPage())
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    scripts = re.findall(r'<script src="(page/[^"]+)"', page.text)
    assert scripts and all(client.get(f"/{name}").status_code == 200 for name in scripts)
    assert [client.post(path).status_code for path in ("/fault", "/heal")] == [404, 404]
