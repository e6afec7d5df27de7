"""A training shard's state on disk: with it, a stopped run ends in the same bytes as one that was never stopped."""

import hashlib
import json
import sys
from argparse import Namespace
from dataclasses import asdict

from . import safetensors
from .faults import DataFault
from .inner import Learner
from .losses import Losses
from .shard import Shard

NAME = "training.safetensors"
PARAMETERS_PREFIX, MOMENTS_PREFIX = "parameters/", "moments/"


def identity(options: Namespace, *inputs: bytes) -> str:
    """A digest of all that decides a shard's outcome: its inputs and its options, but for where and when it writes."""
    decisive = {name: value for name, value in vars(options).items() if name not in ("shard", "checkpoint_seconds")}
    digests = [hashlib.sha256(content).hexdigest() for content in inputs]
    return hashlib.sha256(json.dumps([decisive, digests], sort_keys=True).encode()).hexdigest()


def save(shard: Shard, learner: Learner, losses: Losses, identity: str) -> None:
    """Write the state of the learner after `losses.steps` steps."""
    tensors = {PARAMETERS_PREFIX + name: tensor for name, tensor in learner.parameters().items()}
    if learner.moment_steps:
        tensors |= {MOMENTS_PREFIX + name: tensor for name, tensor in learner.moments().items()}
    metadata = {
        "identity": identity,
        "losses": json.dumps(asdict(losses)),
        "moment_steps": str(learner.moment_steps),
    }
    shard.write_checkpoint(NAME, safetensors.write(tensors, metadata))


def restore(shard: Shard, learner: Learner, identity: str) -> Losses | None:
    """Put the learner into the saved state. None, and a word on stderr, where the checkpoint is not of this run."""
    content = shard.checkpoint(NAME)
    if content is None:
        return None
    try:
        tensors, metadata = safetensors.read(content, "the checkpoint")
        if metadata.get("identity") != identity:
            raise DataFault("the checkpoint is of another shard")
    except DataFault as fault:
        print(f"{fault}; starting from the beginning", file=sys.stderr)
        return None
    learner.adopt_parameters(_with_prefix(tensors, PARAMETERS_PREFIX))
    if moments := _with_prefix(tensors, MOMENTS_PREFIX):
        learner.adopt_moments(moments, int(metadata["moment_steps"]))
    return Losses(**json.loads(metadata["losses"]))


def remove(shard: Shard) -> None:
    """Forget the state of a run that has ended."""
    shard.remove_checkpoint(NAME)


def _with_prefix(tensors: safetensors.Tensors, prefix: str) -> safetensors.Tensors:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
