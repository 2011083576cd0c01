from __future__ import annotations

import contextlib
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.origin import models
from tests.origin.files import jpeg, png
from tests.origin.models import SIDE, brightness, written

from nightlamp.errors import ConfigError, MediaError
from nightlamp.origin import detector, onnx_guard, origin_of
from nightlamp.origin.manifest import read_manifest
from nightlamp.values import Strength

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def grey(level: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.new("RGB", size, (level, level, level))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_scores_are_what_the_model_gives(tmp_path: Path) -> None:
    found = detector.load(written(tmp_path))

    scores = found.score(grey(204))

    # 204 is 0.8 of 255: logits of -2.4 and 2.4.
    assert scores == {
        "bright_real": pytest.approx(sigmoid(-4.8), abs=1e-5),
        "bright_made": pytest.approx(sigmoid(4.8), abs=1e-5),
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"calibration__temperature": 2.0}, sigmoid(2.4)),
        ({"calibration__platt": [0.5, 1.0]}, sigmoid(0.5 * 4.8 + 1)),
        ({"output__activation": "sigmoid"}, sigmoid(2.4)),
        ({"output__activation": "none"}, 1.0),
        ({"input__scale": 510.0}, sigmoid(-1.6)),
        ({"input__mean": [0.3, 0.3, 0.3]}, sigmoid(0.0)),
        ({"input__std": [2.0, 2.0, 2.0]}, sigmoid(-1.6)),
    ],
)
def test_the_manifest_says_how_it_is_fed_and_read(
    tmp_path: Path, changes: dict[str, Any], expected: float
) -> None:
    scores = detector.load(written(tmp_path, **changes)).score(grey(204))

    assert scores["bright_made"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("size", [(100, 100), (400, 20), (3, 700), (1, 1), (1, 9000)])
def test_pictures_of_every_shape_are_fitted(tmp_path: Path, size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, (255, 255, 255))
    shares = {}
    for fit in ("crop", "stretch", "pad"):
        folder = tmp_path / fit
        folder.mkdir()
        found = detector.load(written(folder, input__fit=fit, input__resize=20 if fit == "crop" else 0))
        shares[fit] = found.score(picture)["bright_made"]

    full = sigmoid(8)
    assert shares["crop"] == shares["stretch"] == pytest.approx(full, abs=1e-4)
    # What is padded is black.
    assert (shares["pad"] == pytest.approx(full, abs=1e-4)) is (size[0] == size[1])


def test_layout_and_channels(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    pick = numpy_helper.from_array(np.array([0, 0, 0, 0], np.int64), "start")
    end = numpy_helper.from_array(np.array([1, 1, 1, 1], np.int64), "end")
    data = models.model(
        [helper.make_node("Slice", ["in", "start", "end"], ["out"])],
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 1, 1, 1])],
        [pick, end],
    )
    common = {"input__layout": "NHWC", "output__labels": ["first"], "output__made": None}
    red = Image.new("RGB", (20, 20), (255, 0, 0))
    scores = {}
    for channels in ("RGB", "BGR"):
        folder = tmp_path / channels
        folder.mkdir()
        path = written(folder, data, **common, output__activation="none", input__channels=channels)
        scores[channels] = detector.load(path).score(red)["bright_first"]

    assert scores == {"RGB": 1.0, "BGR": 0.0}


def test_a_detector_is_a_weak_hint_at_most(tmp_path: Path) -> None:
    path = written(tmp_path)

    bright = origin_of(png(picture=grey(250)), detectors=(path,))
    dark = origin_of(png(picture=grey(10)), detectors=(path,))

    (hint,) = bright.statements
    assert (hint.source, hint.says, hint.strength) == ("detector", "ai-made", Strength.WEAK)
    assert bright.outcome == dark.outcome == "unknown"
    assert not bright.generative_ai
    (told,) = dark.statements
    assert (told.says, told.strength) == ("measured", Strength.CONTEXT)
    assert told.field("bright_made") == pytest.approx(sigmoid(16 * (10 / 255 - 0.5)), abs=1e-4)


def test_score_takes_bytes_and_gives_a_policys_scores(tmp_path: Path) -> None:
    path = written(tmp_path)

    assert detector.score(jpeg(picture=grey(204)), [path])["bright_made"] == pytest.approx(
        sigmoid(4.8), abs=0.01
    )
    with pytest.raises(MediaError):
        detector.score(b"no picture", [path])


def test_a_picture_that_cannot_be_decoded_is_not_checked(tmp_path: Path) -> None:
    found = origin_of(png(picture=grey(1))[:40], detectors=(written(tmp_path),))

    assert "detector" in {u.what for u in found.unchecked}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": "nightlamp-detector-2"}, "format"),
        ({"licence": None}, "licence is missing"),
        ({"licence": "  "}, "licence"),
        ({"sha256": "0" * 64}, "sha256"),
        ({"sha256": "abc"}, "sha256"),
        ({"model": "../model.onnx"}, "model"),
        ({"model": "absent.onnx"}, "cannot be read"),
        ({"name": "a b"}, "name"),
        ({"extra": 1}, "unknown: extra"),
        ({"input__extra": 1}, "unknown: input.extra"),
        ({"input__width": 0}, "input.width"),
        ({"input__width": 100_000}, "input.width"),
        ({"input__width": True}, "input.width"),
        ({"input__width": 8}, "the manifest says"),
        ({"input__layout": "NHWC"}, "the manifest says"),
        ({"input__layout": "HWC"}, "input.layout"),
        ({"input__mean": [1, 2]}, "input.mean"),
        ({"input__std": [0, 1, 1]}, "input.std"),
        ({"input__std": ["a", 1, 1]}, "input.std"),
        ({"output__labels": []}, "output.labels"),
        ({"output__labels": ["a", "a"]}, "output.labels"),
        ({"output__labels": ["a", "b", "c"], "output__made": "a"}, "3 numbers"),
        ({"output__labels": ["made"]}, "softmax"),
        ({"output__made": "other"}, "output.made"),
        ({"output__name": "other"}, "no output"),
        ({"output__activation": "relu"}, "output.activation"),
        ({"calibration__temperature": 0}, "temperature"),
        ({"calibration__platt": [1]}, "platt"),
    ],
)
def test_a_manifest_that_lies_is_refused(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)) as caught:
        detector.load(written(tmp_path, **changes))

    assert caught.value.where


def elsewhere() -> bytes:
    """Weights that are to be read from a file of the system."""
    import onnx

    made = onnx.ModelProto.FromString(brightness())
    tensor = made.graph.initializer[2]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/hostname")
    data: bytes = made.SerializeToString()
    return data


def inner_elsewhere() -> bytes:
    """The same in an attribute of a node."""
    import onnx

    made = onnx.ModelProto.FromString(brightness())
    tensor = onnx.TensorProto(name="t", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../secret")
    made.graph.node.append(onnx.helper.make_node("Constant", [], ["c"], value=tensor))
    data: bytes = made.SerializeToString()
    return data


def giant() -> bytes:
    import onnx

    made = onnx.ModelProto.FromString(brightness())
    made.graph.initializer[2].dims[:] = [1 << 40, 1 << 20]
    data: bytes = made.SerializeToString()
    return data


def nested() -> bytes:
    import onnx

    graph = onnx.GraphProto(name="g")
    for _ in range(12):
        outer = onnx.GraphProto(name="g")
        node = outer.node.add(op_type="If")
        node.attribute.add(name="then_branch", type=onnx.AttributeProto.GRAPH, g=graph)
        graph = outer
    data: bytes = onnx.ModelProto(graph=graph).SerializeToString()
    return data


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (elsewhere, "other files"),
        (inner_elsewhere, "other files"),
        (giant, "does not hold"),
        (nested, "too deeply"),
        (lambda: b"", "not an ONNX file"),
        (lambda: b"\x3a\xff\xff\xff\xff\x0f", "cut short"),
        (lambda: bytes(1000), "ONNX"),
        (lambda: b"\xff" * 100, "cut short"),
        (lambda: brightness()[:-40], "ONNX"),
        (lambda: png(picture=grey(3)), "ONNX"),
        (lambda: brightness([1, 3, SIDE]), "cannot load"),
        (lambda: brightness(outputs=6), "2 numbers"),
    ],
)
def test_a_hostile_model_is_refused(tmp_path: Path, data: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        detector.load(written(tmp_path, data()))


@given(st.binary(max_size=300), st.integers(0, 2000), st.integers(0, 255))
def test_a_damaged_model_is_an_error_of_ours(noise: bytes, at: int, value: int) -> None:
    whole = bytearray(brightness())
    whole[at % len(whole)] = value
    for data in (noise, bytes(whole), bytes(whole[: at % len(whole)])):
        with contextlib.suppress(ConfigError):
            onnx_guard.check(data)


def test_a_model_that_asks_for_all_memory_costs_only_its_own_answer(tmp_path: Path) -> None:
    """In a worker, whose memory is bounded; the rest of the origin is still told."""
    from onnx import TensorProto, helper, numpy_helper

    from nightlamp.examine import Workers
    from nightlamp.media import Limits
    from nightlamp.origin import Asked

    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 14], np.int64), "shape")
    data = models.model(
        [
            helper.make_node("ConstantOfShape", ["shape"], ["many"]),
            helper.make_node("ReduceMax", ["many"], ["most"], keepdims=0),
            helper.make_node("Reshape", ["most", "two"], ["one"]),
            helper.make_node("Concat", ["one", "one"], ["out"], axis=1),
            helper.make_node("Identity", ["in"], ["unused"]),
        ],
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 2])],
        [shape, numpy_helper.from_array(np.array([1, 1], np.int64), "two")],
    )
    picture = tmp_path / "made.png"
    picture.write_bytes(png({"parameters": "a plum\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x64"}))

    with Workers(1, Limits(), origin=Asked(detectors=(written(tmp_path, data),))) as workers:
        found = workers.examine(picture).result().origin

    assert found is not None
    assert found.outcome == "declared AI-made"
    assert [u.what for u in found.unchecked if u.what != "c2pa"] == ["detector"]


def test_a_model_that_never_ends_costs_only_its_own_answer(tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper

    from nightlamp.examine import Workers
    from nightlamp.media import Limits
    from nightlamp.origin import Asked

    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["again"]),
            helper.make_node("Sigmoid", ["state"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, 2]),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1, 2]),
        ],
    )
    constants = {
        "most": np.array((1 << 62), np.int64),
        "true": np.array(True),
        "begin": np.zeros((1, 2), np.float32),
    }
    data = models.model(
        [
            helper.make_node("Loop", ["most", "true", "begin"], ["out"], body=body),
            helper.make_node("Identity", ["in"], ["unused"]),
        ],
        [helper.make_tensor_value_info("in", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    picture = png({"parameters": "a plum\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x64"})

    with Workers(1, Limits(seconds=8), origin=Asked(detectors=(written(tmp_path, data),))) as workers:
        found = workers.examine(picture).result()

    assert found.fingerprints
    assert found.origin is not None
    assert found.origin.outcome == "declared AI-made"
    assert "content" in {u.what for u in found.origin.unchecked}


def test_what_is_asked_has_a_digest_that_tells_it_apart(tmp_path: Path) -> None:
    from nightlamp.origin import Asked

    first = Asked(detectors=(written(tmp_path),)).digest
    second = Asked(detectors=(written(tmp_path, licence="another"),)).digest

    assert len({first, second, Asked().digest, Asked(forensics=True).digest}) == 4
    assert Asked().digest == Asked(reveal=True).digest


def test_without_the_runtime_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'onnxruntime' else real(name, *a)\n"
        "from pathlib import Path; from nightlamp.origin import detector\n"
        "try: detector.load(Path(sys.argv[1]))\n"
        "except Exception as error: print(error.hint)\n"
    )
    path = written(tmp_path)

    out = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True, env=os.environ
    )

    assert out.stdout.strip() == "pip install 'nightlamp[detector]'"


def test_a_manifest_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    for content in (b"\xff\xfe", b"[", b"a = " + b"[" * 100_000, b" " * (1 << 21)):
        path.write_bytes(content)
        with pytest.raises(ConfigError):
            read_manifest(path)
    with pytest.raises(ConfigError):
        read_manifest(tmp_path / "absent.toml")
