"""The live page of a finished run for its hand-in: the replay, and what a browser shows of it at telling moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from factorylab.core import secret
from factorylab.history.saved_run import Run
from factorylab.operations.live.moments import Moment
from factorylab.operations.live.replay import moments, page_of
from factorylab.operations.live.screen import FRAME_MS, NoPictures, Screen, animated, opened, reduced
from factorylab.report.hand_in.live_page import RECORDING, REPLAY, LivePage, PageFile

BEFORE, DURING, AFTER, END, MIDWAY = "before", "during", "after", "end", "midway"
WHEN = {
    BEFORE: "before the fault",
    DURING: "in the fault",
    AFTER: "healed, and the group keeps up",
    END: "at the end, not seen to keep up",
    MIDWAY: "midway, no fault held",
}
BEFORE_S = 1.0
KEEPS_UP_S = 1.0  # as the page says it: words.js
LEAD_S = TAIL_S = 5.0
FRAMES_MAX = 24


def live_page(run: Run, *, with_pictures: bool = True) -> LivePage:
    """The page of a run; where there are no pictures it says why.

    Raises:
        LabError: a table of the run is damaged.
    """
    found = _cleaned(list(moments(run)))
    replay = _replay(page_of(found).encode(), found)
    with TemporaryDirectory(prefix="factorylab-live-") as scratch:
        file = Path(scratch) / REPLAY
        file.write_bytes(replay.content)
        try:
            if not with_pictures:
                raise NoPictures("they were left out (--no-pictures)")
            if len(found) < 2:
                raise NoPictures("the probe recorded fewer than two moments of this run")
            shown = telling(found)
            with opened(file) as screen:
                shots = [_shot(screen, name, number, found[number]) for name, number in shown.items()]
                recording = None if MIDWAY in shown else _recording(screen, found, shown)
        except NoPictures as error:
            return LivePage(replay, without=str(error))
    return LivePage(replay, shots, recording)


def _cleaned(found: list[Moment]) -> list[Moment]:
    """Without any secret that this process knows. The page's own scripts have to stay as its policy names them."""
    return msgspec.convert(secret.cleaned(msgspec.to_builtins(found)), list[Moment])


def _replay(page: bytes, found: Sequence[Moment]) -> PageFile:
    when = f"{found[0].at_s:.1f} s to {found[-1].at_s:.1f} s" if found else "not observed"
    return PageFile(REPLAY, when, f"The live page, replayed: a slider moves the time, {when}", page)


def _shot(screen: Screen, name: str, number: int, moment: Moment) -> PageFile:
    return PageFile(f"{name}.png", f"{moment.at_s:.1f} s, {WHEN[name]}", seen(moment), reduced(screen.at(number)))


def telling(found: Sequence[Moment]) -> dict[str, int]:
    """Which moment → its number: shortly before the first fault, in the middle of what was held, and the first after
    all was healed at which the group keeps up; the last of all where it does not. Without a fault, the middle."""
    held = [number for number, moment in enumerate(found) if moment.faults]
    if not held:
        return {MIDWAY: len(found) // 2}
    before = next(n for n, moment in enumerate(found) if moment.at_s >= found[held[0]].at_s - BEFORE_S)
    after = next((n for n in range(held[-1] + 1, len(found)) if keeps_up(found[n])), None)
    last = {END: len(found) - 1} if after is None else {AFTER: after}
    return {BEFORE: before, DURING: held[len(held) // 2]} | last


def keeps_up(moment: Moment) -> bool:
    return moment.lag.seconds is not None and moment.lag.seconds <= KEEPS_UP_S


def seen(moment: Moment) -> str:
    """The page's main numbers in a sentence, for those who do not see the picture."""
    held = ", ".join(f"{fault.kind} {fault.node}" for fault in moment.faults) or "no fault held"
    down = ", ".join(f"{node.name} {node.status}" for node in moment.nodes if node.status != "running")
    flow, lag = moment.flow, moment.lag
    rates = {"offered": flow.offered_per_s, "acknowledged": flow.acked_per_s, "stored": flow.stored_per_s}
    told = ", ".join(f"{name} {_known(rate)}/s" for name, rate in rates.items())
    nodes = down or ("all nodes running" if moment.nodes else "nodes not known")
    return f"Live page at {moment.at_s:.1f} s: {held}; {nodes}; {told}; lag in records {_known(lag.records)}"


def _known(value: float | None) -> str:
    return "not known" if value is None else f"{value:,.0f}"


def _recording(screen: Screen, found: Sequence[Moment], shown: Mapping[str, int]) -> PageFile:
    """From some seconds before the first of the moments that are `shown` to some after the last."""
    from_s, until_s = found[shown[BEFORE]].at_s - LEAD_S, found[max(shown.values())].at_s + TAIL_S
    numbers = [number for number, moment in enumerate(found) if from_s <= moment.at_s <= until_s]
    chosen = numbers[:: -(-len(numbers) // FRAMES_MAX)]
    first_s, last_s = found[chosen[0]].at_s, found[chosen[-1]].at_s
    faster = (last_s - first_s) / (FRAME_MS / 1000 * (len(chosen) - 1))
    when = f"{first_s:.1f} s to {last_s:.1f} s, {faster:.1f} times as fast as it went"
    frames = animated([screen.at(number) for number in chosen])
    return PageFile(RECORDING, when, f"The live page as it changed, {when}", frames)
