"""EXIF, XMP and IPTC-IIM → statements: camera, programs, edits, times; that a position or serial is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nightlamp.origin import vocabulary, xmp
from nightlamp.origin.exif import Directory
from nightlamp.origin.statements import clean, named, sealed, state
from nightlamp.origin.xmp import Properties
from nightlamp.values import Channel, Statement, Strength

_MAKE, _MODEL, _SOFTWARE, _DESCRIPTION, _TITLE, _ARTIST, _CHANGED = 271, 272, 305, 270, 269, 315, 306
_EXIF_IFD, _GPS_IFD, _TAKEN, _COMMENT = 34665, 34853, 36867, 37510
_OFFSET_TAKEN, _OFFSET_CHANGED = 36881, 36880
_SERIALS = {42033: "body", 42037: "lens", 50735: "body", 42032: "owner"}
_SHOT = {
    33434: "exposure",
    33437: "f-number",
    34855: "iso",
    37386: "focal length",
    37385: "flash",
    42036: "lens",
}
_THUMBNAIL, _THUMBNAIL_BYTES = 513, 514
_LATE = ", which is after it arrived"
_GRAPH = re.compile(r"^\s*(prompt|workflow|parameters)\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Exif:
    """What an EXIF block holds.

    Args:
        statements: what follows from it.
        texts: those in which generators write, by keyword.
        thumbnail: the small JPEG in it, or None.
        cut: a value was too large to be read.
    """

    statements: list[Statement]
    texts: dict[str, str]
    thumbnail: memoryview | None
    cut: bool


def of_exif(block: bytes | memoryview, received: datetime | None) -> Exif:
    """Read one EXIF block.

    Raises:
        ValueError: it is no TIFF structure.
    """
    main = Directory.first(block)
    if main is None:
        raise ValueError("no TIFF structure")
    detail = main.below(_EXIF_IFD)
    texts = {
        "Make": main.text(_MAKE),
        "Model": main.text(_MODEL),
        "Software": main.text(_SOFTWARE),
        "Source": main.text(_SOFTWARE),  # NovelAI's WebP files keep their model here
        "Description": main.text(_DESCRIPTION),
        "ImageDescription": main.text(_DESCRIPTION),
        "Title": main.text(_TITLE),
        "UserComment": detail.comment(_COMMENT) if detail else "",
    }
    found = [*_camera(texts["Make"], texts["Model"], detail), *_program("exif", texts["Software"])]
    found += _times(main, detail, received)
    if main.number(_GPS_IFD):
        gps = main.below(_GPS_IFD)
        if gps is not None and any(tag in gps.tags for tag in (2, 4)):
            found.append(_location("exif"))
    for tag, whose in _SERIALS.items():
        text = next((t for d in (detail, main) if d and (t := d.text(tag))), "")
        if text:
            found.append(_serial("exif", whose, text))
    cut = main.oversized() or bool(detail and detail.oversized())
    return Exif(found, {k: v for k, v in texts.items() if v}, _thumbnail(main), cut)


def _camera(make: str, model: str, detail: Directory | None) -> Iterator[Statement]:
    # ComfyUI's WebP files carry graphs in these two tags.
    if _GRAPH.match(make) or _GRAPH.match(model) or not (make or model) or not model.strip():
        return
    if vocabulary.GENERATOR.search(f"{make} {model}"):
        yield state("exif", "ai-made", f"its EXIF names {named(f'{make} {model}')} as the camera")
        return
    shot = [word for tag, word in _SHOT.items() if detail and tag in detail.tags]
    name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
    yield state(
        "exif",
        "camera",
        f"its EXIF names the camera {named(name)}",
        fields={"make": make, "model": model, "settings": ", ".join(shot)},
    )


def _program(source: Channel, name: str) -> Iterator[Statement]:
    """What the name of a program says."""
    shown = clean(name, 60)
    if not shown:
        return
    if vocabulary.GENERATOR.search(name[:500]):
        yield state(source, "ai-made", f"made by {named(name)}", fields={"generator": shown})
    elif vocabulary.EDITOR.search(name[:500]):
        yield state(source, "edited", f"saved by {named(name)}", fields={"software": shown})
    else:
        yield state(source, "software", f"written by {named(name)}", Strength.CONTEXT, {"software": shown})


def _times(main: Directory, detail: Directory | None, received: datetime | None) -> Iterator[Statement]:
    taken = detail.text(_TAKEN) if detail else ""
    changed = main.text(_CHANGED)
    if not taken and not changed:
        return
    taken_late, changed_late = (
        _after(_moment(text, detail.text(offset) if detail else ""), received)
        for text, offset in ((taken, _OFFSET_TAKEN), (changed, _OFFSET_CHANGED))
    )
    told = []
    if taken:
        told.append(f"taken at {clean(taken, 30)}" + (_LATE if taken_late else ""))
    if changed_late or not taken:
        told.append(f"changed at {clean(changed, 30)}" + (_LATE if changed_late else ""))
    text = f"it says that it was {', and '.join(told)}"
    yield state(
        "exif",
        "time",
        text,
        Strength.CONTEXT,
        {"taken": taken, "changed": changed, "after arrival": taken_late or changed_late or None},
    )


def _moment(text: str, offset: str) -> datetime | None:
    """An EXIF time; without an offset it is local time somewhere, here taken as UTC."""
    try:
        naive = datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    found = re.fullmatch(r"([+-])(\d\d):(\d\d)", offset)
    if found is None:
        return naive
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
    try:
        return naive - ahead if found[1] == "+" else naive + ahead
    except OverflowError:
        return None


def _after(moment: datetime | None, received: datetime | None) -> bool:
    """Whether something happened after it arrived; a day and more may be the time zones'."""
    if moment is None or received is None:
        return False
    return moment > received.astimezone(UTC) + timedelta(hours=26)


def _taken(source: Channel, text: str, received: datetime | None) -> Statement:
    """When it was taken, as XMP and videos write it: ISO 8601, perhaps without minutes or a time zone."""
    try:
        moment = datetime.fromisoformat(text[:35].strip())
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        moment = None
    late = _after(moment, received)
    told = f"it says that it was taken at {clean(text, 30)}" + (_LATE if late else "")
    return state(source, "time", told, Strength.CONTEXT, {"taken": text, "after arrival": late or None})


def _location(source: Channel) -> Statement:
    return state(source, "location", "a position is in it (not shown)", Strength.CONTEXT)


def _serial(source: Channel, whose: str, text: str) -> Statement:
    what = "an owner's name" if whose == "owner" else f"a serial number of the {whose}"
    return state(source, "serial", f"{what} is in it (sealed)", Strength.CONTEXT, {whose: sealed(text)})


def _thumbnail(main: Directory) -> memoryview | None:
    second = main.following()
    if second is None:
        return None
    at, size = second.number(_THUMBNAIL), second.number(_THUMBNAIL_BYTES)
    part = main.data[at : at + size] if at and 0 < size <= 1 << 20 else None
    return part if part is not None and bytes(part[:2]) == b"\xff\xd8" else None


def of_xmp(
    found: Properties, received: datetime | None = None
) -> tuple[list[Statement], dict[str, str], str]:
    """(statements, texts in which generators write, address of a remote C2PA manifest or ``""``)."""

    def first(space: str, name: str) -> str:
        return found.get((space, name), [""])[0]

    statements: list[Statement] = []
    for uri in dict.fromkeys([*found.get((xmp.IPTC_EXT, "DigitalSourceType"), []), *_misspelt(found)]):
        says, text = vocabulary.source_type(uri)
        strength = Strength.CONTEXT if says == "software" else Strength.DECLARED
        statements.append(
            state("xmp", says, f"its digital source type says: {text}", strength, {"source_type": uri})
        )
    for value in dict.fromkeys([*found.get((xmp.AIGC, "AIGC"), []), *found.get((xmp.AIGC, "aigc"), [])]):
        statements += of_label("xmp", value)
    programs = [first(xmp.XMP, "CreatorTool"), first(xmp.TIFF, "Software"), *_made_with(found)]
    for name in dict.fromkeys(filter(None, programs)):
        statements += _program("xmp", name)
    history = found.get((xmp.EVENT, "action"), [])
    changes = [action for action in history if action not in ("created", "published", "printed")]
    if changes:
        agents = ", ".join(
            dict.fromkeys(clean(a, 40) for a in found.get((xmp.EVENT, "softwareAgent"), [])[:20])
        )
        statements.append(
            state(
                "xmp",
                "edited",
                f"its history has {len(changes)} changes",
                fields={"changes": len(changes), "programs": agents},
            )
        )
    make, model = first(xmp.TIFF, "Make"), first(xmp.TIFF, "Model")
    if model and not vocabulary.GENERATOR.search(f"{make} {model}"):
        name = model if model.lower().startswith(make.lower()) else f"{make} {model}"
        statements.append(
            state(
                "xmp",
                "camera",
                f"its XMP names the camera {named(name)}",
                fields={"make": make, "model": model},
            )
        )
    taken = first(xmp.PHOTOSHOP, "DateCreated") or first(xmp.EXIF, "DateTimeOriginal")
    if taken:
        statements.append(_taken("xmp", taken, received))
    wish = first(xmp.PLUS, "DataMining")
    if wish:
        told = f"on its use for training it says: {clean(wish.rpartition('/')[2], 60)}"
        statements.append(state("xmp", "training", told, Strength.CONTEXT, {"data mining": wish}))
    if first(xmp.EXIF, "GPSLatitude"):
        statements.append(_location("xmp"))
    for space, key, whose in (
        (xmp.AUX, "SerialNumber", "body"),
        (xmp.EXIF_EX, "BodySerialNumber", "body"),
        (xmp.AUX, "LensSerialNumber", "lens"),
        (xmp.AUX, "OwnerName", "owner"),
    ):
        if text := first(space, key):
            statements.append(_serial("xmp", whose, text))
    comment, description = first(xmp.EXIF, "UserComment"), first(xmp.DC, "description")
    texts = {"xmp UserComment": comment, "xmp description": description, "parameters": description}
    return statements, {k: v for k, v in texts.items() if v}, first(xmp.TERMS, "provenance")


def _misspelt(found: Mapping[tuple[str, str], list[str]]) -> list[str]:
    """The property under other spellings and namespaces, in which some services write it."""
    return [v for (_, name), values in found.items() if name.lower() == "digitalsourcetype" for v in values]


def _made_with(found: Properties) -> list[str]:
    """A credit line or a history's agent that names a generator; of anybody else it says nothing of the
    making."""
    lines = [
        *found.get((xmp.PHOTOSHOP, "Credit"), []),
        *found.get((xmp.EVENT, "softwareAgent"), []),
        *found.get((xmp.IPTC_EXT, "AISystemUsed"), []),
    ]
    return [line for line in lines if vocabulary.GENERATOR.search(line[:500])]


def of_label(source: Channel, text: str) -> Iterator[Statement]:
    """China's label for synthetic content (GB 45438-2025): JSON, ``Label`` 1 made, 2 perhaps, 3 suspected."""
    try:
        label = json.loads(text[:20_000])
    except (ValueError, RecursionError):
        return
    label = label.get("AIGC", label) if isinstance(label, dict) else {}
    if not isinstance(label, dict) or str(label.get("Label", "")) not in ("1", "2", "3"):
        return
    certain = str(label["Label"]) == "1"
    yield state(
        source,
        "ai-made",
        "its AIGC label says: made or changed by AI"
        if certain
        else "its AIGC label says: perhaps made by AI",
        Strength.DECLARED if certain else Strength.WEAK,
        {"label": str(label["Label"]), "producer": str(label.get("ContentProducer", ""))},
    )


def of_iptc(block: bytes) -> Iterator[Statement]:
    """IPTC-IIM datasets: of record 2 the program (65) and its version (70)."""
    at, program, version = 0, "", ""
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, dataset = block[at + 1], block[at + 2]
        size = int.from_bytes(block[at + 3 : at + 5], "big")
        if size & 0x8000:
            return
        text = block[at + 5 : at + 5 + min(size, 200)].decode("utf-8", "replace")
        if (record, dataset) == (2, 65):
            program = text
        elif (record, dataset) == (2, 70):
            version = text
        at += 5 + size
    yield from _program("iptc", f"{program} {version}".strip() if program else "")


def of_tags(
    source: Channel, texts: Mapping[str, str], received: datetime | None = None
) -> Iterator[Statement]:
    """Keywords of PNG text, comments and container tags that say something by themselves."""
    lower = {key.lower().removeprefix("com.apple.quicktime."): value for key, value in texts.items()}
    for key in (
        "software",
        "©too",
        "encoder",
        "isft",
        "writer",
        "muxer",
        "©swr",
        "creator tool",
        "generator",
    ):
        if key in lower and lower[key] != "NovelAI":  # which has a reader of its own
            yield from _program(source, lower[key])
    for key in ("comment", "©cmt", "icmt", "description", "credit"):
        text = lower.get(key, "")
        if len(text) < 300 and (
            vocabulary.GENERATOR.search(text) or re.match(r"(created|made|edited) with ", text, re.I)
        ):
            yield from _program(source, text)
    if "aigc" in lower:
        yield from of_label(source, lower["aigc"])
    make, model = lower.get("make") or lower.get("©mak", ""), lower.get("model") or lower.get("©mod", "")
    if model:
        yield state(
            source,
            "camera",
            f"its tags name the camera {named(f'{make} {model}')}",
            fields={"make": make, "model": model},
        )
    if "©xyz" in lower or "location.iso6709" in lower:
        yield _location(source)
    taken = lower.get("creationdate") or lower.get("©day", "")
    if taken:
        yield _taken(source, taken, received)
