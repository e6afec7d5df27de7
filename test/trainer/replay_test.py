import json
import unittest
from dataclasses import replace
from typing import Callable

import numpy as np

from shard_run import TEXT, TINY, ShardRun
from trainer import safetensors, state
from trainer.compare import compared
from trainer.safetensors import Tensors
from trainer.state import State

USAGE, DATA = 2, 3
SEGMENTS = ["--segment-steps", "3"]
WARM_UP = ["warm-up", *TINY, "--steps", "8", "--batch", "8", "--ramp", "4", *SEGMENTS]
ROUND = ["--round", "1", "--rounds", "2", "--worker", "0", "--workers", "2"]
TRAIN = ["train", *ROUND, "--steps", "7", "--batch", "8", *SEGMENTS]
OTHER_TEXT = TEXT[::-1]
# What benchmarks/segments/README.md finds for processors that compute differently.
TOLERANCE = 5e-4


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lines, cls.states, cls.outputs = {}, {}, {}
        cls.inputs = {"text-0": TEXT}
        for argv in (WARM_UP, TRAIN):
            with ShardRun() as shard:
                shard.put(cls.inputs)
                assert shard.call(*argv) == (0, "")
                cls.outputs[argv[0]] = {name: shard.output(name) for name in shard.digests()}
                cls.lines[argv[0]] = shard.output("run-log.jsonl").splitlines(keepends=True)
                cls.states[argv[0]] = shard.segments()
            start = {name: cls.outputs["warm-up"][name] for name in ("parameters.safetensors", "optimizer.safetensors")}
            cls.inputs = {"text-0": TEXT, **start}

    def replayed(self, argv: list[str], segment: int, inputs: dict[str, bytes]) -> tuple[bytes, bytes, bytes]:
        """The state after, the run log and the metrics."""
        with ShardRun() as shard:
            shard.put(inputs)
            self.assertEqual(shard.call("replay", *argv, "--segment", str(segment)), (0, ""))
            self.assertEqual([path.name for path in (shard.root / "checkpoint").iterdir()], [])
            return tuple(shard.output(name) for name in ("segment.safetensors", "run-log.jsonl", "metrics.json"))

    def test_every_segment_leads_to_the_same_state_and_the_same_line(self):
        for argv in (WARM_UP, TRAIN):
            states, lines = self.states[argv[0]], self.lines[argv[0]]
            self.assertEqual(len(lines), 3)
            for segment, line in enumerate(lines):
                with self.subTest(argv[0], segment=segment):
                    inputs = {"text-0": TEXT, "segment.safetensors": states[segment]}
                    after, log, metrics = self.replayed(argv, segment, inputs)
                    self.assertEqual((after, log), (states[segment + 1], line))
                    self.assertEqual(json.loads(metrics)["steps"], json.loads(line)["steps"])

    def test_the_first_segment_can_start_from_the_shards_own_inputs(self):
        for argv in (WARM_UP, TRAIN):
            with self.subTest(argv[0]):
                after, log, _ = self.replayed(argv, 0, self.inputs)
                self.assertEqual((after, log), (self.states[argv[0]][1], self.lines[argv[0]][0]))

    def test_the_outputs_follow_from_the_last_state_alone(self):
        for phase in ("warm-up", "train"):
            with self.subTest(phase), ShardRun() as shard:
                parameters = {name: self.inputs[name] for name in ("parameters.safetensors",) if phase == "train"}
                shard.put({"segment.safetensors": self.states[phase][-1], **parameters})
                self.assertEqual(shard.call("finish", phase), (0, ""))
                for name in shard.digests():
                    self.assertEqual(shard.output(name), self.outputs[phase][name])
                expected = {name for name in self.outputs[phase] if name.endswith(".safetensors")}
                self.assertEqual(shard.digests().keys(), expected)

    def test_every_cheat_has_another_digest_and_is_far_over_the_tolerance(self):
        for argv in (WARM_UP, TRAIN):
            phase, segment = argv[0], 1
            before, true = self.states[phase][segment : segment + 2]
            line = json.loads(self.lines[phase][segment])

            def cheat(*flags: str, text: bytes = TEXT) -> tuple[bytes, dict]:
                inputs = {"text-0": text, "segment.safetensors": before}
                state, log, _ = self.replayed([*argv, *flags], segment, inputs)
                return state, json.loads(log)

            cheats = {
                "other data": cheat(text=OTHER_TEXT),
                "other seed": cheat("--seed", "1"),
                "a learning rate 1% higher": cheat("--learning-rate", "0.00303"),
                "one of eight samples dropped": cheat("--batch", "7"),
            }
            for name, (claimed, log) in cheats.items():
                with self.subTest(name, phase=phase):
                    self.assertNotEqual(log["after"], line["after"])
                    self.assertNotEqual(log["commitment"], line["commitment"])
                    self.assertEqual(log["batches"] == line["batches"], "rate" in name)
                    self.check_far_off(before, claimed, true, name)

    def test_a_skipped_step_is_seen_even_under_a_false_number_of_steps(self):
        before, true = self.states["warm-up"][1:3]
        flags = ["--steps", "5"]
        short, log, _ = self.replayed([*WARM_UP, *flags], 1, {"text-0": TEXT, "segment.safetensors": before})
        self.assertEqual(json.loads(log)["steps"], 2)
        skipped = state.write(replace(state.read(short, "it"), moment_steps=state.read(true, "it").moment_steps))
        self.check_far_off(before, skipped, true, "the last of three steps skipped")

    def test_a_state_that_was_only_copied_or_has_false_moments_is_seen(self):
        before, true = self.states["train"][1:3]
        steps = state.read(true, "it").moment_steps
        idle = state.write(replace(state.read(before, "it"), moment_steps=steps))
        self.check_far_off(before, idle, true, "no step at all")
        honest = state.read(true, "it")
        zeros = {name: np.zeros_like(tensor) for name, tensor in honest.first_moments.items()}
        self.check_far_off(before, state.write(replace(honest, first_moments=zeros)), true, "first moments at zero")

    def check_far_off(self, before: bytes, claimed: bytes, true: bytes, name: str):
        states = (state.read(content, name) for content in (before, claimed, true))
        verdict = compared(*states, tolerance=TOLERANCE)
        self.assertFalse(verdict["within"], name)
        self.assertGreater(verdict["worst"]["error"], 10 * TOLERANCE, name)

    def refused(self, code: int, reason: str, argv: list[str], segment: bytes | None = None):
        with self.subTest(reason), ShardRun() as shard:
            shard.put(self.inputs | ({} if segment is None else {"segment.safetensors": segment}))
            exit_code, errors = shard.call(*argv)
            self.assertEqual(exit_code, code, errors)
            self.assertRegex(errors, reason)
            self.assertEqual((errors.count("\n"), shard.digests()), (1, {}))

    def test_refuses_what_it_cannot_replay(self):
        good = self.states["warm-up"][1]
        replay = ["replay", *WARM_UP, "--segment"]
        self.refused(USAGE, "stays below 3", [*replay, "3"], good)
        self.refused(USAGE, "stays below 0", [*replay, "0", "--segment-steps", "0"], good)
        self.refused(USAGE, "required: --segment", ["replay", *WARM_UP], good)
        self.refused(USAGE, "choose from 'warm-up', 'train'", ["replay"], good)
        self.refused(DATA, "input segment.safetensors: No such file", [*replay, "1"])
        self.refused(DATA, "is not what the options say", [*replay, "1", "--layers", "1"], good)
        other = state.write(self.architecture_of_one_layer())
        self.refused(DATA, "the last state is of Architecture", ["finish", "train"], other)

    def test_refuses_hostile_states(self):
        good = self.states["warm-up"][1]
        tensors, metadata = safetensors.read(good, "it")
        name = "parameters/layer_0.attention_norm"

        def altered(alter: Callable[[np.ndarray], np.ndarray]) -> bytes:
            changed: Tensors = tensors | {name: alter(tensors[name].copy())}
            return safetensors.write(changed, metadata)

        replay = ["replay", *WARM_UP, "--segment", "1"]
        self.refused(DATA, "runs past the end of the file", replay, good[:-1])
        self.refused(DATA, "shorter than its header length", replay, good[:4])
        self.refused(DATA, "over the limit", replay, (1 << 62).to_bytes(8, "little") + good[8:])
        self.refused(DATA, "does not hold exactly the tensors", replay, altered(lambda tensor: tensor[:-1]))
        self.refused(DATA, "not finite", replay, altered(lambda tensor: tensor * np.float32(np.nan)))
        self.refused(DATA, "not float32", replay, altered(lambda tensor: tensor.astype(np.int8)))
        self.refused(DATA, "training loss is", replay, altered(lambda tensor: tensor * np.float32(1e38)))

    def architecture_of_one_layer(self) -> State:
        with ShardRun() as shard:
            shard.put({"text-0": TEXT})
            argv = ["warm-up", *TINY, "--layers", "1", "--steps", "1", "--batch", "1", "--segment-steps", "1"]
            self.assertEqual(shard.call(*argv), (0, ""))
            return state.read(shard.segments()[1], "it")
