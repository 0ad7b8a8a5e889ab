"""What a run does for a program under test beside its processors' part: a place for its output, and the end of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from factorylab.cluster.admin import Admin
from factorylab.core.errors import WaitTimeout
from factorylab.core.names import Names
from factorylab.core.waiting import wait_until
from factorylab.execution.subject import check_files, database_url, files_of, output_topic, schema_of
from factorylab.execution.subject_output import Output
from factorylab.execution.subject_records import FileOutput, TopicOutput
from factorylab.execution.subject_table import TableOutput
from factorylab.factory.store.schema import create_empty
from factorylab.scenarios.model import Scenario

QUIET_S = 2.0
QUIET_WITHIN_S = 60.0


def prepared_output(scenario: Scenario, admin: Admin, url: str, names: Names, workers: Sequence[str]) -> Output | None:
    """Where a program under test finds room for its output, and the lab finds that; None without such a program.

    Raises:
        UsageError: its query cannot be one, or its files are there already.
    """
    subject = scenario.subject
    if subject is None:
        return None
    schema, topic, files = schema_of(names), output_topic(names), files_of(subject, names, workers).values()
    check_files(files)
    create_empty(url, schema)
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
    if subject.output == "topic":
        admin.create_topics([topic], scenario.topology)
    output: dict[str, Output] = {
        "table": TableOutput(database_url(url, schema), subject),
        "topic": TopicOutput(admin, topic, subject),
        "file": FileOutput(tuple(files), subject),
    }
    output[subject.output].check(there=False)
    return output[subject.output]


def wait_for_quiet(output: Output, say: Callable[[str], None]) -> None:
    """Until the output has not grown for QUIET_S: what the program still does with records whose offsets it has
    committed is not to be cut off by the end of the run.

    Raises:
        EnvironmentUnfit: the query fails.
    """
    seen: list[tuple[float, int]] = []

    def quiet() -> bool:
        now_s, size = time.monotonic(), output.size()
        if not seen or seen[-1][1] != size:
            seen.append((now_s, size))
        return now_s - seen[-1][0] >= QUIET_S

    try:
        wait_until(quiet, what="the output to stand still", timeout_s=QUIET_WITHIN_S, every_s=0.2)
    except WaitTimeout as error:
        say(f"not quiet: {error}")
