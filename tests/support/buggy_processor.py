"""A processor with a bug that one value wakes."""

from __future__ import annotations

HOT = 77.7  # the value that is poison in these tests


def program(then: str) -> str:
    """A processor whose detectors have a bug: at the poisonous value they do `then`."""
    return f"""
import os, signal
from factorylab.detectors.partition_detectors import PartitionDetectors
from factorylab.factory.processor import processor
from factorylab.factory.config import ProcessorConfig
from factorylab.factory.process import run

score = PartitionDetectors.score
def buggy(self, kind, slots, columns):
    if ({HOT} == columns["temperature_c"]).any():
        {then}
    return score(self, kind, slots, columns)
PartitionDetectors.score = buggy
run(ProcessorConfig, processor.main)
"""
