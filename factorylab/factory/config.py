"""Configuration of the factory's processes: from the environment and a file, checked as a whole before anything starts.

Each field is the variable FACTORYLAB_<FIELD>, or a key of a .properties file: see `factorylab.core.sources`. Without
`journal_dir` nothing is journalled and the process is an ordinary application. `environ()` gives the variables that
make a child process read the same configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from factorylab.core import messages, sources
from factorylab.core.limits import DAY_S, RATE_MAX_PER_S, Count, Milliseconds, Number, Seconds, SessionTimeout, Share
from factorylab.core.sources import Sourced
from factorylab.core.spelling import matching
from factorylab.core.templates import OF_A_RECORD, Template
from factorylab.core.vocabulary import Acknowledgement, Compression, GroupProtocol, SensorKind
from factorylab.detectors.recordings.layout import Layout

Topic = Annotated[str, matching(r"[A-Za-z0-9._-]{1,249}", "1 to 249 letters, digits, '.', '_' or '-'")]
DATABASE_URL = re.compile(r"postgresql(\+psycopg2)?://.")
NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"


@dataclass(frozen=True)
class RateStage:
    """`lasts_s` is None for the last stage, which goes on until the process is told to stop."""

    rate_per_s: float
    lasts_s: float | None


def parse_rate(text: str) -> tuple[RateStage, ...]:
    """Stages of "2000" or "2000:12,5000:6,10000:6" (rate:seconds); the last rate goes on for ever.

    Raises:
        ValueError: naming the part that is no rate.
    """
    stages = []
    for part in text.split(","):
        fits = re.fullmatch(rf"\s*({NUMBER})(?::({NUMBER}))?\s*", part)
        if not fits or float(fits[1]) <= 0:
            raise ValueError(f"{part!r} is not a rate: write '2000' or '2000:12,5000:6' (readings per second:seconds)")
        stage = RateStage(float(fits[1]), float(fits[2]) if fits[2] else None)
        if stage.rate_per_s > RATE_MAX_PER_S or (stage.lasts_s or 0) > DAY_S:
            raise ValueError(f"{part!r}: a rate is at most {RATE_MAX_PER_S:,} per second, a stage at most {DAY_S:,} s")
        stages.append(stage)
    if any(stage.lasts_s is None for stage in stages[:-1]):
        raise ValueError(f"{text!r}: every stage but the last needs its seconds, as in '2000:12,5000'")
    return (*stages[:-1], RateStage(stages[-1].rate_per_s, None))


def check_url(url: str) -> None:
    """Refuse what libpq does not read, or reads as another address because a sign in the password is not encoded.

    Raises:
        ValueError: saying how to write it; the URL, which holds a password, is not shown.
    """
    from psycopg2 import ProgrammingError
    from psycopg2.extensions import parse_dsn

    try:
        parts = parse_dsn(re.sub(r"^postgresql\+psycopg2://", "postgresql://", url)) if DATABASE_URL.match(url) else {}
    except ProgrammingError:
        parts = {}
    address = parts.get("host", "") + parts.get("dbname", "")
    if not parts or "@" in address or not re.fullmatch(r"[\d,]*", parts.get("port", "")):
        raise ValueError(
            "write postgresql://user:password@host:port/database, in the password %40 for @, %2F for /, %25 for %, and "
            "after a ? only options of libpq"
        )


class FactoryConfig(Sourced):
    """What fleets and processors share."""

    bootstrap: str = Field(min_length=3)
    sensor_topic: Topic = messages.SENSOR_TOPIC
    worker: Annotated[str, matching(r"[A-Za-z0-9._-]+", "letters, digits, '.', '_' and '-'")]
    journal_dir: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    report_every_s: Seconds = 5
    producer_config: Path | None = None
    metrics_host: str = Field(default="127.0.0.1", min_length=1)
    metrics_port: int | None = Field(default=None, ge=0, le=65_535, description="None: no metrics; 0: a free port")

    @field_validator("producer_config", "consumer_config", "source", check_fields=False)
    @classmethod
    def _is_a_file(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {str(path)!r}")
        return path


class FleetConfig(FactoryConfig):
    """A fleet of sensors. `rate` is that of the whole factory; fleet i of n has every n-th sensor and its share."""

    rate: str = "2000"
    sensors: int = Field(default=300, ge=1, le=1_000_000)
    seed: Count = 1
    anomaly_rate: Share = 0.02
    poison_rate: Share = Field(default=0, description="share of blocks that carry an impossible time")
    fleet: Annotated[str, matching(r"\d+/\d+", "the fleet's index and the number of fleets, as in 0/2")] = "0/1"
    kinds: Annotated[tuple[SensorKind, ...], NoDecode] = messages.SENSOR_KINDS
    label_topic: Topic | None = None
    source: Path | None = None
    time_column: str | None = Field(default=None, min_length=1)
    value_column: str | None = Field(default=None, min_length=1)
    layout: Annotated[Layout, NoDecode] = Layout()
    source_sensor: str | None = Field(default=None, min_length=1, max_length=200)
    linger_ms: Milliseconds = 5
    compression: Compression = "lz4"
    record: str | None = Field(default=None, min_length=1, description="a template in the place of the factory's JSON")

    @field_validator("kinds", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("layout", mode="before")
    @classmethod
    def _is_json(cls, value: object) -> object:
        return Layout.model_validate_json(value) if isinstance(value, str) else value

    @field_validator("rate")
    @classmethod
    def _rate_has_stages(cls, value: str) -> str:
        parse_rate(value)
        return value

    @field_validator("record")
    @classmethod
    def _tells_readings_apart(cls, value: str | None) -> str | None:
        if value is not None:
            Template(value).check(OF_A_RECORD)
        return value

    @model_validator(mode="after")
    def _share_exists(self) -> Self:
        if not self.fleet_index < self.fleet_count <= self.sensors:
            raise ValueError(
                f"fleet {self.fleet!r} of {self.sensors} sensors: the index counts from 0 and is below the count, "
                "and each fleet needs a sensor"
            )
        if self.source is not None and self.fleet != "0/1":
            raise ValueError("a recorded source is one sensor: leave out fleet")
        return self

    @property
    def stages(self) -> tuple[RateStage, ...]:
        return parse_rate(self.rate)

    @property
    def fleet_index(self) -> int:
        return int(self.fleet.partition("/")[0])

    @property
    def fleet_count(self) -> int:
        return int(self.fleet.partition("/")[2])


class ProcessorConfig(FactoryConfig):
    """A member of the group that stores readings and raises alerts."""

    database_url: SecretStr
    db_schema: Annotated[
        str, matching(r"[a-z_][a-z0-9_]{0,62}", "1 to 63 lower-case letters, digits and '_', with no digit first")
    ] = "factory"
    alert_topic: Topic = messages.ALERT_TOPIC
    dead_letter_topic: Topic = messages.DEAD_LETTER_TOPIC
    group: str = Field(default=messages.GROUP, min_length=1)
    consumer_config: Path | None = None
    protocol: GroupProtocol = "range"
    session_timeout_s: SessionTimeout = None
    static_member: bool = Field(default=False, description="its name is its group.instance.id")
    acknowledgement: Acknowledgement = Field(default="explicit", description="of records, by a share group's worker")
    set_aside_at: int = Field(
        default=0,
        ge=0,
        le=10,
        description="a share group's record delivered so often becomes a dead letter; 0: none does",
    )
    transaction_timeout_s: Number | None = Field(
        default=None,
        ge=1,
        le=900,
        description="alerts and offsets go in Kafka transactions, which the broker aborts after so long; None: without",
    )
    batch_records: int = Field(default=10_000, ge=1, le=100_000)
    batch_wait_s: Number = Field(default=0.05, ge=0, le=10, description="a batch that is not full waits so long")
    produce_deadline_s: Seconds = 30
    store_deadline_s: Seconds = Field(default=10, ge=1, description="of each call of the database, connecting included")
    steps_dir: Path | None = Field(default=None, description="where orders to stop at a step are; see crash_points.py")

    @field_validator("database_url")
    @classmethod
    def _is_a_url(cls, value: SecretStr) -> SecretStr:
        check_url(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _session_is_the_clients(self) -> Self:
        if self.protocol == "consumer" and self.session_timeout_s is not None:
            raise ValueError("protocol=consumer takes its session timeout from the broker: leave session_timeout_s out")
        return self


Config = TypeVar("Config", bound=FactoryConfig)


def known_names() -> set[str]:
    """The names of all settings of all processes."""
    return {*FleetConfig.model_fields, *ProcessorConfig.model_fields}


def from_environment(kind: type[Config]) -> Config:
    """Read and check the whole configuration.

    Raises:
        UsageError: every setting that is missing, wrong or unknown, with the rule that it breaks.
    """
    return sources.load(kind, known_names())
