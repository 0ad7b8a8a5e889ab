"""The programs that run as workers, named by their modules."""

from __future__ import annotations

FLEET = "factorylab.factory.fleet"
PROCESSOR = "factorylab.factory.processor"
NAIVE = "factorylab.execution.controls.naive_processor"
PROBE = "factorylab.execution.probe"  # always a process of this host
SETUP = "factorylab.execution.setup"
OF_IMAGES = (FLEET, PROCESSOR, NAIVE, SETUP)
"""What the application image runs."""
