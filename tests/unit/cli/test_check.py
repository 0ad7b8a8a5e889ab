"""`factorylab check`: exit codes, both forms of its output, and no secret in either."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from factorylab.core.errors import LabError, StartFailed
from factorylab.execution.controls import proving
from factorylab.scenarios.configuration.checking import RULES
from factorylab.scenarios.controls import NAMES
from factorylab.scenarios.model import Scenario
from tests.support.commands import Call, call, results
from tests.support.property_files import SETS

__all__ = ["call", "results"]  # fixtures


def path_of(name: str) -> str:
    return str(SETS / f"{name}.properties")


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (("safe_producer", "safe_consumer", "server_safe"), 0),
        (("safe_producer", "server_unclean"), 1),
        (("spring_like_producer",), 1),
        (("ten_in_flight",), 2),
        (("spring_like_producer", "typos"), 2),
        (("mixed",), 2),
    ],
)
def test_the_exit_code_says_what_was_found(call: Call, names: tuple[str, ...], code: int) -> None:
    """0: no harm to records is allowed; 1: one is; 2: something is wrong with a file, whatever else was found."""
    assert call("check", *map(path_of, names))[0] == code


def test_a_finding_has_all_that_a_reader_needs(call: Call) -> None:
    """The setting and where it stands, the failure, how it comes about, how long it lasts, what prevents it, and who
    showed it."""
    _, out, _ = call("check", path_of("python_producer"))
    said = " ".join(out.split())
    for part in (
        "sent_twice by enable.idempotence=false (default of librdkafka",
        "python_producer.properties, line 7)",
        "when a leader freezes or a connection breaks",
        "prevented enable.idempotence=true",
        "shown by P9 in docs/controls.md",
        "s, predicted (model",
        "message.send.max.retries",
        "depends on min.insync.replicas of the topic, which was not given",
        "assumed: no broker file",
    ):
        assert part in said


def test_json_has_the_same(call: Call) -> None:
    """One document with files, what is allowed, what depends on more, and what was assumed."""
    code, out, _ = call("check", path_of("python_consumer"), "--broker", path_of("server_safe"), "--json")
    told = json.loads(out)
    assert code == 1 and [file["role"] for file in told["files"]] == ["consumer", "broker"]
    (loss,) = (one for one in told["allowed"] if one["rule"] == "committed_before_processed")
    assert (loss["kind"], loss["shown_by"][0]["control"]) == ("loss", "P5")
    (dies,) = (one for one in told["allowed"] if one["rule"] == "member_dies")
    assert 0 < dies["stall"]["low_s"] < dies["stall"]["high_s"] <= 45
    assert {one["rule"] for one in told["depends"]} >= {"too_slow", "expired"} and told["assumed"]


def test_the_role_may_be_said(call: Call) -> None:
    """A file of both roles is refused with the options that say which, and they do."""
    shared = path_of("confluent_cloud_python")
    code, _, err = call("check", shared)
    assert code == 2 and f"--producer {shared}" in " ".join(err.split())
    code, out, _ = call("check", "--producer", shared, "--consumer", shared, "--json")
    assert code == 1 and [file["role"] for file in json.loads(out)["files"]] == ["producer", "consumer"]


def test_without_a_file_nothing_is_checked(call: Call) -> None:
    """The error shows how it is done."""
    code, _, err = call("check")
    assert code == 2 and "factorylab check my-producer.properties" in err


def test_prove_tells_what_came_of_each_finding(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finding about records has an outcome, with what was not carried over; without --prove nothing is run."""
    scenarios: list[Scenario] = []

    def carry_out(wanted: list[Scenario], _: object) -> Iterator[LabError]:
        scenarios.extend(wanted)
        return iter([StartFailed("no broker today")] * len(wanted))

    monkeypatch.setattr(proving, "carry_out", carry_out)
    file = path_of("fire_and_forget")
    assert "proofs" not in json.loads(call("check", file, "--json")[1]) and scenarios == []
    code, out, _ = call("check", file, "--prove")
    assert code == 1 and [one.title for one in scenarios] == ["check P4 fire_and_forget"]
    assert "acks_of_nobody: inconclusive: no broker today" in out and "not carried over: buffer.memory" in out
    (proof,) = json.loads(call("check", file, "--prove", "--json")[1])["proofs"]
    assert (proof["control"], proof["outcome"], proof["left_out"]) == ("P4", "inconclusive", ["buffer.memory"])


def test_a_file_for_both_roles_is_proved_role_by_role(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file given as a producer's and a consumer's: each finding is run with the settings of its own role."""
    titles: list[str] = []

    def carry_out(wanted: list[Scenario], _: object) -> Iterator[LabError]:
        titles.extend(one.title for one in wanted)
        return iter([StartFailed("no broker today")] * len(wanted))

    monkeypatch.setattr(proving, "carry_out", carry_out)
    shared = path_of("python_consumer")
    call("check", "--producer", shared, "--consumer", shared, "--prove")
    assert titles == [f"check {name} python_consumer" for name in ("P9", "P5", "P6", "P11")]


def test_no_output_has_a_secret(call: Call) -> None:
    """No password, token or line of a key is printed of the sets that have one (each says "fake"): neither as text, in
    a report or a refusal, nor as JSON."""
    with_secrets = [path for path in sorted(SETS.glob("*.properties")) if "fake" in path.read_text().lower()]
    assert len(with_secrets) >= 10
    for path in with_secrets:
        _, out, err = call("check", str(path))
        assert (out or err) and "fake" not in (out + err).lower(), path.name
    *read, _ = call("check", "--json", *(path_of(name) for name in ("confluent_cloud_consumer", "typos", "pasted_key")))
    assert json.loads(str(read[1]))["files"] and "fake" not in str(read).lower()


def test_the_page_has_every_rule(call: Call) -> None:
    """docs/check.md has a row for each rule: its kind, and the controls that show it."""
    rows = {}
    page = Path(__file__).parents[3] / "docs/check.md"
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 6:
            rows[cells[0].strip("`")] = (cells[1], tuple(one for one in NAMES if one in cells[5].split(", ")))
    assert rows == {rule.name: (rule.kind, tuple(n for n in NAMES if n in rule.shown_by)) for rule in RULES}
