"""The program `python -m factorylab.factory.processor`."""

from __future__ import annotations

from factorylab.factory.config import ProcessorConfig
from factorylab.factory.process import run
from factorylab.factory.processor.processor import main

run(ProcessorConfig, main)
