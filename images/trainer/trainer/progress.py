"""Progress: one JSON object a line on stdout, at most five a second and always the last one."""

import json
import time

SECONDS_BETWEEN_LINES = 0.2


class Progress:
    """Prints {"step": n, "steps": n, "loss": x}; loss in nats per byte."""

    def __init__(self, steps: int):
        self._steps = steps
        self._printed_at = float("-inf")

    def report(self, step: int, loss: float) -> None:
        """Say that `step` of `steps` are done, unless the last line was printed a moment ago."""
        now = time.monotonic()
        if step < self._steps and now - self._printed_at < SECONDS_BETWEEN_LINES:
            return
        self._printed_at = now
        print(json.dumps({"step": step, "steps": self._steps, "loss": round(loss, 4)}), flush=True)
