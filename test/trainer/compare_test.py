import json
import math
import unittest
from dataclasses import replace

import numpy as np

from shard_run import ShardRun
from state_test import some_state
from trainer import safetensors, state
from trainer.compare import compared
from trainer.state import State

DATA = 3


def moved(start: State, by: float, tensor: str = "", further: float = 0.0, steps: int = 1) -> State:
    """The state with `by` added to every value, and `further` to those of one parameter."""
    groups = {
        group: {
            name: values + np.float32(by + (further if f"{group}/{name}" == tensor else 0))
            for name, values in tensors.items()
        }
        for group, tensors in start.groups().items()
    }
    return replace(start, **groups, moment_steps=start.moment_steps + steps)


class Compare(unittest.TestCase):
    def setUp(self):
        zeros = {name: np.zeros_like(tensor) for name, tensor in some_state().parameters.items()}
        self.before = replace(some_state(), parameters=zeros, first_moments=zeros, second_moments=zeros)
        self.replayed = moved(self.before, 0.5)

    def test_the_error_is_relative_to_the_update_over_all_and_for_the_worst_tensor(self):
        claimed = moved(self.before, 0.5, "parameters/output_norm", 0.25)
        verdict = compared(self.before, claimed, self.replayed, tolerance=0.5)
        self.assertEqual(verdict["worst"], {"tensor": "parameters/output_norm", "error": 0.5})
        values = sum(tensor.size for tensor in self.before.parameters.values())
        share = math.sqrt(self.before.parameters["output_norm"].size / values)
        self.assertAlmostEqual(verdict["error"], 0.5 * share, places=4)
        self.assertTrue(verdict["within"])
        self.assertFalse(compared(self.before, claimed, self.replayed, tolerance=0.4999)["within"])

    def test_a_false_moment_decides_though_the_parameters_are_true(self):
        claimed = moved(self.before, 0.5, "second_moments/embedding", 0.25)
        verdict = compared(self.before, claimed, self.replayed, tolerance=0.4)
        worst = {"tensor": "second_moments/embedding", "error": 0.5}
        self.assertEqual(verdict, {"error": 0.0, "worst": worst, "within": False})

    def test_where_the_replay_does_not_move_nothing_may(self):
        still = compared(self.before, self.before, self.before, tolerance=1e-9)
        self.assertEqual((still["error"], still["worst"]["error"], still["within"]), (0.0, 0.0, True))
        claimed = moved(self.before, 0, "parameters/output_norm", 1e-30)
        verdict = compared(self.before, claimed, self.before, tolerance=1e9)
        worst = {"tensor": "parameters/output_norm", "error": None}
        self.assertEqual(verdict, {"error": None, "worst": worst, "within": False})

    def test_values_as_large_as_there_are_do_not_overflow(self):
        claimed = moved(self.before, 3e38)
        verdict = compared(self.before, claimed, self.replayed, tolerance=1)
        self.assertAlmostEqual(verdict["error"] / 6e38, 1, places=3)

    def shard_with(self, **states: bytes) -> ShardRun:
        files = {name: state.write(getattr(self, name)) for name in ("before", "replayed")}
        files |= {"claimed": files["replayed"], **states}
        shard = self.enterContext(ShardRun())
        shard.put({f"{name}.safetensors": content for name, content in files.items()})
        return shard

    def verdict(self, **states: bytes) -> dict:
        shard = self.shard_with(**states)
        self.assertEqual(shard.call("compare", "--tolerance", "1e-4"), (0, ""))
        return json.loads(shard.output("metrics.json"))

    def test_equal_states_are_within_any_tolerance(self):
        worst = {"tensor": "first_moments/embedding", "error": 0.0}
        self.assertEqual(self.verdict(), {"error": 0.0, "worst": worst, "tolerance": 1e-4, "within": True})

    def test_a_broken_state_of_the_audited_is_a_verdict(self):
        tensors, metadata = self.replayed.tensors(), self.replayed.metadata()
        gain, square = "parameters/output_norm", "second_moments/output_norm"
        other = self.replayed.metadata() | {"heads": "2"}
        broken = {
            "not a safetensors file": b"\x80\x04pickle",
            "runs past the end": state.write(self.replayed)[:-4],
            "header of 1099511627776 bytes": (1 << 40).to_bytes(8, "little"),
            "does not hold exactly": safetensors.write(tensors | {gain: np.ones(7, np.float32)}, metadata),
            "not finite": safetensors.write(tensors | {gain: np.full(8, np.nan, np.float32)}, metadata),
            "below zero": safetensors.write(tensors | {square: np.full(8, -1, np.float32)}, metadata),
            "heads=2.*, not of .*heads=1": safetensors.write(tensors, other),
        }
        for reason, content in broken.items():
            for name in ("claimed", "before"):
                with self.subTest(reason, file=name):
                    verdict = self.verdict(**{name: content})
                    self.assertRegex(verdict.pop("reason"), f"{name}.safetensors.*{reason}")
                    self.assertEqual(verdict, {"error": None, "worst": None, "tolerance": 1e-4, "within": False})
        fewer_steps = self.verdict(claimed=state.write(replace(self.replayed, moment_steps=12)))
        self.assertEqual(fewer_steps["reason"], "claimed.safetensors has 12 steps behind it, not 13")

    def test_a_broken_state_of_the_auditor_is_no_verdict(self):
        shard = self.shard_with(replayed=b"broken!!")
        exit_code, errors = shard.call("compare", "--tolerance", "1e-4")
        self.assertEqual(exit_code, DATA)
        self.assertIn("replayed.safetensors is not a safetensors file", errors)
        self.assertEqual(shard.digests(), {})
