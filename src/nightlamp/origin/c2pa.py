"""C2PA manifests by ``c2pa-python``: whose signature holds, what the manifest and its ingredients say.

The library is asked to fetch nothing, and its "valid" is not ours: a signer counts by the operator's trust
list. What was signed and then changed ("the content is another") is told apart from a manifest that was
itself changed ("the signature does not hold"). Facts: the C2PA specification 2.2, chapters on validation,
actions, ingredients.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nightlamp.origin import vocabulary
from nightlamp.origin.asked import TrustList
from nightlamp.origin.c2pa_report import Found, Unread, codes, read
from nightlamp.origin.generators.generated import listed, mapping
from nightlamp.origin.statements import clean, named, sealed, state
from nightlamp.values import Says, Statement, Strength, Unchecked, Value

MANIFEST = 64 << 20
"""Larger manifest stores are not read."""
_MANIFESTS = 64
_ACTIONS = 500


def of_manifest(
    data: memoryview, media_type: str, trust: TrustList
) -> tuple[list[Statement], list[Unchecked]]:
    """What the manifest of a file says, and what of it could not be checked."""
    try:
        store = read(data, media_type, trust)
    except Unread as unread:
        return [], [Unchecked("c2pa", str(unread))]
    if store is None:
        return [], []
    manifests = store.get("manifests")
    active = store.get("active_manifest")
    if not isinstance(manifests, dict) or not isinstance(active, str) or active not in manifests:
        return [], [Unchecked("c2pa", "damaged")]
    return list(_Store(manifests, codes(store), store).tell(active)), []


@dataclass(frozen=True, slots=True)
class _Store:
    manifests: Mapping[str, Any]
    found: Mapping[str, Found]
    store: Mapping[str, Any]

    def tell(self, active: str) -> Iterator[Statement]:
        """All statements of the active manifest, then those of its ingredients."""
        own = self.found.get(active, Found())
        manifest = self.manifests[active]
        yield from self._state_of(own, manifest)
        said = list(self._claims(manifest, own.strength, ""))
        yield from said
        acts = {s.says for s in said}
        capture = next((s for s in said if s.says == "camera" and s.field("action") == "c2pa.created"), None)
        only = not manifest.get("ingredients") and not acts & {"edited", "ai-made", "ai-edited", "synthetic"}
        if capture and only and capture.strength >= Strength.SIGNED:
            text = f"its manifest, of {named(_maker(manifest))}, says: {capture.text.rpartition('says: ')[2]}"
            yield state("c2pa", "signed capture", text, capture.strength, dict(_signer(manifest)))
        yield from self._ingredients(active)

    def _state_of(self, found: Found, manifest: Mapping[str, Any]) -> Iterator[Statement]:
        fields = {"generator": _maker(manifest), **dict(_signer(manifest))}
        if found.content:
            text = "its C2PA manifest was made for other content: "
            text += "the file was changed after signing, or the manifest copied"
            yield state("c2pa", "broken", text, fields={**fields, "broken": "content"})
        if found.tampered:
            text = "the signature of its C2PA manifest does not hold: the manifest was changed or forged"
            yield state("c2pa", "broken", text, fields={**fields, "broken": "manifest"})
        if found.content or found.tampered:
            return
        if found.strength == Strength.DECLARED:
            text = "it has a C2PA manifest whose signature cannot be relied on"
            if found.loose:
                text += ": it holds, but leaves out parts of the file that are not the manifest's own"
            yield state(
                "c2pa", "present", text, Strength.CONTEXT, {**fields, "codes": ", ".join(sorted(found.bad))}
            )
            return
        signer = dict(_signer(manifest)).get("signer")
        signer = named(signer) if signer else "somebody who is not named"
        whether = "who is" if found.strength == Strength.TRUSTED else "who is not"
        yield state(
            "c2pa", "signed", f"signed by {signer}, {whether} on the trust list", found.strength, fields
        )

    def _ingredients(self, active: str) -> Iterator[Statement]:
        """The pictures that went into this one, and theirs, each once."""
        seen, waiting = {active}, [(active, "")]
        while waiting:
            label, way = waiting.pop()
            manifest = self.manifests[label]
            for ingredient in manifest.get("ingredients") or ():
                relation = _relation(manifest, ingredient, way)
                below = ingredient.get("active_manifest")
                if relation != "parentOf":
                    yield self._source(ingredient, relation)
                if below not in self.manifests or below in seen or len(seen) >= _MANIFESTS:
                    continue
                seen.add(below)
                waiting.append((below, relation))
                found = self.found.get(below, Found())
                if found.content or found.tampered:
                    text = "the manifest of an ingredient does not hold"
                    yield state(
                        "c2pa", "broken", text, Strength.WEAK, {"ingredient": sealed(ingredient.get("title"))}
                    )
                yield from self._claims(self.manifests[below], found.strength, relation)

    def _source(self, ingredient: Mapping[str, Any], relation: str) -> Statement:
        how = "was given to the generator" if relation == "inputTo" else "was put into it"
        return state(
            "c2pa",
            "source picture",
            f"another picture {how}, says its manifest",
            fields={"relation": relation, "names": sealed(ingredient.get("title"))},
        )

    def _claims(self, manifest: Mapping[str, Any], whole: Strength, relation: str) -> Iterator[Statement]:
        """What actions and assertions say; ``relation``: how the manifest's picture went into ours."""
        whose = "an ingredient" if relation else "its manifest"
        maker = _maker(manifest)
        changes: dict[str, None] = {}
        for label, given, vouched in _assertions(manifest):
            strength = whole if vouched else min(whole, Strength.SIGNED)
            if label.startswith("c2pa.actions"):
                for action in listed(given.get("actions"))[:_ACTIONS]:
                    if not isinstance(action, dict):
                        continue
                    name = str(action.get("action", ""))
                    if name in vocabulary.EDITS:
                        changes[vocabulary.EDITS[name]] = None
                    uri = action.get("digitalSourceType") or _parameter(action, "digitalSourceType")
                    if isinstance(uri, str):
                        agent = _agent(action.get("softwareAgent")) or maker
                        yield _typed(uri, name, agent, whose, relation, strength)
            elif "training" in label and "mining" in label:
                yield _training(given, strength)
            elif (uri := _type_in(given)) is not None:
                yield _typed(uri, label, maker, whose, relation, strength)
            elif label == "stds.exif" and (camera := _camera(given)):
                yield state(
                    "c2pa", "camera", f"{whose} names the camera {named(camera)}", strength, {"model": camera}
                )
        if changes and relation != "componentOf" and relation != "inputTo":
            text = f"{whose}, of {named(maker)}, says: {', '.join(changes)}"
            yield state("c2pa", "edited", text, whole, {"changes": ", ".join(changes)})


def _typed(uri: str, action: str, agent: str, whose: str, relation: str, strength: Strength) -> Statement:
    """A digital source type at an action, or at an ingredient's."""
    says, text = vocabulary.source_type(uri)
    if says == "ai-made" and not action.startswith(
        ("c2pa.created", "c2pa.opened", "c2pa.converted", "stds.", "cawg.", "c2pa.metadata")
    ):
        says, text = "ai-edited", "a part was made by a trained model"
    if relation in ("componentOf", "inputTo"):
        says = _AS_PART.get(says, says)
    strength = Strength.CONTEXT if says == "software" else strength
    fields: dict[str, Value | None] = {
        "source_type": uri,
        "action": action,
        "generator": agent,
        "relation": relation,
    }
    return state("c2pa", says, f"{whose}, of {named(agent)}, says: {text}", strength, fields)


_AS_PART: Mapping[Says, Says] = {
    "ai-made": "ai-edited",
    "camera": "source picture",
    "edited": "software",
    "synthetic": "software",
}
"""What an ingredient's own statement means for the picture that it became a part of."""


def _relation(manifest: Mapping[str, Any], ingredient: Mapping[str, Any], way: str) -> str:
    """How an ingredient went in: a component that was *opened* is the parent, whatever its label says.

    What stands below a component stays a component of ours.
    """
    relation = str(ingredient.get("relationship", ""))
    if relation == "componentOf" and _opened(manifest, ingredient):
        relation = "parentOf"
    return way if way in ("componentOf", "inputTo") else relation


def _opened(manifest: Mapping[str, Any], ingredient: Mapping[str, Any]) -> bool:
    ids = {ingredient.get("instance_id"), ingredient.get("document_id")} - {None, ""}
    label = str(ingredient.get("label", "\0"))
    for name, given, _ in _assertions(manifest):
        for action in (given.get("actions") or ()) if name.startswith("c2pa.actions") else ():
            if isinstance(action, dict) and action.get("action") == "c2pa.opened":
                parameters = mapping(action.get("parameters"))
                urls = [
                    u.get("url", "")
                    for u in _listed(parameters, "ingredients", "ingredient")
                    if isinstance(u, dict)
                ]
                if parameters.get("instanceId") in ids or any(str(u).endswith("/" + label) for u in urls):
                    return True
    return False


def _listed(parameters: Mapping[str, Any], *names: str) -> list[Any]:
    values = [parameters[name] for name in names if name in parameters]
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _assertions(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], bool]]:
    """(label, content, whether the signer vouches for it); claims of version 2 may gather others'."""
    old = manifest.get("claim_version") in (None, 1)
    for assertion in (manifest.get("assertions") or ())[:500]:
        data = assertion.get("data")
        if isinstance(data, dict):
            yield str(assertion.get("label", "")), data, old or assertion.get("created") is True


def _parameter(action: Mapping[str, Any], name: str) -> Any:
    parameters = action.get("parameters")
    return parameters.get(name) if isinstance(parameters, dict) else None


def _type_in(given: Mapping[str, Any]) -> str | None:
    """IPTC's property in a metadata assertion, under whatever prefix."""
    for key, value in given.items():
        if key.rpartition(":")[2].lower() == "digitalsourcetype":
            value = value.get("@id") if isinstance(value, dict) else value
            return value if isinstance(value, str) else None
    return None


def _camera(given: Mapping[str, Any]) -> str:
    make, model = (
        next((v for k, v in given.items() if k.lower() == f"tiff:{name}"), "") for name in ("make", "model")
    )
    return clean(f"{make} {model}", 60) if isinstance(model, str) and model else ""


def _training(given: Mapping[str, Any], strength: Strength) -> Statement:
    entries = given.get("entries")
    listed = entries.items() if isinstance(entries, dict) else ()
    uses = {str(k).rpartition(".")[2]: str(v.get("use", "")) for k, v in listed if isinstance(v, dict)}
    text = ", ".join(f"{name}: {use}" for name, use in uses.items())
    return state(
        "c2pa",
        "training",
        f"on its use for training it says: {clean(text, 150) or 'nothing that is known here'}",
        min(strength, Strength.CONTEXT),
        {"entries": text},
    )


def _maker(manifest: Mapping[str, Any]) -> str:
    """The program that made the claim."""
    infos = manifest.get("claim_generator_info")
    for info in infos if isinstance(infos, list) else ():
        if isinstance(info, dict) and info.get("name"):
            return clean(f"{info['name']} {info.get('version', '')}", 60)
    name = manifest.get("claim_generator")
    return (
        clean(name.split(" ")[0].replace("_", " ").replace("/", " "), 60)
        if isinstance(name, str) and name
        else "a program that does not say its name"
    )


def _agent(agent: Any) -> str:
    if isinstance(agent, dict):
        agent = agent.get("name")
    return clean(agent, 60) if isinstance(agent, str) else ""


def _signer(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    info = manifest.get("signature_info")
    if isinstance(info, dict):
        for name, key in (("signer", "issuer"), ("signed", "time")):
            if isinstance(info.get(key), str):
                yield name, clean(info[key], 80)
