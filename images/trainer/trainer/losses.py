"""The training losses of a shard, summed up."""

from dataclasses import dataclass


@dataclass
class Losses:
    """First, last and total loss of `steps` steps, in nats per byte."""

    steps: int = 0
    first: float = 0.0
    last: float = 0.0
    total: float = 0.0

    def add(self, loss: float) -> None:
        """Count one more step."""
        self.first = loss if self.steps == 0 else self.first
        self.last = loss
        self.total += loss
        self.steps += 1

    def metrics(self, tokens_per_step: int) -> dict:
        """What metrics.json says of them; a token is a byte that was predicted."""
        return {
            "first_loss": self.first,
            "last_loss": self.last,
            "mean_loss": self.total / self.steps,
            "steps": self.steps,
            "tokens": self.steps * tokens_per_step,
        }
