"""Small programs in the places of nodes, which send each other numbered datagrams."""

from __future__ import annotations

from pathlib import Path

import msgspec

from factorylab.cluster import control
from factorylab.cluster.control import ForwardedPort
from factorylab.cluster.local.ports import free_block, start_of
from factorylab.cluster.network.addresses import inner_address
from factorylab.cluster.places import FORWARDED_PORT, INNER_PORT
from tests.support.labs import tiny, wait_said

BROKERS = ("broker-1", "broker-2", "broker-3")
WORKERS = ("processor-0", "fleet-0")
NUMBERS = dict(zip((*BROKERS, *WORKERS), (1, 2, 3, 11, 12), strict=True))
PEER = f"""
import json, pathlib, select, socket, sys, time
name, peers = sys.argv[1], dict(enumerate(sys.argv[2].split(","), 1))
inner, forwarded = (socket.create_server(("", port)) for port in ({INNER_PORT}, {FORWARDED_PORT}))
wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
wire.bind(("", 7000))
print("here", flush=True)
heard, turn, state = {{}}, 0, pathlib.Path(f"{{name}}.json")
while True:
    turn += 1
    for address in peers.values():
        try:
            wire.sendto(str(turn).encode(), (address, 7000))
        except OSError:  # the filter says no to the sender at once
            pass
    until = time.monotonic() + 0.02
    while (left := until - time.monotonic()) > 0:
        for one in select.select([inner, forwarded, wire], [], [], left)[0]:
            if one is wire:
                said, (address, _) = wire.recvfrom(64)
                heard[address] = int(said)
            else:
                with one.accept()[0] as client:
                    if one is forwarded:
                        client.sendall(name.encode())
    state.with_suffix(".new").write_text(json.dumps({{"turn": turn, "heard": heard}}))
    state.with_suffix(".new").replace(state)
"""


def start_peers(home: Path) -> list[ForwardedPort]:
    """Three peers in the brokers' places, with forwarded ports, and two more in the workers'."""
    everybody = ",".join(inner_address(number) for number in NUMBERS.values())
    block = free_block(start_of(home), "0.0.0.0", 3)
    ports = [
        ForwardedPort("127.0.0.1", port, f"{inner_address(n)}:{FORWARDED_PORT}") for n, port in enumerate(block, 1)
    ]
    control.ask(home, control.Isolate(ports))
    children = [tiny(name, home, PEER) for name in NUMBERS]
    children = [msgspec.structs.replace(c, argv=[*c.argv, c.name, everybody]) for c in children]
    control.ask(home, control.Start(children))
    for name in NUMBERS:
        wait_said(home / "logs" / f"{name}.log", "here")
    return ports


PEERS_OF_1 = {("broker-1", "broker-2"), ("broker-1", "broker-3"), ("broker-2", "broker-1"), ("broker-3", "broker-1")}
