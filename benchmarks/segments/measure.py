"""How far apart do honest replays of a segment end, and how far cheats? And what do segments cost?

The model and the settings are those of examples/king-james.yaml, in segments of 20 steps, and of 2 where updates are
shortest and rounding weighs most: its warm-up, and one worker's part of the first and of the last round. Both of these
start from the warm-up, because only their learning rates matter here.

  honest   the image's own `replay`, with other threads and processor kernels than the run had; the largest error counts
  cheats   the same segment, but not as it was asked for; the smallest error counts
  costs    of keeping a state, in one run with the steps between two of them

Run by run.sh inside the trainer image.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable, ContextManager, Iterable

import numpy as np
import torch

from trainer import arguments, compare, device, replay, run_log, segments, state
from trainer.inner import Learner
from trainer.shard import Shard
from trainer.state import State
from trainer.text import Text
from trainer.training import Course

TEXT_BYTES = 1_000_000
SHAPE = "--layers 5 --width 128 --heads 4 --context 128 --batch 8"
WARM_UP = f"warm-up {SHAPE} --steps 160 --learning-rate 0.003 --segment-steps 20"
ROUND = (
    "train --rounds 6 --worker 0 --workers 2 --steps 40 --batch 8 --learning-rate 0.0045 --final-learning-rate 0.0005"
)
RUNS = {
    WARM_UP: [0, 1, 4, 7],
    f"{ROUND} --round 0 --segment-steps 20": [0, 1],
    f"{ROUND} --round 5 --segment-steps 20": [0, 1],
    f"{ROUND} --round 5 --segment-steps 2": [0, 19],
}
HONEST = {
    "the same": ("", {}),
    "2 threads": ("--threads 2", {}),
    "PyTorch's kernels for AVX-512": ("", {"ATEN_CPU_CAPABILITY": "avx512"}),
    "PyTorch's kernels without vectors": ("", {"ATEN_CPU_CAPABILITY": "default"}),
    "OpenBLAS for Zen": ("", {"OPENBLAS_CORETYPE": "Zen"}),
    "OpenBLAS for SkylakeX": ("", {"OPENBLAS_CORETYPE": "SkylakeX"}),
    "OpenBLAS for Sandy Bridge": ("", {"OPENBLAS_CORETYPE": "Sandybridge"}),
    "OpenBLAS for Prescott, PyTorch without vectors": (
        "",
        {"OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default"},
    ),
}
COST_SEGMENTS, COST_STEPS = 5, 20


@dataclass(frozen=True)
class Segment:
    """One segment of a run: the run's command line, its number, the states around it."""

    argv: list[str]
    index: int
    before: bytes
    after: bytes

    def steps(self) -> int:
        """How many steps it has."""
        return arguments.parse(self.argv).segment_steps

    def course(self, text: Text) -> Course:
        """What was asked for."""
        phase = replay.PHASES[self.argv[0]]
        architecture = state.read(self.before, "before").architecture
        return phase.course_of(arguments.parse(self.argv), text, architecture).segment(self.index)

    def verdict(self, claimed: State, replayed: State) -> tuple[float, float]:
        """Error over all parameters, and that of the worst tensor."""
        found = compare.compared(state.read(self.before, "before"), claimed, replayed, tolerance=1)
        return found["error"], found["worst"]["error"]


class Bench:
    """Where the trainer's shards run, and the text that they learn from."""

    def __init__(self, scratch: Path, text: bytes):
        self._scratch, self.text = scratch, text

    def run(self, argv: list[str], inputs: dict[str, bytes], environment: dict[str, str] | None = None) -> Path:
        """Run a subcommand of the image on these inputs and the text; returns its directories' root."""
        root = Path(tempfile.mkdtemp(dir=self._scratch))
        for name in ("in", "out", "checkpoint"):
            (root / name).mkdir()
        for name, content in (inputs | {"text-0": self.text}).items():
            (root / "in" / name).write_bytes(content)
        command = [sys.executable, "-m", "trainer", *argv, "--shard", str(root)]
        subprocess.run(command, env=os.environ | (environment or {}), check=True, stdout=subprocess.DEVNULL)
        return root

    def segments(self) -> list[Segment]:
        """Those of RUNS, as one thread computes them."""
        found, start = [], {}
        for line, indices in RUNS.items():
            argv = line.split()
            root = self.run(argv, start)
            states = [root / "checkpoint" / "segments" / f"{index}.safetensors" for index in range(max(indices) + 2)]
            found += [Segment(argv, i, states[i].read_bytes(), states[i + 1].read_bytes()) for i in indices]
            if line == WARM_UP:
                names = ("parameters.safetensors", "optimizer.safetensors")
                start = {name: (root / "out" / name).read_bytes() for name in names}
        return found

    def honest(self, segment: Segment, flags: str, environment: dict[str, str]) -> tuple[float, float]:
        """The errors of the original as a replay with these flags and this environment finds them."""
        argv = ["replay", *segment.argv, "--segment", str(segment.index), *flags.split()]
        root = self.run(argv, {"segment.safetensors": segment.before}, environment)
        replayed = state.read((root / "out" / "segment.safetensors").read_bytes(), "replayed")
        shutil.rmtree(root)
        return segment.verdict(state.read(segment.after, "claimed"), replayed)


Alter = Callable[[Course], Course]


def cheated(segment: Segment, text: Text, alter: Alter, precision: ContextManager) -> tuple[float, float]:
    """The errors of the altered segment as an honest replay finds them."""
    before, honest = state.read(segment.before, "before"), state.read(segment.after, "replayed")
    learner = Learner(before.architecture, before.parameters, "cpu")
    learner.adopt(before)
    course = alter(segment.course(text))
    for step in range(course.first, course.first + course.steps):
        windows = course.windows(step)
        if len(windows):
            with precision:
                learner.learn(windows, course.learning_rate(step))
    return segment.verdict(replace(learner.state(), moment_steps=honest.moment_steps), honest)


def cheats() -> dict[str, tuple[Alter, ContextManager]]:
    """What to claim instead of the segment, from the cheapest on."""
    exact = nullcontext()

    def learn_from(change: Callable) -> Alter:
        return lambda course: replace(course, windows=lambda step: change(course.windows, step))

    def at_rate(factor: float) -> Alter:
        return lambda course: replace(course, learning_rate=lambda step: factor * course.learning_rate(step))

    def every_second(windows: Callable, step: int) -> np.ndarray:
        return windows(step)[: 0 if step % 2 else None]

    return {
        "no step at all": (lambda course: replace(course, steps=0), exact),
        "the windows of other steps": (learn_from(lambda windows, step: windows(step + 1000)), exact),
        "every second step left out": (learn_from(every_second), exact),
        "the last step left out": (lambda course: replace(course, steps=course.steps - 1), exact),
        "one window of eight left out": (learn_from(lambda windows, step: windows(step)[:-1]), exact),
        "matrices in bfloat16": (lambda course: course, torch.autocast("cpu", torch.bfloat16)),
        "a learning rate 1% too high": (at_rate(1.01), exact),
        "a learning rate 0.1% too high": (at_rate(1.001), exact),
    }


def costs(segment: Segment, text: Text, scratch: Path) -> dict[str, float]:
    """Medians in seconds: of a step, and of each part of keeping a state."""
    before, course = state.read(segment.before, "before"), segment.course(text)
    learner = Learner(before.architecture, before.parameters, "cpu")
    (scratch / "checkpoint").mkdir()
    keeper = segments.Keeper(Shard(str(scratch)), COST_SEGMENTS)
    taken: dict[str, list[float]] = {}

    def timed(name: str, work: Callable):
        begun = time.perf_counter()
        result = work()
        taken.setdefault(name, []).append(time.perf_counter() - begun)
        return result

    for index in range(COST_SEGMENTS):
        for step in range(COST_STEPS):
            timed("step", lambda: learner.learn(course.windows(step), 1e-3))
        content = timed("to bytes", lambda: state.write(learner.state()))
        timed("digest", lambda: run_log.digest(content))
        timed("write and fsync", lambda: keeper.keep(index, content))
    return {name: statistics.median(times) for name, times in taken.items()}


def table(title: str, names: Iterable[str], found: list[Segment], errors_of: Callable, pick: Callable) -> None:
    """A row a name, columns by the segments' steps: `pick` of errors_of(name, segment) of all segments."""
    lengths = sorted({each.steps() for each in found}, reverse=True)
    columns = "".join(f" {steps} steps, all parameters | worst tensor |" for steps in lengths)
    print(f"\n| {title} |{columns}\n|---|{'---|---|' * len(lengths)}")
    for name in names:
        cells = f"| {name} |"
        for steps in lengths:
            errors = [errors_of(name, each) for each in found if each.steps() == steps]
            cells += "".join(f" {pick(column):.1e} |" for column in zip(*errors))
        print(cells, flush=True)


def main() -> None:
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--scratch", type=Path, required=True)
    options = parser.parse_args()
    device.prepare("cpu", 1)
    content = options.corpus.read_bytes()[:TEXT_BYTES]
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        measure(Path(scratch), content)


def measure(scratch: Path, content: bytes) -> None:
    """All of it, in a directory of its own."""
    bench, text = Bench(scratch, content), Text(content, "the corpus")
    found = bench.segments()
    seconds = costs(found[1], text, scratch)
    print(f"a state has {len(found[0].after)} bytes; medians of one run:")
    for name, value in seconds.items():
        print(f"  {name}: {value * 1e3:.1f} ms, {value / seconds['step']:.3f} steps")
    ways = cheats()
    table("cheat, smallest error", ways, found, lambda name, each: cheated(each, text, *ways[name]), min)
    table("honest, largest error", HONEST, found, lambda name, each: bench.honest(each, *HONEST[name]), max)


if __name__ == "__main__":
    main()
