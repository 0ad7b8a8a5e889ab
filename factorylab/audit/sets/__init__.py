"""Sets of runs: named quantities of each run, and what several runs say together."""
