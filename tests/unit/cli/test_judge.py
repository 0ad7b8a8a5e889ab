"""`factorylab judge`: what is refused before anything starts, and what is handed on."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from factorylab.cli.judge_commands import told_of_output
from factorylab.execution import perform
from factorylab.history.manifest import OutputRead
from factorylab.scenarios.model import Scenario
from tests.support.commands import Call, call, nothing_starts, results
from tests.support.histories import healthy

__all__ = ["call", "nothing_starts", "results"]  # fixtures


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--", "no-such-program"], "the program 'no-such-program' is not on PATH"),
        (["--fault", "kill", "--", "cat"], "write a kind and a target, as in 'kill processor:0'"),
        (["--fault", "kill processor:7", "--", "cat"], "the numbers of a processor go from 0 to 0"),
        (["--times", "--", "cat"], "times come with a query"),
        (["--topic", "--file", "a", "--", "cat"], "--topic and --file exclude each other"),
        (["--file", __file__, "--", "cat"], "is there already, and would be judged as this run's"),
        (["--record", "@no/such", "--", "cat"], "--record @no/such: [Errno 2] No such file"),
        (["--backend", "compose", "--", "cat"], "take --backend local"),
    ],
)
def test_what_cannot_be_judged_is_refused(call: Call, words: list[str], said: str) -> None:
    """One sentence, and an exit code that is not that of a verdict."""
    code, _, err = call("judge", *words)
    assert code in {2, 5} and said in err.replace("\n", " ")


def test_the_program_keeps_its_own_options(call: Call, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands after -- is the program's, and the verdict ends with what was not asked of it."""
    asked: list[Scenario] = []

    def ran(wanted: Scenario, **_: Any) -> Any:
        asked.append(wanted)
        return healthy(results, wanted.model_copy(update={"faults": ()})).run()

    monkeypatch.setattr(perform, "run", ran)
    monkeypatch.setattr("factorylab.cli.judge_commands.judged_now", lambda folder: ran(asked[0]))
    code, out, _ = call("judge", "--instances", "2", "--", "cat", "--json", "--query", "x")
    (wanted, *_) = asked
    assert wanted.subject and wanted.subject.command == ("cat", "--json", "--query", "x")
    assert wanted.clients.processors == 2 and "not asked of it: " in out and "zombie_write" in out
    code_of_json, out, _ = call("judge", "--json", "--", "cat")
    told = json.loads(out)
    assert told["scenario"] == "your_application" and told["output"] is None and {code, code_of_json} <= {0, 1, 4}


def test_a_record_may_come_from_a_file(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands after the @ is read as it is, without its last newline, and the output is looked for as such."""
    asked: list[Scenario] = []
    monkeypatch.setattr(perform, "run", lambda wanted, **_: asked.append(wanted) or sys.exit(7))
    (tmp_path / "record").write_text('{"id": "{sensor}/{seq}",\n "v": {value}}\n')
    call("judge", "--record", f"@{tmp_path}/record", "--file", "{run}.csv", "--", "cat")
    (wanted,) = asked
    assert wanted.subject and wanted.subject.record == '{"id": "{sensor}/{seq}",\n "v": {value}}'
    assert (wanted.subject.output, wanted.subject.looked_for) == ("file", wanted.subject.record)


def test_what_no_check_says_of_the_output_is_told() -> None:
    """Its order, where it has one, and what could not be read; nothing of what the factory's own store holds."""
    assert told_of_output(None) == []
    assert told_of_output(OutputRead(rows=9)) == ["order of the output: not asked: a table has none"]
    order, unread = told_of_output(OutputRead(rows=2_000, unread=1, out_of_order=3))
    assert "3 of 2,000 stand behind a later one" in order and "not read: 1 lines" in unread
