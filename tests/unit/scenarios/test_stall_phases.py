"""The declared phases of a stall."""

from __future__ import annotations

import re
from typing import get_args

import pytest

from factorylab.scenarios.stall_phases import CHAINS, PHASES, UNEXPLAINED, Moment, Phase
from tests.support.places import ROOT


def test_a_name_is_one_phase() -> None:
    """Whatever chain a name stands in, it is the same phase."""
    assert all(PHASES[phase.name] is phase for chain in CHAINS for phase in chain)


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain[0].name)
def test_the_moments_of_a_chain_are_told_apart(chain: tuple[Phase, ...]) -> None:
    """No two phases of a chain end with the same moment, so a moment names what it ends."""
    ends = [phase.ends for phase in chain]
    assert len(set(ends)) == len(ends)


def test_each_moment_begins_or_ends_a_phase() -> None:
    """No moment is declared for nothing, and each phase is between declared ones."""
    assert {m for phase in PHASES.values() for m in (phase.begins, phase.ends)} == set(get_args(Moment))


def test_the_documentation_has_each_phase() -> None:
    """docs/anatomy.md explains every phase that a report may name."""
    text = (ROOT / "docs/anatomy.md").read_text()
    assert [name for name in (*PHASES, UNEXPLAINED) if f"`{name}`" not in text] == []


def test_settings_are_named_as_kafka_names_them() -> None:
    """A setting's name has dots and no blanks, or is the scenario's own hold_s."""
    names = {setting.name for phase in PHASES.values() for setting in phase.governed_by}
    assert all(re.fullmatch(r"[a-z.]+\.ms|hold_s", name) for name in names)
