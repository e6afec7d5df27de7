import hashlib
import io
import json
import os
import shutil
import signal
import unittest
from argparse import Namespace
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np

from shard_run import TEXT, TINY, ShardRun, warmed_up
from trainer import checkpoint, safetensors, segments, state
from trainer.architecture import Architecture
from trainer.faults import DiskFault
from trainer.inner import Learner
from trainer.shard import Shard
from trainer.text import Text
from trainer.training import Course, train

STOPPED = 85
WARM_UP = ["warm-up", *TINY, "--steps", "7", "--batch", "4"]
TRAIN = ["train", "--round", "0", "--rounds", "2", "--worker", "0", "--workers", "1", "--steps", "5", "--batch", "4"]
SMALL_DISK = Path("/small")


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def chained(line: dict) -> str:
    """The commitment as the run log's docstring has it, written a second time."""
    link = bytes.fromhex(line["before"].split(":")[1])
    for offset in range(line["steps"]):
        batch, loss, step = line["batches"][offset], line["losses"][offset], line["first"] + offset
        link = hashlib.sha256(link + f'{{"batch":"{batch}","loss":"{loss}","step":{step}}}'.encode()).digest()
    return f"sha256:{link.hex()}"


class StopAtTheFirstLine(io.StringIO):
    """A stdout whose first line is answered with SIGTERM."""

    def write(self, text: str) -> int:
        if not self.getvalue():
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


class SegmentsOfAShard(unittest.TestCase):
    def run_with(self, argv: list[str], inputs: dict[str, bytes]) -> tuple[dict[str, bytes], list[bytes]]:
        """Outputs and states."""
        with ShardRun() as shard:
            shard.put(inputs)
            self.assertEqual(shard.call(*argv), (0, ""))
            kept = shard.segments() if "--segment-steps" in argv else []
            self.assertEqual([path.name for path in (shard.root / "checkpoint").iterdir()], ["segments"] * bool(kept))
            return {name: shard.output(name) for name in shard.digests()}, kept

    def check(self, argv: list[str], inputs: dict[str, bytes], spans: list[tuple[int, int]]):
        plain, _ = self.run_with(argv, inputs)
        outputs, kept = self.run_with([*argv, "--segment-steps", "3"], inputs)
        log = outputs.pop("run-log.jsonl").decode()
        self.assertEqual(outputs, plain)
        lines = [json.loads(line) for line in log.splitlines()]
        self.assertEqual(log, "".join(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n" for line in lines))
        self.assertEqual([(line["first"], line["steps"]) for line in lines], spans)
        self.assertEqual([line["segment"] for line in lines], list(range(len(spans))))
        digests = [f"sha256:{sha256(content)}" for content in kept]
        self.assertEqual([(line["before"], line["after"]) for line in lines], list(zip(digests, digests[1:])))
        self.assertEqual([line["commitment"] for line in lines], [chained(line) for line in lines])
        losses = [float(loss) for line in lines for loss in line["losses"]]
        metrics = json.loads(plain["metrics.json"])
        self.assertEqual((losses[0], losses[-1]), (metrics["first_loss"], metrics["last_loss"]))
        return kept, lines

    def test_a_warm_up_has_a_log_and_states_beside_its_usual_outputs(self):
        kept, lines = self.check(WARM_UP, {"text-0": TEXT}, [(0, 3), (3, 3), (6, 1)])
        self.assertEqual([state.read(content, "it").moment_steps for content in kept], [0, 3, 6, 7])
        windows = Text(TEXT, "it").random_windows([0, 1, 4], 4, 16)
        self.assertEqual(lines[1]["batches"][1], f"sha256:{sha256(bytes(windows.flatten().tolist()))}")

    def test_a_train_shard_too_and_its_first_state_is_what_it_was_given(self):
        start = warmed_up()
        kept, _ = self.check(TRAIN, {**start, "text-0": TEXT}, [(0, 3), (3, 2)])
        first = state.read(kept[0], "it")
        self.assertFalse(any(tensor.any() for tensor in first.first_moments.values()))
        self.assertEqual(first.moment_steps, 3)

    def test_without_segments_a_checkpoint_is_known_by_the_same_options_as_ever(self):
        options = Namespace(shard="/shard", checkpoint_seconds=1, steps=3, segment_steps=0)
        self.assertEqual(checkpoint.identity(options), sha256(b'[{"steps": 3}, []]'))
        options.segment_steps = 2
        self.assertEqual(checkpoint.identity(options), sha256(b'[{"segment_steps": 2, "steps": 3}, []]'))


    def test_a_stopped_shard_ends_in_the_same_bytes_here_and_elsewhere(self):
        argv = [*WARM_UP, "--segment-steps", "3"]
        with ShardRun() as unbroken, ShardRun() as here, ShardRun() as elsewhere:
            for shard in (unbroken, here, elsewhere):
                shard.put({"text-0": TEXT})
            self.assertEqual(unbroken.call(*argv), (0, ""))
            with self.assertRaises(SystemExit) as stop:
                here.call(*argv, stdout=StopAtTheFirstLine())
            self.assertEqual(stop.exception.code, STOPPED)
            here.travel(elsewhere)
            for shard in (here, elsewhere):
                self.assertEqual(shard.call(*argv), (0, ""))
                self.assertEqual(shard.digests(), unbroken.digests())
            self.assertEqual(here.segments(), unbroken.segments())
            left = {path.name for path in (elsewhere.root / "checkpoint" / "segments").iterdir()}
            self.assertEqual(left, {f"{index}.safetensors" for index in (1, 2, 3)})


class Stopping(unittest.TestCase):
    """Runs of seven steps in segments of three that are stopped at each step."""

    def course(self, at: dict, checkpoint_seconds: int = 300) -> Course:
        """`at` maps a step to what happens just before it."""
        text = Text(TEXT, "it")

        def windows(step: int):
            at.get(step, lambda: None)()
            return text.random_windows([1, step], 4, 16)

        return Course(7, windows, lambda step: 1e-3, checkpoint_seconds, segment_steps=3)

    def train(self, run: ShardRun, course: Course) -> None:
        """Ends as the course does; the last state is among the outputs."""
        architecture, shard = Architecture(1, 16, 1, 16), Shard(str(run.root))
        learner = Learner(architecture, architecture.initial_parameters(0), "cpu")
        keeper = segments.Keeper(shard, course.segments())
        with redirect_stdout(io.StringIO()):
            train(course, learner, shard, "identity", keeper.keep)
        shard.write("state.safetensors", state.write(learner.state()))

    def setUp(self):
        with ShardRun() as unbroken:
            self.train(unbroken, self.course({}))
            self.expected, self.states = unbroken.digests(), unbroken.segments()

    def test_a_stopped_run_ends_in_the_same_bytes_here_and_elsewhere(self):
        for step in range(6):
            with self.subTest(step), ShardRun() as here, ShardRun() as elsewhere:
                with self.assertRaises(SystemExit) as stop:
                    self.train(here, self.course({step: lambda: os.kill(os.getpid(), signal.SIGTERM)}))
                self.assertEqual(stop.exception.code, STOPPED)
                here.travel(elsewhere)
                for host in (here, elsewhere):
                    self.train(host, self.course({}))
                    self.assertEqual(host.digests(), self.expected)
                self.assertEqual(here.segments(), self.states)
                folder = elsewhere.root / "checkpoint" / "segments"
                # So that an agent that is not root can empty it.
                self.assertEqual(folder.stat().st_mode & 0o777, 0o777)
                left = {path.name for path in folder.iterdir()}
                done = (step + 1) // 3
                self.assertEqual(left, {f"{index}.safetensors" for index in range(done + 1, 4)})

    def test_a_killed_run_goes_on_from_a_checkpoint_older_than_its_states(self):
        class Killed(Exception):
            pass

        def die():
            raise Killed

        with ShardRun() as run:
            saved, aside = run.root / "checkpoint" / checkpoint.NAME, run.root / "aside"
            at = {2: lambda: shutil.copy(saved, aside), 5: die}
            with self.assertRaises(Killed):
                self.train(run, self.course(at, checkpoint_seconds=0))
            self.assertEqual(len(run.segments()), 2)
            shutil.copy(aside, saved)
            self.train(run, self.course({}))
            self.assertEqual((run.digests(), run.segments()), (self.expected, self.states))

    def test_a_stopped_replay_ends_in_the_same_bytes(self):
        with ShardRun() as unbroken, ShardRun() as stopped:
            self.train(unbroken, self.course({}).segment(1))
            with self.assertRaises(SystemExit):
                self.train(stopped, self.course({4: lambda: os.kill(os.getpid(), signal.SIGTERM)}).segment(1))
            self.train(stopped, self.course({}).segment(1))
            self.assertEqual(stopped.digests(), unbroken.digests())
            line = json.loads(stopped.output("run-log.jsonl"))
            self.assertEqual((line["segment"], line["first"], line["steps"]), (1, 3, 3))

    def test_a_run_from_the_beginning_leaves_no_state_of_another(self):
        with ShardRun() as run:
            shard = Shard(str(run.root))
            keeper = segments.Keeper(shard, 9)
            for index in range(9):
                keeper.keep(index, b"another's")
            self.train(run, self.course({}))
            self.assertEqual(run.segments(), self.states)

    def test_a_checkpoint_with_a_state_that_cannot_be_is_not_gone_on_from(self):
        with ShardRun() as run:
            with self.assertRaises(SystemExit):
                self.train(run, self.course({4: lambda: os.kill(os.getpid(), signal.SIGTERM)}))
            saved = run.root / "checkpoint" / checkpoint.NAME
            tensors, metadata = safetensors.read(saved.read_bytes(), "it")
            tensors["parameters/output_norm"] = tensors["parameters/output_norm"] * np.float32(np.nan)
            saved.write_bytes(safetensors.write(tensors, metadata))
            with redirect_stderr(io.StringIO()) as errors:
                self.train(run, self.course({}))
            self.assertIn("not finite; starting from the beginning", errors.getvalue())
            self.assertEqual((run.digests(), run.segments()), (self.expected, self.states))


class SmallDisk(unittest.TestCase):
    """/small is a file system of 2 MiB (run.sh)."""

    def setUp(self):
        self.checkpoints = SMALL_DISK / "checkpoint"
        self.checkpoints.mkdir()
        self.addCleanup(shutil.rmtree, self.checkpoints)

    def test_too_many_states_are_refused_before_the_first_step(self):
        with ShardRun() as run:
            run.put({"text-0": TEXT})
            (run.root / "checkpoint").rmdir()
            (run.root / "checkpoint").symlink_to(self.checkpoints)
            exit_code, errors = run.call(*WARM_UP, "--segment-steps", "2")
            self.assertEqual(exit_code, DiskFault.exit_code)
            self.assertRegex(errors, r"too little room: 5 states of segments and the running checkpoint need 3 MiB")
            self.assertEqual(errors.count("\n"), 1)
            self.assertEqual(list(self.checkpoints.rglob("*.*")), [])

    def test_a_disk_that_is_full_says_what_is_needed_and_keeps_what_was_whole(self):
        keeper, content = segments.Keeper(Shard(str(SMALL_DISK)), 3), bytes(300_000)
        keeper.keep(0, content)
        (self.checkpoints / "other").write_bytes(bytes(1_600_000))
        with self.assertRaisesRegex(DiskFault, "1.safetensors .* No space left on device: 4 states .* need 2 MiB"):
            keeper.keep(1, content)
        names = sorted(path.name for path in self.checkpoints.rglob("*") if path.is_file())
        self.assertEqual(names, ["0.safetensors", "other"])

    def test_a_running_checkpoint_that_does_not_fit_is_a_fault_too(self):
        shard = Shard(str(SMALL_DISK))
        with self.assertRaisesRegex(DiskFault, "training.safetensors with its 3000000 bytes cannot be written: No sp"):
            shard.write_checkpoint(checkpoint.NAME, bytes(3_000_000))
