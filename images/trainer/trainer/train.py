"""train: one worker's part of a DiLoCo round: H inner steps on its slice, and how far they led as int8."""

from argparse import Namespace

import numpy as np

from . import checkpoint, device, safetensors, segments
from .architecture import Architecture, read_parameters
from .faults import DataFault, UsageFault
from .inner import Learner, adopt_second_moments
from .quantise import quantise
from .shard import Shard
from .state import State
from .text import Text, training_text
from .training import Course, train

BATCHES_STREAM = 2


def prepare(options: Namespace) -> None:
    """Open the device; UsageFault where the options contradict each other."""
    if options.worker >= options.workers or options.round >= options.rounds:
        raise UsageFault("--worker and --round count from 0 and stay below --workers and --rounds")
    device.prepare(options.device, options.threads)


def run(options: Namespace, shard: Shard) -> None:
    """parameters.safetensors, optimizer.safetensors, text-* -> update.safetensors, metrics.json; run-log.jsonl with
    --segment-steps.
    """
    text = training_text(shard)
    learner, files = begin(options, shard)
    course = course_of(options, text, learner.model.architecture)
    keeper = segments.Keeper(shard, course.segments())
    losses = train(course, learner, shard, checkpoint.identity(options, text.content, *files), keeper.keep)
    end(shard, learner.state())
    shard.write_metrics(losses.metrics(options.batch * learner.model.architecture.context))
    checkpoint.remove(shard)


def begin(options: Namespace, shard: Shard) -> tuple[Learner, list[bytes]]:
    """The learner before the first step, and the inputs that it was made from."""
    files = [shard.input("parameters.safetensors"), shard.input("optimizer.safetensors")]
    learner = Learner(*read_parameters(files[0], "parameters.safetensors"), options.device)
    adopt_second_moments(learner, files[1], "optimizer.safetensors")
    return learner, files


def course_of(options: Namespace, text: Text, architecture: Architecture) -> Course:
    """What the shard is to do."""
    return Course(
        steps=options.steps,
        windows=lambda step: windows(options, text, architecture.context, step),
        learning_rate=lambda step: learning_rate(options, step),
        checkpoint_seconds=options.checkpoint_seconds,
        segment_steps=options.segment_steps,
    )


def end(shard: Shard, state: State) -> None:
    """Write the update, the pseudo-gradient: the parameters before the steps minus those of the last state."""
    architecture, start = read_parameters(shard.input("parameters.safetensors"), "parameters.safetensors")
    if state.architecture != architecture:
        raise DataFault(f"the last state is of {state.architecture}, parameters.safetensors is of {architecture}")
    update = quantise({name: start[name] - state.parameters[name] for name in start})
    shard.write("update.safetensors", safetensors.write(update, {}))


def windows(options: Namespace, text: Text, context: int, step: int) -> np.ndarray:
    """What this worker learns from in this step of this round: (batch, context + 1)."""
    key = [options.seed, BATCHES_STREAM, options.round, options.worker, step]
    return text.random_windows(key, options.batch, context)


def learning_rate(options: Namespace, step: int) -> float:
    """Falls in a straight line over all rounds, from --learning-rate to --final-learning-rate."""
    done = (options.round * options.steps + step) / (options.rounds * options.steps)
    return options.learning_rate + (options.final_learning_rate - options.learning_rate) * done
