"""What of a batch is done, on disk after every run: `batch-<name>.json` beside the runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from factorylab.core.errors import UsageError
from factorylab.core.files import write_durably

FILES = "batch-*.json"


class Planned(msgspec.Struct, frozen=True):
    """Repetition `round_no` of entry `entry`; `path` is its run's folder, below the record's, once it is done."""

    entry: int
    round_no: int
    path: str = ""


def path_of(results: Path, name: str) -> Path:
    """Where the record of the batch of this name lies."""
    return results / FILES.replace("*", name)


def read(path: Path) -> list[Planned]:
    """The runs of a batch that are done and whose folders are still whole.

    Raises:
        UsageError: the file is no such record.
    """
    try:
        known = msgspec.json.decode(path.read_bytes(), type=list[Planned])
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} is not the record of a batch ({error})") from None
    return [item for item in known if (path.parent / item.path / "raw" / "seal.json").exists()]


def write(path: Path, done: Sequence[Planned]) -> None:
    """Replace the record in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_durably(path, msgspec.json.format(msgspec.json.encode(done), indent=2))
