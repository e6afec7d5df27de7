"""train: one worker's part of a DiLoCo round: H inner steps on its slice, and how far they led as int8."""

from argparse import Namespace

import numpy as np

from . import checkpoint, device, safetensors
from .architecture import read_parameters
from .faults import UsageFault
from .inner import Learner, adopt_second_moments
from .quantise import quantise
from .shard import Shard
from .text import Text, training_text
from .training import Course, train

BATCHES_STREAM = 2


def prepare(options: Namespace) -> None:
    """Open the device."""
    device.prepare(options.device, options.threads)


def run(options: Namespace, shard: Shard) -> None:
    """parameters.safetensors, optimizer.safetensors, text-* -> update.safetensors, metrics.json.

    The update is the pseudo-gradient: the parameters before the steps minus those after them.
    """
    if options.worker >= options.workers or options.round >= options.rounds:
        raise UsageFault("--worker and --round count from 0 and stay below --workers and --rounds")
    text = training_text(shard)
    start_file = shard.input("parameters.safetensors")
    moments_file = shard.input("optimizer.safetensors")
    architecture, start = read_parameters(start_file, "parameters.safetensors")
    learner = Learner(architecture, start, options.device)
    adopt_second_moments(learner, moments_file, "optimizer.safetensors")
    course = Course(
        steps=options.steps,
        windows=lambda step: windows(options, text, architecture.context, step),
        learning_rate=lambda step: learning_rate(options, step),
        checkpoint_seconds=options.checkpoint_seconds,
    )
    losses = train(course, learner, shard, checkpoint.identity(options, text.content, start_file, moments_file))
    end = learner.parameters()
    update = quantise({name: start[name] - end[name] for name in start})
    shard.write("update.safetensors", safetensors.write(update, {}))
    shard.write_metrics(losses.metrics(options.batch * architecture.context))
    checkpoint.remove(shard)


def windows(options: Namespace, text: Text, context: int, step: int) -> np.ndarray:
    """What this worker learns from in this step of this round: (batch, context + 1)."""
    key = [options.seed, BATCHES_STREAM, options.round, options.worker, step]
    return text.random_windows(key, options.batch, context)


def learning_rate(options: Namespace, step: int) -> float:
    """Falls in a straight line over all rounds, from --learning-rate to --final-learning-rate."""
    done = (options.round * options.steps + step) / (options.rounds * options.steps)
    return options.learning_rate + (options.final_learning_rate - options.learning_rate) * done
