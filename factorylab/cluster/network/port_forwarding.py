"""The ways into an isolated lab for programs of this host: opened here, served inside by `forward`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from factorylab.cluster.control import ForwardedPort
from factorylab.cluster.network.child_start import Beginning
from factorylab.cluster.network.netns import Namespace
from factorylab.core import environment
from factorylab.core.errors import PortTaken


def forward_ports(ports: Sequence[ForwardedPort], inside: Namespace, log: Path) -> subprocess.Popen[bytes]:
    """The process that serves them, which lives `inside`; `log` takes what it says of its troubles.

    Raises:
        PortTaken: somebody else listens at one of them.
    """
    with ExitStack() as stack:
        listening = [stack.enter_context(_listen(port)) for port in ports]
        plan = [(one.fileno(), port.inner) for one, port in zip(listening, ports, strict=True)]
        output = stack.enter_context(log.open("ab"))
        return subprocess.Popen(
            [sys.executable, "-m", "factorylab.cluster.network.forward", json.dumps(plan)],
            env=environment.python(), cwd=log.parent, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            pass_fds=[one.fileno() for one in listening],
            preexec_fn=Beginning(os.getpid(), inside),  # noqa: PLW1509 (one thread)
        )  # fmt: skip


def _listen(port: ForwardedPort) -> socket.socket:
    """A socket of this host's network: whoever serves it, wherever, that is where it listens."""
    try:
        return socket.create_server((port.address, port.port), backlog=128)
    except OSError as error:
        raise PortTaken(f"{port.address}:{port.port} cannot be opened: {error.strerror}") from error
