"""The C2PA library: asked to fetch nothing, and its report taken apart by manifest.

Its "valid" is not ours: what it found good and bad of each manifest becomes a ``Found``, which knows how
far the claims of that manifest may be relied on. Facts: the C2PA specification 2.2, chapter on validation
(status codes).
"""

from __future__ import annotations

import importlib.util
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from nightlamp.origin.asked import TrustList
from nightlamp.values import Strength

_LABEL = re.compile(r"/c2pa/([^/]+)")
_CONTENT = re.compile(
    r"(dataHash|bmffHash|boxesHash|collectionHash|hash\.data|dataHashes)\.\w*mismatch|dataHash\.malformed"
)
_HARMLESS = re.compile(
    r"signingCredential\.untrusted|signingCredential\.ocsp\.(skipped|inaccessible|unknown)"
    r"|^timeStamp\.|^timeOfSigning|^ingredient\.unknownProvenance|^cawg\."
)
_TAMPERED = re.compile(
    r"claimSignature\.|hashedURI\.|assertion\.(missing|undeclared|outsideManifest|notRedacted|cbor|json)"
    r"|^claim\.|mismatch|malformed"
)


def installed() -> bool:
    """Whether the library is there (the extra ``origin``)."""
    return importlib.util.find_spec("c2pa") is not None


@dataclass(slots=True)
class Found:
    """What the library found of one manifest: codes of successes and of failures."""

    good: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)

    @property
    def content(self) -> bool:
        """The content is not the one that was signed."""
        return any(_CONTENT.search(code) for code in self.bad) and not self.loose

    @property
    def loose(self) -> bool:
        """The hash of the content holds, but leaves out bytes that it should not (old camera apps' do)."""
        return "assertion.dataHash.mismatch" in self.bad and "assertion.dataHash.match" in self.good

    @property
    def tampered(self) -> bool:
        """The manifest itself was changed."""
        return any(_TAMPERED.search(code) and not _CONTENT.search(code) for code in self._serious())

    @property
    def strength(self) -> Strength:
        """How far its claims may be relied on."""
        if self._serious() or "claimSignature.validated" not in self.good:
            return Strength.DECLARED
        trusted = "signingCredential.trusted" in self.good and "signingCredential.untrusted" not in self.bad
        return Strength.TRUSTED if trusted else Strength.SIGNED

    def _serious(self) -> list[str]:
        return [code for code in self.bad if not _HARMLESS.search(code)]


class Unread(Exception):  # noqa: N818
    """Why a manifest could not be read."""


def read(data: memoryview, media_type: str, trust: TrustList) -> dict[str, Any] | None:
    """The library's report; None if there is no manifest."""
    import c2pa

    try:
        using = context(trust)
    except c2pa.C2paError:
        raise Unread("the trust list is bad") from None
    try:
        reader = c2pa.Reader(_FORMATS.get(media_type, media_type), io.BytesIO(data), context=using)
    except c2pa.C2paError as error:
        # The messages may quote the file: only their kind is passed on.
        kind = str(error).partition(":")[0]
        if kind == "ManifestNotFound":
            return None
        if "emote" in kind:
            raise Unread("remote") from None
        if kind == "NotSupported":
            raise Unread("no reader") from None
        raise Unread("damaged") from None
    with reader:
        store = json.loads(reader.json())
    return store if isinstance(store, dict) else None


_FORMATS = {"image/x-canon-cr3": "image/heic"}


@lru_cache(maxsize=4)
def context(trust: TrustList) -> Any:
    """The library, set up to fetch nothing and to trust nobody else."""
    import c2pa

    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
    }
    if trust:
        settings["trust"] = {"trust_anchors": trust.anchors or None, "allowed_list": trust.allowed or None}
        if trust.purposes:
            settings["trust"]["trust_config"] = "\n".join(trust.purposes)
        settings["trust"] = {key: value for key, value in settings["trust"].items() if value}
    return c2pa.Context(c2pa.Settings.from_dict(settings))


def codes(store: Mapping[str, Any]) -> dict[str, Found]:
    """What was found of each manifest, by its label."""
    found: dict[str, Found] = {}

    active = str(store.get("active_manifest"))

    def take(results: Any, label: str, *, ours: bool) -> None:
        for kind in ("success", "failure"):
            for status in (results or {}).get(kind) or ():
                code, url = str(status.get("code", "")), str(status.get("url", ""))
                named = _LABEL.search(url)
                about = named[1] if named else label
                # Nothing that is found of an ingredient speaks for the manifest that took it in.
                if ours or about != active:
                    one = found.setdefault(about, Found())
                    (one.good if kind == "success" else one.bad).add(code)

    results = store.get("validation_results") or {}
    take(results.get("activeManifest"), active, ours=True)
    for delta in results.get("ingredientDeltas") or ():
        named = _LABEL.search(str(delta.get("ingredientAssertionURI", "")))
        take(delta.get("validationDeltas"), named[1] if named else "", ours=False)
    # What an ingredient's own record says was wrong with it when it went in.
    for manifest in store["manifests"].values():
        for ingredient in manifest.get("ingredients") or ():
            label = ingredient.get("active_manifest")
            for status in ingredient.get("validation_status") or ():
                if label:
                    found.setdefault(label, Found()).bad.add(str(status.get("code", "")))
    return found
