"""kafka-python's admin client: a failure leaves neither threads nor descriptors behind."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing

import pytest
from kafka.errors import KafkaError

from factorylab.cluster.admin import Admin
from factorylab.core import environment
from factorylab.core.errors import WaitTimeout
from tests.support.labs import closed_port

PROGRAM = """
import gc, os, resource, socket, threading
from factorylab.cluster.admin import Admin
from factorylab.cluster.coordinator import Coordinator
from factorylab.cluster.one_broker import OneBroker
from factorylab.core.errors import WaitTimeout

def held():
    gc.collect()  # a connection whose time ran out while it was being made is in a cycle with its error (3.0.12)
    return threading.active_count(), len(os.listdir("/proc/self/fd"))

resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
frozen = socket.create_server(("127.0.0.1", 0))
closed = socket.create_server(("127.0.0.1", 0))
addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in (frozen, closed)]
closed.close()
QUESTIONS = (
    (Admin, (), lambda admin: admin.topics()),
    (OneBroker, (1,), lambda broker: broker.partitions("t")),
    (Coordinator, ("g",), lambda coordinator: coordinator.view()),
)
for client, more, question in QUESTIONS:
    for address, tries in zip(addresses, (12, 40)):
        asked, before = client(address, *more, deadline_s=0, answer_s=0.05), held()
        for _ in range(tries):
            try:
                question(asked)
            except WaitTimeout as error:
                assert address in str(error) and "Too many open files" not in str(error), error
        assert held() == before, (client, address, before, held())
"""


def test_who_asks_the_dead_again_and_again_runs_out_of_nothing() -> None:
    """With 48 descriptors at most, a broker that is frozen or dead may be asked as often as one likes."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment.python(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("failure", [RuntimeError("NetworkSelector closed!"), KafkaError("x"), OSError("x")])
def test_whatever_the_client_raises_is_no_answer(failure: Exception) -> None:
    """A client that was closed raises a bare RuntimeError: as with other failures, nobody answered in time."""

    def fail(_client: object) -> None:
        raise failure

    class Connected(Admin):
        def _connected(self) -> None:  # type: ignore[override]
            return None

    with closing(Connected(f"127.0.0.1:{closed_port()}", deadline_s=0)) as admin, pytest.raises(WaitTimeout):
        admin._ask("anything", fail)
