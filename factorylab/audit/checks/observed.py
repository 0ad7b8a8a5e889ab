"""Whether the probe saw what it is there to see. A sample that says nothing, or repeats the one before, is no look."""

from __future__ import annotations

from factorylab.analysis.sight import Sight
from factorylab.audit.model.findings import Witness
from factorylab.audit.model.registry import WITNESSES, Evidence, Found, check
from factorylab.core.clock import NS


@check("What could be seen, the probe saw, and never long without it.", "quantities were not observed", "INVALID")
def probe_saw(e: Evidence) -> Found:
    """Leaders, ends, lag, the group's members and each node, and links, views and the database where they are part of
    the experiment. What nobody could have told at that moment is excused."""
    quantities = Sight(e.run).quantities()
    words = []
    for what, partition, unseen in quantities:
        name = what + (f" of partition {partition}" if partition >= 0 else "")
        times = (f"from {(a - e.run.t0_ns) / NS:.1f} s to {(b - e.run.t0_ns) / NS:.1f} s" for a, b in unseen)
        words += [f"{name} was not observed {' and '.join(times)}"] if unseen else []
    return Found(
        len(words), len(quantities), "; ".join(words[:WITNESSES]), [Witness(note=w) for w in words[:WITNESSES]]
    )
