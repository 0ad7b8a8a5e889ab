"""The command `connect` without a cluster: its exit codes, and its text."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from factorylab.cli.connect_commands import lines
from factorylab.cluster.asking.answers import Address, Answers, Privilege, Topic
from tests.support.commands import Call, call, results

__all__ = ["call", "results"]  # fixtures

WORD = "Tr0ub4dor-and-three"


def test_nobody_listens(call: Call, tmp_path: Path) -> None:
    """Where nobody listens the exit code is 5, and each address has its reason, without the password; as JSON too."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        file = tmp_path / "client.properties"
        login = f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=alice\nsasl.password={WORD}\n"
        file.write_text(f"bootstrap.servers={address}\n{login}")
        code, out, err = call("connect", str(file))
        as_json = call("connect", str(file), "--json")
    assert code == 5 and f"problem: {address}: nobody listens there" in out and WORD not in out + err
    assert as_json[0] == 5 and json.loads(as_json[1])["problems"] == [f"{address}: nobody listens there"]


def test_a_wrong_file(call: Call, tmp_path: Path) -> None:
    """A file that is wrong is exit code 2, and nothing is connected to."""
    file = tmp_path / "client.properties"
    file.write_text("bootstrap.servers=a:1\nsecurity.protocl=SSL\n")
    code, _, err = call("connect", str(file))
    assert code == 2 and "did you mean security.protocol?" in err


def test_the_text() -> None:
    """The text names each broker, what is not held and how to get it, and says that a run could work only if one
    could."""
    broker = Address("b:1", 4, reached=True, why="", took_s=0.1)
    held = Privilege("topic", "Write", "send", held=True, why="")
    well = Answers("b:1 (PLAINTEXT)", "team-a-", [broker], "id", "4.3", 30, privileges=[held])
    assert "broker 4" in lines(well, ())[1] and lines(well, ())[-1] == "a run could work here, under team-a-"
    lacking = Privilege("topic", "Read", "read", held=False, why="")
    there = Topic("team-a-x", 2, 1, 2, [0])
    ill = Answers(
        "b:1", "team-a-", [broker], privileges=[lacking], topics=[there], acls=["kafka-acls.sh …"], problems=["missing"]
    )
    text = "\n".join(lines(ill, ("acks",)))
    assert "Read             NO" in text and "team-a-x: 2 partitions, 1 replicas, min ISR 2; its partitions [0]" in text
    assert "kafka-acls.sh …" in text and "left out, since it says nothing of connecting: acks" in text
    assert "problem: missing" in text and "a run could work" not in text
