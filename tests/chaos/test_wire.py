"""The verdict through the API of a real node is the pure core's, for any picture, banks and policy."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from nightlamp.banks import Catalog, ListFile, build_catalog
from nightlamp.examine import Workers
from nightlamp.policy import load
from nightlamp.policy.profiles import PROFILES, profile_text
from nightlamp.screening import Screener
from nightlamp.signals import installed
from nightlamp.values import Bank, Examination, Verdict

from .conftest import making
from .load import picture
from .nodes import Node, Nursery

_NAMES = itertools.count()


@dataclass(frozen=True)
class DrawnBank:
    """A bank's nature, and its entries: signal, seed of the picture, bits that differ."""

    trust: str
    benign: bool
    entries: tuple[tuple[str, int, int], ...]


SEEDS = st.integers(1, 4)
ENTRIES = st.tuples(st.sampled_from(["md5", "sha1", "sha256", "pdq", "pdq"]), SEEDS, st.integers(0, 40))
BANKS = st.builds(
    DrawnBank,
    st.sampled_from(["low", "medium", "high"]),
    st.booleans(),
    st.lists(ENTRIES, min_size=1, max_size=4).map(tuple),
)
PICTURES = st.tuples(
    SEEDS, st.sampled_from(["as is", "mirrored", "turned", "JPEG", "cut short", "no picture"])
)


@dataclass
class Both:
    """A node, and the core in this process."""

    node: Node
    workers: Workers
    policies: dict[str, int]


@pytest.fixture(scope="module")
def both(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    with making(nursery, tmp_path_factory.mktemp("wire")) as make, Workers(1) as workers:
        node = make().start()
        numbers = {name: node.told("/v1/policies", text=profile_text(name))["id"] for name in PROFILES}
        yield Both(node, workers, numbers)
        node.stop()


@settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # each example takes a while: no shrinking
)
@given(
    pictures=st.lists(PICTURES, min_size=1, max_size=3),
    banks=st.lists(BANKS, max_size=3),
    policy=st.sampled_from(PROFILES),
)
def test_the_api_says_what_the_core_says(
    both: Both,
    tmp_path_factory: pytest.TempPathFactory,
    pictures: list[tuple[int, str]],
    banks: list[DrawnBank],
    policy: str,
) -> None:
    # given the same banks and the same policy on both sides
    node, prefix = both.node, f"b{next(_NAMES)}"
    files = [_drawn(seed, form) for seed, form in pictures]
    plain = {seed: both.workers.examine(picture(seed)).result() for seed in range(1, 5)}
    catalog = _catalog(prefix, banks, plain, tmp_path_factory)
    numbers = []
    for at, bank in enumerate(banks):
        numbers.append(node.bank(f"{prefix}-{at}", trust=bank.trust, benign=bank.benign))
        node.told(f"/v1/banks/{numbers[-1]}/entries", entries=_entries(at, bank, plain))
    node.told(f"/v1/policies/{both.policies[policy]}/activate")

    # when the same bytes are submitted
    screener = Screener([catalog] if catalog else [], load(profile_text(policy)))
    examinations = [both.workers.examine(data).result() for data in files]
    wanted = [_told_by_core(verdict) for verdict in screener.screen(examinations)]
    batch = [{"content": base64.b64encode(data).decode()} for data in files]
    try:
        got = [node.told("/v1/items/batch", items=batch)["results"]]
        got.append([node.post("/v1/items", files={"file": data}).json() for data in files])
        hashed = [node.told("/v1/fingerprints", fingerprints=_given(e)) for e in examinations]
    finally:
        for number in numbers:
            node.call("DELETE", f"/v1/banks/{number}")

    # then so are the verdicts, by every way in
    for results in got:
        assert [_told_by_api(result["verdict"]) for result in results] == wanted
    matched = [each["matches"] for each in wanted]
    assert [_told_by_api(each["verdict"])["matches"] for each in hashed] == matched


def _drawn(seed: int, form: str) -> bytes:
    data = picture(seed)
    if form == "as is":
        return data
    if form == "cut short":
        return data[: len(data) // 2]
    if form == "no picture":
        return b"no picture " + data[50:90]
    opened = Image.open(io.BytesIO(data))
    if form == "mirrored":
        opened = ImageOps.mirror(opened)
    if form == "turned":
        opened = opened.transpose(Image.Transpose.ROTATE_90)
    out = io.BytesIO()
    opened.save(out, "JPEG" if form == "JPEG" else "PNG", **({"quality": 60} if form == "JPEG" else {}))
    return out.getvalue()


def _values(bank: DrawnBank, plain: dict[int, Examination]) -> Iterator[tuple[str, bytes]]:
    for drawn, seed, bits in bank.entries:
        signal = "md5" if bank.benign and drawn == "pdq" else drawn  # these take exact digests only
        value = next(f.value for f in plain[seed].fingerprints if f.signal == signal and f.view == "as is")
        if signal == "pdq":
            turned = int.from_bytes(value, "big")
            for bit in range(bits):
                turned ^= 1 << (bit * 6 + seed)
            value = turned.to_bytes(32, "big")
        yield signal, value


def _entries(at: int, bank: DrawnBank, plain: dict[int, Examination]) -> list[dict[str, str]]:
    values = enumerate(_values(bank, plain))
    return [{"signal": s, "value": v.hex(), "id": f"e{at}-{row}"} for row, (s, v) in values]


def _catalog(
    prefix: str,
    banks: list[DrawnBank],
    plain: dict[int, Examination],
    folders: pytest.TempPathFactory,
) -> Catalog | None:
    if not banks:
        return None
    folder, lists = folders.mktemp("lists"), []
    for at, bank in enumerate(banks):
        path = folder / f"{at}.csv"
        rows = [f"{e['signal']},{e['value']},{e['id']}" for e in _entries(at, bank, plain)]
        path.write_text("\n".join(["signal,value,id", *rows]) + "\n")
        made = Bank(f"{prefix}-{at}", "test", "", bank.trust, bank.benign)  # type: ignore[arg-type]
        lists.append(ListFile(path, made))
    return build_catalog(lists)


def _given(examination: Examination) -> list[dict[str, Any]]:
    return [
        {"signal": f.signal, "value": f.value.hex(), "view": f.view, "frame": f.frame}
        | ({} if f.quality is None else {"quality": f.quality})
        for f in examination.fingerprints
        if f.signal in installed()
    ]


def _told_by_core(verdict: Verdict) -> dict[str, Any]:
    return {
        "action": verdict.action,
        "rule": verdict.rule,
        "reasons": list(verdict.reasons),
        "unchecked": sorted((u.what, u.why) for u in verdict.unchecked),
        "known": verdict.benign,
        "hold": str(verdict.handling.hold) if verdict.handling.hold is not None else None,
        "matches": sorted(
            (m.bank.name, m.entry_id, m.fingerprint.signal, m.distance or 0, m.fingerprint.frame)
            for m in verdict.matches
        ),
    }


def _told_by_api(verdict: dict[str, Any]) -> dict[str, Any]:
    return {
        "action": verdict["action"],
        "rule": verdict["rule"],
        "reasons": verdict["reasons"],
        "unchecked": sorted((u["what"], u["why"]) for u in verdict["unchecked"]),
        "known": verdict["known"],
        "hold": verdict["hold"],
        "matches": sorted(
            (m["bank"], m["entry_id"], m["signal"], m["distance"], m["frame"]) for m in verdict["matches"]
        ),
    }
