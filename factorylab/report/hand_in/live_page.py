"""The live page of a finished run as files of a hand-in: a replay with a slider, screenshots, a screen recording."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

REPLAY, RECORDING = "replay.html", "recording.webp"


@dataclass(frozen=True)
class PageFile:
    """`when` is the time that it shows, `about` what is to be seen in it."""

    name: str
    when: str
    about: str
    content: bytes

    @property
    def size(self) -> str:
        return f"{len(self.content) / 1000:,.0f} kB"


@dataclass(frozen=True)
class LivePage:
    """`shots` are there and, where a fault was held, a screen `recording`; or `without` says why they are not."""

    replay: PageFile
    shots: Sequence[PageFile] = ()
    recording: PageFile | None = None
    without: str = ""

    @property
    def main(self) -> PageFile:
        """The screenshot that shows most: that in the fault, which stands between the others."""
        return self.shots[len(self.shots) // 2]

    @property
    def others(self) -> list[PageFile]:
        return [shot for shot in self.shots if shot is not self.main]

    @property
    def files(self) -> list[PageFile]:
        return [self.replay, *self.shots, *([self.recording] if self.recording else [])]
