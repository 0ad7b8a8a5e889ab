"""Commands that draw, and one that must load nothing for it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from factorylab.history.saved_run import Run
from tests.support.commands import Call, call, nothing_starts, results, saved
from tests.support.histories import healthy
from tests.support.report_page import Page

__all__ = ["call", "nothing_starts", "results", "saved"]  # fixtures


def test_help_is_light() -> None:
    """Help needs neither pandas nor figures nor clients: a subprocess shows that none of them was imported."""
    code = (
        "import sys\nsys.argv = ['factorylab', '--help']\nfrom factorylab.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'pandas', 'pyarrow', 'matplotlib', 'confluent_kafka', 'kafka', 'psycopg2', 'papermill', 'numpy'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "Usage" in done.stdout and done.stdout.endswith("HEAVY []\n")


def test_replay_notices_another_verdict(call: Call, saved: tuple[Run, Run]) -> None:
    """Where the verdict on disk is another one, replay says so; it writes verdict and figures anew."""
    path = saved[0].folder.derived / "verdict.json"
    path.write_text("{}")
    assert "the verdict is NOT the same as before" in call("replay", "whole")[2]
    assert json.loads(path.read_text())["verdict"] == "PASS"
    assert {"timeline.svg", "latency.svg", "ack_gaps.svg"} <= {file.name for file in saved[0].folder.figures.iterdir()}


def test_a_damaged_table_is_a_verdict_and_no_traceback(call: Call, nothing_starts: Path) -> None:
    """A run of which half a table is gone is INVALID, exit code 4, and what could not be drawn is said."""
    run = healthy(nothing_starts / "results").saved()
    table = run.folder.table("phases")
    table.write_bytes(table.read_bytes()[: table.stat().st_size // 2])
    code, out, err = call("replay", "latest")
    assert (code, "INVALID" in out) == (4, True) and "figures are missing: history/phases.parquet cannot be read" in err


def test_report_writes_one_page(call: Call, saved: tuple[Run, Run], results: Path) -> None:
    """`report` writes the latest run of each scenario into report.html and says where it is."""
    code, _, err = call("report")
    page = Page((results / "report.html").read_text())
    assert code == 0 and "report of 2 run(s)" in err and str(results / "report.html") in err
    assert len(page.sections) == 2
