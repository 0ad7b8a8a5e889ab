"""The plain topics and the schema `factory`: what fleets and processors need before they can work.

python -m factorylab.execution.setup        in a container, configured by the environment as in compose.yaml
"""

from __future__ import annotations

import sys
from contextlib import closing

from pydantic import Field, SecretStr

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Endpoints
from factorylab.core.errors import LabError
from factorylab.core.names import Names
from factorylab.core.sources import Sourced, load
from factorylab.factory.config import known_names
from factorylab.factory.store.reader_role import make_reader
from factorylab.factory.store.schema import create_schema
from factorylab.scenarios.model import Profile, Topology


class SetupConfig(Sourced):
    """Where it works, and what is made there."""

    bootstrap: str = Field(min_length=3)
    database_url: SecretStr
    profile: Profile = "factory"
    reader_password: SecretStr | None = None


def create_topics_and_tables(
    endpoints: Endpoints, topology: Topology, reader_password: SecretStr | None = None
) -> None:
    """Create what of them is missing; what is there stays as it is. With a password dashboards get their role.

    Raises:
        WaitTimeout: no broker answers.
    """
    names = Names.of()
    with closing(Admin(endpoints.bootstrap)) as admin:
        admin.create_topics(names.topics, topology)
    create_schema(endpoints.database_url, names.schema)
    if reader_password is not None:
        make_reader(endpoints.database_url, names.schema, reader_password)


def main() -> None:
    """The service `setup` of compose.yaml."""
    try:
        config = load(SetupConfig, {*known_names(), "profile"})
        endpoints = Endpoints(config.bootstrap, config.database_url.get_secret_value())
        create_topics_and_tables(endpoints, Topology(profile=config.profile), config.reader_password)
    except LabError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
