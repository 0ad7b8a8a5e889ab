"""The outcome of a test run, by the JUnit file that pytest and others write."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from factorylab.core.errors import UsageError

BROKEN = ("failure", "error")


def outcome(path: Path) -> list[dict[str, str]]:
    """One row a suite: how many tests passed, failed (with their names) and were skipped.

    Raises:
        UsageError: the file cannot be read, or is none of JUnit's.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise UsageError(f"{path} is no JUnit file ({error}): pytest --junit-xml={path} writes one") from None
    suites = [suite for suite in root.iter("testsuite") if suite.findall("testcase")]
    if not suites:
        raise UsageError(f"{path} has no testsuite with a testcase in it: pytest --junit-xml={path} writes one")
    return [_row(suite) for suite in suites]


def _row(suite: ElementTree.Element) -> dict[str, str]:
    cases = suite.findall("testcase")
    broken = [case for case in cases if any(case.find(kind) is not None for kind in BROKEN)]
    skipped = [case for case in cases if case.find("skipped") is not None]
    return {
        "suite": suite.get("name") or "without a name",
        "tests": f"{len(cases):,}",
        "passed": f"{len(cases) - len(broken) - len(skipped):,}",
        "failed": f"{len(broken):,}",
        "skipped": f"{len(skipped):,}",
        "which failed": ", ".join(f"{case.get('classname')}.{case.get('name')}" for case in broken) or "none",
    }
