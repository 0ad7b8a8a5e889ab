"""Tests side by side in real processes: those of a group meet in one of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict

from tests.support.places import ROOT

FILES = ("tests/unit/factory/test_pace.py", "tests/unit/core/test_spelling.py", "tests/unit/report/test_reproduce.py")


def test_the_tests_of_a_file_share_a_process() -> None:
    """With two processes no file's tests are dealt out to both, and every test runs."""
    words = [sys.executable, "-m", "pytest", "-p", "no:nbmake", "-p", "no:cacheprovider", "-v", "-n", "2"]
    done = subprocess.run(
        [*words, "--dist=loadgroup", *FILES], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    ran = re.findall(r"^\[(gw\d)\] \[ *\d+%\] PASSED ([^:]+)::", done.stdout, re.MULTILINE)
    processes = defaultdict(set)
    for process, file in ran:
        processes[file].add(process)
    assert sorted(processes) == sorted(FILES)
    assert {file: len(found) for file, found in processes.items()} == dict.fromkeys(FILES, 1)
    assert f" {len(ran)} passed" in done.stdout
