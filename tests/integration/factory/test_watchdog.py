"""The watchdog on a real PostgreSQL: it cuts the call that is late, and no other."""

from __future__ import annotations

from contextlib import closing

import psycopg2
import pytest

from factorylab.factory.store.watchdog import Watchdog

SLEEP = "SELECT pg_sleep(%s)"


def slept(watchdog: Watchdog, url: str, deadline_s: float, call_s: float) -> bool:
    """Whether a call of the database that takes `call_s` comes back."""
    with closing(psycopg2.connect(url)) as line, line.cursor() as cursor, watchdog.cut_after(deadline_s, line):
        try:
            cursor.execute(SLEEP, (call_s,))
        except psycopg2.OperationalError:
            return False
        return True


@pytest.mark.parametrize("closed_between", [False, True])
def test_only_the_call_that_is_late_is_cut(database_url: str, closed_between: bool) -> None:
    """A call is cut at its own deadline, sooner or later than that of the call before; others come back, also behind
    a cut one and after the watchdog was closed."""
    with closing(Watchdog()) as watchdog:
        for deadline_s, call_s, comes_back in ((60, 0, True), (0.05, 60, False), (60, 0.1, True), (0.1, 60, False)):
            assert slept(watchdog, database_url, deadline_s, call_s) is comes_back
            if closed_between:
                watchdog.close()
