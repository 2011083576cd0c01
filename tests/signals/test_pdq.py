"""PDQ against an independent port, against ``pdqhash``, and against the published hashes."""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pdqhash
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from tests.signals import pdq_pages
from tests.signals import pdq_reference as reference
from tests.signals.pdq_reference import bits_apart, luma_of

from nightlamp.media import Frame
from nightlamp.signals import signal_named
from nightlamp.signals.pdq import PDQ, VIEWS, downsample, downsample_colour, pdq_dihedral, pdq_hash

Scene = Callable[[int, int, int], np.ndarray]

# Pillow's name for what each view did to the picture.
TURNS = {
    "rotated 90": Image.Transpose.ROTATE_90,
    "rotated 180": Image.Transpose.ROTATE_180,
    "rotated 270": Image.Transpose.ROTATE_270,
    "mirrored": Image.Transpose.FLIP_LEFT_RIGHT,
    "flipped": Image.Transpose.FLIP_TOP_BOTTOM,
    "transposed": Image.Transpose.TRANSPOSE,
    "transversed": Image.Transpose.TRANSVERSE,
}
# What a viewer does to the stored pixels for each EXIF orientation (as PIL.ImageOps.exif_transpose).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# pdqhash.compute_dihedral's order in our names.
PEER_VIEWS = (*VIEWS[:4], "flipped", "mirrored", "transposed", "transversed")


# Printed by the reference program for the eight variants of the first dihedral file.
PUBLISHED_VARIANTS = {
    "as is": "d8f8f0cee0f4a84f0637022a078f67f0b36e2ed596621e1d33e6339c4e9c9b22",
    "rotated 90": "f0a10efd51c83d429053d48d0fffbc52e34e0e17ada956a9d29685211ea9e58f",
    "rotated 180": "adad5a64b5a102e55b62a88052dacd5ae63b847fc337b4b766b399361bc93188",
    "rotated 270": "a5f0b457248995e8c1065c275aaa56d8b61ba4bdf8fcfc0383c32f8b0bfc4f05",
    "flipped": "d8f80f31e0f457b00637f5d5038f980fb36ed12a9662c1e233e64c634e9c64dd",
    "mirrored": "8dada49991a1bd1a5362577742da32a5e63b7b80c2364b4866b346c91bc9ce77",
    "transposed": "f0a1e10271ccc0bd90530b720fff038de34ef1e8ada9a956d6967ade5ea91a50",
    "transversed": "a5f44ba8a4996a17cd06a1d85aaaa927b61b5b42f8fc03fc83c3d0740bfcb0fa",
}


def peer_hash(rgb: np.ndarray) -> tuple[bytes, int]:
    bits, quality = pdqhash.compute(np.ascontiguousarray(rgb))
    return np.packbits(bits).tobytes(), quality


def turned(pixels: np.ndarray, how: Image.Transpose) -> np.ndarray:
    return np.ascontiguousarray(Image.fromarray(pixels).transpose(how))


def reduced_luma(data: bytes, scale: int) -> tuple[np.ndarray, int, int]:
    """A JPEG's luma at a reduced DCT scale, as libjpeg gives it, and the full height and width."""
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    image.draft("L", (width // scale, height // scale))
    return np.asarray(image), height, width


def jpeg(rgb: np.ndarray, **options: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def frame_of(luma: np.ndarray, **more: object) -> Frame:
    def no_picture() -> Image.Image:
        raise AssertionError("the luma leaves no doubt, so the colours must not be decoded")

    height, width = luma.shape
    return Frame(**{"luma": luma, "height": height, "width": width, "picture": no_picture} | more)  # type: ignore[arg-type]


class TestSignal:
    def test_is_installed(self) -> None:
        assert signal_named("pdq") is PDQ
        assert (PDQ.size, PDQ.index, PDQ.radius, PDQ.min_quality) == (32, "hamming", 31, 50)

    def test_text_is_the_reference_text(self, scene: Scene) -> None:
        rgb = scene(300, 400, 1)
        bits, _ = pdqhash.compute(rgb)
        text = f"{int(''.join(map(str, bits)), 2):064x}"  # how the reference writes it: word 15 first
        assert PDQ.text(pdq_hash(luma_of(rgb))[0]) == text
        assert PDQ.parse(f" {text.upper()}\n") == bytes.fromhex(text)

    @pytest.mark.parametrize("text", ["", "00", "0" * 63, "0" * 65, "g" * 64])
    def test_parse_refuses_without_quoting(self, text: str) -> None:
        with pytest.raises(ValueError, match="hexadecimal") as refusal:
            PDQ.parse(text)
        assert not text or text not in str(refusal.value)


class TestAgainstTheLiteralPort:
    @given(
        height=st.integers(5, 700) | st.sampled_from([5, 63, 64, 65, 127, 128, 129, 256, 257]),
        width=st.integers(5, 700) | st.sampled_from([5, 63, 64, 65, 127, 128, 129, 256, 257]),
        seed=st.integers(0, 1 << 32),
    )
    def test_any_shape(self, height: int, width: int, seed: int) -> None:
        luma = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
        luma[: height // 2] //= 3  # something other than noise
        expected = reference.image64(luma)

        image = downsample(luma)
        value, quality = pdq_hash(luma)

        assert image == pytest.approx(expected, abs=1e-2)
        assert abs(quality - reference.quality(expected)) <= 1
        apart = bits_apart(value, reference.value(expected))
        assert apart <= 2 * reference.undecided(expected, 1e-3)

    @pytest.mark.parametrize(
        ("height", "width"), [(5, 5), (5, 10_000), (10_000, 5), (6, 4_099), (64, 64), (1200, 1600)]
    )
    def test_extreme_shapes(self, height: int, width: int) -> None:
        luma = np.random.default_rng(7).integers(0, 256, (height, width), dtype=np.uint8)
        assert downsample(luma) == pytest.approx(reference.image64(luma), abs=1e-2)

    @given(
        size=st.tuples(st.integers(5, 400), st.integers(5, 400)),
        scale=st.sampled_from([2, 4, 8]),
        orientation=st.integers(1, 8),
        seed=st.integers(0, 99),
    )
    def test_reduced_luma_is_blurred_as_at_full_resolution(
        self, size: tuple[int, int], scale: int, orientation: int, seed: int
    ) -> None:
        # given: a picture whose blocks are flat, so that reducing it loses nothing
        height, width = size
        blocks = -(-height // scale), -(-width // scale)
        small = np.random.default_rng(seed).integers(0, 256, blocks, dtype=np.uint8)
        full = np.repeat(np.repeat(small, scale, axis=0), scale, axis=1)[:height, :width]

        image = downsample(small, height=height, width=width, scale=scale, orientation=orientation)

        upright = turned(full, UPRIGHT[orientation]) if orientation > 1 else full
        assert image == pytest.approx(reference.image64(upright), abs=1e-2)


class TestAgainstPdqhash:
    @pytest.mark.parametrize(
        ("height", "width"), [(64, 64), (5, 300), (40, 30), (480, 640), (1200, 1600), (333, 2049)]
    )
    def test_same_float_luma_gives_the_same_hash(self, scene: Scene, height: int, width: int) -> None:
        rgb = scene(height, width, height)
        value, quality = pdq_hash(luma_of(rgb))
        expected, expected_quality = peer_hash(rgb)
        apart = bits_apart(value, expected)
        assert (apart, quality) == (0, expected_quality)

    def test_frequencies_are_the_reference_ones(self, scene: Scene) -> None:
        rgb = scene(480, 640, 3)
        expected, _ = pdqhash.compute_float(rgb)
        spectrum = reference.spectrum(downsample(luma_of(rgb)).astype(np.float64))
        assert spectrum.ravel() == pytest.approx(expected[::-1], abs=0.02)

    @pytest.mark.parametrize("seed", range(4))
    def test_all_eight_views(self, scene: Scene, seed: int) -> None:
        rgb = scene(300 + seed, 401, seed)
        peer, _ = pdqhash.compute_dihedral(rgb)
        expected = {name: np.packbits(bits).tobytes() for name, bits in zip(PEER_VIEWS, peer, strict=True)}
        values, _ = pdq_dihedral(luma_of(rgb))
        assert {n: bits_apart(v, expected[n]) for n, v in zip(VIEWS, values, strict=True)} == dict.fromkeys(
            VIEWS, 0
        )

    def test_photos(self, shared_data: Path) -> None:
        """Every tenth grocery photo; the slow suite takes all of them."""
        apart = list(_photo_differences(sorted((shared_data / "photos/grocery").glob("*.jpg"))[::10]))
        _check_photo_differences(apart)

    @pytest.mark.slow
    def test_all_photos(self, shared_data: Path) -> None:
        photos = sorted((shared_data / "photos").glob("*/*.jpg"))
        _check_photo_differences(list(_photo_differences(photos)))


def _photo_differences(paths: list[Path]) -> Iterator[tuple[str, int, int, int]]:
    """Name, and bits from pdqhash on RGB: of the same float luma, a full-scale frame, a reduced frame."""
    for path in paths:
        data = path.read_bytes()
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        rgb = np.asarray(picture)
        expected, _ = peer_hash(rgb)
        scale = max(s for s in (1, 2, 4) if s == 1 or min(rgb.shape[:2]) / s >= 256)
        found = [bits_apart(pdq_hash(luma_of(rgb))[0], expected)]
        for s in (1, scale):
            luma, height, width = reduced_luma(data, s)
            frame = Frame(luma, height, width, lambda picture=picture: picture, scale=s)  # type: ignore[misc]
            assert PDQ.of_frame is not None
            found.append(bits_apart(PDQ.of_frame(frame)[0].value, expected))
        yield path.name, *found


def _check_photo_differences(rows: list[tuple[str, int, int, int]]) -> None:
    for column, most in ((1, 0), (2, 4), (3, 6)):
        bits = [row[column] for row in rows]
        print(f"{len(bits)} photos: median {statistics.median(bits)}, most {max(bits)} bits from pdqhash")
        assert statistics.median(bits) == 0
        assert max(bits) <= most


class TestPublishedHashes:
    """The reference program shrinks to 512 × 512 by nearest neighbour first; so these tests do too."""

    @pytest.mark.parametrize(("name", "most"), [("published", [2, 10, 2]), ("modes", [2, 2])])
    def test_the_page_says_so_picture_by_picture(self, name: str, most: list[int], shared_data: Path) -> None:
        """Within two bits: another build of libjpeg rounds otherwise."""

        def rows(table: str) -> dict[str, list[int]]:
            cells = [[c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
            return {picture: list(map(int, bits)) for picture, *bits in cells}

        told, measured = rows(pdq_pages.on_the_page(name)), rows(pdq_pages.TABLES[name](shared_data))

        assert told.keys() == measured.keys(), "run: python -m tests.signals.pdq_pages"
        assert len(told) == {"published": 15 + 8, "modes": 14}[name]
        for picture, bits in measured.items():
            assert bits == pytest.approx(told[picture], abs=2), picture
            assert all(few <= bound for few, bound in zip(bits, most, strict=True)), picture

    def test_dihedral_variants(self, shared_data: Path) -> None:
        luma = pdq_pages.as_the_program(shared_data / "pdq/reg-test-input/dih/bridge-1-original.jpg")
        for view, value in zip(VIEWS, pdq_dihedral(luma)[0], strict=True):
            apart = bits_apart(value, bytes.fromhex(PUBLISHED_VARIANTS[view]))
            assert apart <= 2, view


class TestViews:
    @pytest.mark.parametrize("view", TURNS)
    @pytest.mark.parametrize(("height", "width"), [(480, 640), (300, 300), (1001, 333)])
    def test_each_view_is_the_hash_of_the_turned_picture(
        self, scene: Scene, view: str, height: int, width: int
    ) -> None:
        """Within a few bits: the reference's sampling grid and even windows lean to one side."""
        luma = np.asarray(Image.fromarray(scene(height, width, 5)).convert("L"))
        values, _ = pdq_dihedral(luma)
        expected, _ = pdq_hash(turned(luma, TURNS[view]))
        apart = {name: bits_apart(value, expected) for name, value in zip(VIEWS, values, strict=True)}
        assert apart.pop(view) <= 20
        assert min(apart.values()) > 60

    def test_views_undo_what_the_files_did(self, shared_data: Path) -> None:
        """The copy that somebody turned is found by the view that turns it in the same way."""
        folder = shared_data / "pdq/reg-test-input/dih"
        original = np.asarray(Image.open(folder / "bridge-1-original.jpg").convert("L"))
        values = dict(zip(VIEWS, pdq_dihedral(original)[0], strict=True))
        files = zip(PEER_VIEWS, sorted(folder.glob("*.jpg")), strict=True)
        for view, path in files:
            other, _ = pdq_hash(np.asarray(Image.open(path).convert("L")))
            apart = bits_apart(values[view], other)
            assert apart <= 16, view

    @pytest.mark.parametrize("orientation", range(1, 9))
    @pytest.mark.parametrize("scale", [1, 2, 4])
    def test_orientation_equals_turned_pixels(self, scene: Scene, orientation: int, scale: int) -> None:
        data = jpeg(scene(1056, 1312, 9), quality=90)  # whole blocks, so that reduced pixels turn exactly
        luma, height, width = reduced_luma(data, scale)
        upright = turned(luma, UPRIGHT[orientation]) if orientation > 1 else luma
        size = (height, width) if orientation < 5 else (width, height)

        values, quality = pdq_dihedral(luma, height=height, width=width, scale=scale, orientation=orientation)

        expected, expected_quality = pdq_dihedral(upright, height=size[0], width=size[1], scale=scale)
        apart = [bits_apart(one, other) for one, other in zip(values, expected, strict=True)]
        assert (apart, quality) == ([0] * 8, expected_quality)

    @given(
        size=st.tuples(st.integers(5, 300), st.integers(5, 300)),
        orientation=st.integers(2, 8),
        seed=st.integers(0, 99),
    )
    def test_orientation_on_any_shape(self, size: tuple[int, int], orientation: int, seed: int) -> None:
        luma = np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
        image = downsample(luma, orientation=orientation)
        assert image == pytest.approx(downsample(turned(luma, UPRIGHT[orientation])), abs=1e-3)


class TestOddPictures:
    @pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (10_000, 3), (3, 10_000), (4, 4)])
    def test_too_small_to_hash(self, shape: tuple[int, int]) -> None:
        """As in the reference: below 5 pixels a side, an all-zero hash of quality 0."""
        luma = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        assert pdq_hash(luma) == (bytes(32), 0)
        assert PDQ.of_frame is not None
        found = PDQ.of_frame(frame_of(luma))
        assert [f.quality for f in found] == [0] * 8

    @pytest.mark.parametrize("level", [0, 1, 128, 255])
    @pytest.mark.parametrize("shape", [(5, 5), (64, 64), (720, 1280)])
    def test_solid_colours_have_no_quality(self, level: int, shape: tuple[int, int]) -> None:
        assert pdq_hash(np.full(shape, level, np.uint8))[1] == 0

    @pytest.mark.parametrize(
        ("shape", "more"),
        [
            ((0, 5), {}),
            ((5, 5, 3), {}),
            ((10, 10), {"height": 20}),
            ((10, 10), {"height": 20, "width": 20}),
            ((10, 10), {"orientation": 0}),
            ((10, 10), {"orientation": 9}),
        ],
    )
    def test_what_does_not_fit_is_refused(self, shape: tuple[int, ...], more: dict[str, int]) -> None:
        with pytest.raises(ValueError, match=r"luma|orientation"):
            downsample(np.zeros(shape, np.uint8), **more)

    def test_pixels_that_are_not_contiguous_or_not_writable(self, scene: Scene) -> None:
        luma = scene(200, 300, 2)[..., 0]
        plain = np.ascontiguousarray(luma)
        plain.flags.writeable = False
        same = pdq_hash(luma) == pdq_hash(plain)
        assert same


class TestFrames:
    def test_eight_fingerprints_each_with_quality(self, scene: Scene) -> None:
        luma = np.ascontiguousarray(scene(400, 500, 4)[..., 1])
        assert PDQ.of_frame is not None
        found = PDQ.of_frame(frame_of(luma, number=3))
        values, quality = pdq_dihedral(luma)
        same = [f.value for f in found] == list(values)
        assert same
        assert [(f.signal, f.view, f.frame, f.quality) for f in found] == [
            ("pdq", view, 3, quality) for view in VIEWS
        ]

    def test_view_of_the_pixels_comes_first(self, scene: Scene) -> None:
        luma = np.ascontiguousarray(scene(400, 500, 4)[..., 1])
        assert PDQ.of_frame is not None
        found = PDQ.of_frame(frame_of(luma, view="on black"))
        assert [f.view for f in found] == ["on black", *(f"on black, {view}" for view in VIEWS[1:])]

    @pytest.mark.parametrize("orientation", [1, 6])
    def test_reduced_and_turned(self, scene: Scene, orientation: int) -> None:
        data = jpeg(scene(1201, 1605, 6), quality=85)
        full, _, _ = reduced_luma(data, 1)
        luma, height, width = reduced_luma(data, 2)
        frame = frame_of(luma, height=height, width=width, scale=2, orientation=orientation)
        assert PDQ.of_frame is not None
        expected, _ = pdq_hash(full, orientation=orientation)
        apart = bits_apart(PDQ.of_frame(frame)[0].value, expected)
        assert apart <= 2

    def test_colours_decide_where_luma_leaves_doubt(self) -> None:
        # given: strong stripes too fine for the hash, over shapes of a tenth of a grey level
        random = np.random.default_rng(3)
        y, x = np.mgrid[0:600, 0:800]
        shapes = [
            sum(
                size * np.cos(np.pi * fy * y / 600) * np.cos(np.pi * fx * x / 800)
                for size, fy, fx in random.uniform((0.02, 1, 1), (0.1, 16, 16), (20, 3))
            )
            for _ in range(3)
        ]
        stripes = 128 + 60 * np.cos(2 * np.pi * 25 * x / 800)
        rgb = stripes[..., None] + np.stack(shapes, axis=-1)
        rgb = np.round(rgb + random.uniform(-0.5, 0.5, rgb.shape)).astype(np.uint8)
        picture = Image.fromarray(rgb)
        luma = np.asarray(picture.convert("L"))
        expected, quality = peer_hash(rgb)
        by_luma = bits_apart(pdq_hash(luma)[0], expected)

        # when
        assert PDQ.of_frame is not None
        found = PDQ.of_frame(frame_of(luma, picture=lambda: picture))[0]

        # then
        by_colours = bits_apart(found.value, expected)
        assert by_luma > 8
        assert by_colours <= 2
        assert found.quality == quality

    def test_colours_decide_whether_the_quality_suffices(self, scene: Scene) -> None:
        # given: the same picture paler and paler, until its quality is about the least that is matched
        bright = scene(256, 256, 11).astype(float)
        for share in np.arange(1, 0, -0.002):
            picture = Image.fromarray((bright * share).astype(np.uint8))
            luma = np.asarray(picture.convert("L"))
            if pdq_hash(luma)[1] <= PDQ.min_quality:
                break

        assert PDQ.of_frame is not None
        found = PDQ.of_frame(frame_of(luma, picture=lambda: picture))[0]

        assert found.quality == peer_hash(np.asarray(picture))[1]
        with pytest.raises(AssertionError, match="no doubt"):
            PDQ.of_frame(frame_of(luma))

    def test_featureless_frames_are_not_decoded_again(self) -> None:
        assert PDQ.of_frame is not None
        assert PDQ.of_frame(frame_of(np.full((300, 300), 200, np.uint8)))[0].quality == 0


def test_colour_is_luma_before_rounding(scene: Scene) -> None:
    rgb = scene(301, 407, 8)
    image = downsample_colour(Image.fromarray(rgb))
    assert image == pytest.approx(downsample(luma_of(rgb)), abs=1e-3)
    assert math.isfinite(float(image.sum()))
