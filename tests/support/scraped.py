"""What a process tells Prometheus, read by its own parser."""

from __future__ import annotations

import urllib.request

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


def scrape(url: str) -> dict[str, Metric]:
    """Families by name, read by Prometheus' own parser."""
    with urllib.request.urlopen(url, timeout=20) as answer:
        return {family.name: family for family in text_string_to_metric_families(answer.read().decode())}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float:
    """The value of the one sample of this name with these labels."""
    (found,) = [
        s.value for f in families.values() for s in f.samples if s.name == f"factorylab_{sample}" and s.labels == labels
    ]
    return found
