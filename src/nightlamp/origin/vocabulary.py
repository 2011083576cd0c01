"""Words that others chose: IPTC's digital source types, C2PA's actions, and the names of programs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nightlamp.values import Says

SOURCE_TYPES: Mapping[str, tuple[Says, str]] = {
    "trainedalgorithmicmedia": ("ai-made", "made by a trained model"),
    "compositewithtrainedalgorithmicmedia": ("ai-edited", "a part was made by a trained model"),
    "algorithmicmedia": ("synthetic", "made by an algorithm that is not said to be a trained model"),
    "trainedalgorithmicdata": ("synthetic", "data of a trained model"),
    "algorithmicallyenhanced": ("edited", "enhanced by an algorithm"),
    "compositesynthetic": ("synthetic", "a composite with synthetic parts"),
    "virtualrecording": ("synthetic", "a recording of something virtual"),
    "datadrivenmedia": ("synthetic", "drawn from data"),
    "softwareimage": ("synthetic", "made by software"),
    "digitalart": ("synthetic", "drawn by a person with a computer"),
    "digitalcreation": ("synthetic", "drawn by a person with a computer"),
    "digitalcapture": ("camera", "captured by a camera"),
    "computationalcapture": ("camera", "captured by a camera that computes its pictures"),
    "negativefilm": ("camera", "scanned from a negative"),
    "positivefilm": ("camera", "scanned from a positive"),
    "print": ("camera", "scanned from a print"),
    "minorhumanedits": ("edited", "edited a little by a person"),
    "humanedits": ("edited", "edited by a person"),
    "composite": ("edited", "a composite"),
    "compositecapture": ("edited", "a composite of captured pictures"),
    "screencapture": ("software", "captured from a screen"),
    "empty": ("software", "begun empty"),
}
"""The last part of the URI, lower case → (what it says, the same for people).

From IPTC's controlled vocabulary ``digitalsourcetype``; ``trainedAlgorithmicData`` and ``empty`` are C2PA's.
"""

EDITS: Mapping[str, str] = {
    "c2pa.edited": "edited",
    "c2pa.adjustedColor": "colours adjusted",
    "c2pa.color_adjustments": "colours adjusted",
    "c2pa.changedSpeed": "speed changed",
    "c2pa.cropped": "cropped",
    "c2pa.deleted": "a part deleted",
    "c2pa.drawing": "drawn on",
    "c2pa.dubbed": "dubbed",
    "c2pa.enhanced": "enhanced",
    "c2pa.filtered": "filtered",
    "c2pa.orientation": "turned",
    "c2pa.placed": "another picture placed in it",
    "c2pa.redacted": "a statement about it removed",
    "c2pa.removed": "a part removed",
    "c2pa.resized": "resized",
    "c2pa.resized.proportional": "resized",
    "c2pa.translated": "translated",
    "c2pa.trimmed": "trimmed",
    "c2pa.unknown": "changed in a way that is not said",
}
"""C2PA actions that change content → what they did; opening, saving and transcoding are none."""

_GENERATORS = (
    r"adobe firefly|firefly image|midjourney|dall[·\-. ]?e\b|gpt-?image|openai|chatgpt|stable ?diffusion"
    r"|stability ai|novelai|invokeai|fooocus|comfyui|automatic1111|swarmui|stableswarm|draw things|drawthings"
    r"|leonardo\.ai|leonardo ai\b|ideogram\.ai|ideogram ai\b"
    r"|(?:made|created|generated) (?:with|by) (?:ideogram|runway|recraft)"
    r"|dreamstudio|nightcafe|civitai|tensor\.art|seaart|flux\.1|bing image creator|microsoft designer"
    r"|image creator from designer|imagen ?\d|(?:made|created|edited) with google ai|google gemini|gemini \d"
    r"|nano banana|imagined with ai|(?:made|imagined) with meta ai|grok imagine|recraft ai"
    r"|runway ?ml|runway gen|kling ?ai|pika labs"
    r"|openai sora|sora ?\d|google veo|veo ?\d|hailuo|minimax video|luma dream machine"
    r"|easy diffusion|diffusionbee|sd\.next|jimeng|dreamina|doubao|tongyi wanxiang|wan2\.\d|hunyuan"
)
GENERATOR = re.compile(rf"\b(?:{_GENERATORS})", re.IGNORECASE)
"""Programs and services that make pictures with trained models; no word that is also a person's or a
place's."""

EDITOR = re.compile(
    r"photoshop|lightroom|camera raw|\bgimp\b|affinity|pixelmator|snapseed|picsart|capture one|darktable"
    r"|rawtherapee|luminar|\bdxo\b|paint\.net|paintshop|corel|canva|facetune|faceapp|faceswap|reface|\bvsco\b"
    r"|meitu|beautyplus|photoscape|photopea|fotor|pixlr|polarr|krita|acdsee|photodirector|topaz|remini"
    r"|premiere|after effects|davinci|final cut|capcut|imovie|inshot|kdenlive|filmora",
    re.IGNORECASE,
)
"""Programs with which a person changes pictures or videos."""


def source_type(uri: str) -> tuple[Says, str]:
    """What a digital source type says; of one that we do not know, only that it is there."""
    name = uri.rstrip("/ ").rpartition("/")[2].rpartition(":")[2]
    return SOURCE_TYPES.get(name.lower(), ("software", "a digital source type that is not known here"))
