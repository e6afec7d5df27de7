import unittest

import numpy as np
import torch

from trainer import outer


class Outer(unittest.TestCase):
    def test_nesterov_step_is_that_of_pytorch(self):
        random = np.random.default_rng(1)
        parameters, momentum = {"a": random.standard_normal((4, 5)).astype(np.float32)}, None
        theirs = torch.tensor(parameters["a"], requires_grad=True)
        optimizer = torch.optim.SGD([theirs], lr=0.7, momentum=0.9, nesterov=True)
        for _ in range(5):
            gradient = random.standard_normal((4, 5)).astype(np.float32)
            theirs.grad = torch.tensor(gradient)
            optimizer.step()
            parameters, momentum = outer.nesterov_step(parameters, {"a": gradient}, momentum, 0.7, 0.9)
            np.testing.assert_allclose(parameters["a"], theirs.detach().numpy(), rtol=1e-5, atol=1e-6)

    def test_clips_only_what_is_far_longer_than_the_median(self):
        self.assertEqual(outer.clip_factors([1.0, 2.0, 12.0], 3.0), [1.0, 1.0, 0.5])
        self.assertEqual(outer.clip_factors([1.0, 6.0], 3.0), [1.0, 0.5])
        self.assertEqual(outer.clip_factors([0.0, 0.0], 3.0), [1.0, 1.0])

    def test_mean_of_updates(self):
        updates = [{"a": np.array([1, 2], np.float32)}, {"a": np.array([3, 8], np.float32)}]
        np.testing.assert_array_equal(outer.weighted_mean(updates, [1.0, 0.5])["a"], [1.25, 3.0])
        self.assertAlmostEqual(outer.norm({"a": np.array([3.0]), "b": np.array([4.0])}), 5.0)
