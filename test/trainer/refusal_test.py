import unittest

import numpy as np

from shard_run import TEXT, TINY, ShardRun, warmed_up
from trainer import safetensors
from trainer.architecture import read_parameters, write_parameters
from trainer.quantise import quantise

USAGE, DATA = 2, 3
TRAIN = ["train", "--round", "0", "--rounds", "1", "--worker", "0", "--workers", "1", "--steps", "1", "--batch", "2"]


class Refusal(unittest.TestCase):
    """Every bad input is one line on stderr and its own exit code, and leaves no output."""

    @classmethod
    def setUpClass(cls):
        cls.start = warmed_up()
        cls.architecture, cls.parameters = read_parameters(cls.start["parameters.safetensors"], "it")

    def refused(self, code: int, reason: str, argv: list[str], files: dict[str, bytes] | None = None):
        with self.subTest(reason), ShardRun() as shard:
            shard.put(files or {})
            exit_code, errors = shard.run(*argv)
            self.assertEqual(exit_code, code, errors)
            self.assertRegex(errors, reason)
            self.assertEqual(errors.count("\n"), 1, errors)
            self.assertEqual(shard.digests(), {})

    def test_command_lines(self):
        self.refused(USAGE, "invalid choice", ["pretrain"])
        self.refused(USAGE, "required", ["train"])
        self.refused(USAGE, "unrecognized", ["reduce", "--momentum", "0.9"])
        self.refused(USAGE, "whole number", ["warm-up", "--steps", "-1"])
        self.refused(USAGE, "positive number", ["warm-up", "--learning-rate", "nan"])
        self.refused(USAGE, "multiple of 5 heads", ["warm-up", *TINY, "--heads", "5"])
        self.refused(USAGE, "stay below", [*TRAIN, "--worker", "1"])
        self.refused(USAGE, "at least one byte", ["evaluate", "--prompt", ""])

    def test_text(self):
        self.refused(DATA, "no input is named text-", ["warm-up", *TINY])
        self.refused(DATA, "fewer than a window", ["warm-up", *TINY], files={"text-0": b"short"})
        self.refused(DATA, "input held-out", ["evaluate", "--untrained", *TINY])

    def test_parameters(self):
        def refused(reason: str, content: bytes):
            self.refused(DATA, reason, ["reduce"], files={"parameters.safetensors": content})

        self.refused(DATA, "input parameters.safetensors", ["reduce"])
        refused("not a safetensors file", b"\x80\x04pickle")
        refused("does not say its layers", safetensors.write(self.parameters, {}))
        refused("exactly the tensors", write_parameters(self.architecture, {"embedding": np.ones(1, np.float32)}))
        broken = {**self.parameters, "output_norm": np.full(32, np.inf, np.float32)}
        refused("output_norm has a value that is not finite", write_parameters(self.architecture, broken))

    def test_optimizer(self):
        files = {**self.start, "text-0": TEXT}
        moments, metadata = safetensors.read(files["optimizer.safetensors"], "it")
        negative = {name: -tensor - 1 for name, tensor in moments.items()}
        for reason, content in {
            "does not say its steps": safetensors.write(moments, {}),
            "below zero": safetensors.write(negative, metadata),
            "not a second moment": safetensors.write({"a": np.ones(1, np.float32)}, metadata),
        }.items():
            self.refused(DATA, reason, TRAIN, files={**files, "optimizer.safetensors": content})

    def test_updates(self):
        update = {name: np.full(tensor.shape, 0.01, np.float32) for name, tensor in self.parameters.items()}
        good = quantise(update)
        endless = {**good, "output_norm.scales": np.array([3e38], np.float32)}
        common = {"parameters.safetensors": self.start["parameters.safetensors"]}
        for reason, names in {
            "no input is named update-": {},
            "update-1.safetensors: output_norm has a value that is not finite": {
                "update-0.safetensors": good,
                "update-1.safetensors": endless,
            },
            "must be named update-0.safetensors to update-0.safetensors": {"update-7.safetensors": good},
        }.items():
            updates = {name: safetensors.write(tensors, {}) for name, tensors in names.items()}
            self.refused(DATA, reason, ["reduce"], files={**common, **updates})
