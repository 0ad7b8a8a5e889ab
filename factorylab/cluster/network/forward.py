"""The forwarded ports of an isolated lab: what connects to a port of this host comes out inside. `python -m … PORTS`.

The listening sockets were opened by the supervisor in the host's network and are inherited; this process lives inside.
As with a published port of a container, a connection is accepted before anybody knows whether it leads anywhere:
it is closed at once where nobody listens inside, and after CONNECT_S of silence where a cut swallows it.

PORTS is JSON: [[descriptor, "address:port inside"], …].
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from functools import partial

CHUNK = 256 * 1024
CONNECT_S = 10


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on all that comes, then the end of it."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def serve(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One client of the host, as long as both sides live."""
    address, _, port = target.rpartition(":")
    ends = [writer]
    try:
        opening = asyncio.open_connection(address, int(port), limit=CHUNK)
        inner_reader, inner_writer = await asyncio.wait_for(opening, CONNECT_S)
        ends.append(inner_writer)
        async with asyncio.TaskGroup() as both:
            both.create_task(pump(reader, inner_writer))
            both.create_task(pump(inner_reader, writer))
        for end in ends:
            end.close()  # sends what is left first
    except (OSError, TimeoutError, ExceptionGroup):  # either end is gone: so is the other
        for end in ends:
            end.transport.abort()


async def main(ports: list[tuple[int, str]]) -> None:
    servers = [
        await asyncio.start_server(partial(serve, target), sock=socket.socket(fileno=descriptor), limit=CHUNK)
        for descriptor, target in ports
    ]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
