"""A shell with much left in it: variables that other programs heed, and that no run may."""

from __future__ import annotations

from pathlib import Path

import pytest

OF_WORKERS = {
    "FACTORYLAB_KINDS": "energy",
    "FACTORYLAB_BATCH_WAIT_S": "9",
    "FACTORYLAB_STEPS_DIR": "/nonexistent",
    "FACTORYLAB_LOG_LEVEL": "error",
    "FACTORYLAB_METRICS_PORT": "0",
    "FACTORYLAB_PROBE_NETWORK": "true",
}
FOREIGN = {
    "PGSERVICE": "nowhere", "PGSERVICEFILE": "/nonexistent", "PGSSLMODE": "verify-full", "PGHOSTADDR": "192.0.2.1",
    "PGOPTIONS": "-c search_path=elsewhere", "PGTZ": "Asia/Kathmandu", "PGPASSFILE": "/nonexistent", "PGPORT": "1",
    "JAVA_TOOL_OPTIONS": "-Dx=y", "JDK_JAVA_OPTIONS": "-Dx=y", "_JAVA_OPTIONS": "-Dx=y", "CLASSPATH": "/nonexistent",
    "KAFKA_OPTS": "-Dx=y", "KAFKA_HEAP_OPTS": "-Xmx1m", "LOG_DIR": "/nonexistent",
    "PYTHONSTARTUP": "/nonexistent", "PYTHONPATH": "/nonexistent", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2",
    "PYTHONHOME": "/nonexistent", "PYTHONINSPECT": "1", "PYTHONHASHSEED": "1", "LD_PRELOAD": "/nonexistent.so",
    "LD_LIBRARY_PATH": "/nonexistent", "JUPYTER_PATH": "/nonexistent", "JUPYTER_CONFIG_DIR": "/nonexistent",
    "IPYTHONDIR": "/nonexistent", "MPLBACKEND": "nothing", "GIT_DIR": "/nonexistent", "COMPOSE_FILE": "/nonexistent",
    "DOCKER_DEFAULT_PLATFORM": "linux/none", "DOCKER_CONTENT_TRUST": "1",
}  # fmt: skip


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A shell with much left in it: settings of workers, a file of them, and variables of all that the lab uses."""
    file = tmp_path / "left.properties"
    file.write_text("report_every_s=77\nanomaly.rate=1\n")
    for name, value in (FOREIGN | OF_WORKERS | {"FACTORYLAB_CONFIG": str(file)}).items():
        monkeypatch.setenv(name, value)
    return monkeypatch
