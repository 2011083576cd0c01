"""``origin_of``: a file's bytes → what it says of its origin. Each kind of evidence is gathered by itself."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from nightlamp.media import HEAD, Limits, sniff
from nightlamp.origin import c2pa, c2pa_report, metadata, novelai, pixels, thumbnail, xmp
from nightlamp.origin.asked import NOBODY, TrustList
from nightlamp.origin.containers import pieces_of
from nightlamp.origin.generators import generated_by
from nightlamp.origin.generators.generated import UnreadableError, mapping, parsed
from nightlamp.origin.pieces import Pieces
from nightlamp.origin.rules import assess
from nightlamp.origin.statements import state
from nightlamp.origin.stealth import TooLargeError, hidden_text
from nightlamp.values import Assessment, Channel, Statement, Strength, Unchecked

_SETS = 4
_STATEMENTS = 300


def origin_of(
    data: bytes | memoryview,
    limits: Limits | None = None,
    *,
    trust: TrustList = NOBODY,
    received: datetime | None = None,
    pdq: bytes | None = None,
    thumbnails: bool = True,
    forensics: bool = False,
    detectors: tuple[Path, ...] = (),
) -> Assessment:
    """What a file says of how it was made. Never raises for what the bytes are.

    Args:
        data: the whole file; larger ones than ``limits.bytes`` are not examined, and the assessment says so.
        limits: bounds on bytes and pixels; seconds and memory are the calling process's to watch.
        trust: whose C2PA signatures count.
        received: when the file arrived, with a time zone, to compare its capture time with.
        pdq: the picture's PDQ as is, if it is known: sparing a decoding where a thumbnail is compared.
        thumbnails: compare an embedded thumbnail with the picture, which decodes both.
        forensics: search the pixels for watermarks and weak hints too, which decodes the picture.
        detectors: manifests of detectors that look at the picture.
    """
    limits = limits or Limits()
    view = memoryview(data)
    if len(view) > limits.bytes:
        return assess([], [Unchecked("content", "too large")])
    gathering = _Gathering(view, limits, trust, received, pdq, thumbnails)
    gathering.gather()
    said = sorted(dict.fromkeys(gathering.statements), key=lambda s: -s.strength)
    if len(said) > _STATEMENTS:
        gathering.unchecked.append(Unchecked("statements", "too many"))
    found = assess(said[:_STATEMENTS], dict.fromkeys(gathering.unchecked))
    return look_closer(found, view, limits, forensics=forensics, detectors=detectors)


def look_closer(
    found: Assessment,
    data: bytes | memoryview,
    limits: Limits,
    *,
    forensics: bool,
    detectors: tuple[Path, ...],
) -> Assessment:
    """The assessment with what the pixels say besides, if that is asked for: it takes longer, and may fail by
    itself."""
    if not (forensics or detectors):
        return found
    said, missed = pixels.of_pixels(memoryview(data), limits, forensics=forensics, detectors=detectors)
    return assess((*found.statements, *said), (*found.unchecked, *missed))


def prepare(trust: TrustList = NOBODY, detectors: tuple[Path, ...] = ()) -> None:
    """Load what ``origin_of`` may need, while memory is not bounded yet. Models are loaded when they are
    needed first: the bounds hold for them too."""
    if detectors:
        with contextlib.suppress(ImportError):
            import onnxruntime  # noqa: F401
    if c2pa_report.installed():
        with contextlib.suppress(Exception):  # each item then says why it was not checked
            c2pa_report.context(trust)


class _Gathering:
    def __init__(
        self,
        data: memoryview,
        limits: Limits,
        trust: TrustList,
        received: datetime | None,
        pdq: bytes | None,
        thumbnails: bool,
    ) -> None:
        self.data = data
        self.limits = limits
        self.trust = trust
        self.received = received
        self.pdq = pdq
        self.thumbnails = thumbnails
        self.media_type = sniff(bytes(data[:HEAD]))
        self.pieces: Pieces = pieces_of(data, self.media_type)
        self.statements: list[Statement] = []
        self.unchecked: list[Unchecked] = []
        self.remote = ""

    def gather(self) -> None:
        """Each kind of evidence by itself: one that fails costs nothing but itself."""
        steps: tuple[tuple[str, Callable[[], None]], ...] = (
            ("exif", self._exif),
            ("xmp", self._xmp),
            ("iptc", self._iptc),
            ("text", self._texts),
            ("stealth", self._stealth),
            ("c2pa", self._c2pa),
        )
        for name, step in steps:
            try:
                step()
            except MemoryError:
                self.unchecked.append(Unchecked(name, "out of memory"))
            except Exception as error:  # noqa: BLE001 (a reader's bug must not hide the other evidence)
                self.unchecked.append(Unchecked(name, "reader failed", type(error).__name__))
        self.unchecked[:0] = self.pieces.unchecked

    def _exif(self) -> None:
        for block in self.pieces.exif[:4]:
            try:
                exif = metadata.of_exif(block, self.received)
            except ValueError:
                self.unchecked.append(Unchecked("exif", "damaged"))
                continue
            self.statements += exif.statements
            self._generated("exif", exif.texts)
            if exif.cut:
                self.unchecked.append(Unchecked("exif", "too large"))
            if exif.thumbnail is not None and self.thumbnails:
                differs = thumbnail.compare(exif.thumbnail, self.data, self.pdq, self.limits)
                self.statements += [differs] if differs else []

    def _xmp(self) -> None:
        if not self.pieces.xmp:
            return
        found, problem = xmp.read(self.pieces.xmp)
        if problem:
            self.unchecked.append(Unchecked("xmp", problem))
        statements, texts, self.remote = metadata.of_xmp(found, self.received)
        self.statements += statements
        self._generated("xmp", texts)

    def _iptc(self) -> None:
        for block in self.pieces.iptc[:4]:
            self.statements += metadata.of_iptc(block)

    def _texts(self) -> None:
        # A keyword that comes again goes into another set, so that none hides behind another.
        sets: dict[tuple[Channel, int], dict[str, str]] = {}
        for channel, keyword, text in self.pieces.texts:
            free = (n for n in range(_SETS) if keyword not in sets.setdefault((channel, n), {}))
            number = next(free, None)
            if number is None:
                self.pieces.missed(channel, "repeated too often")
            else:
                sets[channel, number][keyword] = text
        for (channel, _), texts in sets.items():
            self.statements += metadata.of_tags(channel, texts, self.received)
            self._generated(channel, texts)

    def _stealth(self) -> None:
        if not self.pieces.lossless:
            return
        try:
            text = hidden_text(self.data, self.media_type)
        except TooLargeError:
            self.unchecked.append(Unchecked("stealth", "too large"))
            return
        if text is None:
            return
        try:
            whole = mapping(parsed(text))
        except UnreadableError as error:
            self.unchecked.append(Unchecked("stealth", str(error)))
            whole = {}
        texts = {key: value for key, value in whole.items() if isinstance(value, str)} or {"parameters": text}
        before = len(self.statements)
        self._generated("stealth", texts)
        if len(self.statements) == before:
            told = "text is hidden in its pixels, in the way of image generators"
            self.statements.append(state("stealth", "present", told, Strength.CONTEXT))

    def _generated(self, channel: Channel, texts: dict[str, str]) -> None:
        """What generators wrote into these texts."""
        found, missed = generated_by(texts)
        self.unchecked += missed
        for generated in found:
            self.statements += generated.statements(channel)
            if generated.generator == "NovelAI":
                self._novelai(channel, texts)

    def _novelai(self, channel: Channel, texts: dict[str, str]) -> None:
        comment = mapping(parsed(texts.get("Comment") or texts.get("UserComment", "")))
        if isinstance(comment.get("Comment"), str):
            comment = mapping(parsed(comment["Comment"]))
        if "signed_hash" in comment and self.pieces.lossless:
            statements, missed = novelai.signature(comment, self.data, channel)
            self.statements += statements
            self.unchecked += missed

    def _c2pa(self) -> None:
        there = self.pieces.manifest
        if self.remote.startswith("self#") and not there:
            text = "its XMP names a C2PA manifest within it that is not there: it was removed"
            self.statements.append(state("xmp", "edited", text, fields={"manifest": "removed"}))
        elif self.remote and not there:
            text = "its C2PA manifest is kept elsewhere, and was not fetched"
            self.statements.append(state("c2pa", "present", text, Strength.CONTEXT))
            self.unchecked.append(
                Unchecked("c2pa", "remote", "the manifest is on a server; nothing is fetched")
            )
            return
        if there > c2pa.MANIFEST:
            self.unchecked.append(Unchecked("c2pa", "too large"))
            return
        if not c2pa_report.installed():
            seen = "a manifest is in it" if there else "no manifest was seen"
            self.unchecked.append(Unchecked("c2pa", "not installed", seen))
            if there:
                told = "a C2PA manifest is in it, and was not checked"
                self.statements.append(state("c2pa", "present", told, Strength.CONTEXT))
            return
        if not there:
            return
        statements, missed = c2pa.of_manifest(self.data, self.media_type, self.trust)
        self.statements += statements
        self.unchecked += missed
        if missed:
            told = "a C2PA manifest is in it, and could not be read"
            self.statements.append(state("c2pa", "present", told, Strength.CONTEXT))
