"""Text from the model, byte by byte."""

import numpy as np
import torch

from .model import Model

SAMPLE_STREAM = 3
UNPRINTABLE = "·"


def sample(model: Model, prompt: bytes, count: int, temperature: float, seed: int) -> bytes:
    """The prompt and `count` more bytes, drawn from the model's distribution at this temperature.

    The draws come from numpy, so that they are the same on every device. Without bytes to draw, nothing at all.
    """
    if count == 0:
        return b""
    random = np.random.default_rng([seed, SAMPLE_STREAM])
    text = bytearray(prompt)
    for _ in range(count):
        text.append(_draw(_next_logits(model, text), temperature, random.random()))
    return bytes(text)


def printable(content: bytes) -> str:
    """The bytes as text that is safe on a terminal: what is neither printable nor a line's end becomes a dot."""
    text = content.decode(errors="replace").replace("\N{REPLACEMENT CHARACTER}", UNPRINTABLE)
    return "".join(letter if letter.isprintable() or letter == "\n" else UNPRINTABLE for letter in text)


def _next_logits(model: Model, text: bytearray) -> np.ndarray:
    window = torch.tensor([list(text[-model.architecture.context :])], device=model.parameters["embedding"].device)
    return model.logits(window)[0, -1].double().cpu().numpy()


def _draw(logits: np.ndarray, temperature: float, uniform: float) -> int:
    weights = np.exp((logits - logits.max()) / temperature)
    return int(np.searchsorted(weights.cumsum() / weights.sum(), uniform, side="right").clip(0, len(weights) - 1))
