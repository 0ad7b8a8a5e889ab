"""What can go wrong, and the exit code that each kind ends with.

    LabError                      1   anything the lab itself reports
    ├── UsageError                2   a word on the command line or a key in a file is wrong
    │   └── ScenarioError         2   a scenario that cannot mean anything
    └── EnvironmentUnfit          5   this machine cannot do it as it is
        ├── DownloadError         5   a package could not be fetched, or is not the one we locked
        ├── JournalFull       5   the disk takes no more of what is recorded
        ├── PortTaken             5   another program listens where we must
        ├── LabBusy               5   another run uses this folder's lab
        ├── StartFailed           5   a child died or never became ready
        └── WaitTimeout           5   a condition did not come true in time

Each message names the value, the rule and the way out; the command line prints it without a traceback.
"""

from __future__ import annotations

from tempfile import gettempdir

from factorylab.core import secret
from factorylab.core.exit_codes import FAILED, UNFIT, USAGE


class LabError(Exception):
    """Root of the tree. `exit_code` is what the command line returns. Its text shows no secret, whoever prints it."""

    exit_code = FAILED

    def __str__(self) -> str:
        return secret.clean(super().__str__())


class UsageError(LabError):
    """The caller asked for something that does not exist or does not make sense."""

    exit_code = USAGE


class ScenarioError(UsageError):
    """A scenario, or a parameter of one, breaks a rule."""


class EnvironmentUnfit(LabError):
    """The machine lacks something that the lab needs."""

    exit_code = UNFIT


class DownloadError(EnvironmentUnfit):
    """A download failed, or its checksum is not the locked one."""


class JournalFull(EnvironmentUnfit):
    """The disk cannot take a journal's next rows: without evidence a worker must stop."""


class PortTaken(EnvironmentUnfit):
    """A port that the lab was told to use is in use."""


class LabBusy(EnvironmentUnfit):
    """Another process holds the lock of this folder's lab."""


class StartFailed(EnvironmentUnfit):
    """A child process ended while starting; the message carries its last log lines."""


class WaitTimeout(EnvironmentUnfit):
    """A condition did not come true before its deadline; the message says what was seen last."""


def refused(error: OSError) -> EnvironmentUnfit:
    """What the operating system refused (a full disk, a folder of somebody else), as an error of the lab."""
    where = f": {error.filename}" if error.filename else ""
    return EnvironmentUnfit(f"{error.strerror or error}{where}")


class NoRoom(BaseException):
    """The temporary folder took no more. No `Exception`: a check that cannot be made says something of the run, and
    this says nothing of it."""

    WAY_OUT = "make room, or set TMPDIR to a folder on a larger disk"

    def __init__(self) -> None:
        super().__init__(f"{gettempdir()} has no room for what is kept there of a large run: {self.WAY_OUT}")

    def as_error(self) -> EnvironmentUnfit:
        """The same for whoever is told of errors of the lab."""
        return EnvironmentUnfit(str(self))
