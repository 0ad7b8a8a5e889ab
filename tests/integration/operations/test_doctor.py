"""The doctor looks at this machine."""

from __future__ import annotations

from pathlib import Path

from factorylab.cluster.settings import load_settings
from factorylab.operations import doctor


def test_the_doctor_names_the_folder_that_cannot_be_used(tmp_path):
    """What would stop a command is MISSING in the doctor's list, with the same words, and its exit code is 5."""
    places = {"home": tmp_path / "two\nlines", "results": Path("/proc/nowhere"), "cache": tmp_path / "a:b"}
    found = {f.what: f for f in doctor.examine(load_settings().model_copy(update=places))}
    assert [found[what].ok for what in ("lab's folder", "results", "cache")] == [False] * 3
    assert "set FACTORYLAB_RESULTS" in found["results"].way_out
    assert doctor.worst(list(found.values())) == 5
