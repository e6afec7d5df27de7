"""A training shard's state on disk: with it, a stopped run ends in the same bytes as one that was never stopped."""

import hashlib
import json
import sys
from argparse import Namespace
from dataclasses import asdict

import numpy as np

from . import safetensors
from .faults import DataFault
from .inner import Learner
from .losses import Losses
from .run_log import RunLog
from .shard import Shard
from .state import state_in

NAME = "training.safetensors"
LABEL = "the checkpoint"
RUN_LOG = "run_log"
INDECISIVE_OPTIONS = ("shard", "checkpoint_seconds")


def identity(options: Namespace, *inputs: bytes) -> str:
    """A digest of all that decides a shard's outcome: its inputs and its options, but for where and when it writes."""
    decisive = {name: value for name, value in vars(options).items() if name not in INDECISIVE_OPTIONS}
    if not options.segment_steps:
        del decisive["segment_steps"]
    digests = [hashlib.sha256(content).hexdigest() for content in inputs]
    return hashlib.sha256(json.dumps([decisive, digests], sort_keys=True).encode()).hexdigest()


def save(shard: Shard, learner: Learner, losses: Losses, log: RunLog | None, identity: str) -> None:
    """Write the state of the learner after `losses.steps` steps, and what else the run goes on from."""
    state = learner.state()
    tensors = state.tensors()
    if log is not None:
        # Not in the metadata: a header has a limit, and a log grows with every step.
        tensors[RUN_LOG] = np.frombuffer(json.dumps(asdict(log)).encode(), np.int8)
    metadata = state.metadata() | {"identity": identity, "losses": json.dumps(asdict(losses))}
    shard.write_checkpoint(NAME, safetensors.write(tensors, metadata))


def restore(shard: Shard, learner: Learner, identity: str) -> tuple[Losses, RunLog | None] | None:
    """Put the learner into the saved state. None, and a word on stderr, where the checkpoint is not of this run."""
    content = shard.checkpoint(NAME)
    if content is None:
        return None
    try:
        tensors, metadata = safetensors.read(content, LABEL)
        if metadata.get("identity") != identity:
            raise DataFault("the checkpoint is of another shard")
        log = tensors.pop(RUN_LOG, None)
        learner.adopt(state_in(tensors, metadata, LABEL))
    except DataFault as fault:
        print(f"{fault}; starting from the beginning", file=sys.stderr)
        return None
    return Losses(**json.loads(metadata["losses"])), None if log is None else RunLog(**json.loads(log.tobytes()))


def remove(shard: Shard) -> None:
    """Forget the state of a run that has ended."""
    shard.remove_checkpoint(NAME)
