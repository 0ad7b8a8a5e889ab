"""What one broker says, asked alone.

An `Admin` asks any broker that it has heard of, whatever address it was given. Where the network is cut, brokers
contradict each other: then it matters who said what.
"""

from __future__ import annotations

from kafka.admin import KafkaAdminClient

from factorylab.cluster.admin import ANSWER_S, Admin


class OneBroker(Admin):
    """A client of broker `number` (from 1) of `bootstrap`: no other broker answers for it. Leaders, epochs and ISR are
    as that broker believes; the end of a partition is asked of the leader that it names."""

    def __init__(self, bootstrap: str, number: int, deadline_s: float = 20, answer_s: float = ANSWER_S) -> None:
        super().__init__(bootstrap.split(",")[number - 1], deadline_s, answer_s)
        self.number = number

    def _connected(self) -> KafkaAdminClient:
        client = super()._connected()
        client._manager.least_loaded_node = lambda: self.number  # there is no public way to choose the broker
        return client
