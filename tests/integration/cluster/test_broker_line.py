"""Questions to a broker over one connection, against a broker whose answers a test decides."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import CorrelationIdError, IncompatibleBrokerVersion
from kafka.protocol.admin import DescribeGroupsRequest, DescribeGroupsResponse
from kafka.protocol.api_key import ApiKey
from kafka.protocol.consumer import ConsumerProtocolAssignment, ListOffsetsRequest
from kafka.protocol.metadata import ApiVersionsRequest, ApiVersionsResponse

from factorylab.cluster import coordinator
from factorylab.cluster.broker_line import BrokerLine, _versions_asked, raise_error
from factorylab.cluster.one_broker import _ends
from factorylab.cluster.python_client import FAILURES

GROUP = DescribeGroupsResponse.DescribedGroup
KNOWN = ApiVersionsResponse.ApiVersion
NEWEST = 5


@contextmanager
def broker(*answers: bytes) -> Iterator[str]:
    """The address of a broker that sends these bytes, one lot a request it reads, and then hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                for answer in answers:
                    connection.recv(1 << 16)
                    for at in range(0, len(answer), 7):  # never whole
                        connection.sendall(answer[at : at + 7])

        thread = Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)
        assert not thread.is_alive()


def encoded(answer: Any, correlation: int) -> bytes:
    answer.with_header(correlation_id=correlation)
    return bytes(answer.encode(framed=True, header=True))


def versions() -> bytes:
    known = [KNOWN(api_key=ApiKey.DescribeGroups.value, min_version=0, max_version=NEWEST)]
    return encoded(ApiVersionsResponse(api_keys=known, version=3), 1)


def described(correlation: int, state: str = "Stable") -> bytes:
    return encoded(DescribeGroupsResponse(groups=[GROUP(group_id="g", group_state=state)], version=NEWEST), correlation)


def test_answers_come_in_pieces_and_in_turn() -> None:
    """Each question gets its own answer, however the bytes come, in the newest version that the broker knows."""
    with broker(versions(), described(2), described(3, "Empty")) as address:
        line, request = BrokerLine(address, 20), DescribeGroupsRequest(groups=["g"])
        assert [line.ask(request).groups[0].group_state for _ in range(2)] == ["Stable", "Empty"]
        assert request.API_VERSION == NEWEST
        line.close()


@pytest.mark.parametrize(
    ("answers", "error"),
    [((), ConnectionResetError), ((b"",), OSError), ((versions(), described(9)), CorrelationIdError)],
)
def test_what_is_no_answer_is_a_failure(answers: tuple[bytes, ...], error: type[Exception]) -> None:
    """A broker that hangs up, or answers another question than was asked, has not answered."""
    assert issubclass(error, FAILURES)

    def ask(address: str) -> None:
        line = BrokerLine(address, 20)
        try:
            line.ask(DescribeGroupsRequest(groups=["g"]))
        finally:
            line.close()

    with broker(*answers) as address, pytest.raises(error):
        ask(address)


def test_the_first_request_names_who_asks() -> None:
    """A broker refuses a client without the name and the version of its software (KIP-511)."""
    first = _versions_asked()
    first.with_header(correlation_id=1, client_id="x")
    sent = ApiVersionsRequest.decode(first.encode(framed=True, header=True), version=3, framed=True, header=True)
    named = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?")
    assert named.fullmatch(sent.client_software_name) and named.fullmatch(sent.client_software_version)


def test_a_silent_broker_is_given_up() -> None:
    """One that takes the connection and says nothing has not answered in time."""
    with socket.create_server(("127.0.0.1", 0)) as frozen, pytest.raises(TimeoutError):
        BrokerLine(f"127.0.0.1:{frozen.getsockname()[1]}", 0.05)


def test_a_request_that_a_broker_does_not_know_is_not_sent() -> None:
    """What the broker did not list among its versions is refused here."""
    with broker(versions()) as address:
        line = BrokerLine(address, 20)
        with pytest.raises(IncompatibleBrokerVersion):
            line.ask(ListOffsetsRequest())
        line.close()


def test_a_member_may_have_no_assignment_yet() -> None:
    """While a group is about to balance its members have no assignment: they own nothing. Else all that they name."""
    topics = [ConsumerProtocolAssignment.TopicPartition(topic="t", partitions=[2, 0])]
    assigned = ConsumerProtocolAssignment(assigned_partitions=topics, user_data=b"", version=1).encode()
    assert [coordinator._partitions(word) for word in (b"", assigned)] == [(), (0, 2)]


@pytest.mark.parametrize(("code", "raised"), [(0, False), (69, False), (16, True), (15, True)])
def test_only_a_group_that_is_not_there_may_be_an_error(code: int, raised: bool) -> None:
    """A group without members is Dead (69); a broker that does not coordinate it (16, 15) tells nothing of it."""
    answer = SimpleNamespace(groups=[SimpleNamespace(group_id="g", error_code=code)])
    if not raised:
        assert coordinator._described(answer) is answer.groups[0]
        return
    with pytest.raises(FAILURES):
        coordinator._described(answer)


def test_an_offset_that_cannot_be_told_is_none_of_the_group() -> None:
    """Committed offsets are those of the topic; one with an error (unstable, 88) makes the answer none."""
    good = SimpleNamespace(partition_index=1, committed_offset=7, error_code=0)
    bad = SimpleNamespace(partition_index=2, committed_offset=-1, error_code=88)

    def told(*partitions: SimpleNamespace) -> SimpleNamespace:
        topics = [SimpleNamespace(name="t", partitions=partitions), SimpleNamespace(name="other", partitions=[bad])]
        return SimpleNamespace(groups=[SimpleNamespace(group_id="g", error_code=0, topics=topics)])

    assert coordinator._offsets(told(good), "t") == {1: 7}
    with pytest.raises(FAILURES):
        coordinator._offsets(told(good, bad), "t")


def test_an_end_that_is_not_told_is_left_out() -> None:
    """Of a partition that it does not lead (6), or leads since just now (78), a broker tells no end; of others, it."""
    told = [SimpleNamespace(partition_index=p, offset=10 + p, error_code=code) for p, code in enumerate((0, 6, 78, 0))]
    assert _ends(SimpleNamespace(topics=[SimpleNamespace(partitions=told)])) == {0: 10, 3: 13}


def test_no_error_is_no_failure() -> None:
    """Code 0 raises nothing; another one names what it is about."""
    raise_error(0, "t")
    with pytest.raises(FAILURES, match="the topic t"):
        raise_error(3, "the topic t")
