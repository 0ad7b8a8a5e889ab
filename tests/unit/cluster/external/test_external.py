"""What is refused of brokers that belong to somebody else, before anything starts."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec
import pytest

from factorylab.cluster import boot
from factorylab.cluster.capabilities import require_own
from factorylab.cluster.external import clearing, place
from factorylab.cluster.external.backend import connection_of
from factorylab.cluster.external.place import Made
from factorylab.cluster.secured import address_of, introduce, numbers_of, way_to
from factorylab.cluster.settings import Settings
from factorylab.core.errors import EnvironmentUnfit, LabError, UsageError
from factorylab.core.names import Names
from factorylab.execution.perform import check_rate
from factorylab.scenarios.catalog import build
from factorylab.scenarios.model import Fault


@pytest.mark.parametrize("target", ["leader:0", "controller", "broker:4", "followers:0"])
def test_brokers_are_not_broken(target: str) -> None:
    """No fault hits a broker of somebody else's; the refusal says what can be hit. Processors and the database can."""
    with pytest.raises(EnvironmentUnfit, match=r"never broken\. Take target=processor:N, owner:P or database"):
        require_own("external", [Fault(kind="kill", target=target)], of_run=True)
    require_own("external", [Fault(kind="kill", target=one) for one in ("processor:0", "database")], of_run=True)
    require_own("local", [Fault(kind="kill", target=target)], of_run=False)


def test_no_lab_that_stays() -> None:
    """A lab that stays, and is there for no run, is refused."""
    with pytest.raises(EnvironmentUnfit, match="is for runs alone"):
        require_own("external", [], of_run=False)


@pytest.mark.parametrize(("topics", "group"), [(["team-a-x", "orders"], "team-a-g"), (["team-a-x"], "billing")])
def test_outside_the_prefix(tmp_path: Path, topics: list[str], group: str) -> None:
    """A name outside the prefix is neither recorded nor deleted."""
    with pytest.raises(LabError, match=r"(orders|billing) does not begin with the prefix 'team-a-'"):
        place.record(tmp_path, "abc123", Made("team-a-", topics, group))
    with pytest.raises(LabError):
        Made("", topics, group).check()
    assert place.recorded(tmp_path) == {}


def test_recorded_until_forgotten(tmp_path: Path) -> None:
    """What a run is about to make is on the disk until it is deleted."""
    names = Names.of("abc123", "team-a-")
    made = Made("team-a-", list(names.topics), names.group)
    place.record(tmp_path, "abc123", made)
    assert list(place.recorded(tmp_path).values()) == [made]
    place.forget(place.recorded(tmp_path))
    assert place.recorded(tmp_path) == {}


def test_rate_is_spared() -> None:
    """A scenario that offers more than the cluster is to bear is refused with the way out, and one below is not."""
    settings = Settings()
    with pytest.raises(UsageError, match=r"offers 2,000 readings/s.*at most 500.*-p rate_per_s=200"):
        check_rate(build("baseline", {}), settings)
    check_rate(build("baseline", {"rate_per_s": 200}), settings)


def test_client_is_needed(tmp_path: Path) -> None:
    """Without a client's file, and with a token in a file, which no worker could renew, nothing starts."""
    with pytest.raises(UsageError, match=r"--client client\.properties"):
        connection_of(Settings(client=None))
    (tmp_path / "token").write_text("x")
    file = tmp_path / "client.properties"
    file.write_text(
        "bootstrap.servers=a:1\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\n"
        f"sasl.oauthbearer.token.endpoint.url={(tmp_path / 'token').as_uri()}\n"
    )
    with pytest.raises(UsageError, match="take no token from a file"):
        connection_of(Settings(client=file))


class OneWay:
    """The way to the brokers of the test."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError("nobody connects")


def test_numbers_and_addresses_of_brokers() -> None:
    """Brokers that were introduced have their own numbers and way; those of the lab count from 1 and ask nobody."""
    way = OneWay()
    bootstrap = introduce({7: "far.example:2", 4: "far.example:1"}, way)  # type: ignore[arg-type]
    assert bootstrap == "far.example:1,far.example:2" and numbers_of(bootstrap) == (4, 7)
    assert address_of(bootstrap, 7) == "far.example:2" and way_to(bootstrap) is way is way_to("far.example:2")
    assert numbers_of("a:1,b:2") == (1, 2) and address_of("a:1,b:2", 2) == "b:2" and way_to("a:1,b:2") is None


def test_what_cannot_be_deleted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the brokers do not answer, the names that are left there are told, and stay recorded for the next try."""
    monkeypatch.setattr(clearing, "PATIENCE_S", 0.01)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        known = boot.Known(address, "postgresql://", backend="external", numbers=(4,), prefix="team-a-")
        (tmp_path / boot.ENDPOINTS).write_bytes(msgspec.json.encode(known))
        (tmp_path / place.CLIENT).write_text(f"bootstrap.servers={address}\n")
        place.record(tmp_path, "abc123", Made("team-a-", ["team-a-x"], "team-a-g"))
        with pytest.raises(EnvironmentUnfit, match="still on the cluster: team-a-x, team-a-g: 'factorylab down'"):
            clearing.clear(tmp_path)
    assert place.recorded(tmp_path)
