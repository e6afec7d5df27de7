"""Reader and writer of the safetensors format, strict about what it accepts.

A file is: header length (uint64, little-endian), JSON header, tensor bytes.
The header maps each name to {"dtype", "shape", "data_offsets": [begin, end]}, with text under "__metadata__".
Format: https://huggingface.co/docs/safetensors/index#format
"""

import json
import math

import numpy as np

from .faults import DataFault

Tensors = dict[str, np.ndarray]
Metadata = dict[str, str]

HEADER_BYTES_LIMIT = 1 << 20
DIMENSIONS_LIMIT = 8
DTYPES = {"F32": np.dtype("<f4"), "I8": np.dtype("i1")}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
ALIGNMENT_BYTES = 8


def write(tensors: Tensors, metadata: Metadata) -> bytes:
    """The file's bytes: tensors in order of their names, the header padded so that the data is aligned."""
    header: dict = {"__metadata__": metadata}
    chunks, end = [], 0
    for name in sorted(tensors):
        chunk = np.ascontiguousarray(tensors[name]).tobytes()
        begin, end = end, end + len(chunk)
        header[name] = {
            "dtype": DTYPE_NAMES[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [begin, end],
        }
        chunks.append(chunk)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT_BYTES)
    return len(text).to_bytes(8, "little") + text + b"".join(chunks)


def read(content: bytes, label: str) -> tuple[Tensors, Metadata]:
    """The file's tensors (read-only views) and metadata. `label` names the file in a DataFault."""
    try:
        header, data = _split(content)
        metadata = _checked_metadata(header.pop("__metadata__", {}))
        return _tensors(header, data), metadata
    except ValueError as error:
        raise DataFault(f"{label} is not a safetensors file: {error}") from error


def _split(content: bytes) -> tuple[dict, memoryview]:
    if len(content) < 8:
        raise ValueError("shorter than its header length")
    header_bytes = int.from_bytes(content[:8], "little")
    if header_bytes > HEADER_BYTES_LIMIT:
        raise ValueError(f"header of {header_bytes} bytes is over the limit of {HEADER_BYTES_LIMIT}")
    if header_bytes > len(content) - 8:
        raise ValueError("header runs past the end of the file")
    try:
        header = json.loads(content[8 : 8 + header_bytes], object_pairs_hook=_without_duplicates)
    except RecursionError as error:
        raise ValueError("header is nested too deeply") from error
    if not isinstance(header, dict):
        raise ValueError("header is not a JSON object")
    return header, memoryview(content)[8 + header_bytes :]


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a name occurs twice in the header")
    return mapping


def _checked_metadata(metadata: object) -> Metadata:
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("__metadata__ is not a map of text to text")
    return metadata


def _tensors(header: dict, data: memoryview) -> Tensors:
    entries = sorted((_entry(name, fields) for name, fields in header.items()), key=lambda entry: entry[3:])
    tensors, expected_begin = {}, 0
    for name, dtype, shape, begin, end in entries:
        if begin != expected_begin:
            raise ValueError(f"{name} starts at byte {begin}, not at {expected_begin}: tensors must be contiguous")
        if end > len(data):
            raise ValueError(f"{name} runs past the end of the file")
        if end - begin != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"{name} has {end - begin} bytes, which its shape and dtype contradict")
        tensors[name] = np.frombuffer(data[begin:end], dtype).reshape(shape)
        expected_begin = end
    if expected_begin != len(data):
        raise ValueError(f"{len(data) - expected_begin} bytes follow the last tensor")
    return tensors


def _entry(name: str, fields: object) -> tuple[str, np.dtype, list[int], int, int]:
    if not isinstance(fields, dict) or fields.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} must have dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{name} has dtype {dtype}, and only {' and '.join(DTYPES)} are taken")
    if not _is_sizes(shape) or len(shape) > DIMENSIONS_LIMIT:
        raise ValueError(f"{name} has a shape that is not a short list of sizes")
    if not _is_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise ValueError(f"{name} has data_offsets that are not [begin, end]")
    return name, DTYPES[dtype], shape, offsets[0], offsets[1]


def _is_sizes(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
