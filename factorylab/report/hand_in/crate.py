"""What the hand-in is, for machines: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), a JSON-LD file beside the data."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from factorylab.report.hand_in.told_run import ToldRun

NAME = "ro-crate-metadata.json"
LICENSE = {"@id": "#license", "@type": "CreativeWork", "name": "Not declared: whoever hands this in decides"}
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
TERMS = {"sha256": "https://schema.org/sha256"}
KINDS = {".md": "text/markdown", ".webp": "image/webp", "": "text/plain"}
ABOUT = {
    "report.html": "The final report",
    "report.md": "The final report as Markdown",
    "report.pdf": "The final report for print",
    "performance.csv": "The numbers of each run, one row a run",
    "configuration.csv": "Every recorded setting: run, part, setting, value",
    "SHA256SUMS": "SHA-256 of each file, for 'sha256sum -c'",
}


def metadata(runs: Sequence[ToldRun], files: Mapping[str, bytes]) -> bytes:
    """The metadata of a hand-in that has these `files`, and SHA256SUMS besides."""
    entities = [_descriptor(), _root(runs, [*files, "SHA256SUMS"])]
    about = {name: text for told in runs for name, text in described(told).items()}
    entities += [_file(name, content) | about.get(name, {}) for name, content in files.items()]
    entities += [_entity("SHA256SUMS"), LICENSE, _software(runs), *map(_action, runs), *map(_folder, runs)]
    graph = {"@context": [CONTEXT, TERMS], "@graph": entities}
    return json.dumps(graph, indent=1, ensure_ascii=False).encode() + b"\n"


def _descriptor() -> dict[str, Any]:
    return {
        "@id": NAME,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }


def _root(runs: Sequence[ToldRun], files: Sequence[str]) -> dict[str, Any]:
    scenarios = ", ".join(dict.fromkeys(told.verdict.title for told in runs))
    parts = [*files, *(f"runs/{told.name}/" for told in runs)]
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": "Failures of a sensor pipeline on Apache Kafka: final report and evidence",
        "description": f"Reports, figures, verdicts, annotated logs and configuration of the scenarios {scenarios}.",
        "datePublished": _date(max(told.manifest.started_wall_ns for told in runs)),
        "license": {"@id": LICENSE["@id"]},
        "hasPart": [{"@id": part} for part in parts],
        "mentions": [{"@id": f"#{told.name}"} for told in runs],
    }


def _file(name: str, content: bytes) -> dict[str, Any]:
    return _entity(name) | {"contentSize": str(len(content)), "sha256": sha256(content).hexdigest()}


def described(told: ToldRun) -> dict[str, dict[str, str]]:
    """File → what is to be seen in it, in words."""
    found = {figure.file: {"description": figure.alt} for figure in told.figures}
    return found | {path: {"description": f"{told.title}: {file.about}"} for path, file in told.live_files.items()}


def _entity(name: str) -> dict[str, Any]:
    ending = name[name.rfind(".") :] if "." in name.rpartition("/")[2] else ""
    kind = KINDS.get(ending) or mimetypes.types_map.get(ending) or "application/octet-stream"
    return {"@id": name, "@type": "File", "name": ABOUT.get(name, name), "encodingFormat": kind}


def _software(runs: Sequence[ToldRun]) -> dict[str, Any]:
    versions = dict.fromkeys(told.manifest.versions.get("factorylab", "not recorded") for told in runs)
    return {"@id": "#factorylab", "@type": "SoftwareApplication", "name": "factorylab", "version": ", ".join(versions)}


def _action(told: ToldRun) -> dict[str, Any]:
    """That the run was made; a verdict that is not the expected one is no failure of the action."""
    return {
        "@id": f"#{told.name}",
        "@type": "CreateAction",
        "name": f"{told.title}: {told.verdict.verdict}",
        "startTime": _date(told.manifest.started_wall_ns),
        "instrument": {"@id": "#factorylab"},
        "result": {"@id": f"runs/{told.name}/"},
    }


def _folder(told: ToldRun) -> dict[str, Any]:
    return {"@id": f"runs/{told.name}/", "@type": "Dataset", "name": f"Verdict, scenario and seal of {told.title}"}


def _date(wall_ns: int) -> str:
    return f"{datetime.fromtimestamp(wall_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}"
