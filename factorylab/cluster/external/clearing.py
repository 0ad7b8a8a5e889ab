"""Delete what runs made on external brokers: `python -m factorylab.cluster.external.clearing HOME`.

Only the names that a run recorded before it made them, each of which begins with the prefix. A process of its own where
the supervisor clears up, since a client that blocks would block it.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from factorylab.cluster import boot
from factorylab.cluster.admin import Admin
from factorylab.cluster.external import place
from factorylab.core import environment, secret
from factorylab.core.errors import EnvironmentUnfit, LabError
from factorylab.core.sessions import CLASSIC_SESSION_S

ANSWER_S = 5.0
PATIENCE_S = 2 * CLASSIC_SESSION_S  # a member that was killed stays in its group for a session
LIMIT_S = 3 * PATIENCE_S


def clear(home: Path) -> list[str]:
    """Delete it all, from this process; the names of what was deleted.

    Raises:
        EnvironmentUnfit: the brokers do not answer, or refuse; the message names what is left there.
    """
    waiting = place.recorded(home)
    if not waiting:
        return []
    place.take_up(home)
    names = [name for made in waiting.values() for name in (*made.topics, made.group)]
    try:
        with closing(Admin(boot.known(home).bootstrap, deadline_s=PATIENCE_S, answer_s=ANSWER_S)) as admin:
            for path, made in waiting.items():
                made.check()
                admin.delete_topics(made.topics)
                admin.delete_group(made.group)
                place.forget([path])
    except EnvironmentUnfit as error:
        raise EnvironmentUnfit(
            f"still on the cluster: {', '.join(names)}: 'factorylab down' tries again, or delete them by hand ({error})"
        ) from None
    return names


def clear_apart(home: Path) -> list[str]:
    """The same in a process of its own, which ends in time.

    Raises:
        EnvironmentUnfit: as `clear`, or it took too long.
    """
    if not place.recorded(home):
        return []
    names = [name for made in place.recorded(home).values() for name in (*made.topics, made.group)]
    command = [sys.executable, "-m", "factorylab.cluster.external.clearing", str(home)]
    try:
        done = subprocess.run(
            command, env=environment.python(), capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentUnfit(f"still on the cluster: {', '.join(names)}: it did not answer") from None
    if done.returncode:
        raise EnvironmentUnfit(secret.clean(done.stderr.strip()))
    return names


def main() -> None:
    secret.guard_tracebacks()
    try:
        print(", ".join(clear(Path(sys.argv[1]))))
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
