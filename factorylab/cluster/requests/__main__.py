"""Carry a request out: `python -m factorylab.cluster.requests HOME NODE DEED`, with what the undo records name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import get_args

from factorylab.cluster import boot
from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Own
from factorylab.cluster.external.place import take_up
from factorylab.cluster.requests.leadership import demote, reinstate
from factorylab.cluster.requests.membership import evict
from factorylab.cluster.undo import UndoRecords
from factorylab.core import secret
from factorylab.core.errors import LabError
from factorylab.scenarios.fault_catalog import KindName
from factorylab.scenarios.faults.kind import BrokerRequest

DEEDS: dict[BrokerRequest, Callable[[Admin, str, Own], None]] = {
    "demote": demote,
    "reinstate": reinstate,
    "evict": evict,
}
KINDS: dict[BrokerRequest, KindName] = {"demote": "demote", "reinstate": "demote", "evict": "evict"}


def carry_out(home: Path, node: str, deed: BrokerRequest) -> None:
    """Do it for the latest open undo record of such a fault on the node; what is given back, for each, the first last.

    Raises:
        LabError: the brokers refuse, do not answer, or it is about something outside the prefix.
    """
    known = boot.known(home)
    found = UndoRecords(home / "undo").find(node=node)
    owns = [record.own for record in reversed(found) if record.kind == KINDS[deed] and record.own]
    owns = owns if deed == "reinstate" else owns[:1]
    for own in owns:
        own.check(known.prefix)
    take_up(home)
    with closing(Admin(known.bootstrap)) as admin:
        for own in owns:
            DEEDS[deed](admin, node, own)


def main() -> None:
    secret.guard_tracebacks()
    home, node, word = sys.argv[1:]
    (deed,) = (one for one in get_args(BrokerRequest) if one == word)
    try:
        carry_out(Path(home), node, deed)
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
