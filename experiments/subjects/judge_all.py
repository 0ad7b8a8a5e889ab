"""Judge the programs of this folder: is each planted bug found, and does each repaired twin pass?

    python experiments/subjects/judge_all.py [--runs N] [NAME ...]

A program whose tool chain is not here is skipped, with the reason. Each run takes about a minute and a half. The exit
code is 0 where every run came out as it should.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = ("{python}",)
LOST, DOUBLED = "lost_in_pipeline", "duplicate_in_store"


def nothing_lacks() -> str:
    return ""


def java_lacks() -> str:
    return "" if shutil.which("java") else "there is no java on PATH"


def node_lacks() -> str:
    if shutil.which("node") is None:
        return "there is no node on PATH"
    there = (HERE / "node/node_modules/kafkajs").is_dir()
    return "" if there else "kafkajs is not installed: npm install --prefix experiments/subjects/node"


def go_lacks() -> str:
    if all((HERE / "go/bin" / name).is_file() for name in ("in_background", "in_line")):
        return ""
    return "not built: cd experiments/subjects/go && mkdir -p bin && go build -o bin ./..."


def quix_python() -> str:
    return os.environ.get("QUIX_PYTHON", sys.executable)


def quix_lacks() -> str:
    asked = [quix_python(), "-c", "import importlib.util as i; exit(i.find_spec('quixstreams') is None)"]
    there = subprocess.run(asked, check=False).returncode == 0
    return "" if there else "quixstreams is not installed: name a Python that has it in QUIX_PYTHON"


@dataclass(frozen=True)
class Pair:
    """A program with a bug, its twin, what the bug is found as, and what of a tool chain is lacking."""

    bug: tuple[str, ...]
    twin: tuple[str, ...]
    found_as: str
    options: tuple[str, ...] = ()
    lacks: Callable[[], str] = nothing_lacks


def of_python(name: str, found_as: str, *options: str) -> Pair:
    bug, twin = (str(HERE / f"{name}{tail}.py") for tail in ("", "_repaired"))
    return Pair((*PYTHON, bug), (*PYTHON, twin), found_as, options)


JAVA = ("java", "-cp", "{jars}/*")
PAIRS = {
    "auto_commit": of_python("auto_commit", LOST),
    "commit_before_write": of_python("commit_before_write", LOST),
    "write_without_key": of_python("write_without_key", DOUBLED),
    "buffered_file": of_python("buffered_file", LOST, "--file", str(HERE / "out/{run}-{instance}.jsonl")),
    "java": Pair(
        (*JAVA, str(HERE / "java/CommitBeforeAck.java")),
        (*JAVA, str(HERE / "java/Transactional.java")),
        LOST,
        ("--topic",),
        java_lacks,
    ),
    "node": Pair(
        ("node", str(HERE / "node/not_awaited.js")), ("node", str(HERE / "node/awaited.js")), LOST, (), node_lacks
    ),
    "go": Pair((str(HERE / "go/bin/in_background"),), (str(HERE / "go/bin/in_line"),), LOST, (), go_lacks),
    "quixstreams": Pair(
        (quix_python(), str(HERE / "stream_at_least_once.py")),
        (quix_python(), str(HERE / "stream_exactly_once.py")),
        DOUBLED,
        ("--topic",),
        quix_lacks,
    ),
}


def fired(command: tuple[str, ...], options: tuple[str, ...]) -> list[str] | None:
    """The claims that fired in one run, in the order of their names; None where it proves nothing, or did not end."""
    asked = [sys.executable, "-m", "factorylab", "judge", "--json", *options, "--", *command]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    try:
        verdict = json.loads(done.stdout)
    except ValueError:
        verdict = {"verdict": "INVALID"}
    if verdict["verdict"] == "INVALID":
        print(done.stderr, file=sys.stderr)
        return None
    return sorted(check["name"] for check in verdict["checks"] if check["verdict"] != "PASS" and check["asked"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PAIRS)}; default: all")
    parser.add_argument("--runs", type=int, default=1, help="of each program")
    given = parser.parse_args()
    if unknown := sorted({*given.names} - {*PAIRS}):
        parser.error(f"no program {', '.join(unknown)}: there are {', '.join(PAIRS)}")
    wrong = 0
    for name in given.names or PAIRS:
        pair = PAIRS[name]
        if why := pair.lacks():
            print(f"{name}: skipped, {why}", flush=True)
            continue
        bugs = [fired(pair.bug, pair.options) for _ in range(given.runs)]
        found = sum(run is not None and pair.found_as in run for run in bugs)
        print(f"{name}: its bug was found in {found} of {given.runs} runs:", *bugs, flush=True)
        twins = [fired(pair.twin, pair.options) for _ in range(given.runs)]
        passed = twins.count([])
        print(f"{name}: its twin passed in {passed} of {given.runs} runs", *filter(None, twins), flush=True)
        wrong += 2 * given.runs - found - passed
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
