"""The program under test of a scenario: what runs in the place of the processors, and where its output is read.

A record's identity is the reading's: the sensor's name and its seq, as they stand in the record that the program got.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

QUERY = "SELECT sensor_id, seq FROM readings"
"""What is asked of a program that says nothing else: two columns of a table `readings`."""
OutputKind = Literal["table", "topic"]
ASKS_A_JOURNAL = ("latency_p99_s", "kept_per_s")
"""Objectives that are measured on the journals of the factory's own processors; the first also on times of rows."""


def _one_word_at_least(command: tuple[str, ...]) -> tuple[str, ...]:
    if not command or not command[0]:
        raise ValueError("it names no program: write [java, -jar, mine.jar], one item for each word")
    if any("\0" in word for word in command):
        raise ValueError("it holds the sign NUL, which no argument can have")
    return command


class Subject(BaseModel):
    """A program under test. `command` is a list of arguments, and no shell reads it. In a word of it `{python}` is the
    lab's own Python, and `{checkout}` the folder of this project."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    command: Annotated[tuple[str, ...], AfterValidator(_one_word_at_least)]
    output: OutputKind = Field(default="table", description="where the identities of the records that it kept are read")
    query: str | None = Field(
        default=None, min_length=1, description=f"of a table: two columns, sensor and seq; None: {QUERY}"
    )

    times: bool = Field(default=False, description="the query has a third column: when the row was written")

    @model_validator(mode="after")
    def _only_tables_are_queried(self) -> Subject:
        if self.query is not None and self.output != "table":
            raise ValueError(f"a {self.output} is read as a whole: leave query out, or take output=table")
        if self.times and self.query is None:
            raise ValueError("times come with a query: give one of three columns, sensor, seq and when it was written")
        return self

    @property
    def sql(self) -> str:
        """The query in force, without a semicolon at its end."""
        return (self.query or QUERY).strip().rstrip(";").rstrip()
