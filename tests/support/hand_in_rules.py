"""What a hand-in has to keep: its checksums, the rules of RO-Crate 1.1, and that what its report shows is in it.

    python -m tests.support.hand_in_rules FOLDER        says what is wrong; the exit code is 1 then

The rules are those that the specification has as MUST (https://www.researchobject.org/ro-crate/specification/1.1/):
"RO-Crate Structure", "Root Data Entity", "Data Entities" and the flattened form of "RO-Crate JSON-LD".
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote

METADATA, SUMS = "ro-crate-metadata.json", "SHA256SUMS"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
ROOT_HAS = ("name", "description", "datePublished", "license")
DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\dZ)?")
REFERS = re.compile(r'(?:src|href)="(?!#)([^"]*)"')
NO_ALT = re.compile(r'<img (?![^>]*alt="[^"]+")[^>]*>')


def read(folder: Path) -> dict[str, bytes]:
    """Path → content of all files below the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wrong(files: Mapping[str, bytes]) -> list[str]:
    """What is wrong with a hand-in of these files, in words; empty where all is right."""
    lacks = [f"there is no {name}" for name in ("report.md", "report.html", METADATA, SUMS) if name not in files]
    return lacks or [*_sums(files), *_crate(json.loads(files[METADATA]), files), *_report(files)]


def _sums(files: Mapping[str, bytes]) -> Iterator[str]:
    told = dict(reversed(line.split("  ", 1)) for line in files[SUMS].decode().splitlines())
    made = {name: sha256(content).hexdigest() for name, content in files.items() if name != SUMS}
    for name in sorted(told.keys() | made.keys()):
        if told.get(name) != made.get(name):
            yield f"{name} is not as {SUMS} has it"


def _crate(crate: dict[str, Any], files: Mapping[str, bytes]) -> Iterator[str]:
    graph = crate["@graph"]
    entities = {entity["@id"]: entity for entity in graph}
    if f"{SPECIFICATION}/context" not in crate["@context"] or len(entities) != len(graph):
        yield "the context is not that of RO-Crate 1.1, or two entities have one @id"
    descriptor, root = entities.get(METADATA, {}), entities.get("./", {})
    if descriptor.get("conformsTo") != {"@id": SPECIFICATION} or descriptor.get("about") != {"@id": "./"}:
        yield "the descriptor does not say what it conforms to and is about"
    yield from (f"the root has no {name}" for name in ROOT_HAS if not root.get(name))
    if not DATE.fullmatch(root.get("datePublished", "")):
        yield "the date is none of ISO 8601, to the day at least"
    known = {name for name, entity in entities.items() if entity["@type"] == "File"}
    yield from (f"{name} is no entity, or no file" for name in sorted(known ^ (files.keys() - {METADATA})))
    parts = {part["@id"] for part in root.get("hasPart", [])}
    yield from (f"{name} is no part of the root" for name in sorted(known - parts))
    for entity in graph:
        yield from (f"{name} is referred to and nowhere described" for name in _references(entity) - entities.keys()
                    if not name.startswith("https://"))  # fmt: skip


def _references(entity: dict[str, Any]) -> set[str]:
    values = [one for value in entity.values() for one in (value if isinstance(value, list) else [value])]
    return {one["@id"] for one in values if isinstance(one, dict)}


def _report(files: Mapping[str, bytes]) -> Iterator[str]:
    page = files["report.html"].decode()
    yield from (f"the report refers to {name}, which is not here" for name in REFERS.findall(page)
                if unquote(name) not in files)  # fmt: skip
    yield from (f"{image} has no text in its place" for image in NO_ALT.findall(page))


if __name__ == "__main__":
    found = wrong(read(Path(sys.argv[1])))
    print("\n".join(found) or "whole: checksums, RO-Crate 1.1, and all that the report refers to")
    sys.exit(bool(found))
