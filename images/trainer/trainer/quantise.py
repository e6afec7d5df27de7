"""Int8 quantisation of a pseudo-gradient: blocks of 256 values share one float32 scale, 1.016 bytes a value.

A block with largest magnitude m is stored as round(value / scale) with scale = m / 127, rounded to nearest, so no value
is off by more than scale / 2. Nearest, not stochastic: the same update must give the same bytes.
"""

import numpy as np

from .faults import DataFault
from .safetensors import Tensors

BLOCK_VALUES = 256
LARGEST = 127
SCALES_SUFFIX = ".scales"


def quantise(update: Tensors) -> Tensors:
    """Each float32 tensor as int8 under its own name and shape, with its block scales under `<name>.scales`."""
    quantised = {}
    for name, tensor in update.items():
        blocks = _blocks(tensor)
        scales = (np.abs(blocks).max(axis=1) / LARGEST).astype(np.float32)
        divisors = np.where(scales > 0, scales, np.float32(1))
        rounded = np.rint(blocks / divisors[:, None]).clip(-LARGEST, LARGEST).astype(np.int8)
        quantised[name] = rounded.reshape(-1)[: tensor.size].reshape(tensor.shape)
        quantised[name + SCALES_SUFFIX] = scales
    return quantised


def dequantise(quantised: Tensors, shapes: dict[str, tuple[int, ...]], label: str) -> Tensors:
    """The float32 update, checked against the expected shapes; `label` names its file in a DataFault."""
    if quantised.keys() != shapes.keys() | {name + SCALES_SUFFIX for name in shapes}:
        raise DataFault(f"{label} does not hold exactly the tensors of the parameters and their scales")
    return {name: _restored(name, quantised, shape, label) for name, shape in shapes.items()}


def _restored(name: str, quantised: Tensors, shape: tuple[int, ...], label: str) -> np.ndarray:
    values, scales = quantised[name], quantised[name + SCALES_SUFFIX]
    if values.dtype != np.int8 or values.shape != shape:
        raise DataFault(f"{label}: {name} is not int8 of shape {list(shape)}")
    blocks = _blocks(values)
    if scales.dtype != np.float32 or scales.shape != (len(blocks),):
        raise DataFault(f"{label}: {name} does not have {len(blocks)} float32 scales")
    with np.errstate(over="ignore", invalid="ignore"):
        restored = blocks * scales[:, None]
    if not np.isfinite(restored).all():
        raise DataFault(f"{label}: {name} has a value that is not finite")
    return restored.reshape(-1)[: values.size].reshape(shape)


def _blocks(tensor: np.ndarray) -> np.ndarray:
    """The values as rows of BLOCK_VALUES, the last row filled up with zeros."""
    flat = tensor.reshape(-1)
    return np.pad(flat, (0, -flat.size % BLOCK_VALUES)).reshape(-1, BLOCK_VALUES)
