"""What every process of the factory does around its work: configuration, logger, signals, exit code.

Exit codes: 0 it stopped when told to (or had nothing more to do), 2 its configuration is wrong, 5 what it needs is not
there and waiting cannot mend it, 1 anything else: a client that is dead, a partition that was lost in the store again
and again, a position that is not in the log any more.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from types import FrameType

from confluent_kafka import KafkaException

from factorylab.core import secret
from factorylab.core.errors import LabError
from factorylab.factory import json_logs
from factorylab.factory.config import Config, from_environment


class StopSignal:
    """True once SIGTERM or SIGINT came; `signals` counts them."""

    def __init__(self) -> None:
        self.signals = 0

    def __bool__(self) -> bool:
        return self.signals > 0

    def install(self) -> None:
        """Listen to the signals."""
        signal.signal(signal.SIGTERM, self._heard)
        signal.signal(signal.SIGINT, self._heard)

    def _heard(self, _number: int, _frame: FrameType | None) -> None:
        self.signals += 1


def run(kind: type[Config], work: Callable[[Config, json_logs.Logger, StopSignal], None]) -> None:
    """Configure from the environment, do the work, exit."""
    secret.guard_tracebacks()
    stop = StopSignal()
    stop.install()
    try:
        config = from_environment(kind)
    except LabError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    logger = json_logs.configure(config.worker, config.log_level)
    try:
        work(config, logger, stop)
    except LabError as error:
        logger.error("failed", error=str(error))
        sys.exit(error.exit_code)
    except KafkaException as error:  # a call of a client that may not fail
        logger.error("failed", error=f"a Kafka client refused a call: {error}", exc_info=error)
        sys.exit(LabError.exit_code)
