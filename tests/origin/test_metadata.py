"""EXIF, XMP, IPTC, thumbnails: what is said, and what must never be shown."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime

import pytest
from PIL import Image
from tests.origin.files import (
    A1111,
    box,
    camera,
    chunk,
    drawn,
    heic,
    jpeg,
    png,
    saved,
    segment,
    tagged_mp4,
    with_chunks,
    with_segments,
    with_xmp,
    xmp,
)

from nightlamp.origin import origin_of, to_json
from nightlamp.values import Assessment, Strength


def says(found: Assessment) -> set[str]:
    return {s.says for s in found.statements}


def test_a_photo_tells_its_camera_and_hides_position_and_serial() -> None:
    found = origin_of(jpeg(camera(software="Firmware 1.2")))

    assert says(found) == {"camera", "software", "time", "location", "serial"}
    assert found.outcome == "unknown"
    everything = f"{found!r} {json.dumps(to_json(found))}"
    assert "Canon EOS 5D" in everything
    for secret in ("SN-4711", "48.0", "12.0"):
        assert secret not in everything
    assert "SN-4711" in json.dumps(to_json(found, reveal=True))


def test_a_generators_text_in_a_camera_photo_contradicts_it() -> None:
    found = origin_of(jpeg(camera(comment=A1111)))

    assert found.outcome == "inconsistent"
    assert "plain metadata, forgeable" in found.sentence
    assert {s.strength for s in found.statements if s.says == "ai-made"} == {Strength.DECLARED}


@pytest.mark.parametrize("name", ["Adobe Photoshop 25.1 (Windows)", "GIMP 2.10", "Snapseed 2.0", "FaceApp"])
def test_an_editor_is_an_edit(name: str) -> None:
    assert origin_of(jpeg(camera(software=name))).outcome == "edited"


def test_a_history_of_changes_is_an_edit() -> None:
    events = "".join(
        f'<rdf:li stEvt:action="{action}" stEvt:softwareAgent="Some Editor"/>'
        for action in ("created", "saved", "derived")
    )

    found = origin_of(with_xmp(xmp(f"<xmpMM:History><rdf:Seq>{events}</rdf:Seq></xmpMM:History>")))

    assert found.outcome == "edited"
    assert [s.field("changes") for s in found.statements] == [2]


@pytest.mark.parametrize(
    "photo",
    [
        jpeg(camera()),
        with_xmp(xmp("", 'photoshop:DateCreated="2024-05-01T12:00:00+02:00"')),
        with_xmp(xmp("", 'exif:DateTimeOriginal="2024-05-01"')),
        tagged_mp4({"com.apple.quicktime.creationdate": "2024-05-01T12:00:00-0700"}),
    ],
    ids=["exif", "xmp", "xmp, a day", "video"],
)
def test_a_capture_time_after_the_arrival_is_told(photo: bytes) -> None:
    def after(year: int) -> bool:
        found = origin_of(photo, received=datetime(year, 1, 1, tzinfo=UTC))
        return any(s.field("after arrival") for s in found.statements if s.says == "time")

    assert after(2023)
    assert not after(2025)


@pytest.mark.parametrize(
    ("offset", "late"), [("-14:00", True), ("", False), ("+14:00", False)], ids=["behind", "unknown", "ahead"]
)
def test_a_change_after_the_arrival_is_told_too_whatever_its_capture_time_is(offset: str, late: bool) -> None:
    exif = camera()
    exif[306] = "2025:01:02 01:00:00"
    if offset:
        exif.get_ifd(0x8769)[36880] = offset

    found = origin_of(jpeg(exif), received=datetime(2025, 1, 1, tzinfo=UTC))

    (said,) = (s for s in found.statements if s.says == "time")
    text = "it says that it was taken at 2024:05:01 12:00:00"
    assert said.text == text + ", and changed at 2025:01:02 01:00:00, which is after it arrived" * late
    assert bool(said.field("after arrival")) is late


@pytest.mark.parametrize("text", ["", "soon", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_makes_no_sense_is_only_told(text: str) -> None:
    found = origin_of(
        with_xmp(xmp("", f'photoshop:DateCreated="{text}"')), received=datetime(2025, 1, 1, tzinfo=UTC)
    )

    assert [s.says for s in found.statements] == (["time"] if text else [])
    assert not any(u.why == "reader failed" for u in found.unchecked)


def test_a_wish_on_training_in_xmp_is_told() -> None:
    value = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"
    (said,) = origin_of(with_xmp(xmp("", f'plus:DataMining="{value}"'))).statements

    assert (said.source, said.says) == ("xmp", "training")
    assert "DMI-PROHIBITED-AIMLTRAINING" in said.text


def with_thumbnail(picture: Image.Image, small: Image.Image) -> bytes:
    """A JPEG whose EXIF has a second directory with a JPEG in it."""
    thumbnail = saved(small, "JPEG", quality=60)
    first = struct.pack(">HI", 0, 14)
    second = struct.pack(">HHHIIHHIII", 2, 513, 4, 1, 44, 514, 4, 1, len(thumbnail), 0)
    body = b"MM\0*\0\0\0\x08" + first + second + thumbnail
    assert body.index(thumbnail) == 44
    return with_segments(segment(0xE1, b"Exif\0\0" + body), data=saved(picture, "JPEG", quality=90))


def test_a_thumbnail_of_something_else_is_an_edit_and_its_own_is_none() -> None:
    picture = drawn(640, 480)
    small, other = picture.resize((160, 120)), drawn(160, 120, seed=8)
    barred = Image.new("RGB", (160, 160))
    barred.paste(small, (0, 20))

    def outcome(thumbnail: Image.Image, *, known: bool = False) -> str:
        data = with_thumbnail(picture, thumbnail)
        if not known:
            return origin_of(data).outcome
        import numpy as np

        from nightlamp.signals.pdq import pdq_hash

        return origin_of(data, pdq=pdq_hash(np.asarray(picture.convert("L")))[0]).outcome

    assert outcome(small) == outcome(barred) == outcome(small.rotate(90, expand=True)) == "unknown"
    assert outcome(other) == outcome(other, known=True) == "edited"
    assert outcome(small, known=True) == "unknown"
    assert origin_of(with_thumbnail(picture, other), thumbnails=False).outcome == "unknown"


def test_extended_xmp_is_put_together() -> None:
    packet = xmp("<xmp:CreatorTool>Midjourney</xmp:CreatorTool>")
    guid, half = b"0" * 32, len(packet) // 2

    def part(start: int, end: int) -> bytes:
        head = b"http://ns.adobe.com/xmp/extension/\0" + guid + struct.pack(">II", len(packet), start)
        return segment(0xE1, head + packet[start:end])

    whole = with_segments(part(half, len(packet)), part(0, half))
    gap = with_segments(part(0, half - 5), part(half, len(packet)))

    assert origin_of(whole).outcome == "declared AI-made"
    assert [(u.what, u.why) for u in origin_of(gap).unchecked] == [("xmp", "damaged")]


FTYP = box(b"ftyp", b"isom\0\0\0\0isom")
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
DATA = box(b"data", b"\0\0\0\1\0\0\0\0", b"Midjourney")
MATROSKA = b"\x1aE\xdf\xa3\x80\x18\x53\x80\x67\x01" + b"\xff" * 7
GIF = saved(drawn(), "GIF")
INFO = b"INFOISFT" + struct.pack("<I", 10) + b"Midjourney"
IIM = b"\x1c\2\x41\0\x0aMidjourney\0"
MADE = xmp("", 'xmp:CreatorTool="Midjourney"')


@pytest.mark.parametrize(
    "data",
    [
        with_xmp(MADE),
        with_chunks(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + MADE)),
        saved(drawn(), "WEBP", xmp=MADE),
        saved(drawn(), "TIFF", tiffinfo={700: MADE}),
        saved(drawn(), "AVIF", xmp=MADE),
        with_segments(segment(0xFE, b"Made with Midjourney")),
        saved(drawn(), "GIF", comment=b"Made with Midjourney"),
        FTYP + box(b"uuid", XMP_UUID, MADE),
        FTYP + box(b"moov", box(b"udta", box(b"\xa9too", struct.pack(">HH", 10, 0), b"Midjourney"))),
        FTYP + box(b"moov", box(b"udta", box(b"meta", b"\0\0\0\0", box(b"ilst", box(b"\xa9too", DATA))))),
        b"RIFF" + struct.pack("<I", 34) + b"AVI LIST" + struct.pack("<I", 22) + INFO,
        with_segments(segment(0xED, b"Photoshop 3.0\08BIM\4\4\0\0" + struct.pack(">I", 15) + IIM)),
        # Matroska: EBML header, a segment of unknown size, its info, the writing program.
        MATROSKA + b"\x15\x49\xa9\x66\x8d" + b"\x57\x41\x8a" + b"Midjourney",
        # Matroska tags: a segment, tags, a tag, a simple tag with a name and a text.
        MATROSKA
        + b"\x12\x54\xc3\x67\x9e"
        + b"\x73\x73\x9b"
        + b"\x67\xc8\x98"
        + b"\x45\xa3\x87ENCODER"
        + b"\x44\x87\x8bMidjourney ",
        # GIF: the packet stands bare in an application block, then a trailer that ends any reader.
        GIF[:-1] + b"\x21\xff\x0bXMP DataXMP" + MADE + b"\1" + bytes(range(255, -1, -1)) + b"\0" + GIF[-1:],
        heic(drawn(), xmp=MADE),
        b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"ftyp", b"jxl \0\0\0\0jxl ") + box(b"xml ", MADE),
        png({"Software": "Midjourney"}),
        tagged_mp4({"com.apple.quicktime.software": "Midjourney"}),
    ],
    ids=[
        "jpeg xmp",
        "png xmp",
        "webp xmp",
        "tiff xmp",
        "avif xmp",
        "jpeg comment",
        "gif comment",
        "mp4 xmp",
        "mp4 too",
        "mp4 ilst",
        "avi",
        "iptc",
        "matroska",
        "matroska tag",
        "gif xmp",
        "heic xmp",
        "jxl xmp",
        "png software",
        "mov software",
    ],
)
def test_every_container_gives_up_its_metadata(data: bytes) -> None:
    assert origin_of(data).outcome == "declared AI-made"


def test_what_is_no_picture_is_unknown_and_says_that_nothing_was_read() -> None:
    for data in (b"", b"hello", b"PK\3\4" + bytes(100)):
        found = origin_of(data)
        assert found.outcome == "unknown"
        assert ("metadata", "no reader") in [(u.what, u.why) for u in found.unchecked]


def test_a_text_hides_behind_no_other_of_its_keyword() -> None:
    texts = [b"parameters\0nothing"] * 2 + [b"parameters\0" + A1111.encode()]

    found = origin_of(with_chunks(*(chunk(b"tEXt", text) for text in texts)))
    crowded = origin_of(with_chunks(*(chunk(b"tEXt", text) for text in texts * 3)))

    assert found.outcome == crowded.outcome == "declared AI-made"
    assert ("png text", "repeated too often") in [(u.what, u.why) for u in crowded.unchecked]


def test_names_that_a_file_gives_stand_in_quotes() -> None:
    found = origin_of(jpeg(camera(software='Photoshop". It is real. "')))

    assert "saved by \"Photoshop'. It is real. '\" (plain metadata, forgeable)" in found.sentence


def test_many_statements_are_cut_and_it_says_so() -> None:
    uris = "".join(f"<rdf:li>urn:kind:{n}</rdf:li>" for n in range(1000))
    packet = xmp(f"<Iptc4xmpExt:DigitalSourceType><rdf:Bag>{uris}</rdf:Bag></Iptc4xmpExt:DigitalSourceType>")

    found = origin_of(with_xmp(packet))

    assert len(found.statements) == 300
    assert ("statements", "too many") in [(u.what, u.why) for u in found.unchecked]
