"""Network namespaces: made, held and entered through open descriptors, so that nothing of them has a name.

- A namespace lives as long as a process in it or a descriptor of it: when the supervisor and its children are dead,
  however they died, the kernel takes the namespace, its interfaces and its rules away.
- As root the network namespaces are ours directly. Another user first makes a user namespace that maps that user to
  itself (PostgreSQL refuses root); in there the kernel grants what it takes to configure a network. A program loses
  that again as it begins, unless `keep_capabilities` was called: only `ip`, the packet filter and `reach` get it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from factorylab.core.errors import EnvironmentUnfit

LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
CAPABILITY_VERSION_3 = 0x20080522  # linux/capability.h, as are the numbers below
CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN = 12, 13, 21
MOST_DESCRIPTORS = 3  # that a fork hands over
PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 47, 2  # linux/prctl.h
SWITCHES = {
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=15000"),
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"),
}  # fmt: skip
"""What switches user namespaces off on some systems: the file, the value that does it, the way out."""


def call(name: str, *arguments: object) -> None:
    """A function of the C library that gives 0, or sets errno.

    Raises:
        OSError: with that errno.
    """
    if getattr(LIBC, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@dataclass(frozen=True)
class Namespace:
    """A network namespace and, where we are not root, the user namespace that owns it: descriptors, ours to close."""

    net: int
    user: int | None

    def enter(self) -> None:
        """Move this process, which must have one thread, into it. There is no way back from a user namespace."""
        if self.user is not None:
            call("setns", self.user, CLONE_NEWUSER)
        enter_network(self.net)

    def close(self) -> None:
        for descriptor in (self.net, self.user):
            if descriptor is not None:
                os.close(descriptor)


def enter_network(net: int) -> None:
    """Move this thread to another network; sockets that it has stay where they were opened."""
    call("setns", net, CLONE_NEWNET)


def keep_capabilities() -> None:
    """Let the next program of this process configure networks in the user namespace that it has entered."""
    wanted = (CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN)
    mask = sum(1 << number for number in wanted)
    # Two blocks of (effective, permitted, inheritable), of 32 capabilities each.
    call("capset", struct.pack("Ii", CAPABILITY_VERSION_3, 0), struct.pack("6I", mask, mask, mask, 0, 0, 0))
    for number in wanted:
        call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)


def make(beside: Namespace | None = None) -> Namespace:
    """A new network namespace, with nothing in it but a loopback interface that is down.

    `beside` another one it has the same user namespace; else, where we are not root, it gets one.

    Raises:
        EnvironmentUnfit: the kernel refuses, with what would make it agree.
    """
    if LIBC is None:
        raise EnvironmentUnfit("network namespaces exist on Linux only: use the backend compose")
    try:
        net, *user = from_child(lambda: _make(beside))
    except OSError as error:
        raise EnvironmentUnfit(f"the kernel refuses a network namespace ({error.strerror}): {way_out()}") from None
    return Namespace(net, user[0] if user else None)


def from_child(make_it: Callable[[], list[str]]) -> list[int]:
    """Descriptors, not inheritable, of the paths that `make_it` gives in a fork of its own, which ends at once: what it
    made stays as long as they are open.

    Raises:
        OSError: as it was raised in the fork.
    """
    ours, theirs = socket.socketpair()
    with ours:
        child = os.fork()
        if child == 0:
            _answer(theirs, make_it)
        theirs.close()
        said, found, _, _ = socket.recv_fds(ours, 64, MOST_DESCRIPTORS)
        os.waitpid(child, 0)
    if not found:
        number = int(said or errno.EPERM)
        raise OSError(number, os.strerror(number))
    for descriptor in found:
        os.set_inheritable(descriptor, False)
    return found


def _answer(answer: socket.socket, make_it: Callable[[], list[str]]) -> NoReturn:
    try:
        socket.send_fds(answer, [b"0"], [os.open(path, os.O_RDONLY) for path in make_it()])
    except OSError as error:
        answer.send(str(error.errno).encode())
    finally:
        os._exit(0)


def _make(beside: Namespace | None) -> list[str]:
    if beside is not None and beside.user is not None:
        call("setns", beside.user, CLONE_NEWUSER)
    elif beside is None and os.geteuid() != 0:
        own_user_namespace()
    call("unshare", CLONE_NEWNET)
    return ["/proc/self/ns/net"] if os.geteuid() == 0 else ["/proc/self/ns/net", "/proc/self/ns/user"]


def own_user_namespace() -> None:
    """Move this process into a user namespace that maps its user to itself."""
    uid, gid = os.geteuid(), os.getegid()
    call("unshare", CLONE_NEWUSER)
    # The kernel lets us map our group only after we gave up changing groups (user_namespaces(7)).
    for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 (one write call, as the kernel wants it)
            file.write(text)


def way_out() -> str:
    """What would make this kernel agree to network namespaces."""
    if os.geteuid() == 0:
        return "root lacks CAP_SYS_ADMIN here (a container?): run it on the machine itself, or use the backend compose"
    hints = [hint for path, (wrong, hint) in SWITCHES.items() if _value_of(path) == wrong]
    return " or ".join([*(f"'{hint}' as root" for hint in hints), "run as root", "use the backend compose"])


def _value_of(path: str) -> str:
    try:
        with open(path) as file:  # noqa: PTH123
            return file.read().strip()
    except OSError:
        return ""
