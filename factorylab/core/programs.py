"""The programs that run as workers, named by their modules."""

from __future__ import annotations

FLEET = "factorylab.factory.fleet"
PROCESSOR = "factorylab.factory.processor"
NAIVE = "factorylab.execution.controls.naive_processor"
SHARE_WORKER = "factorylab.factory.share"
HASTY_WORKER = "factorylab.execution.controls.hasty_worker"
OFFSETS_OUTSIDE = "factorylab.execution.controls.offsets_outside"
PROBE = "factorylab.execution.probe"  # always a process of this host
SETUP = "factorylab.execution.setup"
OF_IMAGES = (FLEET, PROCESSOR, NAIVE, SHARE_WORKER, HASTY_WORKER, OFFSETS_OUTSIDE, SETUP)
"""What the application image runs."""
