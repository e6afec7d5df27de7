"""ZG_HOLD=1: be ready (imports, device context) ahead of the turn, and compute when one line arrives on stdin."""

import os
import sys

from .faults import UsageFault


def wait_for_turn() -> None:
    """Return at once without ZG_HOLD=1, else after one line on stdin. A closed stdin is a UsageFault."""
    if os.environ.get("ZG_HOLD") != "1":
        return
    if not sys.stdin.readline():
        raise UsageFault("ZG_HOLD=1, but stdin closed before a line came")
