"""Types by content: every format's own first bytes, and no guess for anything else."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightlamp.media import ARCHIVES, HEAD, sniff


def tar(form: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"hi"))
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    return file.getvalue()


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xd8\xff\xe1", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"GIF87a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00RMIDdata", ""),
        (b"ID3\x04\x00\x00\x00\x00\x02\x01TSSE", "audio/mpeg"),
        (b"fLaC\x00\x00\x00\x22", "audio/flac"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1miaf", "image/avif"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avif", "image/avif"),
        (b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1heic", "image/heic"),
        (b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00miaf", "image/heic"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1", "image/heic"),
        (b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  ", "video/quicktime"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00isom", "video/mp4"),
        (b"\x00\x00\x00\x08ftyp", "video/mp4"),
        (b"\x00\x00\x00\x08wide\x00\x00\x00\x00mdat", "video/quicktime"),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "video/webm"),
        ((b"G" + bytes(187)) * 3, "video/mp2t"),
        ((bytes(4) + b"G" + bytes(187)) * 3, "video/mp2t"),
        ((b"G" + bytes(187)) * 2, ""),
        (b"OggS" + bytes(24) + b"\x80theora", "video/ogg"),
        (b"OggS" + bytes(24) + b"\x01vorbis", ""),
        (b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "video/x-matroska"),
        (b"II*\x00\x08\x00\x00\x00", "image/tiff"),
        (b"MM\x00+\x00\x08\x00\x00", "image/tiff"),
        (
            b"II*\x00\x08\x00\x00\x00\x01\x00\x12\xc6\x01\x00\x04\x00\x00\x00\x01\x04\x00\x00",
            "image/x-adobe-dng",
        ),
        (b"BM" + bytes(12) + b"\x28\x00\x00\x00", "image/bmp"),
        (b"BMW drivers are nice people", ""),
        (b"P5\n3 4 255\n", "image/x-portable-anymap"),
        (b"P5 is not always a picture"[:2], ""),
        (b"\xff\x0a\x00", "image/jxl"),
        (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
        (b"7z\xbc\xaf\x27\x1c\x00\x04", "application/x-7z-compressed"),
        (b"Rar!\x1a\x07\x01\x00", "application/vnd.rar"),
        (b"%PDF-1.7", "application/pdf"),
        (gzip.compress(b"x", mtime=0), "application/gzip"),
        (bz2.compress(b"x"), "application/x-bzip2"),
        (lzma.compress(b"x"), "application/x-xz"),
        (zipped(), "application/zip"),
        (tar(tarfile.USTAR_FORMAT), "application/x-tar"),
        (tar(tarfile.GNU_FORMAT), "application/x-tar"),
        (tar(tarfile.PAX_FORMAT), "application/x-tar"),
        (b"", ""),
        (b"a", ""),
        (b"<html>", ""),
        (bytes(4096), ""),
    ],
)
def test_types(head, media_type):
    assert sniff(head) == media_type


def test_tar_from_before_posix_is_known_by_its_checksum():
    data = bytearray(tar(tarfile.USTAR_FORMAT))
    data[257:265] = bytes(8)
    data[148:156] = b"%06o\x00 " % (256 + sum(data[:148]) + sum(data[156:512]))
    assert sniff(bytes(data)) == "application/x-tar"
    data[0] ^= 1
    assert sniff(bytes(data)) == ""


def test_names_play_no_part_and_every_real_sample_is_known(shared_data):
    kinds = {path.name: sniff(path.read_bytes()[:HEAD]) for path in (shared_data / "formats").iterdir()}
    assert kinds.pop("LICENSE-MIT") == ""
    assert all(kind.startswith(("image/", "video/")) for kind in kinds.values()), kinds
    assert kinds["sample1.heic"] == "image/heic"
    assert kinds["sample1.avif"] == "image/avif"
    assert kinds["C-recorded-as-mov.mov"] == "video/quicktime"


def test_every_archive_type_is_one_that_sniff_says():
    assert {"application/zip", "application/x-tar", "application/x-7z-compressed"} < ARCHIVES


@given(st.binary(max_size=2000))
def test_anything_is_sniffed_without_an_error(head):
    assert isinstance(sniff(head), str)
