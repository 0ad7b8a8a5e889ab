"""A database that lives and takes no connections: `ALLOW_CONNECTIONS false`, and an end of the sessions that there are.

    python -m factorylab.cluster.supervisor.refusal HOME shut|lift

A process of its own, because a client that blocks would block the supervisor. It works through another database of the
same server, so nobody is shut out for good. Not even superusers are let in while it holds.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Literal

from factorylab.cluster.database_address import DATABASE
from factorylab.cluster.supervisor import apart
from factorylab.core.errors import LabError

BESIDE = "template1"
CONNECT_S = 5
FINISHED_S = 60.0
Deed = Literal["shut", "lift"]


async def carry_out(home: Path, deed: Deed) -> None:
    """Have the database of the lab in `home` take no connections, or take them again.

    Raises:
        LabError: it did not answer, with its words.
    """
    words = "shutting" if deed == "shut" else "opening"
    await apart.carry_out(f"{words} the database", __spec__.name, str(home), deed, limit_s=FINISHED_S)


def do(url: str, deed: Deed) -> None:
    """Shut the database of `url`, or lift that again. Both may be done twice.

    Raises:
        LabError: the server does not answer.
    """
    import psycopg2
    from psycopg2 import sql

    from factorylab.core.libpq import connect

    try:
        connection = connect(url, dbname=BESIDE, connect_timeout=CONNECT_S)
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:
            allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            cursor.execute(allow.format(sql.Identifier(DATABASE), sql.SQL("false" if deed == "shut" else "true")))
            if deed == "shut":
                cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (DATABASE,))
    except psycopg2.Error as error:
        raise LabError(f"the database cannot be {deed}: {str(error).strip()}") from None


def main() -> None:
    """Lifting is tried until the server answers: it may only be starting."""
    from factorylab.cluster import boot
    from factorylab.core.waiting import wait_until

    home, deed = Path(sys.argv[1]), sys.argv[2]
    url = boot.known_endpoints(home).database_url
    if deed == "shut":
        do(url, "shut")
        return

    def lifted() -> bool:
        try:
            do(url, "lift")
        except LabError:
            return False
        return True

    wait_until(lifted, what="the database to answer", timeout_s=FINISHED_S / 2)


if __name__ == "__main__":
    main()
