import unittest
from dataclasses import replace

import numpy as np

from trainer import safetensors, state
from trainer.architecture import Architecture
from trainer.faults import DataFault

ARCHITECTURE = Architecture(layers=1, width=8, heads=1, context=4)


def some_state(seed: int = 0) -> state.State:
    random = np.random.default_rng(seed)
    groups = [
        {name: random.random(shape, np.float32) for name, shape in ARCHITECTURE.shapes().items()}
        for _ in state.GROUPS
    ]
    return state.State(ARCHITECTURE, *groups, moment_steps=12)


class States(unittest.TestCase):
    def test_the_same_state_is_the_same_bytes_whatever_its_order(self):
        it = some_state()
        content = state.write(it)
        self.assertEqual(state.write(state.read(content, "it")), content)
        shuffled = replace(it, parameters=dict(reversed(it.parameters.items())))
        self.assertEqual(state.write(shuffled), content)
        self.assertNotEqual(state.write(some_state(1)), content)
        self.assertNotEqual(state.write(replace(it, moment_steps=13)), content)

    def test_a_sign_of_zero_and_the_last_bit_count(self):
        for value, other in ((0.0, -0.0), (1.0, np.nextafter(np.float32(1), np.float32(2)))):
            files = []
            for each in (value, other):
                it = some_state()
                it.parameters["output_norm"][0] = each
                files.append(state.write(it))
            self.assertNotEqual(*files)

    def test_refuses_what_no_trainer_wrote(self):
        it = some_state()
        tensors, metadata, content = it.tensors(), it.metadata(), state.write(it)
        gain, square = "parameters/output_norm", "second_moments/output_norm"
        wide = safetensors.write(tensors, metadata | {"width": "16"})
        endless = len(content).to_bytes(8, "little")
        header_bytes = int.from_bytes(content[:8], "little")
        padded = (header_bytes + 8).to_bytes(8, "little") + content[8 : 8 + header_bytes] + b" " * 8
        longer = np.ones(9, np.float32)
        broken = {
            "shorter than its header": b"",
            "runs past the end": content[:100],
            "runs past the end of the file": content[:-1],
            "bytes follow the last tensor": content + b"\0",
            "over the limit": (1 << 30).to_bytes(8, "little") + content[8:],
            "header runs past the end": endless + content[8:],
            "not a JSON object": (2).to_bytes(8, "little") + b"[]",
            "canonical form": padded + content[8 + header_bytes :],
            "in the canonical form": safetensors.write(tensors, metadata | {"loss": "1"}),
            "not in the canonical": safetensors.write(tensors, metadata | {"moment_steps": "012"}),
            "exactly the tensors": wide,
            "it: parameters does not hold exactly": safetensors.write(tensors | {gain: longer}, metadata),
            "that no state has": safetensors.write(tensors | {"losses/a": longer}, metadata),
            "is not float32": safetensors.write(tensors | {gain: np.ones(8, np.int8)}, metadata),
            "parameters: output_norm has a value that is not finite": safetensors.write(
                tensors | {gain: np.full(8, np.nan, np.float32)}, metadata
            ),
            "second_moments: output_norm has a value": safetensors.write(
                tensors | {square: np.full(8, np.inf, np.float32)}, metadata
            ),
            "below zero": safetensors.write(tensors | {square: np.full(8, -1, np.float32)}, metadata),
            "does not say its steps": safetensors.write(tensors, metadata | {"moment_steps": "-1"}),
            "does not say its layers": safetensors.write(tensors, {"moment_steps": "1"}),
            "layers must be from 1 to 64": safetensors.write(tensors, metadata | {"layers": "65"}),
        }
        for missing in (gain, square):
            fewer = {name: tensor for name, tensor in tensors.items() if name != missing}
            broken[f"{missing.split('/')[0]} does not hold"] = safetensors.write(fewer, metadata)
        for reason, file in broken.items():
            with self.subTest(reason), self.assertRaisesRegex(DataFault, reason):
                state.read(file, "it")
