"""ComfyUI: the graph that made the picture, as it ran (``prompt``) or as it was drawn (``workflow``).

A graph is followed back from what was saved: a loader on the way into a sampler's latent makes it
image-to-image, a mask on that way makes it inpainting. In PNG text, WebP's EXIF (Make and Model), and tags
of videos. Facts: ComfyUI's ``nodes.py`` (names of nodes and inputs) and the samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from nightlamp.origin.generators.generated import (
    Generated,
    Mode,
    Texts,
    UnreadableError,
    mapping,
    number,
    parsed,
    whole,
    words,
)
from nightlamp.origin.statements import sealed

_NODES = 20_000
_LATENTS = ("latent_image", "latent", "samples", "latents", "init_latent")
_MODEL_NAMES = ("ckpt_name", "unet_name", "model_name", "base_ckpt_name")
_WIDGETS: Mapping[str, tuple[str, ...]] = {
    "CheckpointLoaderSimple": ("ckpt_name",),
    "UNETLoader": ("unet_name",),
    "LoraLoader": ("lora_name",),
    "LoraLoaderModelOnly": ("lora_name",),
    "KSampler": ("seed", "", "steps", "cfg", "sampler_name", "scheduler", "denoise"),
    "KSamplerAdvanced": ("", "noise_seed", "", "steps", "cfg", "sampler_name"),
    "KSamplerSelect": ("sampler_name",),
    "RandomNoise": ("noise_seed",),
    "BasicScheduler": ("scheduler", "steps", "denoise"),
    "LoadImage": ("image",),
    "LoadImageMask": ("image",),
    "CLIPTextEncode": ("text",),
}
"""A drawn graph gives its settings without names: which is which, for the commonest nodes."""


@dataclass(frozen=True, slots=True)
class _Node:
    kind: str
    settings: Mapping[str, Any]
    links: Mapping[str, str]


def read(texts: Texts) -> Generated | None:
    """The generation that a graph tells.

    Raises:
        UnreadableError: there is a graph, but it is too large or too deep.
    """
    for text in (texts.get("prompt", ""), _after(texts, "prompt:"), texts.get("PROMPT", "")):
        nodes = _ran(text)
        if nodes:
            return _told(nodes)
    for text in (texts.get("workflow", ""), _after(texts, "workflow:"), texts.get("WORKFLOW", "")):
        nodes = _drawn(text)
        if nodes:
            return _told(nodes)
    # Some save nodes for videos put both into one tag.
    for keyword in ("comment", "©cmt", "COMMENT"):
        both = mapping(parsed(text)) if (text := texts.get(keyword, ""))[:1] == "{" else {}
        for part, reader in (("prompt", _ran), ("workflow", _drawn)):
            nodes = reader(both.get(part))
            if nodes:
                return _told(nodes)
    return None


def _after(texts: Texts, mark: str) -> str:
    """ComfyUI's WebP: ``prompt:{…}`` in EXIF Model, ``workflow:{…}`` in Make, or any tag near."""
    for keyword in ("Model", "Make", "ImageDescription"):
        value = texts.get(keyword, "")
        if value[: len(mark)].lower() == mark:
            return value[len(mark) :]
    return ""


def _graph(text: Any) -> Mapping[str, Any]:
    return mapping(parsed(text) if isinstance(text, str) and text.lstrip()[:1] == "{" else text)


def _ran(text: Any) -> dict[str, _Node]:
    """Nodes of a graph as it ran: id → ``class_type`` and ``inputs``; a link is ``[id, slot]``."""
    graph = _graph(text)
    if len(graph) > _NODES:
        raise UnreadableError("too large")
    nodes = {}
    for key, value in graph.items():
        node = mapping(value)
        kind = words(node.get("class_type"))
        if kind is None:
            continue
        inputs = mapping(node.get("inputs"))
        links = {n: str(v[0]) for n, v in inputs.items() if isinstance(v, list) and len(v) == 2}
        nodes[key] = _Node(kind, {n: v for n, v in inputs.items() if n not in links}, links)
    return nodes


def _drawn(text: Any) -> dict[str, _Node]:
    """Nodes of a graph as it was drawn: a list of nodes, a list of links; muted nodes are left out."""
    graph = _graph(text)
    listed, lines = graph.get("nodes"), graph.get("links")
    if not isinstance(listed, list) or not isinstance(lines, list):
        return {}
    if len(listed) > _NODES or len(lines) > 4 * _NODES:
        raise UnreadableError("too large")
    starts = {str(line[0]): str(line[1]) for line in lines if isinstance(line, list) and len(line) >= 2}
    nodes = {}
    for node in map(mapping, listed):
        kind = words(node.get("type"))
        if kind is None or node.get("mode") in (2, 4):
            continue
        values = node.get("widgets_values")
        named = dict(values) if isinstance(values, dict) else {}
        if isinstance(values, list):
            named = {n: v for n, v in zip(_WIDGETS.get(kind, ()), values, strict=False) if n}
        inputs = node.get("inputs")
        links = {
            str(i.get("name")): starts[str(i.get("link"))]
            for i in map(mapping, inputs if isinstance(inputs, list) else [])
            if str(i.get("link")) in starts
        }
        nodes[str(node.get("id"))] = _Node(kind, named, links)
    return nodes


def _told(nodes: dict[str, _Node]) -> Generated:
    saved = [
        key
        for key, node in nodes.items()
        if node.kind.startswith(("Save", "VHS_VideoCombine", "CreateVideo"))
    ]
    live = {key: nodes[key] for key in _upstream(nodes, saved)} if saved else nodes
    samplers = {
        key: node for key, node in live.items() if any(n in node.links for n in _LATENTS) and _samples(node)
    }
    mode, loaders = _mode(nodes, live, samplers)
    prompts = [str(n.settings["text"]) for n in live.values() if isinstance(n.settings.get("text"), str)]
    used = list(_loaders(live))
    return Generated(
        generator="ComfyUI",
        mode=mode,
        model=_first(live, _MODEL_NAMES, words),
        seed=_first(live, ("seed", "noise_seed"), whole),
        steps=_first(live, ("steps",), whole),
        sampler=_first(live, ("sampler_name",), words),
        strength=_first(live, ("denoise",), number),
        loras=tuple(value for node in live.values() if (value := words(node.settings.get("lora_name")))),
        prompt=sealed("\n".join(prompts)),
        sources=tuple(v for key in used for v in live[key].settings.values() if isinstance(v, str))[:20],
        guided=mode == "text-to-image" and bool(set(used) - loaders),
        more=(("nodes", len(nodes)),),
    )


def _mode(
    nodes: dict[str, _Node], live: dict[str, _Node], samplers: dict[str, _Node]
) -> tuple[Mode, set[str]]:
    """What kind of generation it was, and which loaders fed it from the start."""
    if not samplers:
        has_model = any(any(n in node.settings for n in _MODEL_NAMES) for node in live.values())
        return ("not said" if has_model else "processing"), set()
    fed: set[str] = set()
    masked = False
    for node in samplers.values():
        # What sizes an empty latent is not what is in it.
        starts = [link for name, link in node.links.items() if name in _LATENTS]
        above = set(_upstream(nodes, starts, stop="Empty"))
        fed |= set(_loaders({key: nodes[key] for key in above}))
        masked = masked or any(_masks(nodes[key].kind) for key in above)
    if not fed:
        return "text-to-image", fed
    return ("inpainting" if masked else "image-to-image"), fed


def _samples(node: _Node) -> bool:
    return "sampler" in node.kind.lower() or "seed" in node.settings or "noise_seed" in node.settings


def _masks(kind: str) -> bool:
    return "inpaint" in kind.lower() or "NoiseMask" in kind


def _loaders(nodes: Mapping[str, _Node]) -> Iterator[str]:
    """Nodes that bring a picture or video from outside."""
    for key, node in nodes.items():
        kind = node.kind.lower()
        if "load" in kind and ("image" in kind or "video" in kind) and not node.links.get("image"):
            yield key


def _upstream(nodes: Mapping[str, _Node], starts: list[str], stop: str = "\0") -> list[str]:
    """All nodes that feed ``starts``, they among them; each once, so a loop ends."""
    seen: dict[str, None] = {}
    waiting = [key for key in starts if key in nodes]
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen[key] = None
        if not nodes[key].kind.startswith(stop):
            waiting += [link for link in nodes[key].links.values() if link in nodes and link not in seen]
    return list(seen)


def _first(nodes: Mapping[str, _Node], names: tuple[str, ...], convert: Any) -> Any:
    """The first setting of one of these names, converted."""
    for node in nodes.values():
        for name in names:
            value = convert(node.settings.get(name))
            if value is not None:
                return value
    return None
