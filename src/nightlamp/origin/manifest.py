"""The manifest of a detector: a small TOML file beside an ONNX model, which says how to feed it, what its
outputs mean, under which licence it comes, and which bytes it must have."""

from __future__ import annotations

import hashlib
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from nightlamp.errors import ConfigError

Fit = Literal["crop", "stretch", "pad"]
Activation = Literal["none", "sigmoid", "softmax"]
_FORMAT = "nightlamp-detector-1"
_MANIFEST_BYTES = 1 << 20
_SIDE = 4096
_LABELS = 100


@dataclass(frozen=True, slots=True)
class Manifest:
    """How a model is fed and read. Every value was checked.

    Args:
        name: the prefix of its scores' names: letters, digits, ``-`` and ``_``.
        model: where the ONNX file lies.
        sha256: of the ONNX file, lower-case hex.
        licence: under which it, and its weights, may be used; never empty.
        width, height: of the input, in pixels.
        resize: to what the shorter side is scaled before the middle is cropped; only with ``fit`` "crop".
        fit: ``"crop"`` keeps proportions and cuts, ``"pad"`` keeps them and fills with black, ``"stretch"``
            does not keep them.
        mean, std: of each channel, of values from 0 to 1 (or to 255, if ``scale`` is 1).
        scale: what the levels 0 to 255 are divided by.
        layout: ``"NCHW"`` or ``"NHWC"``.
        channels: ``"RGB"`` or ``"BGR"``.
        output: the output's name; ``""`` is the first.
        labels: what its numbers are, in order. One label with ``"sigmoid"`` is one number.
        activation: what turns the numbers, divided by ``temperature``, into probabilities.
        temperature: by which the numbers are divided first.
        platt: (a, b): each probability p becomes sigmoid(a · logit(p) + b); None: it stays.
        made: the label that means "made by AI"; ``""`` if none does.
        threshold: the probability of ``made`` from which a weak hint is told; above 1 none ever is.
    """

    name: str
    model: Path
    sha256: str
    licence: str
    width: int
    height: int
    resize: int
    fit: Fit
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: float
    layout: Literal["NCHW", "NHWC"]
    channels: Literal["RGB", "BGR"]
    output: str
    labels: tuple[str, ...]
    activation: Activation
    temperature: float
    platt: tuple[float, float] | None
    made: str
    threshold: float


def read_manifest(path: Path) -> Manifest:
    """The manifest in a file.

    Raises:
        ConfigError: it cannot be read, lacks something, or says what cannot be.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(_MANIFEST_BYTES + 1)
        if len(raw) > _MANIFEST_BYTES:
            raise ConfigError("a manifest of more than 1 MiB", where=where)
        whole = tomllib.loads(raw.decode())
    except OSError as error:
        raise ConfigError("the manifest cannot be read", where=where) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError("the manifest is not TOML", where=where) from error
    try:
        return _manifest(whole, path.parent)
    except ConfigError as error:
        raise ConfigError(error.what, where=where, hint=error.hint) from None


def _manifest(whole: dict[str, Any], folder: Path) -> Manifest:
    top = _Table(whole, "")
    if top.text("format") != _FORMAT:
        raise ConfigError(f'format must be "{_FORMAT}"')
    fed, given = _Table(whole.get("input"), "input"), _Table(whole.get("output"), "output")
    fixed = _Table(whole.get("calibration", {}), "calibration")
    labels = given.texts("labels")
    manifest = Manifest(
        name=top.text("name", r"[A-Za-z0-9_-]{1,60}"),
        model=folder / top.text("model", r"[^/\\]{1,255}"),
        sha256=top.text("sha256", r"[0-9a-f]{64}"),
        licence=top.text("licence"),
        width=fed.whole("width", 1, _SIDE),
        height=fed.whole("height", 1, _SIDE),
        resize=fed.whole("resize", 0, 2 * _SIDE, 0),
        fit=cast(Fit, fed.one("fit", get_args(Fit), "crop")),
        mean=fed.numbers("mean", (0.0, 0.0, 0.0)),
        std=fed.numbers("std", (1.0, 1.0, 1.0), least=1e-6),
        scale=fed.number("scale", 255.0, least=1e-6),
        layout=cast(Literal["NCHW", "NHWC"], fed.one("layout", ("NCHW", "NHWC"), "NCHW")),
        channels=cast(Literal["RGB", "BGR"], fed.one("channels", ("RGB", "BGR"), "RGB")),
        output=given.text("name", default=""),
        labels=labels,
        activation=cast(Activation, given.one("activation", get_args(Activation), "none")),
        temperature=fixed.number("temperature", 1.0, least=1e-6),
        platt=cast("tuple[float, float] | None", fixed.numbers("platt", None, count=2)),
        made=given.one("made", ("", *labels), ""),
        threshold=fixed.number("threshold", 2.0, least=0.0),
    )
    if manifest.activation == "softmax" and len(labels) < 2:
        raise ConfigError("softmax needs two labels or more")
    for table in (top, fed, given, fixed):
        table.nothing_else()
    return manifest


class _Table:
    """A table of the file, whose values are asked for one by one; what is never asked for is a mistake."""

    def __init__(self, values: Any, name: str) -> None:
        if not isinstance(values, dict):
            raise ConfigError(f"no table [{name}]")
        self.values: Mapping[str, Any] = values
        self.name = f"{name}." if name else ""
        self.asked = {"input", "output", "calibration"} if not name else set()

    def _take(self, key: str, default: Any) -> Any:
        self.asked.add(key)
        value = self.values.get(key, default)
        if value is ...:
            raise ConfigError(f"{self.name}{key} is missing")
        return value

    def text(self, key: str, pattern: str = r"(?s).*\S.*", default: Any = ...) -> str:
        value = self._take(key, default)
        if value != default and (not isinstance(value, str) or not re.fullmatch(pattern, value)):
            raise ConfigError(f"{self.name}{key} is not what it must be", hint="see docs/origin.md")
        return str(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._take(key, ...)
        fit = (
            isinstance(value, list) and 0 < len(value) <= _LABELS and len(set(map(str, value))) == len(value)
        )
        if not fit or not all(isinstance(v, str) and re.fullmatch(r"[\w -]{1,60}", v) for v in value):
            raise ConfigError(f"{self.name}{key} must be 1 to {_LABELS} different words")
        return tuple(value)

    def one(self, key: str, of: tuple[str, ...], default: Any) -> str:
        value = self._take(key, default)
        if not isinstance(value, str) or value not in of:
            raise ConfigError(f"{self.name}{key} must be one of: {', '.join(filter(None, of))}")
        return value

    def whole(self, key: str, least: int, most: int, default: Any = ...) -> int:
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(f"{self.name}{key} must be a whole number from {least} to {most}")
        return value

    def number(self, key: str, default: float, least: float) -> float:
        return _number(self._take(key, default), f"{self.name}{key}", least)

    def numbers(
        self, key: str, default: tuple[float, ...] | None, least: float = -math.inf, count: int = 3
    ) -> Any:
        value = self._take(key, default)
        if value is default:
            return default
        if not isinstance(value, list) or len(value) != count:
            raise ConfigError(f"{self.name}{key} must be {count} numbers")
        return tuple(_number(v, f"{self.name}{key}", least) for v in value)

    def nothing_else(self) -> None:
        if unknown := sorted(set(self.values) - self.asked):
            raise ConfigError(f"unknown: {self.name}{unknown[0][:60]}")


def _number(value: Any, name: str, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
        raise ConfigError(f"{name} must be a number" + (f" from {least}" if least > -math.inf else ""))
    return float(value)


def model_of(manifest: Manifest, most: int) -> bytes:
    """The model's bytes, which must be those that the manifest names.

    Raises:
        ConfigError: they cannot be read, are more than ``most``, or are others.
    """
    try:
        with manifest.model.open("rb") as file:
            model = file.read(most + 1)
    except OSError as error:
        raise ConfigError("the model cannot be read", where=str(manifest.model)) from error
    if len(model) > most:
        raise ConfigError(f"a model of more than {most >> 20} MiB", where=str(manifest.model))
    if hashlib.sha256(model).hexdigest() != manifest.sha256:
        raise ConfigError(
            "the model is not the one that its manifest names (sha256)", where=str(manifest.model)
        )
    return model
