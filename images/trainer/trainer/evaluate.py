"""evaluate: the loss on held-out text, and a sample to read."""

from argparse import Namespace

import numpy as np
import torch

from . import device, sampling
from .architecture import Architecture, read_parameters
from .model import Model
from .progress import Progress
from .safetensors import Tensors
from .shard import Shard
from .text import Text

WINDOWS_AT_ONCE = 16


def prepare(options: Namespace) -> None:
    """Open the device."""
    device.prepare(options.device, options.threads)


@torch.no_grad()
def run(options: Namespace, shard: Shard) -> None:
    """parameters.safetensors (unless --untrained), held-out -> metrics.json, sample.txt."""
    architecture, parameters = _parameters(options, shard)
    tensors = {name: torch.tensor(array, device=options.device) for name, array in parameters.items()}
    model = Model(architecture, tensors)
    windows = Text(shard.input("held-out"), "held-out").even_windows(options.windows, architecture.context)
    loss = mean_loss(model, windows, options.device)
    sample = sampling.sample(model, options.prompt.encode(), options.sample_bytes, options.temperature, options.seed)
    shard.write("sample.txt", sampling.printable(sample).encode())
    shard.write_metrics({"loss": loss, "windows": len(windows), "bytes": windows[:, 1:].size})


def mean_loss(model: Model, windows: np.ndarray, device_name: str) -> float:
    """Mean loss in nats per byte over windows (count, context + 1)."""
    total, progress = 0.0, Progress(len(windows))
    for begin in range(0, len(windows), WINDOWS_AT_ONCE):
        group = windows[begin : begin + WINDOWS_AT_ONCE]
        total += model.loss(torch.from_numpy(group).to(device_name)).item() * len(group)
        done = begin + len(group)
        progress.report(done, total / done)
    return total / len(windows)


def _parameters(options: Namespace, shard: Shard) -> tuple[Architecture, Tensors]:
    if not options.untrained:
        return read_parameters(shard.input("parameters.safetensors"), "parameters.safetensors")
    architecture = Architecture(options.layers, options.width, options.heads, options.context)
    return architecture, architecture.initial_parameters(options.seed)
