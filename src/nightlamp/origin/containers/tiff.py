"""TIFF and DNG: the first directory is EXIF itself; XMP, IPTC, Photoshop's and C2PA stand in tags of it."""

from __future__ import annotations

from nightlamp.origin.containers.jpeg import resources
from nightlamp.origin.exif import Directory
from nightlamp.origin.pieces import XMP, Pieces

_XMP, _IPTC, _PHOTOSHOP, _C2PA = 700, 33723, 34377, 52545


def read(data: memoryview, pieces: Pieces) -> None:
    """Look at the first directory."""
    pieces.exif.append(data)
    first = Directory.first(data)
    if first is None:
        pieces.missed("metadata", "damaged")
        return
    packet = first.raw(_XMP)
    if packet is not None:
        pieces.packet(packet)
    iptc = first.raw(_IPTC)
    if iptc is not None and len(iptc) <= XMP:
        pieces.iptc.append(bytes(iptc))
    photoshop = first.raw(_PHOTOSHOP)
    if photoshop is not None:
        resources(photoshop[:XMP], pieces)
    pieces.manifest = len(first.raw(_C2PA) or b"")
