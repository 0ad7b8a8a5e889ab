"""Texts of times written in one way: a blank before the clock, points before fractions, offsets from UTC in digits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

ABBREVIATIONS = {  # those of Europe, and of North America as in RFC 5322
    "WEST": "+01:00", "CET": "+01:00", "MEZ": "+01:00", "CEST": "+02:00", "MESZ": "+02:00", "EET": "+02:00",
    "EEST": "+03:00", "EST": "-05:00", "EDT": "-04:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00",
    "PST": "-08:00", "PDT": "-07:00",
}  # fmt: skip
ABBREVIATED = r"\d ?([A-Z]{3,5})$"
OFFSET = r"[:T ]\d{2,6}(?:\.\d+)? ?(?:Z|[+-]\d{2}:?\d{2})$"
TIDY = (
    (r"\s\s+|\t", " "),
    (r"^(?i:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so)[a-z]*[.,]? (\d)", r"\1"),
    (r"^(\d{8}):(\d{2}):?(\d{2})$", r"\1 \2:\3"),
    (r"(:\d{2}),(\d)", r"\1.\2"),
    (r"(\d), (\d+:)", r"\1 \2"),
    (r"(\d) ?([AaPp])\.? ?[Mm]\.?$", r"\1 \2M"),
    (r"(\d) ?Uhr$", r"\1"),
    (r"(Z|\d{2}:\d{2})\[[\w/]+\]$", r"\1"),
    (r" ?(?:UTC|GMT)([+-]\d{2}:?\d{2})$", r"\1"),
    (r" ?([+-]\d{2}:?\d{2}) ?(?:UTC|GMT)$", r"\1"),
    (r" ?(UTC|GMT)$", "Z"),
    (r"(:\d{2}(?:\.\d+)?) ?([+-]\d{2})$", r"\1\2:00"),
)


def tidied(cells: pd.Series) -> pd.Series:
    """The same times as `TIDY` writes them; known abbreviations of zones become their offsets."""
    text = pa.chunked_array(pa.array(cells, pa.string()))
    known = [name for name in abbreviations(cells) if name in ABBREVIATIONS]
    for written, plainly in (*TIDY, *((rf"(\d) ?{name}$", rf"\1{ABBREVIATIONS[name]}") for name in known)):
        if pc.any(pc.match_substring_regex(text, written)).as_py():
            text = pc.replace_substring_regex(text, written, plainly)
    tidy: pd.Series = text.to_pandas().set_axis(cells.index)
    return tidy


def abbreviations(cells: pd.Series) -> list[str]:
    """Abbreviated time zones at the ends of cells, in the order of their appearance."""
    named = cells[cells.str.contains(r"[A-Z]{3,5}$")]
    found = named.str.extract(ABBREVIATED, expand=False).dropna().unique()
    return [str(name) for name in found if name not in {"UTC", "GMT"}]


def said_of(cells: pd.Series) -> str:
    """How abbreviations were read, for people; "" where there are none."""
    return "".join(f"; {name} is {ABBREVIATIONS[name]}" for name in abbreviations(cells) if name in ABBREVIATIONS)


def without_offsets(text: pd.Series) -> tuple[pd.Series, NDArray[np.timedelta64], NDArray[np.bool_]]:
    """Tidy texts without their offsets, the offsets (0 where there is none), and where there is one."""
    found = text.str.contains(OFFSET)
    if not found.any():
        return text, np.zeros(len(text), "timedelta64[m]"), found.to_numpy(bool)
    parts = text.where(found, "+00:00").str.extract(r"(Z|[+-])(?:(\d{2}):?(\d{2}))?$")
    minutes = parts[1].fillna("0").astype(int) * 60 + parts[2].fillna("0").astype(int)
    signed = np.where(parts[0] == "-", -minutes, minutes).astype("timedelta64[m]")
    bare = text.where(~found, text.str.replace(r" ?(?:Z|[+-]\d{2}:?\d{2})$", "", regex=True))
    return bare, signed, found.to_numpy(bool)
