"""Where everything of a lab listens, as its driver plans it: on this host, and in a network of the lab's own."""

from __future__ import annotations

from dataclasses import dataclass

# Inside a network of the lab's own, be it of namespaces or of containers (compose.yaml has the same numbers). What is
# forwarded from this host comes in at the third.
INNER_PORT, INNER_QUORUM_PORT, FORWARDED_PORT = 9092, 9093, 9094


@dataclass(frozen=True)
class BrokerPlace:
    """Where a node listens: for clients and brokers on `port`, for the quorum on `quorum_port`; or at `inner`."""

    number: int
    address: str
    port: int
    quorum_port: int
    inner: str | None = None  # its address in an isolated lab

    @property
    def bootstrap(self) -> str:
        return f"{self.address}:{self.port}"

    @property
    def quorum(self) -> str:
        return f"{self.inner}:{INNER_QUORUM_PORT}" if self.inner else f"{self.address}:{self.quorum_port}"

    def listeners(self) -> dict[str, str]:
        """Where it listens, and what it tells clients and brokers."""
        if self.inner is None:
            client = f"PLAINTEXT://{self.bootstrap}"
            return {"listeners": f"{client},CONTROLLER://{self.quorum}", "advertised.listeners": client}
        client, forwarded = f"PLAINTEXT://{self.inner}:{INNER_PORT}", f"FORWARDED://{self.inner}:{FORWARDED_PORT}"
        return {
            "listeners": f"{client},{forwarded},CONTROLLER://{self.quorum}",
            "advertised.listeners": f"{client},FORWARDED://{self.bootstrap}",
        }


@dataclass(frozen=True)
class Places:
    """Where everything of one lab listens."""

    brokers: tuple[BrokerPlace, ...]
    database_port: int
