"""The safetensors format: the length of a header, the header in JSON, and the tensors one after the other.

https://github.com/huggingface/safetensors#format
"""
import json
import math
import struct

import numpy as np

DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "I64": np.dtype("<i8")}
NAMES = {dtype: name for name, dtype in DTYPES.items()}


def read(path):
    """The tensors of a file, {name: array}, in the order of the header."""
    data = path.read_bytes()
    length, = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin = 8 + length + entry["data_offsets"][0]
        flat = np.frombuffer(data, DTYPES[entry["dtype"]], math.prod(entry["shape"]), begin)
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def write(path, tensors):
    """Writes {name: array} in the order given."""
    header, parts, begin = {}, [], 0
    for name, tensor in tensors.items():
        parts.append(tensor.tobytes())
        end = begin + len(parts[-1])
        header[name] = {"dtype": NAMES[tensor.dtype], "shape": tensor.shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))
