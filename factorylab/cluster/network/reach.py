"""Who reaches whom: TCP connections tried from inside several networks at once. `python -m … DESCRIPTOR PLAN`.

A socket belongs to the network in which it was opened: so this one process enters each network in turn, begins its
connections without waiting, and then waits for all of them together.

PLAN is JSON: {"networks": {name: descriptor}, "targets": {name: [address, port]}}. Each line that comes over
DESCRIPTOR is a JSON list of the sources to try; the answer is a line with a list of `base.Link`.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import sys
import time
from collections.abc import Mapping

from factorylab.cluster.network.netns import enter_network

TIMEOUT_S = 0.8
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # leaves no connection waiting in the kernel for a minute
Pair = tuple[str, str]


def begin(target: tuple[str, int]) -> socket.socket:
    """A connection that is being opened."""
    attempt = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    attempt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    attempt.connect_ex(target)
    return attempt


def finish(attempts: Mapping[Pair, socket.socket], timeout_s: float = TIMEOUT_S) -> dict[Pair, bool]:
    """Which of them are open before the time is over; all are closed again."""
    found = dict.fromkeys(attempts, False)
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        for pair, attempt in attempts.items():
            selector.register(attempt, selectors.EVENT_WRITE, pair)
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                selector.unregister(key.fileobj)
                attempt = attempts[key.data]
                found[key.data] = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    for attempt in attempts.values():
        attempt.close()
    return found


def main() -> None:
    plan = json.loads(sys.argv[2])
    networks, targets = plan["networks"], {name: (a, p) for name, (a, p) in plan["targets"].items()}
    with socket.socket(fileno=int(sys.argv[1])) as line, line.makefile("rw") as stream:
        for asked in stream:
            attempts: dict[Pair, socket.socket] = {}
            for source in json.loads(asked):
                enter_network(networks[source])
                attempts |= {(source, name): begin(target) for name, target in targets.items() if name != source}
            links = [{"source": s, "target": t, "ok": ok} for (s, t), ok in finish(attempts).items()]
            stream.write(json.dumps(links) + "\n")
            stream.flush()


if __name__ == "__main__":
    main()
