"""What is handed in, made from recorded runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from factorylab.audit.judged import load
from factorylab.core import environment
from factorylab.core.errors import UsageError
from factorylab.history import run_folders
from factorylab.operations.live.handed_in import live_page
from factorylab.report.hand_in import pdf
from factorylab.report.hand_in.contents import contents
from factorylab.report.hand_in.package import write
from tests.support.hand_in_rules import wrong
from tests.support.recorded_runs import unpack

SECRET = "run_328a60"
WITHOUT = partial(live_page, with_pictures=False)
PLACEHOLDERS = re.compile(r"\b(TODO|TBD|FIXME|XXX|[Ll]orem|[Pp]laceholder|[Ss]creenshot|None|NaN|nan)\b|\{\{|\}\}")
BROWSER = """#!{python}
import pathlib, sys
page = pathlib.Path(sys.argv[-1].removeprefix("file://"))
assert all((page.parent / name).exists() for name in {figures})
(out,) = (word.partition("=")[2] for word in sys.argv if word.startswith("--print-to-pdf="))
pathlib.Path(out).write_bytes(b"%PDF /CreationDate (D:20200101000000+00'00') (node00000007)" + page.read_bytes()[:99])
"""
Browser = Callable[[str], None]


@pytest.fixture(scope="module")
def handed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Of a run with a fault, by a process that knows a secret which the run quotes."""
    run = load(unpack("broker_loss", tmp_path_factory.mktemp("runs")).path)
    assert run.manifest.db_schema == SECRET
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("factorylab.core.secret._remembered", {SECRET})
        return contents([run], [], WITHOUT, lambda line: None, with_pdf=False)


def test_all_that_is_asked_for_is_there(handed: dict[str, bytes]) -> None:
    """Report, figures, numbers, configuration, annotated logs, verdict and declaration, metadata and checksums."""
    run = "20261129T233433Z-328a60"
    assert {"report.html", "report.md", "performance.csv", "configuration.csv", "SHA256SUMS"} <= handed.keys()
    name = next(n for n in handed if n.startswith("logs/")).removeprefix("logs/").removesuffix(".txt")
    assert name.endswith(run[-6:])
    assert {f"runs/{name}/{file}" for file in ("verdict.json", "scenario.json", "manifest.json")} <= handed.keys()
    assert {f"figures/{name}-timeline.svg", "figures/architecture.svg", f"live/{name}/replay.html"} <= handed.keys()
    text = handed["report.md"].decode()
    wanted = ("Architecture", "Configuration", "Performance under each scenario", "Results and analysis",
              "Rebalances and leader changes in the logs", "Test results", "Known limits")  # fmt: skip
    assert [title for title in wanted if f"\n## {title}\n" not in text] == []
    assert "no screenshots and no screen recording of it: they were left out (--no-pictures)" in text
    assert "Not asked: no JUnit file was given" in text and "There is no PDF of this report" in text


def test_the_numbers_are_those_of_the_verdict(handed: dict[str, bytes]) -> None:
    """What the report tells of the run stands in its verdict."""
    verdict = json.loads(next(content for name, content in handed.items() if name.endswith("verdict.json")))
    text = handed["report.md"].decode()
    assert f"{verdict['counts']['acked']:,}" in text and verdict["verdict"] in text
    (recovery,) = verdict["recovery"]
    assert f"{recovery['recovery']['seconds']:.1f} s" in text
    assert [c["claim"] for c in verdict["checks"] if c["claim"].split("`")[0].split("[")[0] not in text] == []


def test_logs_say_when_the_leader_changed(handed: dict[str, bytes]) -> None:
    """The line that shows the election stands with its seconds since the fault; start and end are not in the report."""
    log = next(content.decode() for name, content in handed.items() if name.startswith("logs/"))
    (told,) = re.findall(r"\+(\d+\.\d+)  leader change: broker-3 leads partition 0 from epoch 1 on  \[(\S+)\]", log)
    assert 9 < float(told[0]) < 14 and told[1].startswith("logs/broker-3.log:")
    assert "starts at leader epoch 1" in log
    report = handed["report.md"].decode()
    assert "leads partition 0 from epoch 1 on" in report and "from epoch 0 on" not in report


def test_nothing_is_left_to_be_filled_in(handed: dict[str, bytes]) -> None:
    """No placeholder, and no image that is not there, in any form of the report."""
    for name in ("report.md", "performance.csv"):
        assert PLACEHOLDERS.findall(handed[name].decode()) == []
        assert "| – |" not in handed[name].decode()
    images = re.findall(r'<img src="([^"]+)"', handed["report.html"].decode())
    assert images and set(images) <= handed.keys()
    assert not re.search(r'(src|href)="(https?:)?//', handed["report.html"].decode())


def test_the_checksums_and_the_crate_name_each_file(handed: dict[str, bytes], tmp_path: Path) -> None:
    """`sha256sum -c` accepts the folder, and the metadata describes every file of it, by RO-Crate's rules."""
    write(handed, tmp_path / "out")
    subprocess.run(
        ["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=tmp_path / "out", env=environment.tool(), check=True
    )
    assert wrong(handed) == []


def test_no_secret_is_handed_in(handed: dict[str, bytes]) -> None:
    """A secret that the process knows stands in no file, wherever the run quotes it."""
    assert [name for name, content in handed.items() if SECRET.encode() in content] == []
    assert any(name.endswith("manifest.json") and b"***" in content for name, content in handed.items())


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Browser:
    """Puts a program in the place of Chromium."""

    def put(text: str) -> None:
        program = tmp_path / "bin" / "chromium"
        program.parent.mkdir()
        program.write_text(text)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent))

    return put


def test_a_pdf_has_the_date_of_its_runs(browser: Browser) -> None:
    """The browser gets the page with its figures, and what it puts in of its own day is not in the file."""
    browser(BROWSER.format(python=sys.executable, figures=["figures/a.svg"]))
    made = pdf.printed("<p>x", {"figures/a.svg": b"<svg/>"}, 1_800_000_000_000_000_000)
    assert made == b"%PDF /CreationDate (D:20270115080000+00'00') (node00000001)<p>x"


def test_without_a_browser_the_report_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where none is installed, the names that were looked for are told."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(pdf.NoPdf, match="has none of chromium, "):
        pdf.printed("<p>x", {}, 0)


def test_a_browser_that_prints_nothing_is_told(browser: Browser) -> None:
    """Where it fails the report is made without a PDF, and says why."""
    browser(f"#!{sys.executable}\nraise SystemExit(1)\n")
    with pytest.raises(pdf.NoPdf, match="chromium did not print it"):
        pdf.printed("<p>x", {}, 0)


def test_a_run_without_a_table_is_told_as_invalid(tmp_path: Path) -> None:
    """Evidence that was never recorded makes a run INVALID; its report says what is missing, and draws nothing."""
    run = unpack("baseline", tmp_path)
    run.table("lag").unlink()
    run_folders.seal(run)
    files = contents([load(run.path)], [], pytest.fail, lambda line: None, with_pdf=False)
    text = files["report.md"].decode()
    assert "INVALID, NOT as expected" in text and "nothing to draw: lag" in text
    assert [name for name in files if name.startswith("figures/")] == ["figures/architecture.svg"]


def test_a_run_that_was_changed_is_not_handed_in(tmp_path: Path) -> None:
    """A file changed after the seal, or no seal at all, is refused before anything is made, with the way out."""
    run = unpack("baseline", tmp_path)
    (run.raw / "producer.properties").write_text("acks=0\n")
    with pytest.raises(UsageError, match=r"INVALID: producer.properties changed since .* without this one"):
        contents([load(run.path)], [], pytest.fail, pytest.fail)
    (run.raw / "seal.json").unlink()
    with pytest.raises(UsageError, match="name finished runs"):
        contents([load(run.path)], [], pytest.fail, pytest.fail)
