"""warm-up: train from scratch for a while, so that the workers of the first round start from common ground."""

from argparse import Namespace

from . import checkpoint, device, segments
from .architecture import Architecture, write_parameters
from .faults import DataFault
from .inner import Learner, write_second_moments
from .shard import Shard
from .state import State
from .text import Text, training_text
from .training import Course, train

BATCHES_STREAM = 1


def prepare(options: Namespace) -> None:
    """Open the device."""
    device.prepare(options.device, options.threads)


def run(options: Namespace, shard: Shard) -> None:
    """text-* -> parameters.safetensors, optimizer.safetensors, metrics.json; run-log.jsonl with --segment-steps."""
    learner, _ = begin(options, shard)
    text = training_text(shard)
    course = course_of(options, text, learner.model.architecture)
    keeper = segments.Keeper(shard, course.segments())
    losses = train(course, learner, shard, checkpoint.identity(options, text.content), keeper.keep)
    end(shard, learner.state())
    shard.write_metrics(losses.metrics(options.batch * options.context))
    checkpoint.remove(shard)


def begin(options: Namespace, shard: Shard) -> tuple[Learner, list[bytes]]:
    """The learner before the first step, and the inputs that it was made from: none."""
    architecture = _architecture(options)
    return Learner(architecture, architecture.initial_parameters(options.seed), options.device), []


def course_of(options: Namespace, text: Text, architecture: Architecture) -> Course:
    """What the shard is to do; DataFault for an architecture that is not the options'."""
    if architecture != _architecture(options):
        raise DataFault(f"{architecture} is not what the options say: {_architecture(options)}")
    return Course(
        steps=options.steps,
        windows=lambda step: text.random_windows(
            [options.seed, BATCHES_STREAM, step], options.batch, options.context
        ),
        learning_rate=lambda step: options.learning_rate * min(1, (step + 1) / options.ramp),
        checkpoint_seconds=options.checkpoint_seconds,
        segment_steps=options.segment_steps,
    )


def end(shard: Shard, state: State) -> None:
    """Write what the next shards start from: the parameters and second moments of the last state."""
    shard.write("parameters.safetensors", write_parameters(state.architecture, state.parameters))
    shard.write("optimizer.safetensors", write_second_moments(state))


def _architecture(options: Namespace) -> Architecture:
    return Architecture(options.layers, options.width, options.heads, options.context)
