"""The program `python -m factorylab.factory.share`."""

from __future__ import annotations

from factorylab.factory.config import ProcessorConfig
from factorylab.factory.process import run
from factorylab.factory.share.worker import main

run(ProcessorConfig, main)
