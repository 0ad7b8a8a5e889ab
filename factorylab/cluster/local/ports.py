"""Which ports a lab takes: a block of neighbours below the ephemeral range, found from the lab's own folder.

Two labs in two folders start looking at different places; a port counts as free when it can be bound. Until a lab's
nodes have bound theirs, a claim keeps its block from other labs that start at the same moment: a lock on a small file,
which the kernel frees when the process that starts the lab ends.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import psutil

from factorylab.cluster.places import BrokerPlace, Places
from factorylab.core.errors import PortTaken

FIRST, LAST = 20_000, 31_999
BROKERS = 3
BLOCK = 2 * BROKERS + 1
CLAIMED: dict[int, int] = {}  # the first port of each block that this process has claimed, and the open lock file


def bindable(address: str, port: int) -> bool:
    """Can this process listen there? Port 0 asks about the address alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
                return False
            raise
        return True


def broker_address(number: int) -> str:
    """127.0.1.<number> where the system has it (Linux), else 127.0.0.1."""
    own = f"127.0.1.{number}"
    return own if bindable(own, 0) else "127.0.0.1"


def owner_of(port: int) -> str:
    """Who listens on `port`, as far as the system tells us."""
    try:
        found = (c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.pid)
        pid = next(found, None)
        return f"{psutil.Process(pid).name()}, process {pid}" if pid else "a process that this account cannot see"
    except (psutil.Error, OSError):
        return "an unknown process"


def start_of(home: Path) -> int:
    """Where the lab in folder `home` begins to look."""
    digest = int.from_bytes(hashlib.sha256(os.fsencode(home)).digest()[:8])
    return FIRST + digest % ((LAST - FIRST + 1) // BLOCK) * BLOCK


def claim(folder: Path, first: int) -> bool:
    """Keep the block at `first` from other processes; true as well where no claim can be written."""
    if first in CLAIMED:
        return True
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / str(first), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:  # a cache that may only be read: whether ports are free is all that can be asked
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    CLAIMED[first] = handle
    return True


def free_block(start: int, address: str, size: int, claims: Path | None = None) -> Sequence[int]:
    """The first block of `size` free ports at or after `start`, going round at the end of the range; claimed in the
    folder `claims`, where one is given.

    Raises:
        PortTaken: there is none.
    """
    for step in range(0, LAST - FIRST + 1, size):
        first = FIRST + (start - FIRST + step) % (LAST - FIRST + 1)
        block = range(first, first + size)
        free = block[-1] <= LAST and all(bindable(address, port) for port in block)
        if free and (claims is None or claim(claims, first)):
            return block
    raise PortTaken(f"no {size} neighbouring ports are free between {FIRST} and {LAST}: set FACTORYLAB_PORT_BASE")


def choose(home: Path, base: int | None, claims: Path) -> Places:
    """Where the lab in `home` listens: at `base` when it is given, else in a free block, claimed in `claims`.

    Raises:
        PortTaken: a port that was asked for is in use, with its owner; or none is free.
    """
    if base is None:
        block: Sequence[int] = free_block(start_of(home), "0.0.0.0", BLOCK, claims)
    else:
        block = range(base, base + BLOCK)
        for port in block:
            if not bindable("0.0.0.0", port):
                raise PortTaken(
                    f"port {port} is taken by {owner_of(port)}: end it, or choose another FACTORYLAB_PORT_BASE "
                    f"(now {base}; a lab takes {BLOCK} ports), or leave it out"
                )
    numbers = range(1, BROKERS + 1)
    brokers = (BrokerPlace(n, broker_address(n), block[n - 1], block[BROKERS + n - 1]) for n in numbers)
    return Places(tuple(brokers), block[-1])
