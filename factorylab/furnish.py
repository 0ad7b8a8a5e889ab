"""The plain topics and the schema `factory`: what fleets and processors need before they can work.

python -m factorylab.furnish        in a container, configured by the environment as in compose.yaml
"""

from __future__ import annotations

import os

from pydantic import SecretStr

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Endpoints
from factorylab.factory.reader import make_reader
from factorylab.factory.schema import create_schema
from factorylab.names import Names
from factorylab.scenario import Topology


def furnish(endpoints: Endpoints, topology: Topology, reader_password: SecretStr | None = None) -> None:
    """Create what of them is missing; what is there stays as it is. With a password dashboards get their role.

    Raises:
        WaitTimeout: no broker answers.
    """
    names = Names.of()
    admin = Admin(endpoints.bootstrap)
    admin.create_topics(names.topics, topology)
    admin.close()
    create_schema(endpoints.database_url, names.schema)
    if reader_password is not None:
        make_reader(endpoints.database_url, names.schema, reader_password)


def main() -> None:
    """The service `setup` of compose.yaml."""
    topology = Topology.model_validate({"profile": os.environ["FACTORYLAB_PROFILE"]})
    endpoints = Endpoints(os.environ["FACTORYLAB_BOOTSTRAP"], os.environ["FACTORYLAB_DATABASE_URL"])
    password = os.environ.get("FACTORYLAB_READER_PASSWORD")
    furnish(endpoints, topology, SecretStr(password) if password else None)


if __name__ == "__main__":
    main()
