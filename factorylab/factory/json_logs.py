"""Logs: one JSON object a line on stdout, with ISO time, level, worker and event.

A line about one reading carries its correlation id. Nothing is logged per reading at level info; what a reading
did is in the history. Lines of librdkafka come through the same renderer.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict

from factorylab.core import secret

OWN = ("event", "level", "timestamp", "worker")
Logger = structlog.typing.FilteringBoundLogger


def configure(worker: str, level: str) -> Logger:
    """The process's logger."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_secrets,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    logger: Logger = structlog.get_logger(worker=worker)
    return logger


def _without_secrets(_logger: object, _method: str, line: EventDict) -> EventDict:
    """What the lab itself says of a line stays; the rest may quote anything."""
    return {**secret.cleaned(dict(line)), **{name: line[name] for name in OWN if name in line}}


class _ToStructlog(logging.Handler):
    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        self._logger.log(record.levelno, "kafka_client", text=record.getMessage())


def client_logger(logger: Logger) -> logging.Logger:
    """A logger to give to a Kafka client as its setting `logger`."""
    into = logging.getLogger("factorylab.kafka")
    into.handlers = [_ToStructlog(logger)]
    into.propagate = False
    into.setLevel(logging.DEBUG)
    return into
