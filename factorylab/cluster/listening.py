"""Is there anybody at an address? Light, since programs in containers ask it, too."""

from __future__ import annotations

import socket

CONNECT_S = 2.0


def listens(bootstrap: str) -> bool:
    """Does a TCP connect to `host:port` succeed? Says nothing about whether it answers: a frozen process accepts."""
    host, _, port = bootstrap.partition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except OSError:
        return False
    return True
