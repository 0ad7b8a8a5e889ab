"""The detector `vibration`: what it finds with its defaults, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from factorylab.detectors.detector_catalog import build
from factorylab.detectors.vibration import Vibration, inverse_root

Floats = NDArray[np.float64]
FEATURES = 12
LOADS = 4
EACH = 100  # windows of a file


def healthy(dice: np.random.Generator, windows: int, tail: float = 5, memory: float = 0.5) -> Floats:
    """Features about 1 that scatter by 4 %: heavy tails, neighbours alike, and correlated with each other."""
    mix = np.eye(FEATURES) + 0.3 * dice.standard_normal((FEATURES, FEATURES))
    noise = dice.standard_t(tail, (windows, FEATURES)) / np.sqrt(tail / (tail - 2)) @ mix
    for at in range(1, windows):
        noise[at] = memory * noise[at - 1] + np.sqrt(1 - memory**2) * noise[at]
    return 1 + 0.04 * noise / noise.std(axis=0)


def scored(files: list[tuple[int, Floats]]) -> list[Floats]:
    """Scores of files of windows, each at its bin of load, one after the other."""
    detector = build("vibration", channels=FEATURES)
    return [detector.score(np.zeros(len(f), np.int64), f, np.full(len(f), at)) for at, f in files]


@pytest.mark.parametrize("seed", range(4))
def test_a_broken_gear_is_told_by_the_defaults(seed: int) -> None:
    """A hundred windows a load and features that leave by 10 to 30 %, up or down by chance: at least 95 of a hundred
    faulty windows are in alarm and at most 5 healthy ones, without any parameter."""
    dice = np.random.default_rng(seed)
    level = 1 + np.arange(LOADS) / 2  # the load matters more than the fault
    shift = 1 + dice.choice([-1, 1], FEATURES) * dice.uniform(0.1, 0.3, FEATURES)
    good = [(at, level[at] * healthy(dice, EACH)) for at in range(LOADS)]
    bad = [(at, level[at] * shift * healthy(dice, EACH)) for at in range(LOADS)]
    found = scored(good + bad)
    learnt = build("vibration", channels=FEATURES).warm_up
    assert learnt < EACH / 2
    calm = np.concatenate(found[:LOADS]).reshape(LOADS, EACH)[:, learnt:]
    assert np.mean(calm > 1) <= 0.05
    assert np.mean(np.concatenate(found[LOADS:]) > 1) >= 0.95


def test_a_broken_machine_may_be_the_quieter_one() -> None:
    """Features that all fall by a fifth are as far as ones that all rise."""
    dice = np.random.default_rng(3)
    calm, quiet, loud = healthy(dice, EACH), 0.8 * healthy(dice, EACH), 1.2 * healthy(dice, EACH)
    for other in (quiet, loud):
        assert np.mean(scored([(0, calm), (0, other)])[1] > 1) > 0.9


def test_one_wild_window_is_no_warning_for_long() -> None:
    """A knock that puts every feature far out alarms for a few windows and is then forgotten."""
    dice = np.random.default_rng(4)
    windows = healthy(dice, 2 * EACH)
    windows[EACH] = 10
    (scores,) = scored([(0, windows)])
    assert (scores[EACH + 12 :] < 1).all()


@pytest.mark.parametrize("at", [0, 1, 5, 20])
def test_a_wild_window_does_not_blind_what_is_learnt(at: int) -> None:
    """One knock among the windows that are learnt from, the very first included, leaves a later fault to be seen."""
    dice = np.random.default_rng(8)
    windows = healthy(dice, EACH)
    windows[at] = 10
    assert np.mean(scored([(0, windows), (0, 1.4 * healthy(dice, EACH))])[1] > 1) > 0.9


def test_what_is_learnt_is_learnt_by_load() -> None:
    """A load that was never seen raises nothing before its own windows are learnt."""
    dice = np.random.default_rng(5)
    found = scored([(0, healthy(dice, EACH)), (7, 3 * healthy(dice, 20))])
    assert not found[1].any()


def test_a_fault_is_not_learnt() -> None:
    """However long a fault lasts, it stays an alarm: nothing is learnt after the baseline."""
    dice = np.random.default_rng(6)
    found = scored([(0, healthy(dice, EACH)), (0, 1.3 * healthy(dice, 2_000))])
    assert found[1][-100:].min() > 1


def test_inverse_roots_are_those() -> None:
    """W A Wᵀ is the identity."""
    dice = np.random.default_rng(7)
    for root in dice.standard_normal((5, 6, 6)):
        matrix = root @ root.T + np.eye(6)
        found = inverse_root(matrix)
        assert np.abs(found @ matrix @ found.T - np.eye(6)).max() < 1e-12


def test_loads_have_their_bins() -> None:
    """10 % of load a bin; what is beyond twice the rated load shares the last one."""
    assert Vibration.bin_of(np.array([0.0, 9.9, 10.0, 95.0, 205.0, 900.0])).tolist() == [0, 0, 1, 9, 20, 20]
