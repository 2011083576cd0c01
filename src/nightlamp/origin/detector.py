"""A port for detectors: an operator's own ONNX model, run by onnxruntime. No model comes with the product.

A score is a model's guess on data that it may never have seen: ``nightlamp origin evaluate`` tells what it is
worth on the operator's own before it is relied on. A weak hint at most; it decides nothing.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightlamp.errors import ConfigError, MediaError
from nightlamp.media import HEAD, Frame, Limits, decode, sniff
from nightlamp.origin import onnx_guard
from nightlamp.origin.manifest import Manifest, model_of, read_manifest
from nightlamp.origin.statements import state
from nightlamp.values import Statement, Strength

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image

MODEL = 1 << 30
"""Bytes; a larger model is refused."""


@lru_cache(maxsize=16)
def load(path: Path) -> Detector:
    """The detector of a manifest, loaded, and tried on a black picture; kept for the next time.

    A model is a program: only one in a confined worker is bounded in time and memory.

    Raises:
        ConfigError: the manifest or the model is not as it must be, or ``onnxruntime`` is not installed.
    """
    manifest, model = checked(path)
    try:
        return Detector(manifest, model)
    except ConfigError as error:
        raise ConfigError(error.what, where=str(manifest.model), hint=error.hint) from None


def checked(path: Path) -> tuple[Manifest, bytes]:
    """A manifest and its model's bytes, looked at without running anything.

    Raises:
        ConfigError: as ``load``.
    """
    manifest = read_manifest(path)
    if importlib.util.find_spec("onnxruntime") is None:
        raise ConfigError(
            "onnxruntime is not installed", where=str(path), hint="pip install 'nightlamp[detector]'"
        )
    model = model_of(manifest, MODEL)
    try:
        onnx_guard.check(model)
    except ConfigError as error:
        raise ConfigError(error.what, where=str(manifest.model), hint=error.hint) from None
    return manifest, model


class Detector:
    """A model and its manifest.

    Args:
        manifest: how it is fed and read.
        model: an ONNX file, checked.

    Raises:
        ConfigError: the runtime refuses the model, or its shapes are not those of the manifest.
    """

    def __init__(self, manifest: Manifest, model: bytes) -> None:
        import onnxruntime

        self.manifest = manifest
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        options.use_deterministic_compute = True
        try:
            self._session: Any = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 (the runtime has no common class of its own)
            raise ConfigError(f"onnxruntime cannot load the model ({type(error).__name__})") from None
        inputs, outputs = self._session.get_inputs(), [o.name for o in self._session.get_outputs()]
        if len(inputs) != 1:
            raise ConfigError(f"the model takes {len(inputs)} inputs, not one")
        self._input: str = inputs[0].name
        self._type = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}.get(
            inputs[0].type
        )
        shape = self._shape()
        fits = len(inputs[0].shape) == 4 and all(
            not isinstance(has, int) or has == ours for has, ours in zip(inputs[0].shape, shape, strict=True)
        )
        if self._type is None or not fits:
            raise ConfigError(
                f"the model takes {inputs[0].type} {inputs[0].shape}, the manifest says {shape}"
            )
        self._output: str = manifest.output or outputs[0]
        if self._output not in outputs:
            raise ConfigError("the model has no output of the manifest's name")
        import numpy as np

        self._run(np.zeros(shape, self._type))

    def score(self, picture: PIL.Image.Image) -> dict[str, float]:
        """The calibrated probability of each label, by ``"name_label"``.

        Args:
            picture: upright, mode RGB.

        Raises:
            ConfigError: the model gives what is not as many numbers as there are labels.
        """
        import numpy as np

        logits = self._run(_prepared(picture, self.manifest).astype(self._type)) / self.manifest.temperature
        if self.manifest.activation == "softmax":
            powers = np.exp(logits - logits.max())
            probabilities = powers / powers.sum()
        elif self.manifest.activation == "sigmoid":
            probabilities = _sigmoid(logits)
        else:
            probabilities = np.clip(logits, 0, 1)
        if self.manifest.platt:
            slope, offset = self.manifest.platt
            inner = np.clip(probabilities, 1e-9, 1 - 1e-9)
            probabilities = _sigmoid(slope * np.log(inner / (1 - inner)) + offset)
        name = self.manifest.name
        return {
            f"{name}_{label}": float(p) for label, p in zip(self.manifest.labels, probabilities, strict=True)
        }

    def _shape(self) -> tuple[int, int, int, int]:
        height, width = self.manifest.height, self.manifest.width
        return (1, 3, height, width) if self.manifest.layout == "NCHW" else (1, height, width, 3)

    def _run(self, fed: np.ndarray) -> np.ndarray:
        import numpy as np

        try:
            out = self._session.run([self._output], {self._input: fed})[0]
        except Exception as error:  # noqa: BLE001
            raise ConfigError(f"the model fails ({type(error).__name__})") from None
        if not isinstance(out, np.ndarray) or out.size != len(self.manifest.labels):
            raise ConfigError(f"the model does not give {len(self.manifest.labels)} numbers")
        try:
            numbers = out.reshape(-1).astype(np.float64)
        except (TypeError, ValueError):
            raise ConfigError("the model does not give numbers") from None
        if not np.isfinite(numbers).all():
            raise ConfigError("the model gives what is not a number")
        return numbers


def _prepared(picture: PIL.Image.Image, manifest: Manifest) -> np.ndarray:
    """The model's input for a picture, float32."""
    import numpy as np
    from PIL import Image

    size, how = (manifest.width, manifest.height), Image.Resampling.BICUBIC
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if manifest.fit == "stretch":
            fitted = picture.resize(size, how)
        else:
            across, down = size[0] / picture.width, size[1] / picture.height
            factor = min(across, down) if manifest.fit == "pad" else max(across, down)
            if manifest.fit == "crop" and manifest.resize:
                factor = max(factor, manifest.resize / min(picture.size))
            # The part that is kept, in the picture's own pixels: a very long one is never made longer.
            wide, high = min(picture.width, size[0] / factor), min(picture.height, size[1] / factor)
            left, top = (picture.width - wide) / 2, (picture.height - high) / 2
            box = (left, top, left + wide, top + high)
            inner = (max(1, min(size[0], round(wide * factor))), max(1, min(size[1], round(high * factor))))
            fitted = picture.resize(inner, how, box=box)
        if fitted.size != size:
            ground = Image.new("RGB", size)
            ground.paste(fitted, ((size[0] - fitted.width) // 2, (size[1] - fitted.height) // 2))
            fitted = ground
    pixels = np.asarray(fitted, np.float32) / np.float32(manifest.scale)
    if manifest.channels == "BGR":
        pixels = pixels[:, :, ::-1]
    ordered: np.ndarray = (pixels - np.array(manifest.mean)) / np.array(manifest.std)
    ordered = ordered.transpose(2, 0, 1) if manifest.layout == "NCHW" else ordered
    return np.ascontiguousarray(ordered[None], np.float32)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    import numpy as np

    result: np.ndarray = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
    return result


def of_picture(picture: PIL.Image.Image, detector: Detector) -> Statement:
    """What a detector says: a weak hint from its threshold on, below it only a measurement.

    Raises:
        ConfigError: as ``Detector.score``.
    """
    manifest, scores = detector.manifest, detector.score(picture)
    made = scores.get(f"{manifest.name}_{manifest.made}")
    told = f"the operator's detector {manifest.name} was asked"
    if made is None:
        return state("detector", "measured", told, Strength.CONTEXT, scores)
    if made < manifest.threshold:
        return state("detector", "measured", f"{told}: {made:.3f}", Strength.CONTEXT, scores)
    told = f"the operator's detector {manifest.name} takes it for made by AI: {made:.3f}"
    return state("detector", "ai-made", told, Strength.WEAK, scores)


def score(
    data: bytes | memoryview, manifests: Iterable[Path], limits: Limits | None = None
) -> dict[str, float]:
    """The scores of every detector for a picture's first frame, by ``"name_label"``.

    Decodes here, in this process: for bytes of others, ask a worker (``Asked.detectors``).

    Raises:
        MediaError: there is no picture to be decoded.
        ConfigError: a detector cannot be loaded, or fails.
    """
    picture = first_frame(data, limits or Limits()).picture()
    found: dict[str, float] = {}
    for path in manifests:
        found |= load(path).score(picture)
    return found


def first_frame(data: bytes | memoryview, limits: Limits, most: int | None = None) -> Frame:
    """A picture's first frame at full size.

    Raises:
        MediaError: there is none, or it has more than ``most`` pixels.
    """
    if sniff(bytes(data[:HEAD])).startswith("video/"):
        raise MediaError("no decoder", "of a video, one frame would say little")
    decoded = decode(data, limits, "full")
    if most is not None and decoded.width * decoded.height > most:
        raise MediaError("too many pixels", f"{decoded.width} × {decoded.height}")
    frame = next(decoded.frames, None)
    if frame is None:
        raise MediaError("damaged", "no frame in it")
    if isinstance(frame, MediaError):
        raise frame
    return frame
