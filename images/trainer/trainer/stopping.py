"""SIGTERM: leave with exit code 85, from a training loop only after its checkpoint is written."""

import signal
import sys
from contextlib import contextmanager
from typing import Callable, Iterator

STOPPED_EXIT_CODE = 85


def leave() -> None:
    """End the program as one that was told to stop and can go on later."""
    sys.exit(STOPPED_EXIT_CODE)


def leave_when_told() -> None:
    """From now on SIGTERM ends the program at once. Also makes PID 1, which ignores it by default, obey."""
    signal.signal(signal.SIGTERM, lambda number, frame: leave())


@contextmanager
def postponed() -> Iterator[Callable[[], bool]]:
    """Inside the block SIGTERM is only noted; the yielded function says whether one came."""
    told = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: told.append(number))
    try:
        yield lambda: bool(told)
    finally:
        signal.signal(signal.SIGTERM, before)
