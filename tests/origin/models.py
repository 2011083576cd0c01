"""Tiny ONNX models and their manifests, for tests of the port for detectors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

SIDE = 16


def brightness(shape: Sequence[int | str] = (1, 3, SIDE, SIDE), gain: float = 8, outputs: int = 2) -> bytes:
    """The mean level of what comes in, as logits: ``gain`` times (half less the mean, the mean less half)."""
    from onnx import TensorProto, helper, numpy_helper

    weights = np.tile(np.array([[-gain, gain]], np.float32), (1, (outputs + 1) // 2))[:, :outputs]
    nodes = [
        helper.make_node("ReduceMean", ["in"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Reshape", ["mean", "one"], ["column"]),
        helper.make_node("Sub", ["column", "half"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["out"]),
    ]
    constants = {
        "one": np.array([1, 1], np.int64),
        "half": np.array([[0.5]], np.float32),
        "weights": weights,
    }
    return model(
        nodes,
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, outputs])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def model(nodes: Any, inputs: Any, outputs: Any, constants: Any = ()) -> bytes:
    from onnx import helper

    graph = helper.make_graph(list(nodes), "graph", inputs, outputs, list(constants))
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    data: bytes = made.SerializeToString()
    return data


TABLES: Mapping[str, Mapping[str, Any]] = {
    "": {"format": "nightlamp-detector-1", "name": "bright", "licence": "CC0"},
    "input": {"width": SIDE, "height": SIDE},
    "output": {"labels": ["real", "made"], "activation": "softmax", "made": "made"},
    "calibration": {"threshold": 0.9},
}


def written(folder: Path, data: bytes | None = None, **changes: Any) -> Path:
    """A manifest beside its model. ``changes``: ``table__key`` or ``key`` → a value, None to leave it out."""
    data = brightness() if data is None else data
    (folder / "model.onnx").write_bytes(data)
    tables = {name: dict(values) for name, values in TABLES.items()}
    tables[""] |= {"model": "model.onnx", "sha256": hashlib.sha256(data).hexdigest()}
    for name, value in changes.items():
        table, _, key = name.rpartition("__")
        tables.setdefault(table, {})[key] = value
    lines: list[str] = []
    for name, values in tables.items():
        lines += [f"[{name}]"] if name else []
        # JSON's strings, numbers and lists are TOML's too.
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items() if value is not None]
    path = folder / "model.toml"
    path.write_text("\n".join(lines))
    return path
