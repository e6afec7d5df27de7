"""The forward pass: a pre-norm decoder-only transformer with rotary positions, as functions of a dict of tensors.

Shapes: B windows, C bytes each. Positions are rotary (https://arxiv.org/abs/2104.09864), norms have a gain and no bias,
the output matrix is the embedding.
"""

import torch
from torch.nn import functional

from .architecture import Architecture

ROTARY_BASE = 10_000

Parameters = dict[str, torch.Tensor]


class Model:
    """Parameters (float32 tensors by name) with the tables that depend on the architecture alone."""

    def __init__(self, architecture: Architecture, parameters: Parameters):
        self.architecture = architecture
        self.parameters = parameters
        device = parameters["embedding"].device
        self._rotation = _rotation(architecture.context, architecture.width // architecture.heads).to(device)
        ones = torch.ones(architecture.context, architecture.context, dtype=torch.bool, device=device)
        self._later = ones.triu(1)

    def logits(self, windows: torch.Tensor) -> torch.Tensor:
        """Bytes (B, C) as int64 to logits (B, C, 256): position c predicts byte c + 1. C is at most the context."""
        hidden = functional.embedding(windows, self.parameters["embedding"])
        for layer in range(self.architecture.layers):
            hidden = hidden + self._attention(layer, hidden)
            hidden = hidden + self._mlp(layer, hidden)
        return functional.linear(_norm(hidden, self.parameters["output_norm"]), self.parameters["embedding"])

    def loss(self, windows: torch.Tensor) -> torch.Tensor:
        """Mean cross-entropy in nats per byte of windows (B, C + 1), each byte but the first predicted."""
        logits = self.logits(windows[:, :-1])
        return functional.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())

    def _attention(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        batch, length, width = hidden.shape
        heads = self.architecture.heads
        normed = _norm(hidden, self.parameters[f"layer_{layer}.attention_norm"])
        joint = functional.linear(normed, self.parameters[f"layer_{layer}.attention_in"])
        queries, keys, values = joint.view(batch, length, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
        queries, keys = self._rotated(queries), self._rotated(keys)
        scores = queries @ keys.transpose(-2, -1) * (width // heads) ** -0.5
        weights = scores.masked_fill(self._later[:length, :length], float("-inf")).softmax(-1)
        mixed = (weights @ values).transpose(1, 2).reshape(batch, length, width)
        return functional.linear(mixed, self.parameters[f"layer_{layer}.attention_out"])

    def _rotated(self, vectors: torch.Tensor) -> torch.Tensor:
        cosines, sines = self._rotation[:, : vectors.shape[-2]]
        first, second = vectors.chunk(2, -1)
        return torch.cat([first * cosines - second * sines, first * sines + second * cosines], -1)

    def _mlp(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        normed = _norm(hidden, self.parameters[f"layer_{layer}.mlp_norm"])
        inner = functional.gelu(functional.linear(normed, self.parameters[f"layer_{layer}.mlp_in"]))
        return functional.linear(inner, self.parameters[f"layer_{layer}.mlp_out"])


def _norm(hidden: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(hidden, gain.shape, gain)


def _rotation(context: int, head_width: int) -> torch.Tensor:
    """Cosines and sines (2, context, head_width / 2) of every position's angles."""
    frequencies = ROTARY_BASE ** -(torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
    angles = torch.outer(torch.arange(context, dtype=torch.float64), frequencies)
    return torch.stack([angles.cos(), angles.sin()]).float()
