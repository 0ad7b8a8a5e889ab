"""A watchdog: cuts a connection off when a call takes longer than its deadline.

One thread serves all calls of its owner. It sleeps until the deadline of a call, which is over long before, and then
looks at the call that is under way: so it wakes once a deadline, not once a call. To start a thread for each call took
a third of a processor's CPU time for a small transaction.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from psycopg2.extensions import connection as Connection  # noqa: N812


class Watchdog:
    """For calls of one thread, one at a time."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._call: socket.socket | None = None  # the connection of the call that is under way
        self._ends_s = self._wakes_s = math.inf  # monotonic: the deadline of the call, and when the thread looks next

    @contextmanager
    def cut_after(self, deadline_s: float, connection: Connection) -> Iterator[None]:
        """Shut a connection's socket down when the block takes longer: the blocked call then fails at once."""
        handle = socket.socket(fileno=os.dup(connection.fileno()))
        with self._changed:
            self._call, self._ends_s = handle, time.monotonic() + deadline_s
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, daemon=True)
                self._thread.start()
            elif self._ends_s < self._wakes_s:
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._call, self._ends_s = None, math.inf
            handle.close()

    def close(self) -> None:
        """End the thread; a later call starts another."""
        with self._changed:
            self._thread = None
            self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                now_s = time.monotonic()
                if self._call is not None and now_s >= self._ends_s:
                    with suppress(OSError):  # the server has closed it meanwhile
                        self._call.shutdown(socket.SHUT_RDWR)
                    self._ends_s = math.inf
                self._wakes_s = self._ends_s
                self._changed.wait(None if self._wakes_s == math.inf else self._wakes_s - now_s)
