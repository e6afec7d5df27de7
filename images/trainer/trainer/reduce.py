"""reduce: the workers' updates into the next round's parameters. Needs no PyTorch, so it starts at once."""

from argparse import Namespace

from . import outer, safetensors
from .architecture import Architecture, check_like_parameters, read_parameters, write_parameters
from .faults import DataFault
from .quantise import dequantise
from .safetensors import Tensors
from .shard import Shard


def prepare(options: Namespace) -> None:
    """Nothing is to be made ready."""


def run(options: Namespace, shard: Shard) -> None:
    """parameters.safetensors, update-*.safetensors, momentum.safetensors if there is one
    -> parameters.safetensors, momentum.safetensors, metrics.json.
    """
    architecture, parameters = read_parameters(shard.input("parameters.safetensors"), "parameters.safetensors")
    names = _update_names(shard)
    updates = [_update(shard, name, architecture) for name in names]
    norms = [outer.norm(update) for update in updates]
    factors = outer.clip_factors(norms, options.clip_ratio)
    mean = outer.weighted_mean(updates, factors)
    parameters, momentum = outer.nesterov_step(
        parameters, mean, _momentum(shard, architecture), options.outer_learning_rate, options.outer_momentum
    )
    check_like_parameters(parameters, architecture, "the result")
    shard.write("parameters.safetensors", write_parameters(architecture, parameters))
    shard.write("momentum.safetensors", safetensors.write(momentum, {}))
    shard.write_metrics({
        "clipped": [name for name, factor in zip(names, factors) if factor < 1],
        "mean_update_norm": outer.norm(mean),
        "update_norms": norms,
        "updates": len(updates),
    })


def _update_names(shard: Shard) -> list[str]:
    """update-0.safetensors, update-1.safetensors … in the order of their numbers, none missing."""
    names = [f"update-{number}.safetensors" for number in range(len(shard.input_names("update-")))]
    if set(names) != set(shard.input_names("update-")):
        raise DataFault(f"updates must be named update-0.safetensors to {names[-1]}")
    return names


def _update(shard: Shard, name: str, architecture: Architecture) -> Tensors:
    quantised, _ = safetensors.read(shard.input(name), name)
    return dequantise(quantised, architecture.shapes(), name)


def _momentum(shard: Shard, architecture: Architecture) -> Tensors | None:
    if not shard.has_input("momentum.safetensors"):
        return None
    momentum, _ = safetensors.read(shard.input("momentum.safetensors"), "momentum.safetensors")
    check_like_parameters(momentum, architecture, "momentum.safetensors")
    return momentum
