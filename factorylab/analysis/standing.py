"""How long readers of committed alerts stood still: a partition's last stable offset stays where a transaction is open,
and whoever reads committed records alone gets nothing that lies behind it."""

from __future__ import annotations

import pandas as pd

from factorylab.core.clock import NS
from factorylab.history.saved_run import Run


def standing(run: Run) -> pd.DataFrame:
    """Each time that the probe saw readers stand in two looks or more: partition, begun_ns (the first look at which
    something lay behind the last stable offset), ended_ns (the first at which that had moved on; of one that did not
    end the last look), lasted_s, censored, waiting (records that lay behind it at most).

    By looks five times a second, so each end is up to a look late. Empty without transactions.
    """
    rows = [row for partition, looks in run.stable.groupby("partition") for row in _of(int(str(partition)), looks)]
    columns = ["partition", "begun_ns", "ended_ns", "lasted_s", "censored", "waiting"]
    return pd.DataFrame(rows, columns=columns)


def _of(partition: int, looks: pd.DataFrame) -> list[tuple[int, int, int, float, bool, int]]:
    looks = looks.sort_values("t_ns", kind="stable")
    stood = looks.assign(behind=looks["end"] - looks["stable"])
    stood = stood[stood["behind"] > 0].groupby("stable").agg(
        begun=("t_ns", "min"), last=("t_ns", "max"), looks=("t_ns", "size"), behind=("behind", "max")
    )  # fmt: skip
    found = []
    for stable, one in stood[stood["looks"] > 1].iterrows():
        later = looks.loc[(looks["stable"] > stable) & (looks["t_ns"] > one["last"]), "t_ns"]
        ended = int(later.min()) if len(later) else int(one["last"])
        lasted_s = (ended - int(one["begun"])) / NS
        found.append((partition, int(one["begun"]), ended, lasted_s, later.empty, int(one["behind"])))
    return found
