"""The long run of the controls: each and its twin many times, on several labs side by side.

    python -m tests.measure.controls results/controls --rounds 20 --labs 3

It can be ended with Ctrl-C and started again: what the record already has is not run twice, and what was inconclusive
is in the record too. Each lab has a folder of its own; they share the machine, so that each run takes longer and all of
them less. One lab alone takes about 20 minutes a round.
"""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

from factorylab.cluster.settings import load_settings
from factorylab.core.files import exclusive
from factorylab.execution.controls import campaign
from factorylab.execution.controls.control_results import RESULTS, Campaign, recall
from factorylab.scenarios.model import Scenario

APART_S = 15.0  # a lab that starts takes both cores for some seconds


def carry_on(number: int, planned: list[Scenario], folder: Path) -> None:
    """One lab's share."""
    home = load_settings().home / f"c{number}"
    os.environ["FACTORYLAB_HOME"] = str(home)
    with suppress(KeyboardInterrupt):
        time.sleep(number * APART_S)
        for came in campaign.carried_out(planned, lambda words: print(f"lab {number}: {words}", flush=True)):
            with exclusive(home.with_name("controls.lock")):
                campaign.keep(came, folder)


def main() -> None:
    """As said above."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--labs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    done = recall(given.folder) if (given.folder / RESULTS).exists() else Campaign([])
    left = campaign.left(campaign.plan(campaign.chosen(["all"]), given.rounds, given.seed), done)
    load_settings().home.mkdir(exist_ok=True)
    shares = [
        get_context("spawn").Process(target=carry_on, args=(number, left[number :: given.labs], given.folder))
        for number in range(given.labs)
    ]
    for share in shares:
        share.start()
    with suppress(KeyboardInterrupt):
        for share in shares:
            share.join()
    for share in shares:  # interrupted as well: each ends its lab
        share.join()


if __name__ == "__main__":
    main()
