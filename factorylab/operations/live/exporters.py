"""The workers' Prometheus exporters, each asked with a bounded time; and all as one, with the label `worker`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from factorylab.cluster import control
from factorylab.cluster.manage import metrics_url
from factorylab.operations.live.lab_seen import nodes_of

ANSWER_S = 0.5
DIRECT = build_opener(ProxyHandler({}))  # loopback: whatever proxy this account uses


class Exporters:
    """Of the lab in `home`. Where a process serves its metrics is looked up once in its life."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._urls: dict[int, str] = {}
        self._askers = ThreadPoolExecutor(max_workers=8, thread_name_prefix="exporters")

    def texts(self, role: str = "") -> dict[str, str | None]:
        """What each worker that serves metrics says, by its name; None where it did not answer in time.

        Raises:
            WaitTimeout, EnvironmentUnfit: the supervisor does not tell which workers there are.
        """
        nodes = [node for node in nodes_of(self._home) if node.pid and role in {"", node.role}]
        found = {node.name: url for node in nodes if (url := self._url(node))}
        return dict(zip(found, self._askers.map(_text, found.values()), strict=True))

    def _url(self, node: control.NodeState) -> str | None:
        if node.pid is None:
            return None
        if node.pid not in self._urls and (url := metrics_url(node)):
            self._urls[node.pid] = url
        return self._urls.get(node.pid)

    def close(self) -> None:
        self._askers.shutdown(wait=False, cancel_futures=True)


def _text(url: str) -> str | None:
    try:
        with DIRECT.open(url, timeout=ANSWER_S) as answer:
            return str(answer.read().decode())
    except (OSError, HTTPException):
        return None


def merged(texts: Mapping[str, str | None]) -> Iterator[Metric]:
    """The families of all workers, each once, every sample with the label `worker`."""
    families: dict[str, Metric] = {}
    for worker, text in texts.items():
        for family in text_string_to_metric_families(text or ""):
            kept = families.setdefault(family.name, Metric(family.name, family.documentation, family.type, family.unit))
            kept.samples += [sample._replace(labels=sample.labels | {"worker": worker}) for sample in family.samples]
    yield from families.values()


def samples(text: str, prefix: str) -> dict[tuple[str, str], float]:
    """The values whose names begin with `prefix`, by name and by the label `le` (empty without one)."""
    lines = "\n".join(line for line in text.splitlines() if line.startswith(prefix))
    found = (sample for family in text_string_to_metric_families(lines + "\n") for sample in family.samples)
    return {(sample.name, sample.labels.get("le", "")): sample.value for sample in found}
