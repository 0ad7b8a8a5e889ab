"""A small file system of the database's own, so that it can run out of room without harm to anybody else's.

It is a tmpfs of VOLUME_MB in a mount namespace that only the database enters, and holds the tables that are made in the
lab; the catalogue and the write-ahead log stay on the disk. So a full one looks as it does where tables have a disk of
their own: reading goes on, and a write that needs room ends in PostgreSQL's error 53100. It is full by a real file, the
ballast, that takes what was left.

Mount and file system live as long as a process in the namespace or our descriptors of it: they outlive a killed
database, and go with the supervisor.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

from factorylab.cluster.network.netns import (
    CLONE_NEWUSER,
    LIBC,
    Namespace,
    call,
    from_child,
    own_user_namespace,
    way_out,
)
from factorylab.core.errors import EnvironmentUnfit

VOLUME_MB = 256
TABLES, BALLAST = "tables", "ballast"
STEP_BYTES, MOST_STEPS = 4 * 2**20, 1_000
CLONE_NEWNS = 0x20000  # linux/sched.h
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 0x40000  # linux/mount.h


class Volume:
    """Descriptors: `mount` of its namespace, `folder` of its root, `user` of what owns both where we are not root."""

    def __init__(self, path: Path, owner: int, beside: Namespace | None = None) -> None:
        """Mount it at `path`, an empty folder, for the account `owner`; with the user namespace of a network beside it.

        Raises:
            EnvironmentUnfit: the kernel refuses, with what would make it agree.
        """
        if LIBC is None:
            raise EnvironmentUnfit("mount namespaces exist on Linux only: a database cannot be given a disk of its own")
        try:
            self.mount, self.folder, *user = from_child(lambda: _make(path, owner, beside))
        except OSError as error:
            raise EnvironmentUnfit(
                f"the kernel refuses a file system for the database ({error.strerror}): {way_out()}"
            ) from None
        self.user = user[0] if user else None

    def enter(self, *, user_too: bool) -> None:
        """Move this process, which must have one thread, into it."""
        if user_too and self.user is not None:
            call("setns", self.user, CLONE_NEWUSER)
        call("setns", self.mount, CLONE_NEWNS)

    @property
    def free_bytes(self) -> int:
        state = os.fstatvfs(self.folder)
        return state.f_bavail * state.f_frsize

    def fill(self) -> None:
        """Take all room that is left. In steps: one that finds too little, since the database took some just then, is
        undone as a whole by the kernel, and tried again."""
        ballast = os.open(BALLAST, os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=self.folder)
        try:
            for _ in range(MOST_STEPS):
                free = self.free_bytes
                if not free:
                    return
                try:
                    os.posix_fallocate(ballast, os.fstat(ballast).st_size, min(free, STEP_BYTES))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
        finally:
            os.close(ballast)

    def empty(self) -> bool:
        """Give the room back; false where nothing had taken it."""
        try:
            os.unlink(BALLAST, dir_fd=self.folder)
        except FileNotFoundError:
            return False
        return True

    def close(self) -> None:
        for descriptor in (self.mount, self.folder, self.user):
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)


def _make(path: Path, owner: int, beside: Namespace | None) -> list[str]:
    """In a fork of its own: the namespace, the root of the file system and, where we are not root, what owns both."""
    if beside is not None and beside.user is not None:
        call("setns", beside.user, CLONE_NEWUSER)
    elif os.geteuid() != 0:
        own_user_namespace()
    call("unshare", CLONE_NEWNS)
    call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
    options = f"size={VOLUME_MB}m,mode=700,uid={owner},gid={owner}".encode()
    call("mount", b"tmpfs", bytes(path), b"tmpfs", MS_NOSUID | MS_NODEV, options)
    (path / TABLES).mkdir(mode=0o700)
    os.chown(path / TABLES, owner, owner)
    return ["/proc/self/ns/mnt", str(path)] + (["/proc/self/ns/user"] if os.geteuid() != 0 else [])
