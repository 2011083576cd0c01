"""Views beside ``as is``: there where they matter, and not elsewhere."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageCms, PngImagePlugin


def views(frames) -> dict:
    return {frame.view: frame for frame in frames}


def profile(swap: tuple[int, int, int] = (0, 1, 2), curve: bytes = b"", space: bytes = b"RGB ") -> bytes:
    """An ICC v2 display profile: sRGB's colorants in some order, and a curve for all channels."""
    curve = curve or b"curv" + bytes(4) + struct.pack(">IH", 1, 0x0233)
    colorants = [(0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)]
    white = (0.9642, 1.0, 0.8249)

    def xyz(value: tuple[float, float, float]) -> bytes:
        return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(part * 65536) for part in value))

    tags = {b"wtpt": xyz(white), b"desc": b"desc" + bytes(4) + struct.pack(">I", 2) + b"x\x00" + bytes(78)}
    tags[b"cprt"] = b"text" + bytes(4) + b"x\x00\x00\x00"
    for name, place in zip((b"r", b"g", b"b"), swap, strict=True):
        tags[name + b"XYZ"] = xyz(colorants[place])
        tags[name + b"TRC"] = curve
    if space == b"GRAY":
        tags = {key: value for key, value in tags.items() if key[1:] not in (b"XYZ", b"TRC")}
        tags[b"kTRC"] = curve
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for key, value in tags.items():
        value += bytes(-len(value) % 4)
        table += key + struct.pack(">II", at + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", 0, b"none", 0x02100000, b"mntr", space, b"XYZ ") + bytes(12) + b"acsp"
    head = (head + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)).ljust(128, b"\x00")
    whole = head + struct.pack(">I", len(tags)) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


INVERTED = b"curv" + bytes(4) + struct.pack(">IHH", 2, 65535, 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_inverting_profile_is_seen_through(kind, drawn, saved, opened, bits_apart):
    # Given a picture whose stored pixels are a negative that its profile turns right again
    data = saved(ImageChops.invert(drawn), kind, icc_profile=profile(curve=INVERTED))
    frames, errors = opened(data)
    assert not errors
    assert list(views(frames)) == ["as is", "colour managed"]
    assert bits_apart(views(frames)["colour managed"].luma, drawn.convert("L")) <= 24
    assert bits_apart(views(frames)["as is"].luma, drawn.convert("L")) > 200


@pytest.mark.parametrize("detail", ["fast", "full"])
def test_channel_swapping_profile_is_seen_through(detail, draw_picture, saved, opened, bits_apart):
    picture = draw_picture(1200, 1100)
    red, green, blue = picture.split()
    data = saved(Image.merge("RGB", (green, blue, red)), "JPEG", icc_profile=profile(swap=(1, 2, 0)))
    frames, _ = opened(data, detail)
    managed = views(frames)["colour managed"]
    assert managed.luma.shape == views(frames)["as is"].luma.shape
    assert bits_apart(managed.luma, picture.convert("L")) <= 16


def test_inverting_grey_profile_is_seen_through(drawn, saved, opened, bits_apart):
    grey = drawn.convert("L")
    frames, _ = opened(
        saved(ImageChops.invert(grey), "PNG", icc_profile=profile(curve=INVERTED, space=b"GRAY"))
    )
    assert bits_apart(views(frames)["colour managed"].luma, grey) <= 24


def test_profiles_that_change_little_cost_no_view(drawn, saved, opened):
    for usual in (profile(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        for kind in ("JPEG", "PNG"):
            assert list(views(opened(saved(drawn, kind, icc_profile=usual))[0])) == ["as is"]


@pytest.mark.parametrize("broken", [b"x", bytes(200), profile()[:300], profile(curve=INVERTED)[:-40]])
def test_broken_profile_is_ignored(broken, drawn, saved, opened):
    frames, errors = opened(saved(drawn, "PNG", icc_profile=broken))
    assert not errors
    assert frames[0].view == "as is"


def with_alpha(picture: Image.Image, alpha: np.ndarray) -> Image.Image:
    picture = picture.convert("RGBA")
    picture.putalpha(Image.fromarray(alpha))
    return picture


def test_transparent_picture_is_seen_on_white_on_black_and_without_its_alpha(
    drawn, saved, opened, levels_apart
):
    alpha = np.zeros((drawn.height, drawn.width), np.uint8)
    alpha[:, : drawn.width // 2] = 128
    frames, _ = opened(saved(with_alpha(drawn, alpha), "PNG"))
    found = views(frames)
    assert {"as is", "on black", "alpha ignored"} <= set(found)
    luma, share = np.asarray(drawn.convert("L")).astype(float), alpha / 255
    assert levels_apart(found["as is"].luma, np.rint(luma * share + 255 * (1 - share))) < 1
    assert levels_apart(found["on black"].luma, np.rint(luma * share)) < 1
    assert levels_apart(found["alpha ignored"].luma, luma) < 1


def test_picture_hidden_under_full_transparency_is_found(drawn, saved, opened, bits_apart):
    frames, _ = opened(saved(with_alpha(drawn, np.zeros((drawn.height, drawn.width), np.uint8)), "PNG"))
    assert bits_apart(views(frames)["alpha ignored"].luma, drawn.convert("L")) <= 4


def test_opaque_alpha_costs_no_view(drawn, saved, opened):
    opaque = with_alpha(drawn, np.full((drawn.height, drawn.width), 255, np.uint8))
    for kind in ("PNG", "WEBP", "TIFF"):
        assert list(views(opened(saved(opaque, kind))[0])) == ["as is"]


@pytest.mark.parametrize(("mode", "key"), [("RGB", (230, 220, 40)), ("L", 41), ("P", None)])
def test_transparent_colour_of_a_png_is_composited(mode, key, drawn, saved, opened):
    picture = drawn.convert(mode)
    key = key or picture.getpixel((100, 80))
    matched = np.all(np.asarray(picture) == key, axis=-1) if mode == "RGB" else np.asarray(picture) == key
    assert matched.any()
    frames, errors = opened(saved(picture, "PNG", transparency=key))
    assert not errors
    assert (frames[0].luma[matched] == 255).all()


def test_premultiplied_alpha_tiff_is_undone(drawn, opened, saved, levels_apart):
    alpha = np.full((drawn.height, drawn.width), 128, np.uint8)
    straight = with_alpha(drawn, alpha)
    half = np.asarray(straight).copy()
    half[..., :3] = half[..., :3] // 2
    data = saved(Image.fromarray(half), "TIFF")
    # ExtraSamples (338) from 2, unassociated, to 1, associated
    at = data.index(struct.pack("<HHI", 338, 3, 1))
    data = data[: at + 8] + b"\x01\x00" + data[at + 10 :]
    frames, _ = opened(data)
    on_white, _ = opened(saved(straight, "TIFF"))
    assert levels_apart(frames[0].luma, on_white[0].luma) < 2


def test_far_gamma_is_applied_in_a_view_of_its_own(drawn, saved, opened, levels_apart):
    linear = drawn.point([round(255 * (level / 255) ** 2.2) for level in range(256)] * 3)
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 100_000))
    frames, _ = opened(saved(linear, "PNG", pnginfo=info))
    assert list(views(frames)) == ["as is", "gamma applied"]
    assert levels_apart(frames[1].luma, drawn.convert("L")) < 3


def test_usual_gamma_costs_no_view(drawn, saved, opened):
    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", struct.pack(">I", 45_455))
    assert list(views(opened(saved(drawn, "PNG", pnginfo=info))[0])) == ["as is"]


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("margins", [(0, 60, 0, 60), (80, 0, 80, 0), (30, 50, 70, 20), (0, 0, 0, 100)])
def test_border_is_trimmed(kind, margins, drawn, saved, opened, bits_apart):
    left, top, right, bottom = margins
    framed = Image.new("RGB", (drawn.width + left + right, drawn.height + top + bottom), (12, 12, 12))
    framed.paste(drawn, (left, top))
    frames, _ = opened(saved(framed, kind))
    assert [frame.view for frame in frames] == ["as is", "border trimmed"]
    inner = frames[1]
    blur = 8 if kind == "JPEG" else 0  # a block that holds both may go to either
    assert abs(inner.width - drawn.width) <= blur
    assert abs(inner.height - drawn.height) <= blur
    assert inner.luma.shape == (inner.height, inner.width)
    assert inner.luma.flags.c_contiguous
    assert bits_apart(inner.luma, drawn.convert("L")) <= 16
    assert inner.picture().size == (inner.width, inner.height)


def test_no_border_no_view_and_a_blank_picture_is_not_all_border(drawn, saved, opened):
    for picture in (drawn, Image.new("RGB", (200, 100), (9, 9, 9)), Image.new("RGB", (3, 1000))):
        assert [frame.view for frame in opened(saved(picture, "PNG"))[0]] == ["as is"]
    speck = Image.new("RGB", (400, 400))
    speck.putpixel((200, 200), (255, 255, 255))
    assert [frame.view for frame in opened(saved(speck, "PNG"))[0]] == ["as is"]


def test_border_scales_with_the_picture(draw_picture, saved, opened):
    inner = draw_picture(2000, 1500)
    framed = Image.new("RGB", (2400, 1500))
    framed.paste(inner, (200, 0))
    frames, _ = opened(saved(framed, "JPEG"), "fast")
    trimmed = views(frames)["border trimmed"]
    assert abs(trimmed.width - 2000) <= 8
    assert trimmed.luma.shape == (-(-trimmed.height // 2), -(-trimmed.width // 2))
