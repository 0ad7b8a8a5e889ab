"""How a file is laid out, where that cannot be found out: one model for command line, scenario and fleet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from factorylab.core.errors import UsageError

DateOrder = Literal["dmy", "mdy", "ymd"]


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def _as_date(value: object) -> object:
    return str(value) if hasattr(value, "isoformat") else value  # YAML reads 2020-01-01 as a date


def _as_texts(value: object) -> object:
    return [_as_text(one) for one in value] if isinstance(value, (list, tuple)) else [_as_text(value)]


class Layout(BaseModel):
    """Everything has a default: what the file itself tells is found out. None: found out, or not there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    header: bool = Field(default=True, description="false: the first line is a reading; columns are called 1, 2, …")
    interval: str | None = Field(default=None, description="'15min': the rows' times, instead of a column of times")
    start: Annotated[str | None, BeforeValidator(_as_date)] = Field(
        default=None, description="with interval: the first row's time"
    )
    time_zone: str | None = Field(default=None, description="'Europe/Berlin': of times without an offset; else UTC")
    date_order: DateOrder | None = Field(default=None, description="where 01/02/2024 can be read in two ways")
    decimal: Literal[".", ","] | None = Field(default=None, description="where 1,234 can be read in two ways")
    missing: Annotated[tuple[str, ...], BeforeValidator(_as_texts)] = Field(
        default=(), description="values that mean 'no reading', as -999"
    )
    encoding: str | None = Field(default=None, description="of the file's text")
    by: str | None = Field(default=None, description="the column that tells machines apart, or column=machine for one")


@dataclass(frozen=True)
class Columns:
    """Which column is what. None, or no values: found out. `time` may be two columns, as in "Date+Time".

    `faulty` are the label's values that mean a fault; none: it holds 0 and 1, true and false, or yes and no.
    """

    time: str | None = None
    values: tuple[str, ...] = ()
    label: str | None = None
    faulty: tuple[str, ...] = ()


def layout_from(**given: object) -> Layout:
    """A layout of the command line's words.

    Raises:
        UsageError: naming the option and its rule.
    """
    try:
        return Layout.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"--{str(first['loc'][0]).replace('_', '-')} {first['input']}: {first['msg']}") from None
