"""Generators whose metadata is one small text or object each.

Facts: samples where there are some; otherwise each program's own documentation or source, named at its
reader.
"""

from __future__ import annotations

import re
from typing import Any

from nightlamp.origin.generators.generated import (
    Generated,
    Mode,
    Texts,
    listed,
    mapping,
    number,
    parsed,
    whole,
    words,
)
from nightlamp.origin.statements import sealed


def invokeai(texts: Texts) -> Generated | None:
    """InvokeAI 3 and later: ``invokeai_metadata``; 2.x: ``sd-metadata``; before: ``Dream``."""
    if "invokeai_metadata" in texts:
        return _invokeai_now(mapping(parsed(texts["invokeai_metadata"])))
    if "sd-metadata" in texts:
        return _invokeai_2(mapping(parsed(texts["sd-metadata"])))
    if "Dream" in texts:
        return _dream(texts["Dream"])
    return None


def _invokeai_now(meta: Any) -> Generated:
    model = mapping(meta.get("model"))
    loras = listed(meta.get("loras"))
    told = words(meta.get("generation_mode")) or ""
    mode: Mode = "not said"
    if "inpaint" in told or "outpaint" in told:
        mode = "inpainting"
    elif "img2img" in told:
        mode = "image-to-image"
    elif "txt2img" in told:
        mode = "text-to-image"
    guides = [meta.get(key) for key in ("ipAdapters", "controlnets", "t2iAdapters", "ref_images")]
    return Generated(
        "InvokeAI",
        mode,
        words(model.get("model_name")) or words(model.get("name")),
        words(model.get("hash")) or words(model.get("model_hash")),
        whole(meta.get("seed")),
        whole(meta.get("steps")),
        words(meta.get("scheduler")),
        number(meta.get("strength")),
        tuple(
            name
            for entry in map(mapping, loras)
            for part in (mapping(entry.get("lora")), mapping(entry.get("model")))
            if (name := words(part.get("model_name")) or words(part.get("name")))
        ),
        sealed(meta.get("positive_prompt")),
        sealed(meta.get("negative_prompt")),
        tuple(filter(None, [words(meta.get("init_image"))])),
        guided=any(isinstance(guide, list) and guide for guide in guides),
    )


def _invokeai_2(meta: Any) -> Generated:
    """``image`` holds the parameters, ``type`` of it the mode (InvokeAI 2.x, ``metadata.py``)."""
    image = mapping(meta.get("image"))
    told = words(image.get("type")) or ""
    prompts = image.get("prompt")
    asked = (
        "\n".join(str(mapping(p).get("prompt", "")) for p in prompts)
        if isinstance(prompts, list)
        else prompts
    )
    start = words(image.get("init_image_path")) or words(image.get("orig_hash"))
    masked = bool(image.get("mask_image_path") or image.get("mask_hash"))
    mode: Mode = "text-to-image"
    if told == "img2img" or start:
        mode = "inpainting" if masked else "image-to-image"
    return Generated(
        "InvokeAI",
        mode,
        words(meta.get("model_weights")) or words(meta.get("model")),
        words(meta.get("model_hash")),
        whole(image.get("seed")),
        whole(image.get("steps")),
        words(image.get("sampler")),
        number(image.get("strength")),
        prompt=sealed(asked),
        sources=tuple(filter(None, [start])),
    )


def _dream(text: str) -> Generated | None:
    """A command line: ``"prompt" -s50 -S123 -Ak_lms -I picture.png -f0.75 -M mask.png``."""
    found = re.match(r'\s*"([^"]*)"(.*)', text[:100_000], re.DOTALL)
    if found is None:
        return None
    flags = {m[1]: m[2] for m in re.finditer(r"\s-(\w)\s*([^\s-][^\s]*)", found[2][:4000])}
    mode: Mode = "inpainting" if "M" in flags else "image-to-image" if "I" in flags else "text-to-image"
    return Generated(
        "InvokeAI",
        mode,
        seed=whole(flags.get("S")),
        steps=whole(flags.get("s")),
        sampler=flags.get("A"),
        strength=number(flags.get("f")),
        prompt=sealed(found[1]),
        sources=tuple(filter(None, [flags.get("I")])),
    )


def novelai(texts: Texts) -> Generated | None:
    """NovelAI: ``Software`` (in WebP's EXIF the title), ``Source`` (the model) and ``Comment`` (JSON)."""
    told = texts.get("Software", "") == "NovelAI" or texts.get("Source", "").startswith("NovelAI")
    text = texts.get("Comment") or texts.get("UserComment", "")
    comment = mapping(parsed(text)) if told or "signed_hash" in text else {}
    if isinstance(comment.get("Comment"), str):
        comment = mapping(parsed(comment["Comment"]))
    if not told and not ("signed_hash" in comment and "sampler" in comment):
        return None
    request = words(comment.get("request_type")) or ""
    mode: Mode = "not said"
    if request:
        mode = (
            "inpainting"
            if "Infill" in request
            else "image-to-image"
            if "Img2Img" in request
            else "text-to-image"
        )
    model, _, model_hash = texts.get("Source", "").rpartition(" ")
    hashed = re.fullmatch(r"[0-9A-F]{6,16}", model_hash) is not None
    return Generated(
        "NovelAI",
        mode,
        model if hashed else texts.get("Source") or None,
        model_hash if hashed else None,
        whole(comment.get("seed")),
        whole(comment.get("steps")),
        words(comment.get("sampler")),
        number(comment.get("strength")) if mode in ("image-to-image", "inpainting") else None,
        prompt=sealed(texts.get("Description") or comment.get("prompt")),
        negative=sealed(comment.get("uc")),
        guided=bool(comment.get("reference_image_multiple") or comment.get("reference_strength_multiple")),
    )


def fooocus(texts: Texts) -> Generated | None:
    """Fooocus' own scheme; its other scheme is A1111's (Fooocus, ``modules/meta_parser.py``)."""
    for keyword in ("parameters", "UserComment", "Comment"):
        text = texts.get(keyword, "")
        meta = mapping(parsed(text)) if text.lstrip()[:1] == "{" else {}
        version = words(meta.get("version")) or ""
        if "base_model" in meta and (
            version.startswith("Fooocus") or "fooocus_scheme" in texts or "performance" in meta
        ):
            loras = listed(meta.get("loras"))
            inpaint = any(key.startswith("inpaint") and value for key, value in meta.items())
            return Generated(
                "Fooocus",
                "inpainting" if inpaint else "not said",
                words(meta.get("base_model")),
                words(meta.get("base_model_hash")),
                whole(meta.get("seed")),
                whole(meta.get("steps")),
                words(meta.get("sampler")),
                None,
                tuple(str(lora[0]) for lora in loras if isinstance(lora, list) and lora),
                sealed(meta.get("prompt")),
                sealed(meta.get("negative_prompt")),
            )
    return None


def swarmui(texts: Texts) -> Generated | None:
    """SwarmUI, by its page "Image Metadata Format": JSON with ``sui_image_params``."""
    for keyword in ("parameters", "UserComment", "comment", "©cmt"):
        text = texts.get(keyword, "")
        if "sui_image_params" not in text[:5000] and "sui_image_params" not in text:
            continue
        meta = mapping(mapping(parsed(text)).get("sui_image_params"))
        if not meta:
            continue
        masked = "maskimage" in meta or "maskblur" in meta
        started = any(key.startswith("initimage") for key in meta)
        loras = meta.get("loras")
        return Generated(
            "SwarmUI",
            "inpainting" if masked and started else "image-to-image" if started else "text-to-image",
            words(meta.get("model")),
            None,
            whole(meta.get("seed")),
            whole(meta.get("steps")),
            words(meta.get("sampler")),
            number(meta.get("initimagecreativity")),
            tuple(map(str, loras)) if isinstance(loras, list) else tuple(filter(None, [words(loras)])),
            sealed(meta.get("prompt")),
            sealed(meta.get("negativeprompt")),
            guided=any(
                key.startswith(("controlnet", "promptimages", "useipadapter", "ipadapter")) for key in meta
            ),
        )
    return None


def draw_things(texts: Texts) -> Generated | None:
    """Draw Things (iOS, macOS): JSON in XMP's ``exif:UserComment``, with the short keys that its readers
    know."""
    for keyword in ("xmp UserComment", "UserComment"):
        text = texts.get(keyword, "")
        if '"c"' not in text or '"sampler"' not in text:
            continue
        meta = mapping(parsed(text))
        if "c" not in meta or "sampler" not in meta:
            continue
        strength = number(meta.get("strength"))
        loras = listed(meta.get("lora"))
        return Generated(
            "Draw Things",
            "image-to-image" if strength is not None and strength < 1 else "text-to-image",
            words(meta.get("model")),
            None,
            whole(meta.get("seed")),
            whole(meta.get("steps")),
            words(meta.get("sampler")),
            strength,
            tuple(name for lora in map(mapping, loras) if (name := words(lora.get("model")))),
            sealed(meta.get("c")),
            sealed(meta.get("uc")),
        )
    return None


_JOB = re.compile(r"\bJob ID: ([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})")


def midjourney(texts: Texts) -> Generated | None:
    """Midjourney, as users' guides show it: ``Description`` ends with the job's id, ``Author`` is the
    user."""
    for keyword in ("Description", "ImageDescription", "xmp description", "comment"):
        text = texts.get(keyword, "")[:50_000]
        job = _JOB.search(text)
        if job is None:
            continue
        version = re.search(r"--(v|niji) ([\d.]{1,5})", text)
        addresses = re.findall(r"https?://\S{1,500}", text)[:10]
        references = re.search(r"--(cref|sref|oref|iw) ", text) is not None
        started = bool(addresses) and text.lstrip().startswith("http")
        return Generated(
            "Midjourney",
            "image-to-image" if started else "text-to-image",
            f"{'niji' if version[1] == 'niji' else 'v'}{version[2]}" if version else None,
            prompt=sealed(text[: job.start()].strip()),
            sources=tuple(addresses),
            guided=references or (bool(addresses) and not started),
            more=(("job", job[1]),),
        )
    return None
