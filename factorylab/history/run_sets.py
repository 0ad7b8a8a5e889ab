"""Which runs a word on the command line names, where it may be several: a set."""

from __future__ import annotations

from pathlib import Path

from factorylab.core.errors import UsageError
from factorylab.history import batch_record, campaign_file
from factorylab.history.run_folders import RunFolder, find, list_runs

CAMPAIGN = "campaign-"


def find_all(results: Path, word: str) -> list[RunFolder]:
    """The runs that `word` names, oldest first: a run (as `run_folders.find` has it), a scenario (all of its runs), a
    batch by its record ("batch-quick", or the file's path), or a folder of runs.

    Runs that did not finish are among them: whoever counts runs must say so.

    Raises:
        UsageError: nothing fits.
    """
    path = Path(word)
    if (path / "raw" / "scenario.json").exists():
        return [find(results, word)]
    record = path if path.suffix == ".json" else results / f"{word}.json"
    if record.match(batch_record.FILES) and record.is_file():
        return [RunFolder(record.parent / item.path) for item in batch_record.read(record)]
    of_scenario = [run for run in list_runs(results) if run.path.parent.name == word]
    if not of_scenario and path.is_dir():
        return _below(path)
    return of_scenario or [find(results, word)]


def campaign_of(results: Path, word: str) -> Path | None:
    """The campaign's file that `word` names: its path, or "campaign-NAME". None: it names none.

    Raises:
        UsageError: there is no campaign of the name.
    """
    path = Path(word)
    if path.suffix == campaign_file.ENDING:
        return path
    if not word.startswith(CAMPAIGN):
        return None
    path = campaign_file.path_of(results, word.removeprefix(CAMPAIGN))
    if not path.is_file():
        raise UsageError(f"there is no campaign {word!r}: {path} is not there; 'factorylab record' makes it")
    return path


def _below(folder: Path) -> list[RunFolder]:
    """The runs in a folder, or in the folders of it.

    Raises:
        UsageError: there is none.
    """
    files = [*folder.glob("*/raw/scenario.json"), *folder.glob("*/*/raw/scenario.json")]
    if not files:
        raise UsageError(f"{folder} is no run and has none in it; see 'factorylab runs'")
    return sorted((RunFolder(file.resolve().parent.parent) for file in files), key=lambda run: run.path.name)
