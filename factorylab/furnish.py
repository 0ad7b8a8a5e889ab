"""The plain topics and the schema `factory`: what fleets and processors need before they can work.

python -m factorylab.furnish        in a container, configured by the environment as in compose.yaml
"""

from __future__ import annotations

import os

from factorylab.cluster.admin import Admin
from factorylab.cluster.base import Endpoints
from factorylab.factory.schema import create_schema
from factorylab.names import Names
from factorylab.scenario import Topology


def furnish(endpoints: Endpoints, topology: Topology) -> None:
    """Create what of them is missing; what is there stays as it is.

    Raises:
        WaitTimeout: no broker answers.
    """
    names = Names.of()
    admin = Admin(endpoints.bootstrap)
    admin.create_topics(names.topics, topology)
    admin.close()
    create_schema(endpoints.database_url, names.schema)


def main() -> None:
    """The service `setup` of compose.yaml."""
    topology = Topology.model_validate({"profile": os.environ["FACTORYLAB_PROFILE"]})
    furnish(Endpoints(os.environ["FACTORYLAB_BOOTSTRAP"], os.environ["FACTORYLAB_DATABASE_URL"]), topology)


if __name__ == "__main__":
    main()
