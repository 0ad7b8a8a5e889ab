"""The backend `external` in the supervisor: its nodes are processes of this host, and brokers are none of them."""

from __future__ import annotations

import asyncio

from factorylab.cluster import control
from factorylab.cluster.external import place
from factorylab.cluster.external.clearing import clear_apart
from factorylab.cluster.local.leftovers import ProcessLeftovers
from factorylab.cluster.local.processes import Children


class ExternalNodes(Children):
    """Children, and what their runs made on the cluster: that goes when the lab ends, whoever died before."""

    async def remove(self) -> None:
        await super().remove()
        home = self.undo.folder.parent
        ended = await asyncio.to_thread(clear_apart, home)
        if ended:
            print(f"deleted on the cluster: {', '.join(ended)}", flush=True)
        (home / place.CLIENT).unlink(missing_ok=True)


class ExternalLeftovers(ProcessLeftovers):
    """Of a supervisor that was killed: its processes die with it, what a run made on the cluster does not."""

    def marked(self) -> bool:
        return bool(place.recorded(self.home))

    def clear(self) -> list[str]:
        return super().clear() + self._cleared()

    def end_outliving(self) -> list[str]:
        died = (self.home / control.STATE).exists()
        return super().end_outliving() + (self._cleared() if died else [])

    def _cleared(self) -> list[str]:
        deleted = clear_apart(self.home)
        (self.home / place.CLIENT).unlink(missing_ok=True)
        return deleted
