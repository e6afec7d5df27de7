"""The loop that warm-up, train and replay share: steps, segments, progress, and a stop that can be gone on from."""

import time
from dataclasses import dataclass, replace
from typing import Callable

import numpy as np

from . import checkpoint, run_log, state, stopping
from .faults import UsageFault
from .inner import Learner
from .losses import Losses
from .progress import Progress
from .run_log import RunLog
from .shard import Shard


@dataclass(frozen=True)
class Course:
    """What a shard is to do: `steps` steps from step `first` on; step n learns from windows(n) at learning_rate(n).

    A checkpoint is written whenever `checkpoint_seconds` have passed: what a host that just dies loses at most.
    With `segment_steps` there is a run log, and a state before the first and after each segment.
    """

    steps: int
    windows: Callable[[int], np.ndarray]
    learning_rate: Callable[[int], float]
    checkpoint_seconds: float
    segment_steps: int = 0
    first: int = 0

    def segments(self) -> int:
        """How many segments it has; the last may be shorter."""
        return -(-self.steps // self.segment_steps) if self.segment_steps else 0

    def segment(self, index: int) -> "Course":
        """The part that is one segment; UsageFault where it has no such segment."""
        if index >= self.segments():
            raise UsageFault(f"--segment counts from 0 and stays below {self.segments()}, the number of segments")
        first = index * self.segment_steps
        return replace(self, first=first, steps=min(self.segment_steps, self.steps - first))


Keep = Callable[[int, bytes], None]


def train(course: Course, learner: Learner, shard: Shard, identity: str, keep: Keep) -> Losses:
    """Take the course's steps, from the shard's checkpoint where it has one with this identity, and write the run log.

    `keep` is given each state between segments, by its number. On SIGTERM the checkpoint is written and the program
    leaves with exit code 85.
    """
    losses, log = checkpoint.restore(shard, learner, identity) or (Losses(), _begin_log(course, learner, keep))
    progress = Progress(course.steps)
    saved = time.monotonic()
    with stopping.postponed() as told_to_stop:
        while losses.steps < course.steps:
            if told_to_stop():
                checkpoint.save(shard, learner, losses, log, identity)
                stopping.leave()
            if time.monotonic() - saved >= course.checkpoint_seconds:
                checkpoint.save(shard, learner, losses, log, identity)
                saved = time.monotonic()
            step = course.first + losses.steps
            windows = course.windows(step)
            losses.add(learner.learn(windows, course.learning_rate(step)))
            if log is not None:
                log.add(windows, losses.last)
                if losses.steps == course.steps or losses.steps % course.segment_steps == 0:
                    log.close(_kept(learner, log.segment + 1, keep))
            progress.report(losses.steps, losses.last)
    if log is not None:
        shard.write(run_log.NAME, log.content())
    return losses


def _begin_log(course: Course, learner: Learner, keep: Keep) -> RunLog | None:
    if not course.segment_steps:
        return None
    segment = course.first // course.segment_steps
    return RunLog(before=_kept(learner, segment, keep), segment=segment, first=course.first)


def _kept(learner: Learner, index: int, keep: Keep) -> str:
    """The digest of the learner's state, which has been kept."""
    content = state.write(learner.state())
    keep(index, content)
    return run_log.digest(content)
