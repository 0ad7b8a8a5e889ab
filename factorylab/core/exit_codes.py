"""The exit codes of the command line, in one place. Light: the first module that a command imports."""

from __future__ import annotations

FAILED = 1  # a run did not end as declared, or the lab itself reports an error
USAGE = 2
NOT_DRAINED = 3
INVALID = 4
UNFIT = 5  # this machine cannot do it as it is
INTERRUPTED = 130
