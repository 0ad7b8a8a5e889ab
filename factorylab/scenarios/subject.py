"""The program under test of a scenario: what runs in the place of the processors, and where its output is read.

A record's identity is the reading's: the sensor's name and its seq, as they stand in the record that the program got.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from factorylab.core.templates import AT, OF_A_RECORD, OF_AN_IDENTITY, PLACE, Template

QUERY = "SELECT sensor_id, seq FROM readings"
"""What is asked of a program that says nothing else: two columns of a table `readings`."""
OutputKind = Literal["table", "topic", "file"]
RUN, INSTANCE = "run", "instance"
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
    lab's own Python, `{checkout}` the folder of this project, and `{jars}` the folder of Kafka's own jars."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    command: Annotated[tuple[str, ...], AfterValidator(_one_word_at_least)]
    output: OutputKind = Field(default="table", description="where the identities of the records that it kept are read")
    query: str | None = Field(
        default=None, min_length=1, description=f"of a table: two columns, sensor and seq; None: {QUERY}"
    )
    file: str | None = Field(default=None, min_length=1, description="of a file: its path, with {instance} and {run}")
    identity: str | None = Field(
        default=None, description="what a record of a topic or a line looks like; None: JSON, or as record has it"
    )
    times: bool = Field(default=False, description="the output says when it was written")
    record: str | None = Field(default=None, description="what it is fed; None: the factory's JSON")

    @model_validator(mode="after")
    def _options_fit_the_output(self) -> Subject:
        if self.query is not None and self.output != "table":
            raise ValueError(f"a {self.output} is read as a whole: leave query out, or take output=table")
        if self.identity is not None and self.output == "table":
            raise ValueError("a table is asked by a query, which gives sensor and seq: leave identity out")
        if (self.file is not None) != (self.output == "file"):
            raise ValueError("output=file and file, the path, belong together")
        if self.times and self.output == "table" and self.query is None:
            raise ValueError("times come with a query: give one of three columns, sensor, seq and when it was written")
        return self

    @model_validator(mode="after")
    def _templates_tell_readings_apart(self) -> Subject:
        for name, text, places in (("record", self.record, OF_A_RECORD), ("identity", self.identity, OF_AN_IDENTITY)):
            if text is not None:
                try:
                    Template(text).check(places)
                except ValueError as error:
                    raise ValueError(f"{name} {text!r}: {error}") from None
        for place in PLACE.findall(self.file or ""):
            if place not in {RUN, INSTANCE}:
                raise ValueError(f"file {self.file!r} has a place {{{place}}}: places are {{instance}} and {{run}}")
        if self.times and self.output == "file" and self.looked_for and f"{{{AT}}}" not in self.looked_for:
            raise ValueError(f"times of lines come with an identity that has {{{AT}}}, when the line was written")
        return self

    def check_among(self, instances: int, *, simulated: bool) -> None:
        """Refuse what does not go with so many instances, or with readings that are not simulated.

        Raises:
            ValueError: saying what to change.
        """
        if instances > 1 and self.file is not None and f"{{{INSTANCE}}}" not in self.file:
            raise ValueError(f"{instances} instances cannot share the file {self.file!r}: write {{instance}} into it")
        if self.record is not None and not simulated:
            raise ValueError("a record of yours is filled with simulated readings: leave out source and poison_rate")

    @property
    def sql(self) -> str:
        """The query in force, without a semicolon at its end."""
        return (self.query or QUERY).strip().rstrip(";").rstrip()

    @property
    def looked_for(self) -> str | None:
        """What a record of the output looks like, as a template; None: JSON with sensor_id and seq."""
        return self.identity or self.record
