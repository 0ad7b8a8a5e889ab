"""Logs of different kinds in one stream."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from factorylab.cli.main import app
from factorylab.cluster.merged_logs import Reader, chooser, followed, merged, whole_word, why_nothing
from factorylab.core.errors import EnvironmentUnfit

BROKER = """[0.388s][warning][aot] a line of the JVM before any other
2026-11-24T16:50:00.773Z INFO  [main] kafka.server.BrokerServer - starting
2026-11-24T16:50:02.184Z ERROR [main] kafka.server.BrokerServer - broken
java.lang.IllegalStateException: why
"""
DATABASE = "2026-11-24 16:50:01.481 UTC [6264] LOG:  starting PostgreSQL\n2026-11-24 16:50:03.000 UTC [1] FATAL:  no\n"
WORKER = (
    '{"event": "stored", "level": "info", "worker": "processor-0", "correlation_id": "c-17", '
    '"timestamp": "2026-11-24T16:50:01.900000Z"}\nnot JSON\n'
)


def written(tmp_path):
    """Three log files of three kinds."""
    files = {"broker-1.log": BROKER, "database.log": DATABASE, "processor-0.log": WORKER}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return [tmp_path / name for name in files]


def test_all_kinds_merge_by_time(tmp_path):
    """Lines of brokers, PostgreSQL and workers come in the order of time, a stack trace after its line."""
    lines = list(merged(written(tmp_path), chooser("debug", None, None)))
    assert [(line.worker, line.level) for line in lines] == [
        ("broker-1", "info"),
        ("broker-1", "info"),
        ("database", "info"),
        ("processor-0", "info"),
        ("processor-0", "info"),
        ("broker-1", "error"),
        ("broker-1", "error"),
        ("database", "critical"),
    ]
    assert lines[6].text == "java.lang.IllegalStateException: why"
    assert "correlation_id=c-17" in lines[3].text


def test_lines_are_chosen(tmp_path):
    """Level, name of the worker and a pattern each leave out what does not fit."""
    paths = written(tmp_path)
    assert {line.level for line in merged(paths, chooser("error", None, None))} == {"error", "critical"}
    assert {line.worker for line in merged(paths, chooser("info", "broker", None))} == {"broker-1"}
    assert [line.worker for line in merged(paths, chooser("info", None, "c-17"))] == ["processor-0"]


def test_finding_nothing_has_a_reason(tmp_path):
    """Where no line fits, it is said whether there is no such node, no such level, or nothing of the kind."""
    paths = written(tmp_path)
    assert why_nothing(paths, "info", "brokr") == (
        "no node's name begins with 'brokr': did you mean 'broker-1'? There are: broker-1, database, processor-0"
    )
    assert why_nothing(paths, "error", "processor") == "no line of level error or above: the highest is info"
    assert "see 'trace'" in why_nothing(paths, "info", None)
    (tmp_path / "empty.log").write_text("")
    assert why_nothing([tmp_path / "empty.log"], "debug", None) == "the logs are empty"


def test_a_half_line_waits_for_its_end(tmp_path):
    """Following a file gives each line once and whole, also when it was written in two parts."""
    path = tmp_path / "broker-1.log"
    path.write_text(BROKER + "2026-11-24T16:50:04.000Z INFO  [ma")
    reader = Reader(path)
    assert len(list(reader.new_lines())) == 4
    with path.open("a") as stream:
        stream.write("in] x - the end\n")
    assert [line.text for line in reader.new_lines()] == ["[main] x - the end"]
    assert list(reader.new_lines()) == []


def test_a_node_that_appears_later_is_followed(tmp_path, monkeypatch):
    """Following goes on with old files, takes up files that appear meanwhile, and ends when there are none."""
    monkeypatch.setattr("factorylab.cluster.merged_logs.FOLLOW_S", 0.01)
    first, second = tmp_path / "broker-1.log", tmp_path / "processor-0.jsonl"
    first.write_text(DATABASE)

    def start_a_worker():
        second.write_text(WORKER.splitlines()[0] + "\n")
        return [first, second]

    def write_more():
        with first.open("a") as stream:
            stream.write("2026-11-24 16:50:09.000 UTC [1] LOG:  later\n")
        return [first, second]

    steps = iter([lambda: [first], start_a_worker, write_more, list])
    lines = list(followed(lambda: next(steps)(), chooser("info")))  # noqa: PLW0108 (the next one each time)
    assert [line.worker for line in lines] == ["broker-1", "broker-1", "processor-0", "broker-1"]
    assert lines[-1].text == "later"


def test_a_correlation_id_is_a_whole_word():
    """The id of one reading finds lines of all kinds that name it, and not those of ids that contain it."""
    import re

    wanted = re.compile(whole_word("T-1:5"))
    assert all(wanted.search(text) for text in ("stored correlation_id=T-1:5", "alert ('T-1:5', 3)", "T-1:5. Done"))
    assert not any(wanted.search(text) for text in ("T-1:51", "T-1:5:spike.v1", "ET-1:5", "T-1:5-a", "x/T-1:5"))


def test_nothing_to_follow_is_told(tmp_path, monkeypatch):
    """Following the logs of a lab that was never up is refused, and not taken for one that has ended."""
    monkeypatch.setenv("FACTORYLAB_HOME", str(tmp_path / "lab"))
    with pytest.raises(EnvironmentUnfit, match=r"no lab is up in .*make start"):
        CliRunner().invoke(app, ["logs", "--follow"], catch_exceptions=False)
