"""replay: one segment of a warm-up or train shard again, from the state before it, to see where it leads.

The command line is the shard's own, with `replay` before it and `--segment` after it.
"""

from argparse import Namespace

from . import checkpoint, train, training, warm_up
from .inner import Learner
from .shard import Shard
from .state import read, write
from .text import training_text

PHASES = {"warm-up": warm_up, "train": train}
STATE = "segment.safetensors"


def prepare(options: Namespace) -> None:
    """Open the device; UsageFault where the options contradict each other."""
    PHASES[options.phase].prepare(options)


def run(options: Namespace, shard: Shard) -> None:
    """segment.safetensors (the state before), text-* -> segment.safetensors (the state after), run-log.jsonl (a line),
    metrics.json.

    With the same processor kernels and threads, state and line are the shard's own, byte for byte. Segment 0 without a
    state starts from the shard's own inputs, so that nobody need be believed about state 0.
    """
    text = training_text(shard)
    learner, files = _begin(options, shard)
    architecture = learner.model.architecture
    course = PHASES[options.phase].course_of(options, text, architecture).segment(options.segment)
    identity = checkpoint.identity(options, text.content, *files)
    losses = training.train(course, learner, shard, identity, keep=lambda index, content: None)
    shard.write(STATE, write(learner.state()))
    shard.write_metrics(losses.metrics(options.batch * architecture.context))
    checkpoint.remove(shard)


def _begin(options: Namespace, shard: Shard) -> tuple[Learner, list[bytes]]:
    """The learner before the segment, and the inputs that it was made from."""
    if options.segment == 0 and not shard.has_input(STATE):
        return PHASES[options.phase].begin(options, shard)
    content = shard.input(STATE)
    state = read(content, STATE)
    learner = Learner(state.architecture, state.parameters, options.device)
    learner.adopt(state)
    return learner, [content]
