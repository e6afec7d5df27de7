"""Does DiLoCo, as the trainer image does it, train as well as synchronous data parallel, on a fraction of the uploads?

From one shared warm-up, on the same data and for the same number of steps:
  synchronous   every step averages the gradients of all workers (learnt as one batch of all their windows, whose
                gradient is that average); the same inner optimiser; once with each of several learning rates, of which
                the best counts
  diloco        the image's own subcommands, run one by one as a marketplace would: train, train …, reduce
  lone worker   worker 0 on its own slice, never hearing of the others

Run by run.sh inside the trainer image. Exits 1 unless every gate holds for every seed.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, fields, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Callable

import numpy as np

from trainer import arguments
from trainer import train as train_subcommand
from trainer.__main__ import main as trainer
from trainer.architecture import read_parameters, write_parameters
from trainer.inner import Learner, adopt_second_moments
from trainer.text import Text

LOSS_LIMIT = 1.03
SAVING_LIMIT = 75
HELD_OUT_FRACTION = 0.05
GRADIENT_VALUE_BYTES = 4
PARALLEL_ARMS = 2
SYNCHRONOUS = "synchronous"
SYNCHRONOUS_LEARNING_RATES = [4.5e-3, 6e-3, 8e-3]


@dataclass(frozen=True)
class Settings:
    """What every arm shares, but for the synchronous ones' learning rates; steps are inner steps a round."""

    workers: int = 4
    rounds: int = 20
    steps: int = 20
    warm_up_steps: int = 300
    warm_up_batch: int = 16
    warm_up_learning_rate: float = 3e-3
    batch: int = 8
    context: int = 64
    windows: int = 512
    learning_rate: float = 4.5e-3
    final_learning_rate: float = 5e-4
    outer_learning_rate: float = 0.7
    outer_momentum: float = 0.85


@dataclass(frozen=True)
class Outcome:
    """One arm's end: held-out loss (nats per byte), bytes uploaded by all workers after the warm-up, time it took."""

    loss: float
    upload_bytes: int
    seconds: float


class Bench:
    """The directories and data of one seed, and how to run a subcommand of the image on them."""

    def __init__(self, directory: Path, settings: Settings, seed: int, corpus: Path):
        self.directory, self.settings, self.seed = directory, settings, seed
        content = corpus.read_bytes()
        held_out_bytes = int(len(content) * HELD_OUT_FRACTION)
        training, self.held_out = content[:-held_out_bytes], content[-held_out_bytes:]
        cuts = [len(training) * worker // settings.workers for worker in range(settings.workers + 1)]
        self.slices = [training[begin:end] for begin, end in zip(cuts, cuts[1:])]

    def run(self, name: str, inputs: dict[str, bytes], argv: list[str]) -> Path:
        """Run a subcommand in a fresh directory called `name`; returns its out/."""
        shard = self.directory / name
        shutil.rmtree(shard, ignore_errors=True)
        (shard / "in").mkdir(parents=True)
        for input_name, content in inputs.items():
            (shard / "in" / input_name).write_bytes(content)
        with redirect_stdout(sys.stderr):
            exit_code = trainer([*argv, "--shard", str(shard)])
        if exit_code:
            sys.exit(f"{' '.join(argv)} exited with {exit_code}")
        return shard / "out"

    def warm_up(self) -> dict[str, bytes]:
        """The common start: parameters and optimizer moments."""
        settings = self.settings
        texts = {f"text-{worker}": text for worker, text in enumerate(self.slices)}
        argv = ["warm-up", "--steps", settings.warm_up_steps, "--batch", settings.warm_up_batch]
        argv += ["--context", settings.context, "--learning-rate", settings.warm_up_learning_rate, "--seed", self.seed]
        return _files(self.run("warm-up", texts, _text(argv)), "parameters.safetensors", "optimizer.safetensors")

    def train_argv(self, round_number: int, worker: int) -> list[str]:
        """The command line of one worker's part of a round."""
        settings = self.settings
        argv = ["train", "--round", round_number, "--rounds", settings.rounds, "--worker", worker]
        argv += ["--workers", settings.workers, "--steps", settings.steps, "--batch", settings.batch]
        argv += ["--learning-rate", settings.learning_rate, "--final-learning-rate", settings.final_learning_rate]
        return _text([*argv, "--seed", self.seed])

    def reduce_argv(self, round_number: int) -> list[str]:
        """The command line of a round's reduce. The last takes the plain mean: no round follows to aim for."""
        settings, is_last = self.settings, round_number == self.settings.rounds - 1
        rate, momentum = (1, 0) if is_last else (settings.outer_learning_rate, settings.outer_momentum)
        return _text(["reduce", "--outer-learning-rate", rate, "--outer-momentum", momentum])

    def held_out_loss(self, name: str, parameters: bytes) -> float:
        """What `evaluate` says of these parameters, in nats per byte."""
        inputs = {"parameters.safetensors": parameters, "held-out": self.held_out}
        out = self.run(name, inputs, _text(["evaluate", "--sample-bytes", 0, "--windows", self.settings.windows]))
        return json.loads((out / "metrics.json").read_bytes())["loss"]


def diloco(bench: Bench, start: dict[str, bytes]) -> Outcome:
    """The image's subcommands, round after round."""
    began = time.monotonic()
    settings, state, upload_bytes = bench.settings, {"parameters.safetensors": start["parameters.safetensors"]}, 0
    for round_number in range(settings.rounds):
        common = {**start, "parameters.safetensors": state["parameters.safetensors"]}
        updates = {}
        for worker, text in enumerate(bench.slices):
            out = bench.run("diloco-train", {**common, "text-0": text}, bench.train_argv(round_number, worker))
            updates[f"update-{worker}.safetensors"] = (out / "update.safetensors").read_bytes()
        upload_bytes += sum(map(len, updates.values()))
        out = bench.run("diloco-reduce", {**state, **updates}, bench.reduce_argv(round_number))
        state = _files(out, "parameters.safetensors", "momentum.safetensors")
    loss = bench.held_out_loss("diloco-evaluate", state["parameters.safetensors"])
    return Outcome(loss, upload_bytes, time.monotonic() - began)


def synchronous(bench: Bench, start: dict[str, bytes], workers: range) -> Outcome:
    """These workers' windows in one batch every step."""
    began = time.monotonic()
    settings = bench.settings
    architecture, parameters = read_parameters(start["parameters.safetensors"], "parameters.safetensors")
    learner = Learner(architecture, parameters, "cpu")
    adopt_second_moments(learner, start["optimizer.safetensors"], "optimizer.safetensors")
    texts = [Text(text, "a slice") for text in bench.slices]
    for round_number in range(settings.rounds):
        options = [arguments.parse(bench.train_argv(round_number, worker)) for worker in workers]
        for step in range(settings.steps):
            windows = [
                train_subcommand.windows(option, texts[option.worker], architecture.context, step)
                for option in options
            ]
            learner.learn(np.concatenate(windows), train_subcommand.learning_rate(options[0], step))
    parameters = learner.parameters()
    value_count = sum(tensor.size for tensor in parameters.values())
    loss = bench.held_out_loss("synchronous-evaluate", write_parameters(architecture, parameters))
    steps = settings.rounds * settings.steps
    upload_bytes = GRADIENT_VALUE_BYTES * value_count * steps * len(workers) if len(workers) > 1 else 0
    return Outcome(loss, upload_bytes, time.monotonic() - began)


def lone_worker(bench: Bench, start: dict[str, bytes]) -> Outcome:
    """Worker 0 with nobody to agree with."""
    return synchronous(bench, start, range(1))


def all_workers(bench: Bench, start: dict[str, bytes]) -> Outcome:
    """Synchronous data parallel."""
    return synchronous(bench, start, range(bench.settings.workers))


Arm = Callable[[Bench, dict[str, bytes]], Outcome]


def arms(settings: Settings, synchronous_rates: list[float]) -> dict[str, tuple[Arm, Settings]]:
    """What is run from each seed's start."""
    rates = {f"{SYNCHRONOUS} {rate:g}": replace(settings, learning_rate=rate) for rate in synchronous_rates}
    return {
        **{name: (all_workers, settings_of_rate) for name, settings_of_rate in rates.items()},
        "diloco": (diloco, settings),
        "lone worker": (lone_worker, settings),
    }


def run_arm(arm: Arm, settings: Settings, seed: int, corpus: Path, start: dict[str, bytes]) -> Outcome:
    """One arm in a process of its own."""
    with tempfile.TemporaryDirectory() as directory:
        return arm(Bench(Path(directory), settings, seed, corpus), start)


def run_warm_up(settings: Settings, seed: int, corpus: Path) -> dict[str, bytes]:
    """A seed's common start."""
    with tempfile.TemporaryDirectory() as directory:
        return Bench(Path(directory), settings, seed, corpus).warm_up()


def run_seeds(
    arms: dict[str, tuple[Arm, Settings]], settings: Settings, seeds: list[int], corpus: Path
) -> dict[int, dict[str, Outcome]]:
    """Every arm of every seed, two at a time with one thread each."""
    with ProcessPoolExecutor(PARALLEL_ARMS, get_context("spawn")) as pool:
        starts = {seed: pool.submit(run_warm_up, settings, seed, corpus) for seed in seeds}
        outcomes = {
            seed: {
                name: pool.submit(run_arm, arm, own_settings, seed, corpus, starts[seed].result())
                for name, (arm, own_settings) in arms.items()
            }
            for seed in seeds
        }
        return {seed: {name: future.result() for name, future in futures.items()} for seed, futures in outcomes.items()}


def verdict(seed: int, outcomes: dict[str, Outcome]) -> dict:
    """A seed's figures and gates, as they go into the JSON line."""
    best = min(
        (outcome for name, outcome in outcomes.items() if name.startswith(SYNCHRONOUS)),
        key=lambda outcome: outcome.loss,
    )
    loss, saving = outcomes["diloco"].loss, best.upload_bytes / outcomes["diloco"].upload_bytes
    return {
        "seed": seed,
        "arms": {arm: asdict(outcome) for arm, outcome in outcomes.items()},
        "best_synchronous": asdict(best),
        "ratio_to_synchronous": loss / best.loss,
        "upload_saving": saving,
        "gates": {
            f"loss at most {LOSS_LIMIT} x the best synchronous": loss <= LOSS_LIMIT * best.loss,
            "loss below the lone worker": loss < outcomes["lone worker"].loss,
            f"upload saving at least {SAVING_LIMIT} x": saving >= SAVING_LIMIT,
        },
    }


def table(verdicts: list[dict]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| seed | arm | held-out loss (nats/byte) | to best synchronous | uploaded | saving | time |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        reference = verdict["best_synchronous"]
        for arm, outcome in verdict["arms"].items():
            uploaded = outcome["upload_bytes"]
            cells = [verdict["seed"], arm, f"{outcome['loss']:.4f}", f"{outcome['loss'] / reference['loss'] - 1:+.1%}"]
            cells += [f"{uploaded / 1e6:.1f} MB", f"{reference['upload_bytes'] / uploaded:.1f} x" if uploaded else "-"]
            lines.append("| " + " | ".join(map(str, [*cells, f"{outcome['seconds']:.0f} s"])) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    for field in fields(Settings):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, default=field.default)
    parser.add_argument("--synchronous-learning-rates", type=float, nargs="+", default=SYNCHRONOUS_LEARNING_RATES)
    options = parser.parse_args()
    settings = Settings(**{field.name: getattr(options, field.name) for field in fields(Settings)})
    outcomes = run_seeds(arms(settings, options.synchronous_learning_rates), settings, options.seeds, options.corpus)
    verdicts = [verdict(seed, seed_outcomes) for seed, seed_outcomes in outcomes.items()]
    print(table(verdicts))
    print(json.dumps({"settings": asdict(settings), "verdicts": verdicts}))
    failed = [
        f"seed {entry['seed']}: {gate}" for entry in verdicts for gate, held in entry["gates"].items() if not held
    ]
    for gate in failed:
        print(f"gate failed: {gate}", file=sys.stderr)
    return 1 if failed else 0


def _text(argv: list) -> list[str]:
    return [str(word) for word in argv]


def _files(directory: Path, *names: str) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in names}


if __name__ == "__main__":
    sys.exit(main())
