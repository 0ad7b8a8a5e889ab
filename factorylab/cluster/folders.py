"""What the folders of a lab must be: named so that all its programs can open them, writable, with room.

Asked before anything starts, and by `factorylab doctor`. Asking changes nothing: a folder that is not there yet counts
as the nearest one above it that is.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from factorylab.core.errors import EnvironmentUnfit

if TYPE_CHECKING:
    from factorylab.cluster.settings import Settings

LAB_MB, RUN_MB, CACHE_MB = 1_024, 256, 512
LEAST_MB = 16  # with less a run that goes on is broken off: its end must be written, too
SOCKET_BYTES = 107  # of the path of a Unix socket (unix(7)): 108 with the NUL at its end
SOCKET_NAME_BYTES = len("/factorylab-12345678/kernel-65535")
SHORT_PATHS = ("/tmp", "/var/tmp", "/dev/shm")


@dataclass(frozen=True)
class Folder:
    """A folder that `what` is written to, and the variable that puts it elsewhere. `parted_by` are characters that some
    program takes for the end of a path."""

    what: str
    path: Path
    variable: str
    room_mb: int
    parted_by: str = ""

    def check_name(self) -> None:
        """Raises EnvironmentUnfit where a program of the lab cannot take its path."""
        check_name(self.path, self.parted_by, f"set {self.variable} to a folder with another name")

    def check(self) -> None:
        """Raises EnvironmentUnfit where it cannot be used, with the way out."""
        self.check_name()
        above = existing(self.path)
        try:
            with tempfile.TemporaryFile(dir=above):
                pass
        except OSError as error:
            raise EnvironmentUnfit(
                f"{self.what} cannot be written to {self.path} ({above}: {error.strerror}): set {self.variable} to a "
                "folder that you can write to"
            ) from None
        check_room(above, self.what, self.room_mb, f"make room, or set {self.variable}")


def of_lab(settings: Settings) -> Folder:
    return Folder("a lab", settings.home, "FACTORYLAB_HOME", LAB_MB)


def of_results(settings: Settings) -> Folder:
    return Folder("a run", settings.results, "FACTORYLAB_RESULTS", RUN_MB)


def of_cache(path: Path) -> Folder:
    """Of the jars, which stand in a class path, and the class cache."""
    return Folder("the cache", path, "FACTORYLAB_CACHE", CACHE_MB, parted_by=os.pathsep)


def existing(path: Path) -> Path:
    """`path`, or the nearest above it that is there; a file is there, and a link that leads nowhere."""
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def check_room(path: Path, what: str, room_mb: int, way_out: str) -> None:
    """Raises EnvironmentUnfit where less than `room_mb` is free on the disk of `path`."""
    free_mb = shutil.disk_usage(path).free >> 20
    if free_mb < room_mb:
        raise EnvironmentUnfit(f"{path} has {free_mb} MB of free space and {what} needs {room_mb} MB: {way_out}")


def check_name(path: Path, parted_by: str, way_out: str) -> None:
    """Refuse a path that a program of the lab cannot take.

    A control character ends a line, and a lone surrogate is how Python reads a name that is no text in the encoding of
    its file system: no file can hold it.

    Raises:
        EnvironmentUnfit: with the character.
    """
    for letter in str(path):
        if unicodedata.category(letter) in {"Cc", "Cs"}:
            encoding = sys.getfilesystemencoding()
            raise EnvironmentUnfit(f"{str(path)!r} holds {letter!r}, which {encoding} cannot encode: {way_out}")
        if letter in parted_by:
            raise EnvironmentUnfit(f"{path} holds {letter!r}, which ends a path for a program that reads it: {way_out}")


def for_sockets() -> Path:
    """Where the sockets of a kernel can be: TMPDIR, or a folder with a shorter path.

    Raises:
        EnvironmentUnfit: none can be written to.
    """
    known = dict.fromkeys((tempfile.gettempdir(), *SHORT_PATHS))
    for path in known:
        if len(os.fsencode(path)) + SOCKET_NAME_BYTES <= SOCKET_BYTES and os.access(path, os.W_OK | os.X_OK):
            return Path(path)
    raise EnvironmentUnfit(
        f"no folder for sockets: none of {', '.join(known)} is writable and short enough ({SOCKET_BYTES} bytes with "
        "the socket's name): set TMPDIR to one that is"
    )
