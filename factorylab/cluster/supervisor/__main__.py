"""The program `python -m factorylab.cluster.supervisor`."""

from __future__ import annotations

from factorylab.cluster.supervisor.supervisor import main

main()
