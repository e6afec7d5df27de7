"""PyTorch made ready: the device opened, and everything that could differ from run to run pinned."""

import torch

from .faults import UsageFault


def prepare(name: str, threads: int) -> None:
    """Open the device ("cpu" or "cuda") and make PyTorch deterministic on it."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.backends.cuda.matmul.allow_tf32 = False
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageFault("--device cuda: this container has no usable GPU")
    torch.zeros(1, device=name)
