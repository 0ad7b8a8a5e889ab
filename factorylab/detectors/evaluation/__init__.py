"""Detectors judged on recordings of real machines: read a recording, run a detector over it, count what it found.

Pure: no Kafka, no database. The detectors are the ones that the factory runs, fed in the order of the file.
"""

from factorylab.detectors.evaluation.detect import detect
from factorylab.detectors.evaluation.suite import cases, frame, machine, machine_counts, pump, rig, steel

__all__ = ["cases", "detect", "frame", "machine", "machine_counts", "pump", "rig", "steel"]
