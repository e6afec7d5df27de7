import unittest

import numpy as np

from trainer.faults import DataFault
from trainer.quantise import BLOCK_VALUES, dequantise, quantise


class Quantise(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(0)
        self.update = {
            "matrix": (random.standard_normal((37, 50)) * np.logspace(-6, 1, 50)).astype(np.float32),
            "gain": random.standard_normal(3).astype(np.float32),
            "still": np.zeros((2, 300), np.float32),
        }
        self.shapes = {name: tensor.shape for name, tensor in self.update.items()}

    def test_no_value_is_off_by_more_than_half_its_blocks_scale(self):
        quantised = quantise(self.update)
        restored = dequantise(quantised, self.shapes, "it")
        for name, tensor in self.update.items():
            scales = np.repeat(quantised[name + ".scales"], BLOCK_VALUES)[: tensor.size].reshape(tensor.shape)
            self.assertTrue((np.abs(restored[name] - tensor) <= scales * 0.5001).all(), name)

    def test_takes_little_more_than_a_byte_a_value(self):
        quantised = quantise({"a": np.ones((128, 512), np.float32)})
        self.assertLess(sum(tensor.nbytes for tensor in quantised.values()) / (128 * 512), 1.016)

    def test_refuses_what_does_not_fit_the_parameters(self):
        good = quantise(self.update)
        broken = {
            "exactly the tensors": {name: tensor for name, tensor in good.items() if name != "gain"},
            "not int8 of shape": {**good, "gain": good["gain"].astype(np.float32)},
            "does not have 1 float32 scales": {**good, "gain.scales": np.ones(2, np.float32)},
            "not finite": {**good, "gain.scales": np.array([np.nan], np.float32)},
        }
        for reason, quantised in broken.items():
            with self.subTest(reason), self.assertRaisesRegex(DataFault, reason):
                dequantise(quantised, self.shapes, "it")
