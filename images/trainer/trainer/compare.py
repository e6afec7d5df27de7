"""compare: how far a claimed state is from the one that a replay reached. Needs no PyTorch, so it starts at once.

The default tolerance is ten times the largest error between CPUs that compute in float32 (benchmarks/segments/README.md).
Other hardware has to be measured.
"""

import math
from argparse import Namespace

import numpy as np

from .faults import DataFault
from .shard import Shard
from .state import State, read

BEFORE, CLAIMED, REPLAYED = "before.safetensors", "claimed.safetensors", "replayed.safetensors"
SIGNIFICANT_DIGITS = 4


def prepare(options: Namespace) -> None:
    """Nothing is to be made ready."""


def run(options: Namespace, shard: Shard) -> None:
    """before.safetensors, claimed.safetensors, replayed.safetensors -> metrics.json.

    The first two come from whoever is audited, so what is wrong with them is a verdict: a reason, and not within the
    tolerance. The third comes from the auditor, and what is wrong with it is a DataFault.
    """
    files = {name: shard.input(name) for name in (BEFORE, CLAIMED, REPLAYED)}
    replayed = read(files[REPLAYED], REPLAYED)
    try:
        before, claimed = (_read_alike(files[name], name, replayed) for name in (BEFORE, CLAIMED))
        if claimed.moment_steps != replayed.moment_steps:
            raise DataFault(f"{CLAIMED} has {claimed.moment_steps} steps behind it, not {replayed.moment_steps}")
        verdict = compared(before, claimed, replayed, options.tolerance)
    except DataFault as fault:
        verdict = {"error": None, "worst": None, "within": False, "reason": str(fault)}
    shard.write_metrics(verdict | {"tolerance": options.tolerance})


def compared(before: State, claimed: State, replayed: State, tolerance: float) -> dict:
    """The relative error of the claimed update: |claimed - replayed| / |replayed - before|, Euclidean.

    `error` is over all parameters. `worst` is that of the worst single tensor, the moments' among them, and decides: a
    small tensor must not hide among large ones, nor a false moment behind true parameters. `error` is never larger. An
    infinite one, where the replay did not move at all, is null.
    """
    starts, claims = before.tensors(), claimed.tensors()
    distances = {
        name: np.array([_distance(claims[name], end), _distance(end, starts[name])])
        for name, end in replayed.tensors().items()
    }
    errors = {name: _relative(*both) for name, both in distances.items()}
    worst = max(sorted(errors), key=errors.__getitem__)
    error = _relative(*np.linalg.norm([distances[f"parameters/{name}"] for name in replayed.parameters], axis=0))
    return {
        "error": _finite(error),
        "worst": {"tensor": worst, "error": _finite(errors[worst])},
        "within": errors[worst] <= tolerance,
    }


def _read_alike(content: bytes, label: str, replayed: State) -> State:
    state = read(content, label)
    if state.architecture != replayed.architecture:
        raise DataFault(f"{label} is of {state.architecture}, not of {replayed.architecture}")
    return state


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(np.subtract(one, other, dtype=np.float64)))


def _relative(off: float, moved: float) -> float:
    """Rounded, because machines add in different orders and their verdicts have to be the same bytes."""
    ratio = 0.0 if off == 0 else off / moved if moved else math.inf
    return float(f"{ratio:.{SIGNIFICANT_DIGITS}g}")


def _finite(error: float) -> float | None:
    return error if math.isfinite(error) else None
