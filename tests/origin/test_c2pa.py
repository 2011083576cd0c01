from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.origin.files import authority, camera, created, drawn, heic, jpeg, opened, png, saved, signed

from nightlamp.errors import ConfigError
from nightlamp.origin import TrustList, origin_of, trust_of
from nightlamp.origin.c2pa_report import codes
from nightlamp.values import Assessment, Strength

pytest.importorskip("c2pa")

EDIT = {"action": "c2pa.color_adjustments", "parameters": {"name": "brightness"}}


def trusted(data: bytes) -> Assessment:
    return origin_of(data, trust=TrustList(authority()[2]))


def said(found: Assessment) -> list[tuple[str, Strength]]:
    return [(s.says, s.strength) for s in found.statements if s.source == "c2pa"]


def test_a_camera_counts_by_the_operators_list_and_by_nothing_else() -> None:
    photo = signed(created("digitalCapture"))

    assert trusted(photo).outcome == "camera-signed"
    assert trusted(photo).sentence.startswith("A camera's signature holds")
    assert origin_of(photo).outcome == "unknown"
    assert ("signed", Strength.SIGNED) in said(origin_of(photo))


def test_what_a_manifest_only_gathered_nobody_vouches_for() -> None:
    said_so = created("digitalCapture")
    gathered = {**said_so, "assertions": [{**said_so["assertions"][0], "created": False}]}

    found = trusted(signed(gathered))

    assert found.outcome == "unknown"
    assert "nobody on the trust list vouches for that" in found.sentence


def test_what_was_found_of_an_ingredient_speaks_for_nobody_else() -> None:
    """A report in which results of an ingredient carry the active manifest's own name."""
    own = "self#jumbf=/c2pa/own/c2pa.signature"
    validated, untrusted, vouched = (
        "claimSignature.validated",
        "signingCredential.untrusted",
        "signingCredential.trusted",
    )
    active = {"success": [{"code": validated, "url": own}], "failure": [{"code": untrusted, "url": own}]}
    delta = {"success": [{"code": vouched, "url": own}], "failure": []}
    results = {"activeManifest": active, "ingredientDeltas": [{"validationDeltas": delta}]}

    found = codes({"active_manifest": "own", "manifests": {"own": {}}, "validation_results": results})

    assert found["own"].strength == Strength.SIGNED


@pytest.mark.parametrize(
    ("source_type", "outcome", "says"),
    [
        ("trainedAlgorithmicMedia", "declared AI-made", "ai-made"),
        ("compositeWithTrainedAlgorithmicMedia", "declared AI-edited", "ai-edited"),
        ("algorithmicMedia", "unknown", "synthetic"),
        ("computationalCapture", "camera-signed", "camera"),
        ("screenCapture", "unknown", "software"),
    ],
)
def test_digital_source_types_are_different_things(source_type: str, outcome: str, says: str) -> None:
    found = trusted(signed(created(source_type)))

    assert found.outcome == outcome
    assert says in dict(said(found))


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("GIF", "image/gif"),
        ("TIFF", "image/tiff"),
        ("AVIF", "image/avif"),
        ("HEIF", "image/heic"),
    ],
)
def test_every_container_of_pictures_is_read(kind: str, media_type: str) -> None:
    data = heic(drawn()) if kind == "HEIF" else saved(drawn(), kind)

    found = trusted(signed(created("trainedAlgorithmicMedia"), data, media_type))

    assert found.outcome == "declared AI-made"
    assert ("ai-made", Strength.TRUSTED) in said(found)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("legacy.mp4", "video/mp4"),
        ("C-recorded-as-mov.mov", "video/quicktime"),
        ("test.avi", "video/x-msvideo"),
        ("C.dng", "image/x-adobe-dng"),
    ],
)
def test_videos_and_raw_pictures_are_read(name: str, media_type: str, shared_data: Path) -> None:
    data = (shared_data / "formats" / name).read_bytes()

    assert ("ai-made", Strength.TRUSTED) in said(
        trusted(signed(created("trainedAlgorithmicMedia"), data, media_type))
    )


def test_jpeg_xl_is_read() -> None:
    imagecodecs = pytest.importorskip("imagecodecs")
    import numpy as np

    data = bytes(imagecodecs.jpegxl_encode(np.asarray(drawn()), usecontainer=True))

    assert (
        trusted(signed(created("trainedAlgorithmicMedia"), data, "image/jxl")).outcome == "declared AI-made"
    )


def test_an_edit_after_the_capture_is_an_edit() -> None:
    assert trusted(signed(created("digitalCapture", EDIT))).outcome == "edited"


def test_content_changed_after_signing_is_told_from_a_changed_manifest() -> None:
    photo = signed(created("digitalCapture"))
    at = photo.rindex(b"\xff\xda") + 40
    content = photo[:at] + bytes([photo[at] ^ 4]) + photo[at + 1 :]
    name = photo.index(b"Test Camera")
    claim = photo[:name] + b"Best" + photo[name + 4 :]

    for changed, broken in ((content, "content"), (claim, "manifest")):
        found = trusted(changed)
        assert found.outcome == "inconsistent"
        assert [s.field("broken") for s in found.statements if s.says == "broken"] == [broken]
        assert "signed capture" not in dict(said(found))


def test_a_manifest_copied_to_another_picture_signs_nothing() -> None:
    photo, other = signed(created("digitalCapture")), jpeg(picture=drawn(seed=9))
    manifests, at = b"", 2
    while photo[at + 1] != 0xDA:
        size = 2 + int.from_bytes(photo[at + 2 : at + 4], "big")
        manifests += photo[at : at + size] if photo[at + 1] == 0xEB else b""
        at += size

    found = trusted(other[:2] + manifests + other[2:])

    assert found.outcome == "inconsistent"
    assert {s.says for s in found.statements}.isdisjoint({"signed capture", "signed"})


def test_ingredients_are_walked() -> None:
    made = signed(created("trainedAlgorithmicMedia"))
    once = signed(opened(EDIT), made, parentOf=made)
    twice = signed(opened(EDIT), once, parentOf=once)

    found = trusted(twice)

    assert found.outcome == "declared AI-made"
    assert "an ingredient" in found.sentence


@pytest.mark.parametrize(("relation", "action"), [("componentOf", "c2pa.placed"), ("inputTo", "c2pa.edited")])
def test_a_part_that_is_ai_made_makes_the_whole_ai_edited_not_made(relation: str, action: str) -> None:
    made = signed(created("trainedAlgorithmicMedia"))
    placed = {"action": action, "parameters": {"ingredientIds": [relation]}}

    found = trusted(signed(created("digitalCreation", placed), **{relation: made}))

    assert found.outcome == "declared AI-edited"
    assert "Another picture went into it" in found.sentence


def test_a_photo_given_to_a_generator_is_flagged_as_a_source_picture() -> None:
    photo = signed(created("digitalCapture"))

    found = trusted(signed(created("trainedAlgorithmicMedia"), inputTo=photo))

    assert found.outcome == "declared AI-made"
    names = [s.field("names") for s in found.statements if s.says == "source picture" and s.field("names")]
    assert [n.reveal() for n in names] == ["inputTo.jpg"]  # type: ignore[union-attr]


def test_a_signed_camera_with_a_generators_text_contradicts_itself() -> None:
    plain = jpeg(camera(comment="a plum\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1"))

    assert trusted(signed(created("digitalCapture"), plain)).outcome == "inconsistent"


@pytest.mark.parametrize(
    "pem",
    [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n",
        authority()[2] + "-----BEGIN CERTIFICATE-----\n",
    ],
)
def test_a_trust_list_that_would_trust_nobody_by_mistake_is_refused(pem: str) -> None:
    with pytest.raises(ConfigError):
        trust_of(pem)


def test_a_bad_trust_list_that_was_not_looked_at_is_said() -> None:
    broken = TrustList("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----")

    found = origin_of(signed(created("digitalCapture")), trust=broken)

    assert [(u.what, u.why) for u in found.unchecked] == [("c2pa", "the trust list is bad")]
    assert trust_of(authority()[2]) == TrustList(authority()[2])


def test_training_wishes_are_told() -> None:
    wish = {"label": "c2pa.training-mining", "data": {"entries": {"c2pa.ai_training": {"use": "notAllowed"}}}}

    said_so = created("digitalCapture")

    found = trusted(signed({**said_so, "assertions": [*said_so["assertions"], wish]}))

    assert [s.text for s in found.statements if s.says == "training"] == [
        "on its use for training it says: ai_training: notAllowed"
    ]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every attempt at a connection from Python; the library's own would reach the listener below."""
    tried: list[str] = []

    def refuse(*_: object, **__: object) -> None:
        tried.append("socket")
        raise OSError("no network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


def listener() -> tuple[int, list[bytes], Callable[[], None]]:
    """A port on this machine that notes whoever connects: native code cannot be patched, but it can be
    watched."""
    server = socket.create_server(("127.0.0.1", 0))
    seen: list[bytes] = []

    def wait() -> None:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            seen.append(b"connected")

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(5)

    return server.getsockname()[1], seen, stop


def test_nothing_is_fetched(refused: list[str]) -> None:
    """A remote manifest is named in XMP; the address is one where a connection would be seen."""
    from tests.origin.files import with_xmp

    port, seen, stop = listener()
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="http://127.0.0.1:{port}/m.c2pa"/>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
    here = signed(created("digitalCapture"), with_xmp(packet))
    try:
        remote, both = trusted(with_xmp(packet)), trusted(here)
        from nightlamp.origin.c2pa import of_manifest

        _, missed = of_manifest(memoryview(with_xmp(packet)), "image/jpeg", TrustList())
    finally:
        stop()

    assert [(u.what, u.why) for u in remote.unchecked] == [("c2pa", "remote")]
    assert both.outcome == "camera-signed"
    assert [u.why for u in missed] == ["remote"]
    assert not seen
    assert not refused


def test_without_the_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = signed(created("digitalCapture"))
    monkeypatch.setattr("nightlamp.origin.c2pa_report.installed", lambda: False)

    found, plain = trusted(photo), trusted(png({"parameters": "x"}))

    assert [str(u) for u in found.unchecked] == ["not checked: c2pa (not installed: a manifest is in it)"]
    assert [str(u) for u in plain.unchecked] == ["not checked: c2pa (not installed: no manifest was seen)"]
    assert found.outcome == "unknown"
    assert "Not checked: c2pa." in found.sentence
