"""warm-up: train from scratch for a while, so that the workers of the first round start from common ground."""

from argparse import Namespace

from . import checkpoint, device
from .architecture import Architecture, write_parameters
from .inner import Learner, write_second_moments
from .shard import Shard
from .text import training_text
from .training import Course, train

BATCHES_STREAM = 1


def prepare(options: Namespace) -> None:
    """Open the device."""
    device.prepare(options.device, options.threads)


def run(options: Namespace, shard: Shard) -> None:
    """text-* -> parameters.safetensors, optimizer.safetensors, metrics.json."""
    architecture = Architecture(options.layers, options.width, options.heads, options.context)
    text = training_text(shard)
    learner = Learner(architecture, architecture.initial_parameters(options.seed), options.device)
    course = Course(
        steps=options.steps,
        windows=lambda step: text.random_windows(
            [options.seed, BATCHES_STREAM, step], options.batch, options.context
        ),
        learning_rate=lambda step: options.learning_rate * min(1, (step + 1) / options.ramp),
        checkpoint_seconds=options.checkpoint_seconds,
    )
    losses = train(course, learner, shard, checkpoint.identity(options, text.content))
    shard.write("parameters.safetensors", write_parameters(architecture, learner.parameters()))
    shard.write("optimizer.safetensors", write_second_moments(learner))
    shard.write_metrics(losses.metrics(options.batch * options.context))
    checkpoint.remove(shard)
