"""The outer optimiser, in numpy: the mean of the workers' updates, then one Nesterov step."""

import numpy as np

from .safetensors import Tensors


def norm(update: Tensors) -> float:
    """The Euclidean norm over all tensors."""
    return float(np.sqrt(sum(np.square(tensor, dtype=np.float64).sum() for tensor in update.values())))


def clip_factors(norms: list[float], ratio: float) -> list[float]:
    """What to multiply each update by, so that none is longer than `ratio` times the (lower) median one."""
    limit = ratio * sorted(norms)[(len(norms) - 1) // 2]
    return [min(1.0, limit / length) if length else 1.0 for length in norms]


def weighted_mean(updates: list[Tensors], factors: list[float]) -> Tensors:
    """The mean of the updates, each multiplied by its factor first."""
    shares = [np.float32(factor / len(updates)) for factor in factors]
    return {
        name: sum(update[name] * share for update, share in zip(updates, shares)).astype(np.float32)
        for name in updates[0]
    }


def nesterov_step(
    parameters: Tensors, gradient: Tensors, momentum: Tensors | None, learning_rate: float, decay: float
) -> tuple[Tensors, Tensors]:
    """The new parameters and momentum, as torch.optim.SGD(nesterov=True) has them: the first momentum is the gradient.

    https://pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    rate, kept = np.float32(learning_rate), np.float32(decay)
    if momentum is None:
        new_momentum = gradient
    else:
        new_momentum = {name: kept * momentum[name] + gradient[name] for name in gradient}
    new_parameters = {
        name: parameters[name] - rate * (gradient[name] + kept * new_momentum[name]) for name in parameters
    }
    return new_parameters, new_momentum
