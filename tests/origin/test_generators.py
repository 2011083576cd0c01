"""Generators' own metadata. Where the shared samples have no file, one is written here after
documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.origin.files import (
    A1111,
    COMFY,
    IPTC,
    camera,
    drawn,
    hidden,
    jpeg,
    png,
    saved,
    tagged_mp4,
    with_xmp,
    xmp,
)

from nightlamp.origin import origin_of
from nightlamp.values import Assessment, Sealed, Statement

PROMPT = "a bowl of plums"


def made(found: Assessment) -> Statement:
    return next(s for s in found.statements if s.says in ("ai-made", "ai-edited"))


def shown(found: Assessment) -> dict[str, Any]:
    fields = dict(made(found).fields)
    return {name: fields.get(name) for name in ("generator", "mode", "model", "seed")}


def has_source(found: Assessment) -> bool:
    return any(s.says == "source picture" for s in found.statements)


def edited(graph: dict[str, Any], **nodes: Any) -> str:
    return json.dumps({**graph, **nodes})


LOADED = {"class_type": "LoadImage", "inputs": {"image": "her.png", "upload": "image"}}
TO_LATENT = {"class_type": "VAEEncode", "inputs": {"pixels": ["8", 0], "vae": ["1", 2]}}
MASKED = {"class_type": "SetLatentNoiseMask", "inputs": {"samples": ["9", 0], "mask": ["8", 1]}}


def sampler(latent: str, denoise: float = 0.6) -> dict[str, Any]:
    node = json.loads(json.dumps(COMFY["4"]))
    node["inputs"] |= {"latent_image": [latent, 0], "denoise": denoise}
    return node


# ComfyUI: node names and inputs as in its nodes.py.
@pytest.mark.parametrize(
    ("graph", "mode", "source"),
    [
        (edited(COMFY), "text-to-image", False),
        (edited(COMFY, **{"8": LOADED, "9": TO_LATENT, "4": sampler("9")}), "image-to-image", True),
        (
            edited(COMFY, **{"8": LOADED, "9": TO_LATENT, "10": MASKED, "4": sampler("10")}),
            "inpainting",
            True,
        ),
        # A loader that only guides (ControlNet) is not the start, but it is a source.
        (
            edited(
                COMFY,
                **{
                    "8": LOADED,
                    "9": {
                        "class_type": "ControlNetApply",
                        "inputs": {"conditioning": ["2", 0], "image": ["8", 0]},
                    },
                    "4": {**COMFY["4"], "inputs": {**COMFY["4"]["inputs"], "positive": ["9", 0]}},
                },
            ),
            "text-to-image",
            True,
        ),
        # The size of an empty latent taken from a picture puts nothing of that picture in.
        (
            edited(
                COMFY,
                **{
                    "8": LOADED,
                    "9": {"class_type": "GetImageSize", "inputs": {"image": ["8", 0]}},
                    "3": {
                        "class_type": "EmptyLatentImage",
                        "inputs": {"width": ["9", 0], "height": ["9", 1]},
                    },
                },
            ),
            "text-to-image",
            True,
        ),
        # A loader that leads nowhere near what was saved says nothing.
        (edited(COMFY, **{"8": LOADED}), "text-to-image", False),
        # A second pass over its own first picture is no image-to-image.
        (
            edited(
                COMFY,
                **{
                    "8": {"class_type": "VAEEncode", "inputs": {"pixels": ["5", 0], "vae": ["1", 2]}},
                    "9": {**sampler("8")},
                    "11": {"class_type": "VAEDecode", "inputs": {"samples": ["9", 0], "vae": ["1", 2]}},
                    "6": {"class_type": "SaveImage", "inputs": {"images": ["11", 0]}},
                },
            ),
            "text-to-image",
            False,
        ),
    ],
)
def test_a_graph_tells_whether_another_picture_went_in(graph: str, mode: str, source: bool) -> None:
    found = origin_of(png({"prompt": graph}))

    assert shown(found) == {
        "generator": "ComfyUI",
        "mode": mode,
        "model": "still_life.safetensors",
        "seed": 7,
    }
    assert has_source(found) is source
    assert found.outcome == ("declared AI-edited" if mode == "inpainting" else "declared AI-made")
    assert "her.png" not in f"{found}"


def test_a_graph_as_it_was_drawn_is_read_where_the_one_that_ran_is_missing() -> None:
    drawn_graph = {
        "nodes": [
            {"id": 1, "type": "CheckpointLoaderSimple", "widgets_values": ["still_life.safetensors"]},
            {"id": 2, "type": "LoadImage", "widgets_values": ["her.png", "image"], "mode": 0},
            {
                "id": 3,
                "type": "VAEEncode",
                "inputs": [{"name": "pixels", "link": 1}, {"name": "vae", "link": 2}],
            },
            {
                "id": 4,
                "type": "KSampler",
                "inputs": [{"name": "model", "link": 3}, {"name": "latent_image", "link": 4}],
                "widgets_values": [7, "fixed", 20, 8.0, "euler", "normal", 0.6],
            },
            {"id": 5, "type": "VAEDecode", "inputs": [{"name": "samples", "link": 5}]},
            {"id": 6, "type": "SaveImage", "inputs": [{"name": "images", "link": 6}]},
        ],
        "links": [
            [1, 2, 0, 3, 0, "IMAGE"],
            [2, 1, 2, 3, 1, "VAE"],
            [3, 1, 0, 4, 0, "MODEL"],
            [4, 3, 0, 4, 3, "LATENT"],
            [5, 4, 0, 5, 0, "LATENT"],
            [6, 5, 0, 6, 0, "IMAGE"],
        ],
    }

    found = origin_of(png({"workflow": json.dumps(drawn_graph)}))

    assert shown(found) == {
        "generator": "ComfyUI",
        "mode": "image-to-image",
        "model": "still_life.safetensors",
        "seed": 7,
    }
    assert made(found).field("denoising") == 0.6
    muted = json.dumps(
        {**drawn_graph, "nodes": [n | {"mode": 4} if n["id"] == 2 else n for n in drawn_graph["nodes"]]}
    )
    assert not has_source(origin_of(png({"workflow": muted})))


def test_the_graph_is_found_in_webp_and_video() -> None:
    exif = Image.Exif()
    exif[0x0110], exif[0x010F] = "prompt:" + json.dumps(COMFY), "workflow:{}"
    webp = origin_of(saved(drawn(), "WEBP", exif=exif))
    video = origin_of(tagged_mp4({"prompt": json.dumps(COMFY), "encoder": "Lavf61.7"}))
    both = origin_of(tagged_mp4({"comment": json.dumps({"prompt": json.dumps(COMFY), "workflow": "{}"})}))

    for found in (webp, video, both):
        assert shown(found)["model"] == "still_life.safetensors"
        assert found.outcome == "declared AI-made"
    assert not any(s.says == "camera" for s in webp.statements)


LAST = "\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1234, Model: still_life"


@pytest.mark.parametrize(
    ("text", "generator", "mode"),
    [
        (A1111, "AUTOMATIC1111 or its format", "text-to-image"),
        (PROMPT + LAST + ", Denoising strength: 0.4", "AUTOMATIC1111 or its format", "image-to-image"),
        (
            PROMPT + LAST + ", Denoising strength: 0.4, Hires upscale: 2",
            "AUTOMATIC1111 or its format",
            "text-to-image",
        ),
        (
            PROMPT + LAST + ", Denoising strength: 0.4, Mask blur: 4",
            "AUTOMATIC1111 or its format",
            "inpainting",
        ),
        (PROMPT + LAST + ", Version: f2.0.1v1.10", "Forge", "text-to-image"),
        (PROMPT + LAST + ", Version: Fooocus v2.5.5", "Fooocus", "text-to-image"),
        (
            PROMPT + LAST + ', Civitai resources: [{"type":"checkpoint"}], Civitai metadata: {}',
            "Civitai",
            "text-to-image",
        ),
        (
            "Postprocess upscale by: 4, Postprocess upscaler: R-ESRGAN 4x+",
            "AUTOMATIC1111 or its format",
            "upscaling",
        ),
    ],
)
@pytest.mark.parametrize("where", ["png", "exif", "alpha", "alpha packed", "colour", "colour packed"])
def test_a1111s_text_is_found_wherever_it_is_put(where: str, text: str, generator: str, mode: str) -> None:
    if where == "png":
        data = png({"parameters": text})
    elif where == "exif":
        exif = Image.Exif()
        exif.get_ifd(0x8769)[37510] = b"UNICODE\0" + text.encode("utf-16-be")
        data = jpeg(exif)
    else:
        data = saved(hidden(text, alpha="alpha" in where, packed="packed" in where), "PNG")

    found = origin_of(data)

    assert (shown(found)["generator"], shown(found)["mode"]) == (generator, mode)
    assert PROMPT not in f"{found}"
    assert has_source(found) is (mode != "text-to-image")


def test_what_a1111_tells() -> None:
    fields = dict(made(origin_of(png({"parameters": A1111}))).fields)

    prompt, negative = fields.pop("prompt"), fields.pop("negative_prompt")
    assert prompt == Sealed("a bowl of plums <lora:glaze:0.8>")
    assert negative == Sealed("blurry")
    assert fields == {
        "generator": "AUTOMATIC1111 or its format",
        "mode": "text-to-image",
        "model": "still_life",
        "model_hash": "0123abcd45",
        "seed": 1234,
        "steps": 20,
        "sampler": "Euler a",
        "loras": "glaze",
    }


def test_hidden_text_is_found_in_lossless_webp_and_lost_in_lossy() -> None:
    picture = hidden(A1111, alpha=True, packed=True)

    assert origin_of(saved(picture, "WEBP", lossless=True, exact=True)).outcome == "declared AI-made"
    assert origin_of(saved(picture.convert("RGB"), "WEBP", quality=90)).outcome == "unknown"


INVOKE = {
    "generation_mode": "sdxl_img2img",
    "positive_prompt": PROMPT,
    "seed": 5,
    "steps": 30,
    "scheduler": "euler",
    "strength": 0.7,
    "init_image": "her.png",
    "model": {"name": "still_life", "hash": "blake3:00"},
    "loras": [{"model": {"name": "glaze"}, "weight": 1}],
}
NOVELAI = {
    "steps": 28,
    "sampler": "k_euler",
    "seed": 5,
    "request_type": "NativeInfillingRequest",
    "uc": "blurry",
}


# Each after the documentation or source that its reader in nightlamp.origin.generators names.
@pytest.mark.parametrize(
    ("data", "expected", "source"),
    [
        (
            png({"invokeai_metadata": json.dumps(INVOKE)}),
            ("InvokeAI", "image-to-image", "still_life", 5),
            True,
        ),
        (
            png(
                {
                    "sd-metadata": json.dumps(
                        {
                            "model_weights": "sd-1.5",
                            "image": {
                                "type": "txt2img",
                                "prompt": [{"prompt": PROMPT, "weight": 1}],
                                "seed": 5,
                                "sampler": "k_lms",
                            },
                        }
                    )
                }
            ),
            ("InvokeAI", "text-to-image", "sd-1.5", 5),
            False,
        ),
        (
            png({"Dream": f'"{PROMPT}" -s 50 -S 5 -W 512 -C 7.5 -A k_lms'}),
            ("InvokeAI", "text-to-image", None, 5),
            False,
        ),
        (
            png({"Dream": f'"{PROMPT}" -s50 -S5 -I her.png -f0.7'}),
            ("InvokeAI", "image-to-image", None, 5),
            True,
        ),
        (
            png(
                {
                    "Software": "NovelAI",
                    "Source": "NovelAI Diffusion V4 37442FCA",
                    "Description": PROMPT,
                    "Comment": json.dumps(NOVELAI),
                }
            ),
            ("NovelAI", "inpainting", "NovelAI Diffusion V4", 5),
            True,
        ),
        (
            png(
                {
                    "parameters": json.dumps(
                        {
                            "sui_image_params": {
                                "prompt": PROMPT,
                                "model": "Flux/dev",
                                "seed": 5,
                                "initimagecreativity": 0.6,
                                "swarm_version": "0.9",
                            }
                        }
                    )
                }
            ),
            ("SwarmUI", "image-to-image", "Flux/dev", 5),
            True,
        ),
        (
            with_xmp(
                xmp(
                    "<exif:UserComment><rdf:Alt><rdf:li>"
                    + json.dumps(
                        {
                            "c": PROMPT,
                            "uc": "",
                            "model": "flux",
                            "sampler": "DDIM",
                            "seed": 5,
                            "steps": 8,
                            "strength": 1,
                        }
                    )
                    + "</rdf:li></rdf:Alt></exif:UserComment>",
                    'xmp:CreatorTool="Draw Things"',
                )
            ),
            ("Draw Things", "text-to-image", "flux", 5),
            False,
        ),
        (
            png(
                {
                    "Description": f"{PROMPT} --ar 2:1 --v 6 Job ID: a7421d2f-b262-44f9-977c-ac23e9c7d3e3",
                    "Author": "x",
                }
            ),
            ("Midjourney", "text-to-image", "v6", None),
            False,
        ),
        (
            png(
                {
                    "Description": f"https://example.org/her.png {PROMPT} --v 6.1 "
                    "Job ID: a7421d2f-b262-44f9-977c-ac23e9c7d3e3"
                }
            ),
            ("Midjourney", "image-to-image", "v6.1", None),
            True,
        ),
    ],
)
def test_other_generators(data: bytes, expected: tuple[Any, ...], source: bool) -> None:
    found = origin_of(data)
    told = [
        s
        for s in found.statements
        if s.field("generator") == expected[0] and s.says in ("ai-made", "ai-edited")
    ]

    assert any(
        tuple(dict(s.fields).get(name) for name in ("generator", "mode", "model", "seed")) == expected
        for s in told
    )
    assert has_source(found) is source
    assert PROMPT not in f"{found}"
    assert "her.png" not in f"{found}"


TYPE = "Iptc4xmpExt:DigitalSourceType"


def property_of(attribute: str) -> bytes:
    return with_xmp(xmp("", attribute))


# Services that say it with IPTC's property, a credit, a program's name or China's label.
@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (property_of(f'{TYPE}="{IPTC}trainedAlgorithmicMedia"'), "declared AI-made"),
        (property_of(f'{TYPE}="compositeWithTrainedAlgorithmicMedia"'), "declared AI-edited"),
        (property_of(f'{TYPE}="algorithmicMedia"'), "unknown"),
        (property_of('photoshop:Credit="Made with Google AI"'), "declared AI-made"),
        (property_of('xmp:CreatorTool="Adobe Firefly"'), "declared AI-made"),
        (property_of('TC260:AIGC=\'{"Label":"1","ContentProducer":"x"}\''), "declared AI-made"),
        (property_of('TC260:AIGC=\'{"Label":"2"}\''), "unknown"),
        (png({"AIGC": '{"Label":"1"}'}), "declared AI-made"),
        (tagged_mp4({"AIGC": '{"Label":"1"}'}), "declared AI-made"),
        (tagged_mp4({"encoder": "Lavf61.7.100"}), "unknown"),
        (tagged_mp4({"comment": "Made with Runway"}), "declared AI-made"),
        (png({"Software": "DALL·E 3"}), "declared AI-made"),
        (with_xmp(xmp("", 'photoshop:Credit="Gemini Observatory photo team"')), "unknown"),
        (jpeg(camera(software="Runway 9")), "unknown"),
        (with_xmp(xmp("", 'photoshop:Credit="A. Photographer"')), "unknown"),
        (jpeg(camera()), "unknown"),
    ],
)
def test_declarations_without_parameters(data: bytes, outcome: str) -> None:
    assert origin_of(data).outcome == outcome


def test_novelais_signature_holds_for_its_pixels_alone() -> None:
    import base64

    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from nightlamp.origin import novelai

    key = ed25519.Ed25519PrivateKey.generate()
    public = base64.b64encode(key.public_key().public_bytes_raw()).decode()
    picture = drawn()
    comment = {"prompt": PROMPT, "seed": 5}
    message = picture.tobytes() + json.dumps(comment).encode()
    signed = comment | {"signed_hash": base64.b64encode(key.sign(message)).decode()}
    changed = picture.copy()
    changed.putpixel((3, 3), (0, 0, 0))

    def says(data: bytes, public_key: str) -> list[str]:
        statements, _ = novelai.signature(signed, memoryview(data), "png text", public_key)
        return [s.says for s in statements]

    assert says(saved(picture, "PNG"), public) == ["ai-made", "signed"]
    assert says(saved(changed, "PNG"), public) == ["edited"]
    assert says(saved(picture, "PNG"), novelai.PUBLIC_KEY) == ["edited"]
    texts = {"Software": "NovelAI", "Comment": json.dumps(signed | {"sampler": "k_euler"})}
    assert origin_of(png(texts, picture)).outcome == "declared AI-made"


def test_sd_parsers_reads_the_same_of_the_samples(shared_data: Path) -> None:
    sd_parsers = pytest.importorskip("sd_parsers")
    compared = 0
    for path in sorted((shared_data / "origin").rglob("*")):
        info = sd_parsers.ParserManager().parse(path) if path.suffix in (".png", ".jpg") else None
        if info is None or not info.samplers or path.parent.name == "c2pa":
            continue
        ours, theirs = made(origin_of(path.read_bytes())), info.samplers[0]
        seed = theirs.parameters.get("seed", theirs.parameters.get("noise_seed"))
        if seed is not None:
            assert str(ours.field("seed")) == str(seed), path.name
        if theirs.model is not None and theirs.model.name is not None:
            assert str(ours.field("model")) == theirs.model.name, path.name
        compared += 1
    assert compared >= 8
