"""What needs nothing but a sealed run begins while its notebook still draws."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TypeVar

from factorylab.history.run_folders import RunFolder

T = TypeVar("T")
LOOK_EVERY_S = 0.1


@contextmanager
def once_sealed(folder: RunFolder, call: Callable[[RunFolder], T]) -> Iterator[Callable[[], T]]:
    """Call `call` with the run in a thread, as soon as it is sealed: nothing is measured any more.

    Yields what waits for its result, to be called at the end of this context or later. Where the run was never sealed
    `call` begins only then. It is not called at all where the context fails before.
    """
    over = Event()

    def wait_and_call() -> T | None:
        while not folder.sealed and not over.wait(LOOK_EVERY_S):
            pass
        return call(folder) if folder.sealed else None

    def result() -> T:
        over.set()
        early = called.result()
        return call(folder) if early is None else early

    with ThreadPoolExecutor(1) as pool:
        called = pool.submit(wait_and_call)
        try:
            yield result
        finally:
            over.set()
