"""The steps of a processor's work, named in one place, so that a test can stop a process exactly there.

    taken           a partition was taken in the store; nothing of it is read yet
    polled          records are in hand, nothing was done with them
    prepared        decoded, checked and scored; alerts and dead letters are with the producer
    in_transaction  of Kafka: something was raised, it and the offsets are in it, it is open
    committed       of Kafka: such a transaction counts; the store knows nothing of it
    delivered       alerts and dead letters are acknowledged, and committed where they are in a transaction
    before_store    the transaction has not begun
    in_store        everything is written, the transaction is open
    after_store     the store has confirmed; nobody was told
    after_commit    the offset of the group was committed, or its commit is on its way
    revoking        the group takes partitions back

Nothing happens at a step unless FACTORYLAB_STEPS_DIR names a folder and the file `<worker>.stop-at` in it names the
step: then the file is removed and the process stops itself (SIGSTOP). What is to be done to it, a kill for example, is
done by others while it stands there. One file is one stop, so a process that was started again goes on.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from factorylab.core.vocabulary import WorkStep

_FOLDER, _WORKER = os.environ.get("FACTORYLAB_STEPS_DIR"), os.environ.get("FACTORYLAB_WORKER", "")


def reached(step: WorkStep) -> None:
    """Stop here if told to."""
    if ordered(step):
        order_file(Path(_FOLDER or ""), _WORKER).unlink()
        os.kill(os.getpid(), signal.SIGSTOP)


def ordered(step: WorkStep) -> bool:
    """Whether this process is told to stop at `step`."""
    if not _FOLDER:
        return False
    try:
        return order_file(Path(_FOLDER), _WORKER).read_text() == step
    except FileNotFoundError:
        return False


def order(folder: Path, worker: str, step: WorkStep) -> None:
    """Tell a worker to stop when it next reaches `step`."""
    beside = folder / f"{worker}.part"
    beside.write_text(step)
    beside.replace(order_file(folder, worker))


def order_file(folder: Path, worker: str) -> Path:
    """Where a worker finds its order; it is gone when the worker has stopped."""
    return folder / f"{worker}.stop-at"
