import json
import unittest

import numpy as np

from trainer import safetensors
from trainer.faults import DataFault

ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def file_of(header: object, data: bytes = bytes(8)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


class Safetensors(unittest.TestCase):
    def test_reads_what_it_wrote(self):
        tensors = {
            "b": np.arange(6, dtype=np.float32).reshape(2, 3),
            "a": np.array([-127, 5], np.int8),
            "none": np.zeros((0, 4), np.float32),
        }
        read, metadata = safetensors.read(safetensors.write(tensors, {"steps": "7"}), "it")
        self.assertEqual(metadata, {"steps": "7"})
        self.assertEqual(read.keys(), tensors.keys())
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(read[name], tensor)

    def test_bytes_do_not_depend_on_the_order_of_tensors(self):
        one, two = np.ones(1, np.float32), np.zeros(2, np.float32)
        self.assertEqual(safetensors.write({"a": one, "b": two}, {}), safetensors.write({"b": two, "a": one}, {}))

    def test_refuses_malformed_files(self):
        two = {"a": {**ENTRY, "shape": [1], "data_offsets": [0, 4]}}
        malformed = {
            "shorter than its header length": b"1234",
            "over the limit": (1 << 40).to_bytes(8, "little") + b"{}",
            "runs past the end of the file": (64).to_bytes(8, "little") + b"{}",
            "not a JSON object": file_of([]),
            "nested too deeply": file_of(b"[" * 200_000),
            "Expecting": file_of(b"{not json"),
            "codec": file_of(b"\xff\xfe\xfd"),
            "a name occurs twice": file_of(b'{"a": 1, "a": 1}'),
            "map of text to text": file_of({"__metadata__": {"steps": 1}}),
            "nothing else": file_of({"a": {**ENTRY, "extra": 1}}),
            "dtype": file_of({"a": {**ENTRY, "dtype": "F64"}}),
            "dtype \\['F32'\\]": file_of({"a": {**ENTRY, "dtype": ["F32"]}}),
            "list of sizes": file_of({"a": {**ENTRY, "shape": [-2]}}),
            "short list of sizes": file_of({"a": {**ENTRY, "shape": [True, 2]}}),
            "not \\[begin, end\\]": file_of({"a": {**ENTRY, "data_offsets": [8, 0]}}),
            "shape and dtype contradict": file_of({"a": {**ENTRY, "shape": [3]}}),
            "a runs past the end": file_of({"a": {**ENTRY, "shape": [4], "data_offsets": [0, 16]}}),
            "must be contiguous": file_of({**two, "b": {**ENTRY, "shape": [1], "data_offsets": [5, 9]}}),
            "starts at byte 0, not at 4": file_of({**two, "b": {**ENTRY, "shape": [1], "data_offsets": [0, 4]}}),
            "bytes follow the last tensor": file_of({"a": ENTRY}, bytes(9)),
        }
        for reason, content in malformed.items():
            with self.subTest(reason), self.assertRaisesRegex(DataFault, reason):
                safetensors.read(content, "it")
