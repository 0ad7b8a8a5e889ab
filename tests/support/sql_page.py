"""The queries of docs/sql.md, taken from the page itself, so that what is tested is what people copy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.support.places import ROOT

PAGE = ROOT / "docs" / "sql.md"
MOMENT = "2026-01-31 10:42+00"
SENSOR = "temperature-00003"
SCHEMA = "run_4f63f6"


@dataclass(frozen=True)
class Example:
    """`intro` are the words before it; `indexes` are those that it promises to use, none where it promises none."""

    intro: str
    indexes: tuple[str, ...]
    query: str


def examples(schema: str, moment: str, sensor: str = SENSOR) -> list[Example]:
    """All queries of the page, for another schema, and with another minute than 10:42 and another sensor."""
    text = PAGE.read_text()
    (_, path), *found = re.findall(r"([^\n]+)\n\n```sql\n(.*?)```", text, re.DOTALL)
    assert len(found) == text.count("```sql") - 1
    made = []
    for intro, query in found:
        promised = re.match(r"-- plan: (.*)\n", query)
        indexes = tuple(promised[1].split(", ")) if promised else ()
        whole = path.replace(SCHEMA, schema) + query.replace(MOMENT, moment).replace(SENSOR, sensor)
        made.append(Example(intro, indexes, whole.replace("{", "{{").replace("}", "}}")))
    return made
