"""The run log: what a shard did, segment by segment, so that anybody can replay one segment and compare.

run-log.jsonl has one line a segment, in order, each ended by a line feed. A line is canonical JSON (RFC 8785: sorted
keys, no spaces), which needs no more than that because all in it is ASCII text and whole numbers below 2^53:

  after        digest of the state after the segment (state.py); the next line's `before`
  batches      for each step, the digest of the bytes it learnt from: its windows one after the other, each of
               context + 1 bytes
  before       digest of the state before the segment
  commitment   the last link of the chain below
  first        the segment's first step; steps count from 0 in the shard
  losses       for each step, the loss before its update, in nats per byte
  segment      counts from 0
  steps        how many; the last segment may be shorter

Digests are `sha256:` and 64 lower-case hex digits. A loss is text: the shortest decimal that reads back as the same
IEEE 754 double, as Python's repr() writes it. float() and JavaScript's Number() both read it exactly. It is not a JSON
number, because the two languages write some numbers differently (1e-05, 0.00001) and no hash may depend on that.

The chain commits to every step. It starts anew in each segment, from the state, so that a replay of one segment arrives
at the same commitment:

  h[0] = the 32 bytes of `before`
  h[n] = SHA-256(h[n-1] || canonical JSON of {"batch": batches[n-1], "loss": losses[n-1], "step": first + n - 1})

and `commitment` is h[steps].
"""

import hashlib
import json
from dataclasses import dataclass, field

import numpy as np

NAME = "run-log.jsonl"
DIGEST_PREFIX = "sha256:"


@dataclass
class RunLog:
    """The segment under way (the state before it, its number, its first step, its steps so far), the lines so far."""

    before: str
    segment: int = 0
    first: int = 0
    batches: list[str] = field(default_factory=list)
    losses: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def add(self, windows: np.ndarray, loss: float) -> None:
        """One more step: what it learnt from (windows of byte values) and its loss."""
        self.batches.append(digest(windows.astype(np.uint8).tobytes()))
        self.losses.append(repr(loss))

    def close(self, after: str) -> None:
        """The segment has ended in the state of this digest; the next one begins."""
        line = {
            "after": after,
            "batches": self.batches,
            "before": self.before,
            "commitment": commitment(self.before, self.first, self.batches, self.losses),
            "first": self.first,
            "losses": self.losses,
            "segment": self.segment,
            "steps": len(self.losses),
        }
        self.lines.append(canonical_json(line))
        self.before, self.segment, self.first = after, self.segment + 1, self.first + len(self.losses)
        self.batches, self.losses = [], []

    def content(self) -> bytes:
        """The bytes of run-log.jsonl."""
        return "".join(line + "\n" for line in self.lines).encode()


def commitment(before: str, first: int, batches: list[str], losses: list[str]) -> str:
    """The last link of the chain over a segment's steps."""
    link = bytes.fromhex(before.removeprefix(DIGEST_PREFIX))
    for step, (batch, loss) in enumerate(zip(batches, losses), first):
        link = hashlib.sha256(link + canonical_json({"batch": batch, "loss": loss, "step": step}).encode()).digest()
    return DIGEST_PREFIX + link.hex()


def digest(content: bytes) -> str:
    """`sha256:` and the hex digits."""
    return DIGEST_PREFIX + hashlib.sha256(content).hexdigest()


def canonical_json(value: dict) -> str:
    """The canonical form of JSON without fractions and beyond-ASCII text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
