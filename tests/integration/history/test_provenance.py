"""What a run was made with: commit, versions, host."""

from __future__ import annotations

import re

import pytest

from factorylab.history import provenance


def test_provenance_names_what_a_result_depends_on() -> None:
    """Commit, versions of the project and its clients, and the host are known."""
    assert re.fullmatch(r"[0-9a-f]{12}\+?|unknown", provenance.commit())
    versions = provenance.versions()
    assert {"python", "factorylab", "confluent-kafka", "kafka-python", "psycopg2-binary"} <= versions.keys()
    assert all(re.match(r"\d", version) for version in versions.values())
    host = provenance.host()
    assert host.cores > 0 and host.memory_bytes > 2**28 and host.system.split()


def test_without_git_the_commit_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no git, a run says so and goes on."""
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == "unknown"
