"""A member is taken out of the run's consumer group, whatever its client thinks."""

from __future__ import annotations

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Own


def evict(admin: Admin, node: str, own: Own) -> None:
    """Have the coordinator remove the member of this name.

    Raises:
        LabError: it is no member, or the coordinator does not answer.
    """
    admin.remove_member(own.group, node)
