"""The command line: help, refusals before anything starts."""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path

import pytest

import factorylab as lab
from factorylab.cli import main
from factorylab.history.run_folders import FAILED
from factorylab.scenarios.catalog import SCENARIOS
from factorylab.scenarios.fault_catalog import ON_PROCESS
from tests.support.commands import Call, call, nothing_starts, results

__all__ = ["call", "nothing_starts", "results"]  # fixtures


COMMANDS = ("up", "down", "status", "logs", "heal", "doctor", "scenarios", "run", "batch", "runs", "score", "show",
            "replay", "summary", "compare", "report", "anatomy", "capacity", "trace", "watch", "live", "witness",
            "dead-letters", "predict", "judge", "behaviour", "record", "check", "observe", "connect",
            "export")  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps(call: Call, command: str) -> None:
    """Each command explains itself and exits with 0."""
    code, out, _ = call(command, "--help")
    assert code == 0 and command in out and "Usage" in out


def test_the_first_help_lists_all_commands(call: Call) -> None:
    """`factorylab --help` names every command, and there is none that this test forgets."""
    code, out, _ = call("--help")
    assert code == 0
    names = [command.callback.__name__ for command in main.app.registered_commands if command.callback]
    assert sorted(name.replace("_", "-") for name in names) == sorted(COMMANDS)
    assert [command for command in COMMANDS if command not in out] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "brocker_loss"], ["no scenario 'brocker_loss'", "broker_loss"]),
        (["run", "broker_loss", "-p", "speed=1"], ["no parameter speed", "hold_s"]),
        (["run", "broker_loss", "-p", "hold_s=long"], ["hold_s", "'long'"]),
        (["run", "broker_loss", "-p", "target=leader:9"], ["'leader:9'", "from 0 to 2"]),
        (["run", "broker_loss", "-p", "kind"], ["-p 'kind'", "name=value"]),
        (["run", "broker_loss", "--keep", "-p", "kind=burn"], ["'burn'", "terminate"]),
        (["run", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
        (["run", "recorded_machine", "-p", "source=none.csv"], ["none.csv", "cannot be read"]),
        (["run"], ["Missing argument"]),
        (["predict", "broker_loss", "-p", "session=3"], ["no parameter session", "hold_s"]),
        (["predict", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
        (["predict"], ["name a scenario", "--calibration"]),
        (["predict", "broker_loss", "--calibration"], ["name a scenario", "--calibration"]),
        (["run", "baseline", "--speed"], ["No such option"]),
        (["batch", "nowhere.yaml"], ["nowhere.yaml", "cannot be read"]),
        (["batch", "experiments/quick.yaml", "--repeat", "0"], ["--repeat", "equal to 1"]),
        (["capacity", "-p", "start_per_s=fast"], ["start_per_s", "number"]),
        (["capacity", "-p", "rate=5"], ["rate", "no such key"]),
        (["capacity", "--vary", "processors"], ["'processors'", "name=value"]),
        (["capacity", "--vary", "processors=2"], ["processors=2", "list of values"]),
        (["capacity", "--vary", "processors=[2,99]"], ["processors", "less than or equal to 16", "99"]),
        (["show", "dddddd"], ["no run fits 'dddddd'"]),
        (["replay", "latest"], ["no run fits 'latest'"]),
        (["compare", "latest"], ["name A and B"]),
        (["report"], ["no finished run yet"]),
        (["report", "dddddd"], ["no run fits 'dddddd'"]),
        (["explode"], ["No such command"]),
        (["runs", "--yes"], ["--yes and --keep are for --prune"]),
        (["runs", "--prune", "--keep", "0"], ["--keep"]),
        (["export", "docs"], ["docs is a folder with something in it", "remove it first"]),
        (["export", "nowhere", "--junit", "none.xml"], ["none.xml is no JUnit file", "--junit-xml"]),
        (["export", "nowhere", "dddddd"], ["no run fits 'dddddd'"]),
        (["trace", "temperature-00001", "9" * 20, "--run", "latest"], ["seq", "less than"]),
        (["run", "broker_loss", "-p", "hold_s=1e9"], ["hold_s", "less than or equal to 86400"]),
        (["run", "broker_loss", "-p", "rate_per_s=NaN"], ["rate_per_s", "finite"]),
        (["run", "broker_loss", "-p", "seed=-1"], ["seed", "greater than or equal to 0"]),
        (["run", "broker_loss", "-p", "hold_s=5", "-p", "hold_s=6"], ["hold_s is given twice"]),
        (["run", "network_partition", "-p", 'expect=["lost_in_lgo"]'], ["did you mean 'lost_in_log'"]),
        (["batch", "experiments/quick.yaml", "--repeat", "1000000000"], ["--repeat", "1000"]),
        (["batch", "experiments"], ["experiments", "cannot be read as YAML"]),
        (["logs", "--level", "loud"], ["'loud'", "warning"]),
        (["logs", "dddddd"], ["no run fits 'dddddd'"]),
        (["watch", "--every", "inf"], ["--every inf", "at most"]),
        (["database", "retain", "--older-than-days", "nan"], ["--older-than-days nan", "above 0"]),
        (["database", "retain", "--older-than-days", "0"], ["--older-than-days 0", "above 0"]),
        (["database", "retain", "--older-than-days=-1"], ["--older-than-days -1", "above 0"]),
        (["database", "retain", "--older-than-days", "1e9"], ["at most 36,500 days"]),
        (["database", "retain", "--older-than-days", "inf"], ["at most 36,500 days"]),
        (["dead-letters", "--dry-run"], ["--dry-run", "give both"]),
        (["dead-letters", "--resend", "--all"], ["--all", "sent again only once"]),
        (["dead-letters", "--limit", "0"], ["--limit", "1"]),
    ],
    ids=" ".join,
)
def test_wrong_words_are_refused_before_anything_starts(
    call: Call, nothing_starts: Path, words: list[str], said: list[str]
) -> None:
    """A wrong name, parameter or file ends with 2 and one message, and neither a run folder nor a lab is made."""
    code, out, err = call(*words)
    assert code == 2 and out == ""
    assert [word for word in said if word not in err] == [] and "Traceback" not in err
    assert list(nothing_starts.iterdir()) == []


def test_scenarios_for_machines(call: Call) -> None:
    """`scenarios --json` gives each parameter's type, unit, choices and default as fields of their own."""
    code, out, _ = call("scenarios", "--json")
    listed = json.loads(out)
    assert code == 0 and list(listed) == list(SCENARIOS)
    assert {name: list(its) for name, its in listed.items()} == {
        name: list(inspect.signature(function).parameters) for name, function in SCENARIOS.items()
    }
    kind, hold_s = listed["broker_loss"]["kind"], listed["broker_loss"]["hold_s"]
    assert (kind["choices"], kind["default"], kind["required"]) == (list(ON_PROCESS), "kill", False)
    assert (hold_s["type"], hold_s["unit"], hold_s["choices"], hold_s["default"]) == ("number", "seconds", [], 14)
    source = listed["recorded_machine"]["source"]
    assert (source["type"], source["required"], source["default"]) == ("text", True, None)


def test_scenarios_for_people(call: Call) -> None:
    """`scenarios` says in plain words what may be given: choices, units, what is required; no type of Python."""
    lines = [line.strip() for line in call("scenarios")[1].splitlines()]
    assert f"kind: {' | '.join(ON_PROCESS)} = kill" in lines
    assert "hold_s: seconds = 14" in lines and "rate_per_s: readings per second = 2000" in lines
    assert "steps_per_s: list of readings per second = [10000, 25000, 50000, 100000]" in lines
    assert "session_timeout_s: seconds (may be left out)" in lines
    assert "source: text (required)  (path of a CSV file)" in lines
    assert any(line.startswith("target: text = leader:0  (leader:P, ") for line in lines)
    python = re.compile(r"\b(str|int|float|tuple|Literal|None|Optional|FaultKind|Acks|Profile|Protocol|Expect)\b")
    assert [line for line in lines if python.search(line)] == []


@pytest.mark.parametrize("command", ["show", "replay", "compare"])
def test_how_a_run_is_named(call: Call, command: str) -> None:
    """The help of each command that takes a run says the four ways of naming it."""
    said = " ".join(re.sub(r"[│\n]", " ", call(command, "--help")[1]).split())
    assert [way for way in ("its path", "6 hex digits", "scenario's name", "'latest'") if way not in said] == []


def test_an_unfinished_run_is_listed_as_such(call: Call, nothing_starts: Path) -> None:
    """A run that was never sealed is listed with its scenario, without a verdict; before the first one, a hint."""
    from factorylab.history import run_folders
    from factorylab.scenarios.catalog import build

    _, out, err = call("runs")
    assert out == "" and "no runs yet" in err
    run = run_folders.create(nothing_starts / "results", build("baseline", {}))
    assert call("runs")[1].split("–")[-1].strip() == f"{'baseline':<18} not judged: it did not finish"
    (listed,) = json.loads(call("runs", "--json")[1])
    assert (listed["scenario"], listed["sealed"], listed["course"]) == ("baseline", False, None)
    assert listed["size_bytes"] == (run.raw / "scenario.json").stat().st_size
    code, out, err = call("runs", "--prune")
    assert code == 0 and out.startswith("stays") and "may be going on" in out and "nothing was removed" in err
    (run.raw / FAILED).write_text("interrupted")
    code, out, err = call("runs", "--prune")
    assert out.startswith("goes") and "did not finish" in out and run.path.is_dir()
    code, out, err = call("runs", "--prune", "--yes")
    assert code == 0 and out.startswith("gone") and "removed: 1 of 1" in err and not run.path.exists()


def test_a_dry_run_lists_and_runs_nothing(call: Call, nothing_starts: Path) -> None:
    """`batch --dry-run` validates, lists all runs in their order, and makes nothing."""
    code, out, err = call("batch", "experiments/quick.yaml", "--dry-run")
    assert code == 0 and out == ""
    assert [line.split()[0] for line in err.splitlines()] == ["baseline", "broker_loss", "consumer_loss", "high_load"]
    assert len(call("batch", "experiments/quick.yaml", "--dry-run", "--repeat", "3")[2].splitlines()) == 12
    assert list(nothing_starts.iterdir()) == []


def test_the_version_is_said(call: Call) -> None:
    """`--version` says which one this is, and does nothing else."""
    assert call("--version") == (0, f"factorylab {lab.__version__}\n", "")


def test_debug_shows_the_traceback(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --debug an error of the lab is raised with its traceback."""
    from factorylab.core.errors import UsageError

    monkeypatch.setattr(sys, "argv", ["factorylab", "--debug", "show", "dddddd"])
    monkeypatch.setattr(main, "_debug", [])
    with pytest.raises(UsageError):
        main.main()


def test_a_full_temporary_folder_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever command it ends, figures included, it says where the room is lacking and how to get it."""
    from factorylab.core.errors import NoRoom

    def full() -> None:
        raise NoRoom

    monkeypatch.setattr(main, "app", full)
    monkeypatch.setattr(main, "_debug", [])
    with pytest.raises(SystemExit) as ended:
        main.main()
    assert ended.value.code == 5 and "set TMPDIR" in capsys.readouterr().err


def test_the_worst_run_decides_the_exit_code() -> None:
    """A batch ends with FAIL before INVALID before NOT_DRAINED before success."""
    from factorylab.cli.batch_commands import WORST_FIRST

    assert WORST_FIRST == (1, 4, 3, 0)
