"""Files that say something of their origin, written here: by their formats' own rules, or with Pillow."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
A1111 = (
    "a bowl of plums <lora:glaze:0.8>\nNegative prompt: blurry\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Size: 512x512, "
    "Model hash: 0123abcd45, Model: still_life, "
    'Lora hashes: "glaze: aabbcc", Version: v1.10.1'
)
COMFY = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "still_life.safetensors"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a bowl of plums", "clip": ["1", 1]}},
    "3": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64}},
    "4": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 7, "steps": 20, "sampler_name": "euler", "denoise": 1.0,
            "model": ["1", 0], "positive": ["2", 0], "latent_image": ["3", 0],
        },
    },
    "5": {"class_type": "VAEDecode", "inputs": {"samples": ["4", 0], "vae": ["1", 2]}},
    "6": {"class_type": "SaveImage", "inputs": {"images": ["5", 0]}},
}  # fmt: skip


def drawn(width: int = 160, height: int = 120, mode: str = "RGB", seed: int = 3) -> Image.Image:
    """Something with enough in it for PDQ: soft blobs, different for each seed."""
    levels = np.random.default_rng(seed).integers(0, 255, (6, 8), dtype=np.uint8)
    return Image.fromarray(levels).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def png(texts: Mapping[str, str] | None = None, picture: Image.Image | None = None, **options: Any) -> bytes:
    info = PngInfo()
    for keyword, text in (texts or {}).items():
        info.add_itxt(keyword, text)
    return saved(picture or drawn(), "PNG", pnginfo=info, **options)


def jpeg(exif: bytes | Image.Exif = b"", picture: Image.Image | None = None, **options: Any) -> bytes:
    return saved(picture or drawn(), "JPEG", quality=90, exif=exif, **options)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def heic(picture: Image.Image, **options: Any) -> bytes:
    import pillow_heif

    file = io.BytesIO()
    pillow_heif.from_pillow(picture).save(file, **options)
    return file.getvalue()


def camera(software: str = "", comment: str = "", *, gps: bool = True, serial: str = "SN-4711") -> Image.Exif:
    exif = Image.Exif()
    exif[271], exif[272] = "Canon", "Canon EOS 5D"
    if software:
        exif[305] = software
    detail = exif.get_ifd(0x8769)
    detail[36867], detail[42033], detail[33434] = "2024:05:01 12:00:00", serial, 0.01
    if comment:
        detail[37510] = b"UNICODE\0" + comment.encode("utf-16-be")
    if gps:
        exif.get_ifd(0x8825)[2] = (48.0, 12.0, 30.0)
    return exif


def xmp(inner: str, attributes: str = "") -> bytes:
    spaces = {
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "xmpMM": "http://ns.adobe.com/xap/1.0/mm/",
        "stEvt": "http://ns.adobe.com/xap/1.0/sType/ResourceEvent#",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "tiff": "http://ns.adobe.com/tiff/1.0/",
        "aux": "http://ns.adobe.com/exif/1.0/aux/",
        "dc": "http://purl.org/dc/elements/1.1/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
        "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
        "TC260": "http://www.tc260.org.cn/ns/AIGC/1.0/",
    }
    named = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in spaces.items())
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f"<rdf:Description {named} {attributes}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def with_xmp(packet: bytes) -> bytes:
    return jpeg(xmp=packet)


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(*segments: bytes, data: bytes | None = None) -> bytes:
    data = data or jpeg()
    return data[:2] + b"".join(segments) + data[2:]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunks(*chunks: bytes, data: bytes | None = None) -> bytes:
    data = data or png()
    return data[:33] + b"".join(chunks) + data[33:]


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def tagged_mp4(tags: Mapping[str, str]) -> bytes:
    """An MP4 without media whose tags are Apple's ``keys``, as ffmpeg writes them with use_metadata_tags."""
    names = b"".join(box(b"mdta", name.encode()) for name in tags)
    keys = box(b"keys", struct.pack(">II", 0, len(tags)), names)
    values = [
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0), text.encode()))
        for number, text in enumerate(tags.values(), 1)
    ]
    handler = box(b"hdlr", struct.pack(">II4s12x", 0, 0, b"mdta"), b"\0")
    meta = box(b"meta", handler, keys, box(b"ilst", *values))
    return box(b"ftyp", b"isom", struct.pack(">I", 512), b"isomiso2mp41") + box(b"moov", meta)


def hidden(text: str, *, alpha: bool, packed: bool) -> Image.Image:
    """A picture with text in its lowest bits, written as the stealth extension writes it."""
    import gzip

    body = gzip.compress(text.encode()) if packed else text.encode()
    name = f"stealth_{'png' if alpha else 'rgb'}{'comp' if packed else 'info'}"
    stream = name.encode() + struct.pack(">I", 8 * len(body)) + body
    bits = np.unpackbits(np.frombuffer(stream, np.uint8))
    picture = np.array(drawn(200, 150, "RGBA" if alpha else "RGB"))
    if alpha:
        picture[:, :, 3] = 254
    channels = (picture[:, :, 3:] if alpha else picture[:, :, :3]).swapaxes(0, 1)
    flat = channels.reshape(-1).copy()
    flat[: len(bits)] = flat[: len(bits)] & 254 | bits
    restored = flat.reshape(channels.shape).swapaxes(0, 1)
    picture[:, :, slice(3, 4) if alpha else slice(0, 3)] = restored
    return Image.fromarray(picture)


def created(source_type: str, *more: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest: made with this digital source type, then more actions."""
    first = {"action": "c2pa.created", "digitalSourceType": IPTC + source_type}
    return manifest({"label": "c2pa.actions", "created": True, "data": {"actions": [first, *more]}})


def opened(*more: Mapping[str, Any]) -> dict[str, Any]:
    """A manifest: its parent opened, then more actions."""
    first = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parentOf"]}}
    return manifest({"label": "c2pa.actions", "created": True, "data": {"actions": [first, *more]}})


def manifest(*assertions: Mapping[str, Any]) -> dict[str, Any]:
    return {"claim_generator_info": [{"name": "Test Camera", "version": "1"}], "assertions": list(assertions)}


@cache
def authority() -> tuple[bytes, bytes, str]:
    """(chain of a signer, its key, certificate of the authority that vouches for it), all PEM."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def named(name: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )

    def usage(*, signs: bool, certifies: bool) -> x509.KeyUsage:
        return x509.KeyUsage(signs, False, False, False, False, certifies, certifies, False, False)

    def certificate(name: str, key: Any, serial: int) -> x509.CertificateBuilder:
        today = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("Test Authority"))
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(today - dt.timedelta(days=2))
            .not_valid_after(today + dt.timedelta(days=900))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(top.public_key()), critical=False
            )
        )

    top, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = (
        certificate("Test Authority", top, 1)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage(signs=False, certifies=True), critical=True)
        .sign(top, hashes.SHA256())
    )
    leaf = (
        certificate("Test Camera Maker", own, 2)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs=True, certifies=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        .sign(top, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return leaf.public_bytes(pem) + root.public_bytes(pem), key, root.public_bytes(pem).decode()


def signed(
    said: Mapping[str, Any], data: bytes | None = None, media_type: str = "image/jpeg", **ingredients: bytes
) -> bytes:
    """A file with a manifest that our own authority's signer signed; ingredients by their relationship."""
    import c2pa

    chain, key, _ = authority()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, key, None))
    builder = c2pa.Builder(json.dumps(said))
    for relation, content in ingredients.items():
        told = json.dumps({"title": f"{relation}.jpg", "relationship": relation, "instance_id": relation})
        builder.add_ingredient(told, "image/jpeg", io.BytesIO(content))
    out = io.BytesIO()
    builder.sign(signer, media_type, io.BytesIO(data or jpeg()), out)
    return out.getvalue()


SILENCE = (b"\xff\xfb\x90\xc4" + bytes(413)) * 8
"""Frames of MP3: 128 kbit/s at 44.1 kHz."""


def id3(*frames: tuple[bytes, bytes], version: int = 4) -> bytes:
    """An ID3 tag of text in Latin letters, or of whatever a frame's bytes are."""

    def size(number: int, bits: int) -> bytes:
        return bytes(number >> bits * at & (1 << bits) - 1 for at in (3, 2, 1, 0))

    def head(number: int) -> bytes:
        return size(number, 8)[1:] if version == 2 else size(number, 7 if version == 4 else 8) + b"\0\0"

    body = b"".join(name + head(len(data)) + data for name, data in frames)
    return b"ID3" + bytes([version, 0, 0]) + size(len(body), 7) + body


def flac(*comments: str, writer: str = "reference libFLAC 1.4.3 20230623") -> bytes:
    """FLAC without sound: its stream's properties, then comments."""
    texts = [struct.pack("<I", len(text)) + text for text in (writer.encode(), *map(str.encode, comments))]
    block = texts[0] + struct.pack("<I", len(comments)) + b"".join(texts[1:])
    properties = struct.pack(">HH6sQ16s", 4096, 4096, bytes(6), 44_100 << 44 | 15 << 36, bytes(16))
    return b"fLaC\0" + len(properties).to_bytes(3) + properties + b"\x84" + len(block).to_bytes(3) + block


def wav(*chunks: tuple[bytes, bytes]) -> bytes:
    """A hundred samples of silence, and chunks before them."""
    form = (b"fmt ", struct.pack("<HHIIHH", 1, 1, 44_100, 88_200, 2, 16))
    parts = (form, *chunks, (b"data", bytes(200)))
    body = b"".join(kind + struct.pack("<I", len(d)) + d + bytes(len(d) % 2) for kind, d in parts)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WAVE" + body
