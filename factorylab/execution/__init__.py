"""Carrying out: one run from its start to its seal, its processes, the probe, the final read, batches, notebooks."""
