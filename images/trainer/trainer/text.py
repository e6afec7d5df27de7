"""Text as an array of bytes, and the windows that are cut from it."""

import numpy as np

from .faults import DataFault
from .shard import Shard


class Text:
    """A run of bytes; windows are (count, context + 1) int64: `context` bytes to read, each with its next byte."""

    def __init__(self, content: bytes, label: str):
        self.content = content
        self._bytes = np.frombuffer(content, np.uint8)
        self._label = label

    def random_windows(self, key: list[int], count: int, context: int) -> np.ndarray:
        """Windows at random places. The key alone decides them, so a resumed run needs no random state."""
        return self._windows(np.random.default_rng(key).integers(0, self._places(context), count), context)

    def even_windows(self, count: int, context: int) -> np.ndarray:
        """Windows spread evenly from the first byte to the last, fewer than `count` where there is no room for more."""
        places = self._places(context)
        return self._windows(np.linspace(0, places - 1, min(count, places)).astype(np.int64), context)

    def _places(self, context: int) -> int:
        places = len(self._bytes) - context
        if places < 1:
            raise DataFault(f"{self._label} has {len(self._bytes)} bytes, fewer than a window of {context + 1}")
        return places

    def _windows(self, starts: np.ndarray, context: int) -> np.ndarray:
        return self._bytes[starts[:, None] + np.arange(context + 1)].astype(np.int64)


def training_text(shard: Shard) -> Text:
    """All inputs named text-*, joined in the order of their names."""
    return Text(b"".join(shard.input(name) for name in shard.input_names("text-")), "the text of text-*")
