"""`factorylab fault`: refusals before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.drivers import typed


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("broker", "burn"), 2, "'burn' is not one of"),
        (("broker", "kill", "--target", "leader:x"), 2, "faults.0.target"),
        (("broker", "kill", "--target", "broker:4"), 2, "the numbers of a broker go from 1 to 3"),
        (("broker", "kill", "--hold", "0"), 2, "--hold"),
        (("network", "disconnect", "--direction", "in"), 2, "a disconnect has no sides"),
        (("broker", "kill"), 5, "no lab is up in"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    """A wrong action, target or time, and a lab that is not up, are refused with the value and the rule."""
    ended, said = typed(tmp_path, *words)
    assert (ended, told in said, "Traceback" in said) == (code, True, False), said
