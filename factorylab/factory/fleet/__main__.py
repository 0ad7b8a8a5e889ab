"""The program `python -m factorylab.factory.fleet`."""

from __future__ import annotations

from factorylab.factory.config import FleetConfig
from factorylab.factory.fleet.fleet import main
from factorylab.factory.process import run

run(FleetConfig, main)
