"""Whether a broker answers whoever comes: a frozen one is named by the others until its session ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from kafka.protocol.api_message import ApiMessage
from kafka.protocol.metadata import MetadataRequest

from factorylab.cluster.broker_line import BrokerLine
from factorylab.cluster.connection.connection import Connection
from factorylab.cluster.connection.python_side import Way
from factorylab.cluster.python_client import FAILURES

ANSWER_S = 0.5  # a broker's time to answer a first request
DoorAnswer = Literal["answers", "refused", "silent"]


class Unknown(Way):
    """Somebody who does not log in: of its versions a broker tells everybody."""

    def log_in(self, ask: Callable[[ApiMessage], ApiMessage], host: str) -> None:
        """Nothing."""


class Door:
    """Asks one broker whether it answers whoever comes; for one thread. The line is kept where nobody needs to log in:
    others are cut off at the second request."""

    def __init__(self, address: str, connection: Connection) -> None:
        self._address, self._way = address, Unknown(connection)
        self._keeps = connection.login is None
        self._line: BrokerLine | None = None

    def answer(self) -> DoorAnswer:
        """What became of one request."""
        if self._line is not None:
            try:
                self._line.ask(MetadataRequest(topics=[], allow_auto_topic_creation=False))
            except TimeoutError:
                self.close()
                return "silent"
            except FAILURES:
                self.close()  # a healthy broker closes a line as well, one that was idle
            else:
                return "answers"
        try:
            self._line = BrokerLine(self._address, ANSWER_S, self._way)
        except ConnectionRefusedError:
            return "refused"
        except FAILURES:
            return "silent"
        if not self._keeps:
            self.close()
        return "answers"

    def close(self) -> None:
        """Give the connection up; the next question makes a new one."""
        line, self._line = self._line, None
        if line is not None:
            line.close()
