"""The loop that warm-up and train share: steps, progress, and a stop that can be gone on from."""

import time
from dataclasses import dataclass
from typing import Callable

import numpy as np

from . import checkpoint, stopping
from .inner import Learner
from .losses import Losses
from .progress import Progress
from .shard import Shard


@dataclass(frozen=True)
class Course:
    """What a shard is to do: `steps` steps; step n (from 0) learns from windows(n) at learning_rate(n).

    A checkpoint is written whenever `checkpoint_seconds` have passed: what a host that just dies loses at most.
    """

    steps: int
    windows: Callable[[int], np.ndarray]
    learning_rate: Callable[[int], float]
    checkpoint_seconds: float


def train(course: Course, learner: Learner, shard: Shard, identity: str) -> Losses:
    """Take the course's steps, from the shard's checkpoint where it has one with this identity.

    On SIGTERM the checkpoint is written and the program leaves with exit code 85.
    """
    losses = checkpoint.restore(shard, learner, identity) or Losses()
    progress = Progress(course.steps)
    saved = time.monotonic()
    with stopping.postponed() as told_to_stop:
        while losses.steps < course.steps:
            if told_to_stop():
                checkpoint.save(shard, learner, losses, identity)
                stopping.leave()
            if time.monotonic() - saved >= course.checkpoint_seconds:
                checkpoint.save(shard, learner, losses, identity)
                saved = time.monotonic()
            losses.add(learner.learn(course.windows(losses.steps), course.learning_rate(losses.steps)))
            progress.report(losses.steps, losses.last)
    return losses
