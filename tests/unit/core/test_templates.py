"""What a record looks like, and how it is known again."""

from __future__ import annotations

import pytest

from factorylab.core.names import sensor_name
from factorylab.core.templates import OF_A_RECORD, OF_AN_IDENTITY, Identity, Template, moment_us

VALUES = {
    "sensor": sensor_name(3, "vibration"),
    "seq": "42",
    "time": "2026-11-30T12:00:00.000000Z",
    "time_ms": "1764504000000",
    "value": "-1.5e-07",
}
MINE = Identity("vibration-00003", 42)


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "{sensor}/{seq}", "at": {time_ms}}',
        "{time};{sensor};{value};{seq}",
        "<reading seq='{seq}'>\n  <by>{sensor}</by>\n</reading>\n",
        "ünïts {{sensor}} [{seq}]*",
    ],
)
def test_what_was_filled_is_found_again(text: str) -> None:
    """Braces that are no place, signs of regular expressions and letters of any alphabet stand for themselves."""
    Template(text).check(OF_A_RECORD)
    assert Template(text).find(Template(text).fill(VALUES)) == MINE


def test_it_is_found_among_other_things() -> None:
    """A place for anything, and one for when it was written; what else stands in the line does not matter."""
    template = Template("{sensor},{any},{seq},{at}")
    found = template.find(b"INFO: kept vibration-00003,x,y,42,2026-11-30T12:00:00.25Z, 3 ms\r\n")
    assert (
        found == Identity("vibration-00003", 42, moment_us("2026-11-30T12:00:00.25Z"))
        and found.at_us % 10**6 == 250_000
    )


@pytest.mark.parametrize(
    "torn",
    [b"vibration-00003,4vibration-00004,7", b"vibration-00003,42.5", b"avibration-00003,", b"-vibration-00003,4"],
)
def test_a_line_that_was_cut_off_is_no_other_record(torn: bytes) -> None:
    """A seq that ends in the middle of a word may be the beginning of another one, so nothing is found."""
    assert Template("{sensor},{seq}").find(torn) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{sensor}", r"it needs \{seq\} once"),
        ("{sensor} {seq} {seq}", r"it needs \{seq\} once"),
        ("{sensor} {seq} {sequence}", r"it has a place \{sequence\}: places are \{sensor\}, \{seq\}, \{time\}"),
        ("{sensor}{seq}", "runs together"),
        ("{sensor} {seq} {any}", r"it has a place \{any\}"),
    ],
)
def test_what_tells_no_readings_apart_is_refused(text: str, why: str) -> None:
    """With the place that is wrong, and those that there are."""
    with pytest.raises(ValueError, match=why):
        Template(text).check(OF_A_RECORD)


def test_moments_have_a_zone() -> None:
    """Milliseconds since 1970, or a time with its zone; what has none is not known."""
    assert moment_us("1764504000123") == 1_764_504_000_123_000 == moment_us("2025-11-30T12:00:00.123+00:00")
    assert moment_us("2025-11-30T13:00:00.123+01:00") == 1_764_504_000_123_000
    assert moment_us("2025-11-30T12:00:00") == -1 == moment_us("yesterday")
    Template("{sensor} {seq} {at} {any}").check(OF_AN_IDENTITY)
