"""Recordings as people have them: the right times, values and truths come out, or an error that says what to do."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

from factorylab.cli.main import app
from factorylab.core.errors import UsageError
from factorylab.detectors.recordings.collect import files_of, read_recordings
from factorylab.detectors.recordings.layout import Columns, Layout
from factorylab.detectors.recordings.recording import Recording

MINUTES = [datetime(2024, 1, 13) + timedelta(minutes=n) for n in range(12)]
VALUES = [70.5, 71.25, 70.125, 72.5, 71.5, 70.25, 71.75, 70.5, 72.25, 71.0, 70.75, 71.5]
LABELS = [0] * 8 + [1] * 3 + [0]
HOT = ["2024-01-13 00:08:00", "2024-01-13 00:10:00"]
RIGHT = np.array(MINUTES, "datetime64[us]")


class Case(NamedTuple):
    """A way to write the recording above (or a part of it), and what is said on the way."""

    name: str
    text: str | bytes
    layout: Layout = Layout()
    columns: Columns = Columns()
    said: str = ""


def lines(header: str, row: str = "{t:%Y-%m-%d %H:%M:%S},{v}", end: str = "\n") -> str:
    """The recording, a row by `row` for each of its own."""
    rows = [
        row.format(t=t, v=v, de=str(v).replace(".", ","), n=n)
        for n, (t, v) in enumerate(zip(MINUTES, VALUES, strict=True))
    ]
    return end.join([*([header] if header else []), *rows]) + end


def epoch(per_second: int) -> str:
    rows = zip(RIGHT.astype("datetime64[s]").astype(int) * per_second, VALUES, strict=True)
    return "\n".join(["time,v", *(f"{moment},{value}" for moment, value in rows)])


PLAIN = lines("timestamp,v")
GERMAN = lines("Datum;Wert", "{t:%d.%m.%Y %H:%M:%S};{de}")
READ = [
    Case("iso", PLAIN, said="taken as UTC"),
    Case("iso with T and Z", lines("time,v", "{t:%Y-%m-%dT%H:%M:%SZ},{v}")),
    Case("offset", lines("time,v", "{t:%Y-%m-%d %H:%M:%S}+00:00,{v}")),
    Case("seconds", epoch(1), said="seconds since 1970"),
    Case("milliseconds", epoch(1_000), said="milliseconds"),
    Case("microseconds", epoch(1_000_000), said="microseconds"),
    Case("nanoseconds", epoch(1_000_000_000), said="nanoseconds"),
    Case(
        "Excel's days",
        "time,v\n" + "\n".join(f"{45304 + n / 1440:.5f},{v}" for n, v in enumerate(VALUES)),
        said="Excel",
    ),
    Case("compact", lines("date,v", "{t:%Y%m%d%H%M%S},{v}")),
    Case("date and time", lines("Date,Time,v", "{t:%Y-%m-%d},{t:%H:%M:%S},{v}"), said="Date + Time"),
    Case("Datum and Uhrzeit", lines("Datum;Uhrzeit;v", "{t:%d.%m.%Y};{t:%H:%M:%S};{de}"), said="Datum + Uhrzeit"),
    Case(
        "two columns by name", lines("Day,Clock,v", "{t:%d/%m/%Y},{t:%I:%M %p},{v}"), columns=Columns(time="Day+Clock")
    ),
    Case("AM and PM", lines(" Timestamp, v", " {t:%d/%m/%Y %I:%M:%S %p},{v}"), said="day/month/year"),
    Case("months first", lines("time,v", "{t:%m/%d/%Y %H:%M},{v}"), said="month/day/year"),
    Case("two-digit years", lines("time;v", "{t:%d.%m.%y %H:%M};{de}")),
    Case(
        "Berlin's winter by its abbreviation",
        lines("time,v", "{t} CET,{v}").replace("13 00", "13 01"),
        said="CET is +01",
    ),
    Case("offset of two digits", lines("time,v", "{t}+00,{v}"), Layout(time_zone="Europe/Berlin")),
    Case("offset after UTC", lines("time,v", "{t:%Y-%m-%d %H:%M:%S} UTC+00:00,{v}")),
    Case("offset and the zone's name", lines("time,v", "{t:%Y-%m-%dT%H:%M:%S}Z[UTC],{v}")),
    Case(
        "offset behind days first",
        lines("time,v", "{t:%d.%m.%Y %H:%M}-01:00,{v}")
        .replace("2024 00", "2023 00")
        .replace("13.01.2023 00", "12.01.2024 23"),
        Layout(time_zone="Europe/Berlin"),
    ),
    Case("weekdays", lines("time;v", "Sat {t:%d.%m.%Y %H:%M};{v}")),
    Case("o'clock", lines("time;v", "{t:%d.%m.%Y %H:%M} Uhr;{v}")),
    Case("compact hour", lines("date,v", "{t:%Y%m%d:%H%M},{v}")),
    Case("two digits of the year", lines("date,v", "{t:%y%m%d%H%M%S},{v}"), said="written like 240113000000"),
    Case("compact milliseconds", lines("date,v", "{t:%Y%m%d%H%M%S}000,{v}")),
    Case("a column twice", lines("timestamp,v,v", "{t},{v},{v}"), said="v (2): the same as v"),
    Case("names of months", lines("time,v", "{t:%d-%b-%Y %H:%M:%S},{v}")),
    Case("midnight without a clock", GERMAN.replace("13.01.2024 00:00:00;", "13.01.2024;")),
    Case("the end of a day", PLAIN.replace("2024-01-13 00:00:00", "2024-01-12 24:00:00")),
    Case("fractions after a comma", lines("time;v", "{t:%Y-%m-%d %H:%M:%S},000;{v}")),
    Case(
        "local time",
        PLAIN.replace("2024-01-13 00", "2024-01-13 01"),
        Layout(time_zone="Europe/Berlin"),
        said="in Europe/B",
    ),
    Case("decimal commas", GERMAN, said="commas are decimal"),
    Case("decimal commas in quotes", lines("time,v", '{t:%Y-%m-%d %H:%M},"{de}"')),
    Case(
        "index without a name", lines(",timestamp,v", "{n},{t:%Y-%m-%d %H:%M:%S},{v}"), said="column 1: without a name"
    ),
    Case("index called Unnamed: 0", lines("Unnamed: 0,timestamp,v", "{n},{t},{v}"), said="Unnamed: 0: counts the rows"),
    Case("empty column", lines("timestamp,v,x", "{t},{v},"), said="x: empty"),
    Case("constant column", lines("timestamp,v,x", "{t},{v},7"), said="x: constant"),
    Case("words", lines("timestamp,v,mode", "{t},{v},auto"), said="mode: no numbers ('auto')"),
    Case("booleans", lines("timestamp,v,on", "{t},{v},True"), said="on: no numbers"),
    Case("label beside nothing", lines("timestamp,v,Attack", "{t},{v},{n}"), said="Attack: tells by its name"),
    Case("separators at ends of rows", lines("timestamp;v", "{t};{v};"), said="column 3: empty"),
    Case("units", PLAIN.replace("v\n", "v\n[UTC],[°C]\n", 1), said="[UTC], [°C]"),
    Case("preamble", "Logger 5;\nSerial;17\n\n" + GERMAN, said="2 lines above the header"),
    Case("preamble without separators", "Logger 5\nSerial 17\n" + PLAIN, said="2 lines above the header"),
    Case("comments", "# a\n" + PLAIN + "# end\n", said="2 lines of comments"),
    Case("header in a comment", "# timestamp,v\n" + lines(""), said="the header is a comment"),
    Case("no header", lines(""), Layout(header=False)),
    Case("plain numbers", "\n".join(map(str, VALUES)), Layout(header=False, interval="1min", start="2024-01-13")),
    Case("blanks between numbers", lines("", " {n}  {v} "), Layout(header=False, interval="1 min", start="2024-01-13")),
    Case("tabs", lines("timestamp\tv", "{t}\t{v}")),
    Case("bars", lines("timestamp|v", "{t}|{v}")),
    Case("Excel's first line", "sep=;\n" + GERMAN),
    Case("quotes everywhere", lines('"timestamp","v"', '"{t}","{v}"')),
    Case("CRLF", lines("timestamp,v", end="\r\n")),
    Case("mark at the start", "\ufeff" + PLAIN),
    Case("UTF-16", PLAIN.encode("utf-16"), said="UTF-16"),
    Case("UTF-16 without a mark", PLAIN.encode("utf-16-le"), said="UTF-16-LE"),
    Case("cp1252", lines("timestamp,°C", "{t},{v}").encode("cp1252"), said="read as cp1252 ('timestamp,°C')"),
    Case("an encoding", lines("timestamp,°C").encode("cp1252"), Layout(encoding="cp1252")),
    Case("gzip", gzip.compress(PLAIN.encode())),
    Case("blank rows at the end", PLAIN + ",\n,\n", said="2 rows without any cell filled"),
    Case("newest first", "\n".join([*PLAIN.splitlines()[:1], *PLAIN.splitlines()[:0:-1]]), said="newest rows first"),
    Case(
        "one of two machines",
        lines("pump,timestamp,v", "A,{t},{v}\nB,{t},1"),
        Layout(by="pump=A"),
        said="12 of 24 rows",
    ),
]


def read(
    folder: Path, text: str | bytes, layout: Layout, columns: Columns, windows: Path | None = None
) -> list[Recording]:
    file = folder / "r.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_recordings([file], columns, layout, windows)


def account(recording: Recording) -> str:
    assert recording.account is not None
    return "\n".join(recording.account.lines())


@pytest.mark.parametrize("case", READ, ids=lambda case: case.name)
def test_it_is_the_same_recording_however_it_is_written(case: Case, tmp_path: Path) -> None:
    """Twelve minutes of one channel come out the same, and what was left out or assumed is said."""
    (found,) = read(tmp_path, case.text, case.layout, case.columns)
    assert found.times.tolist() == RIGHT.tolist()
    assert found.values.T.tolist() == [VALUES]
    assert case.said in account(found)


REFUSED = [
    Case(
        "a day that may be a month",
        lines("time,v", "05/{t:%m/%Y %H:%M},{v}"),
        said="--date-order (date_order) dmy or mdy",
    ),
    Case(
        "years before 1970",
        PLAIN.replace("2024", "1924"),
        said="line 2: '1924-01-13 00:00:00' in column 'timestamp' lies",
    ),
    Case("years after 2099", PLAIN.replace("2024", "2124"), said="outside 1970–2099"),
    Case(
        "too large an epoch", lines("time,v", "99999999999{n:02}0000000,{v}"), said="fit no unit between 1970 and 2099"
    ),
    Case("seconds and milliseconds", epoch(1) + "\n1705104720000,1\n", said="fit no unit"),
    Case(
        "offsets here and there", PLAIN.replace("00:05:00", "00:05:00Z"), said="line 2: '2024-01-13 00:00:00' in column"
    ),
    Case("an abbreviated zone of two meanings", lines("time,v", "{t} IST,{v}"), said="'IST' can be several time zones"),
    Case("JSON", '[{"time": "2024-01-13", "v": 1}]', said="is JSON, not a table"),
    Case("HTML", "<!DOCTYPE html><table>", said="is HTML or XML, not a table"),
    Case("packed otherwise", b"BZh91AY", said="is packed by bzip2"),
    Case("why nothing is left", lines("time,v", "{t},{v} bar"), said="Left out: v: no numbers ('70.5 bar'"),
    Case("machines by their names", lines("time,sensor,v", "{t},p{n},{v}"), said="--by sensor"),
    Case("machines in German", lines("time,Maschine,v", "{t},1{n},{v}"), said="--by Maschine"),
    Case("a word for a time", PLAIN + "later,7\n", said="line 14: 'later' in column 'timestamp' is no time"),
    Case("no such zone", PLAIN, Layout(time_zone="Berlin"), said="no time zone 'Berlin'"),
    Case("machines in turn", lines("timestamp,who,v", "{t},A,{v}\n{t},B,1"), said="--by COLUMN (by); it may be who"),
    Case("numbers of machines", lines("timestamp,machineID,v", "{t},1{n},{v}"), said="--by machineID"),
    Case(
        "no such machine",
        lines("timestamp,who,v", "{t},A,{v}"),
        Layout(by="who=B"),
        said="no 'B' in column 'who'; it has A",
    ),
    Case("a field too many", lines("timestamp,v", "{t},{v},192"), said="line 2: 3 fields where the header has 2"),
    Case("a field too few", PLAIN + "# x\n\n2024-01-13\n", said="line 16: 1 field where the header has 2"),
    Case(
        "points and commas",
        GERMAN + "13.01.2024 00:12:00;1.5\n",
        said="mixes decimal commas and points ('70,5', '1.5')",
    ),
    Case(
        "a comma of two meanings",
        lines("time,v", '{t},"7{n:02}"').replace('"7', '"7,0'),
        said="can be read in two ways",
    ),
    Case(
        "two columns of one name",
        lines("timestamp,v,v", "{t},{v},1"),
        columns=Columns(values=("v",)),
        said="two columns",
    ),
    Case("no header", lines(""), said="--no-header"),
    Case("a label as a value", lines("time,v,fault", "{t},{v},1"), columns=Columns(values=("fault",)), said="no input"),
    Case("mostly words", lines("time,v", "{t},on"), columns=Columns(values=("v",)), said="holds no number, but 'on'"),
    Case("neither times nor interval", "v\n1\n2.5\n", said="--interval"),
    Case("an interval without a unit", "v\n1\n2.5\n", Layout(interval="15"), said="write it like 15min"),
    Case("a start alone", PLAIN, Layout(start="2024-01-01"), said="--start is the first row's time"),
    Case("a workbook", b"PK\x03\x04", said="is an Excel workbook"),
    Case("one endless field", "a" * 200_000 + ";v\n2024-01-13;1\n", said="cannot be read as a table"),
    Case("nothing", "", said="is empty"),
    Case("a header alone", "timestamp,v\n", said="only a header"),
    Case("another encoding", "timestamp,°C\n".encode("cp1252"), Layout(encoding="utf-8"), said="line 1: not utf-8"),
    Case("no encoding", PLAIN, Layout(encoding="klingon"), said="no encoding 'klingon'"),
    Case("two labels", lines("time,v,label,anomaly", "{t},{v},0,0"), said="label, anomaly all look like labels"),
    Case("words for labels", lines("time,v,label", "{t},{v},ok"), said="holds 'ok' (12); a label is 0 or 1"),
    Case("1 and -1", lines("time,v,label", "{t},{v},1") + "2024-01-14,1,-1\n", said="'1' (12), '-1' (1)"),
    Case("0 and 2", lines("time,v,label", "{t},{v},0") + "2024-01-14,1,2\n", said="--faulty VALUE"),
    Case("a label of -999", lines("time,v,label", "{t},{v},0") + "2024-01-14,1,-999\n", said="'-999' (1)"),
    Case("an empty label", lines("time,v,label", "{t},{v},0") + "2024-01-14,1,\n", said="nothing (1)"),
    Case("no such fault", lines("time,v,label", "{t},{v},0"), columns=Columns(faulty=("2",)), said="no such value"),
    Case("faulty without labels", PLAIN, columns=Columns(faulty=("2",)), said="--label-column"),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_not_certain_is_refused(case: Case, tmp_path: Path) -> None:
    """The error names the file, the line or column, and the way out."""
    with pytest.raises(UsageError) as caught:
        read(tmp_path, case.text, case.layout, case.columns)
    assert case.said in str(caught.value)


@pytest.mark.parametrize(
    ("cells", "layout", "right", "said"),
    [
        (["1.234,5", "999,5"], Layout(), [1234.5, 999.5], "commas are decimal"),
        (["1,234.5", "999.5"], Layout(), [1234.5, 999.5], ""),
        (["1'234.5", "999.5"], Layout(), [1234.5, 999.5], ""),
        (["1 234,5", "12 345 999,5"], Layout(), [1234.5, 12345999.5], ""),
        (["70,515", "70,667"], Layout(), [70.515, 70.667], "'70,515' in 'v' is read as 70.515"),
        (["70,515", "70,667"], Layout(decimal="."), [70515, 70667], ""),
        (["70", "71"], Layout(decimal=","), [70, 71], ""),
        (["1,5E+02", "−3,25"], Layout(), [150, -3.25], ""),
        (["1.5", "Bad Input", "#N/A", "-", "NaN", "", "3"], Layout(), [1.5] * 6 + [3], "'Bad Input' 1 time"),
        (["Bad", "1.5", "inf", "3"], Layout(), [1.5, 1.5, 1.5, 3], "the one after it"),
        (["1.5", "-999.0", "3"], Layout(missing=("-999",)), [1.5, 1.5, 3], "'-999' 1 time"),
        (["1.5", "kaputt", "3"], Layout(missing=("Kaputt",)), [1.5, 1.5, 3], "'Kaputt' 1 time"),
        (["1.5", "-999", "-999", "-999", "3"], Layout(), [1.5, -999, -999, -999, 3], "say --missing -999"),
    ],
)  # fmt: skip
def test_numbers(cells: list[str], layout: Layout, right: list[float], said: str, tmp_path: Path) -> None:
    """Marks, groups, holes and values that mean "no reading", after semicolons."""
    rows = [f"2024-01-13 00:{n:02}:00;{cell}" for n, cell in enumerate(cells)]
    (found,) = read(tmp_path, "\n".join(["time;v", *rows]), layout, Columns())
    assert found.values[:, 0].tolist() == right and said in account(found)


def test_points_group_thousands_where_another_column_has_decimal_commas(tmp_path: Path) -> None:
    """1.234 beside 7,5 is 1234."""
    text = "time;a;b\n2024-01-13 00:00;1.234;7,5\n2024-01-13 00:01;1.236;7,25\n"
    (found,) = read(tmp_path, text, Layout(), Columns())
    assert found.values.tolist() == [[1234, 7.5], [1236, 7.25]]


def test_a_clock_that_is_put_back_and_forward(tmp_path: Path) -> None:
    """The repeated hour is read twice, the skipped one by the offset before it, and both are said."""
    zone = Layout(time_zone="Europe/Berlin")
    autumn = "time,v\n" + "".join(
        f"2024-10-27 {c},{n * n}\n" for n, c in enumerate(("01:30", "02:30", "02:30", "03:30"))
    )
    (found,) = read(tmp_path, autumn, zone, Columns())
    assert np.diff(found.times).astype("timedelta64[m]").astype(int).tolist() == [60, 60, 60]
    assert str(found.times[0]) == "2024-10-26T23:30:00.000000" and "1 are of the hour's first pass" in account(found)
    spring = "time,v\n" + "".join(
        f"2024-03-31 {clock},{n * n}\n" for n, clock in enumerate(("01:30", "02:30", "04:30"))
    )
    (found,) = read(tmp_path, spring, zone, Columns())
    assert np.diff(found.times).astype("timedelta64[m]").astype(int).tolist() == [60, 60]
    assert "skipped 1 time" in account(found)


def test_machines_in_one_file_are_recordings_of_their_own(tmp_path: Path) -> None:
    """Each machine has its rows, its holes and its name; a hole takes no value of another machine."""
    text = lines("pump,timestamp,v", "A,{t},{v}\nB,{t},1{n}") + "B,2024-01-13 00:12:00,\n"
    one, two = read(tmp_path, text, Layout(by="pump"), Columns())
    assert (one.name, two.name) == ("r A", "r B") and one.times.tolist() == RIGHT.tolist()
    assert one.values[:, 0].tolist() == VALUES and two.values[-1, 0] == 111


@pytest.mark.parametrize(
    ("words", "faulty"),
    [
        ("0 1", ()),
        ("0.0 1.0", ()),
        ("False TRUE", ()),
        ("no Yes", ()),
        ("1 -1", ("-1",)),
        ("Normal Attack", ("attack",)),
    ],
)
def test_labels(words: str, faulty: tuple[str, ...], tmp_path: Path) -> None:
    """Usual words, and others where it is told which mean a fault."""
    values = [words.split()[label] for label in LABELS]
    rows = [f"{t},{v},{label}" for t, v, label in zip(MINUTES, VALUES, values, strict=True)]
    (found,) = read(tmp_path, "\n".join(["time,v,label", *rows]), Layout(), Columns(faulty=faulty))
    assert found.truth is not None and found.truth.astype(int).tolist() == LABELS and found.scored.all()
    assert found.channels == ("v",)


@pytest.mark.parametrize(
    ("name", "step", "seconds"),
    [("time_ms", 3_600_000, 3_600), ("Time (min)", 1, 60), ("time [h]", 2, 7_200), ("Time (s)", 90_000, 90_000)],
)
def test_the_columns_name_tells_the_unit_of_times_since_the_start(
    name: str, step: int, seconds: int, tmp_path: Path
) -> None:
    """Milliseconds, minutes and hours, however long it took."""
    text = f"{name},v\n" + "".join(f"{step * n},{n * n}\n" for n in range(20))
    (found,) = read(tmp_path, text, Layout(), Columns(time=name))
    assert found.interval_s == seconds and "since the start" in account(found)


def test_hours_in_ten_digits_are_no_seconds(tmp_path: Path) -> None:
    """2024011300 is an hour of 2024, not a second of 2034."""
    text = "date,v\n" + "".join(f"{2024011300 + n},{n * n}\n" for n in range(20))
    (found,) = read(tmp_path, text, Layout(), Columns())
    assert found.interval_s == 3_600 and str(found.times[0]).startswith("2024-01-13T00:00")


@pytest.mark.parametrize("value", ["32767", "6999", "-3.4028235e+38"])
def test_ends_of_a_range_are_pointed_at(value: str, tmp_path: Path) -> None:
    """What comes again and again, far from all others, may mean "no reading": taken as said, it is a hole."""
    text = PLAIN + "".join(f"2024-01-14 00:0{n}:00,{value}\n" for n in range(3))
    (found,) = read(tmp_path, text, Layout(), Columns())
    way_out = account(found).partition("say --missing ")[2].splitlines()[0]
    (found,) = read(tmp_path, text, Layout(missing=(way_out,)), Columns())
    assert found.values[-3:, 0].tolist() == [VALUES[-1]] * 3


@pytest.mark.parametrize(("word", "missing"), [("nan", ()), ("-999", ("-999",))])
def test_rows_whose_label_means_a_hole_are_not_scored(word: str, missing: tuple[str, ...], tmp_path: Path) -> None:
    """Usual words for a hole, and values that were named as such, tell nothing."""
    text = lines("time,v,label", "{t},{v},0") + f"2024-01-13 00:12:00,1,{word}\n2024-01-13 00:13:00,1,1\n"
    (found,) = read(tmp_path, text, Layout(missing=missing), Columns(faulty=("1",)))
    assert found.scored.tolist() == [True] * 12 + [False, True]


def test_rows_without_a_label_are_not_scored(tmp_path: Path) -> None:
    """Where it is told what means a fault, an empty label tells nothing."""
    text = lines("time,v,label", "{t},{v},0") + "2024-01-13 00:12:00,1,\n2024-01-13 00:13:00,1,1\n"
    (found,) = read(tmp_path, text, Layout(), Columns(faulty=("1",)))
    assert found.scored.tolist() == [True] * 12 + [False, True] and "1 row without a label" in account(found)


PAIR = json.dumps([HOT])
DAY_FIRST = lines("time,v", "{t:%d/%m/%Y %H:%M:%S},{v}").replace("13/01", "03/02") + "14/02/2024 00:00:00,1\n"


@pytest.mark.parametrize(
    "windows",
    [
        PAIR,
        "\ufeff" + PAIR,
        PAIR.encode("utf-16"),
        json.dumps({"x/r.csv": [HOT]}),
        json.dumps({"r": [HOT]}),
        json.dumps([[f"{HOT[0]}+00", f"{HOT[1]}+00"]]),
        json.dumps([["13.01.2024 01:08 CET", "13.01.2024 01:10 CET"]]),
        "start_date,start_time,end_date,end_time\n" + ",".join(HOT).replace(" ", ",") + "\n",
        "Start Date;Start Time;End Date;End Time\n13.01.2024;00:08;13.01.2024;00:10\n",
        f"start,end,anomaly\n{','.join(HOT)},1\n",
        json.dumps([{"start": HOT[0], "end": HOT[1]}]),
        json.dumps([["2024-01-13T05:38:00+05:30", "2024-01-13T05:40:00+05:30"]]),
        json.dumps([[1705104480, 1705104600]]),
        json.dumps([[1705104480000, 1705104600000.0]]),
        json.dumps([str(t) for t in MINUTES[8:11]]),
        json.dumps([[HOT[0], "2024-01-13 00:09:00"], ["2024-01-13 00:09:00", HOT[1]]]),
        f"start,end\n{','.join(HOT)}\n",
        f"\ufeffBegin;Ende\n{';'.join(HOT)}\n",
        f"end,start\n{HOT[1]},{HOT[0]}\n",
        f"id,from,to,what\n7,{','.join(HOT)},hot\n",
        f"{','.join(HOT)}\n",
        f"1\t{HOT[0]}\t{HOT[1]}\n",
        f"file,start,end\nr.csv,{','.join(HOT)}\nother.csv,2023-01-01,2023-01-02\n",
        "timestamp\n" + "\n".join(str(t) for t in MINUTES[8:11]) + "\n",
        "start,end\n1705104480,1705104600\n",
    ],
)
def test_windows(windows: str | bytes, tmp_path: Path) -> None:
    """Pairs and moments, JSON and tables, offsets and epochs: the same three rows are wrong."""
    file = tmp_path / "w"
    file.write_bytes(windows if isinstance(windows, bytes) else windows.encode())
    (found,) = read(tmp_path, PLAIN, Layout(), Columns(), file)
    assert found.truth is not None and found.truth.astype(int).tolist() == LABELS
    assert found.windows is not None and [[str(t)[:19].replace("T", " ") for t in w] for w in found.windows] == [HOT]


def test_windows_follow_the_recordings_convention(tmp_path: Path) -> None:
    """Days stand first in the windows because they do in the recording; local times are of its zone."""
    file = tmp_path / "w.csv"
    file.write_text("start,end\n03/02/2024 00:08:00,03/02/2024 00:10:00\n")
    (found,) = read(tmp_path, DAY_FIRST, Layout(time_zone="Europe/Berlin"), Columns(), file)
    assert found.truth is not None and found.truth.astype(int).tolist() == [*LABELS, 0]


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        (json.dumps([["2023-01-13 00:08", "2023-01-13 00:10"]]), "no row lies in the window 2023-01-13 00:08 to"),
        (json.dumps([HOT, ["2025-01-13", "2025-01-14"]]), "no row lies in the window 2025-01-13 to 2025-01-14"),
        (json.dumps([["2024-01-13 00:08:10", "2024-01-13 00:08:50"]]), "no row lies in the window"),
        (json.dumps([HOT[::-1]]), "ends before it starts"),
        (json.dumps([[HOT[0], None]]), "neither a moment nor [start, end]"),
        (json.dumps([[HOT[0]]]), "neither a moment nor [start, end]"),
        (json.dumps([["soon", "late"]]), "'soon' is no time"),
        ("[]", "there is no window in it"),
        (f'{{"r.csv": [["{HOT[0]}", "{HOT[1]}"]], "r.csv": []}}', "'r.csv' stands there twice"),
        (f"start,end,label\n{','.join(HOT)},1\n{','.join(HOT)},normal\n", "line 3: 'label' is 'normal', and every row"),
        ("timestamp,anomaly\n2024-01-13 00:01:00,0\n", "line 2: 'anomaly' is '0', and every row"),
        (json.dumps({"other.csv": [HOT]}), "no windows for r.csv: it has some for other.csv"),
        ('{"a":', "is no file of windows"),
        ("start,end\n03/02/2024,04/02/2024\n", "--date-order"),
        (f"start,end\n{HOT[0]},\n", "a window has no end"),
        (f"a,b,c\n{HOT[0]},{HOT[1]},{HOT[1]}\n", "call them start and end"),
    ],
)  # fmt: skip
def test_windows_that_mean_nothing_are_refused(windows: str, said: str, tmp_path: Path) -> None:
    """The error names the file of windows, the window and the rule."""
    file = tmp_path / "w"
    file.write_text(windows)
    with pytest.raises(UsageError) as caught:
        read(tmp_path, PLAIN, Layout(), Columns(), file)
    assert said in str(caught.value) and str(file) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["anomaly", "is_anomaly", "ATTACK", "Fault_Type", "class", "target", "changepoint", "copy"]
)
def test_what_tells_the_truth_is_never_an_input(name: str, tmp_path: Path) -> None:
    """Beside windows a column of labels, whatever its name, or a copy of the truth is left out, and that is said."""
    rows = [f"{t},{v},{label}" for t, v, label in zip(MINUTES, VALUES, LABELS, strict=True)]
    file = tmp_path / "w.json"
    file.write_text(PAIR)
    (found,) = read(tmp_path, "\n".join([f"time,v,{name}", *rows]), Layout(), Columns(), file)
    assert found.channels == ("v",) and f"left out: {name}: " in account(found)


@pytest.mark.parametrize("levels", [(0, 100), (3, 7), (0.01, 0.99)])
def test_nearly_the_truth_is_never_an_input(levels: tuple[float, float], tmp_path: Path) -> None:
    """Whatever its two values: a column that parts the rows as the windows do, a row late, is left out."""
    text = "time,v,mode\n" + "".join(
        f"2024-01-13 {n // 60:02}:{n % 60:02},{n * n % 17},{levels[20 <= n < 40]}\n" for n in range(60)
    )
    file = tmp_path / "w.json"
    file.write_text(json.dumps([["2024-01-13 00:19", "2024-01-13 00:39"]]))
    (found,) = read(tmp_path, text, Layout(), Columns(), file)
    assert found.channels == ("v",) and "mode: the label once more" in account(found)


def test_single_moments_are_told(tmp_path: Path) -> None:
    """A list of two times is two moments, not a window, and that is said."""
    file = tmp_path / "w.json"
    file.write_text(json.dumps(HOT))
    (found,) = read(tmp_path, PLAIN, Layout(), Columns(), file)
    assert found.truth is not None and found.truth.sum() == 2 and "w.json: single moments" in account(found)


def test_folders_hold_files_whatever_their_ending_is_written_like(tmp_path: Path) -> None:
    """A.CSV and b.csv.gz are recordings of a folder; ._A.csv is what a system left there."""
    for name in ("A.CSV", "b.csv.gz", "notes.txt", "._A.csv"):
        (tmp_path / name).write_text("")
    assert [file.name for file in files_of([tmp_path])] == ["A.CSV", "b.csv.gz"]


def test_the_command_says_what_it_read(tmp_path: Path) -> None:
    """`score` prints channels, span, interval and what was left out; with --json they are fields."""
    rng = np.random.default_rng(1)
    rows = [f"{i};{datetime(2024, 1, 1) + timedelta(minutes=5 * i)};{rng.normal(70):.2f}" for i in range(600)]
    file = tmp_path / "m.CSV"
    file.write_text("\n".join([";Zeit;Wert", *rows]).replace(".", ",") + "\n")
    said = CliRunner().invoke(app, ["score", str(file)])
    assert said.exit_code == 0
    for part in (
        "600 rows",
        "2024-01-01 00:00:00 to 2024-01-03 01:55:00 UTC",
        "every 5 min",
        "channels: Wert",
        "column 1",
    ):
        assert part in said.stderr
    told = json.loads(CliRunner().invoke(app, ["score", str(file), "--json"]).stdout)["accounts"][0]
    assert (told["channels"], told["rows"], told["interval_s"]) == (["Wert"], 600, 300)
    assert told["left_out"] == ["column 1: without a name"]
    assert str(file.parent) not in json.dumps(told) and told["file"] == file.name  # an account is handed on
    wrong = CliRunner().invoke(app, ["score", str(file), "--date-order", "xyz"])
    assert isinstance(wrong.exception, UsageError) and "--date-order" in str(wrong.exception)
