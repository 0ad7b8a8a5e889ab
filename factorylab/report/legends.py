"""What each figure shows and how to read it, for whoever shows figures of `plots`."""

from factorylab.report.plots.legends import LEGENDS, SPREAD, Legend

__all__ = ["LEGENDS", "SPREAD", "Legend"]
