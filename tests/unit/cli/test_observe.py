"""`factorylab observe` refuses before anything starts, with a sentence and an exit code."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.support.commands import Call, call, nothing_starts, results

__all__ = ["call", "nothing_starts", "results"]  # fixtures


@pytest.fixture
def properties(tmp_path: Path) -> Path:
    """Of a cluster that is not there: the port was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    file = tmp_path / "client.properties"
    file.write_text(f"bootstrap.servers=127.0.0.1:{port}\n")
    return file


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--for", "8"), "--for '8'"),
        (("--prefix", "a b"), "--prefix 'a b'"),
        (("--rate-hz", "0"), "--rate-hz"),
        (("--objective", "99.9"), "--objective"),
        (("--kubernetes-events", "nowhere.json"), "--kubernetes-events nowhere.json"),
    ],
)
def test_a_wrong_word_is_named(
    call: Call, properties: Path, nothing_starts: Path, words: tuple[str, ...], named: str
) -> None:
    """Exit code 2, and no folder of results is made."""
    code, _, said = call("observe", str(properties), *words)
    assert code == 2 and named in said
    assert not (nothing_starts / "results").exists()


def test_who_is_not_reached_is_named(call: Call, properties: Path, nothing_starts: Path) -> None:
    """Exit code 5 within seconds, with the address and the reason."""
    code, _, said = call("observe", str(properties))
    address = properties.read_text().partition("=")[2].strip()
    assert code == 5 and f"{address} is not reached: nobody listens there" in said
    assert not (nothing_starts / "results").exists()


def test_what_says_no_cluster_is_refused(call: Call, tmp_path: Path) -> None:
    """A file that is not there, and one without brokers."""
    empty = tmp_path / "empty.properties"
    empty.write_text("acks=all\n")
    for file, named in ((tmp_path / "none.properties", "none.properties"), (empty, "bootstrap.servers")):
        code, _, said = call("observe", str(file))
        assert code == 2 and named in said
