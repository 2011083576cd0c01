"""State files of python-threatexchange: real ones where the package is installed, hostile ones always."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path

import pytest
from tests.fakes.exchanges.exchange import NOW
from tests.feeds.exchanges.conftest import Kept

from nightlamp.errors import ExchangeError
from nightlamp.feeds.exchanges import pytx_state
from nightlamp.feeds.exchanges.pytx_state import KIND, PytxState, PytxStateConfig, read_state
from nightlamp.outbound import Fetcher

MD5, PDQ = "0a" * 16, "0c" * 32


def opened(path: Path) -> PytxState:
    made = KIND.open(PytxStateConfig(path=str(path)), {}, Fetcher(), lambda: NOW)
    assert isinstance(made, PytxState)
    return made


def test_states_of_ncmec_keep_what_its_client_drops_later(tmp_path: Path) -> None:
    pytest.importorskip("threatexchange", reason="needs threatexchange: scripts/install test interop")
    from threatexchange.exchanges.clients.ncmec.hash_api import (
        Feedback,
        FeedbackType,
        NCMECEntryType,
        NCMECEntryUpdate,
        StatusResult,
    )
    from threatexchange.exchanges.fetch_state import FetchDelta
    from threatexchange.exchanges.impl.ncmec_api import NCMECCheckpoint

    def entry(number: str, deleted: bool = False, **feedback: list[Feedback]) -> NCMECEntryUpdate:
        prints = {"md5": MD5, "pdq": PDQ}
        return NCMECEntryUpdate(number, 42, NCMECEntryType.image, deleted, "A1", prints, feedback)

    down = Feedback(FeedbackType.downvote, StatusResult(1, "x"), "why")
    updates = {"42-1": entry("1"), "42-2": entry("2", True), "42-3": entry("3", md5=[down])}
    path = tmp_path / "ncmec.state.pickle"
    path.write_bytes(pickle.dumps(FetchDelta(updates, NCMECCheckpoint(1234))))

    kept = Kept().run(opened(path))

    assert kept.prints() == {key: {("md5", MD5), ("pdq", PDQ)} for key in ("42-1", "42-3")}
    assert {key: (r.category, r.disputed) for key, r in kept.records.items()} == {
        "42-1": ("A1", False),
        "42-3": ("A1", True),
    }


def test_states_of_stopncii_and_threatexchange(tmp_path: Path) -> None:
    pytest.importorskip("threatexchange", reason="needs threatexchange: scripts/install test interop")
    from threatexchange.exchanges.clients.stopncii.api import StopNCIICSPFeedback, StopNCIICSPFeedbackValue
    from threatexchange.exchanges.fetch_state import FetchDelta, SignalOpinionCategory
    from threatexchange.exchanges.impl import fb_threatexchange_api as fb
    from threatexchange.exchanges.impl import stop_ncii_api as ncii

    votes = [StopNCIICSPFeedback(StopNCIICSPFeedbackValue.NotBlocked)]
    stopncii = FetchDelta(
        {
            ("pdq", PDQ): ncii.StopNCIISignalMetadata(votes),
            ("video_md5", MD5): ncii.StopNCIISignalMetadata([]),
            ("pdq", "gone"): None,
        },
        ncii.StopNCIICheckpoint(1, 2),
    )
    opinion = fb.FBThreatExchangeOpinion(False, SignalOpinionCategory.NEGATIVE_CLASS, {"t"}, 9, 1)
    meta = FetchDelta(
        {("HASH_PDQ", PDQ): fb.FBThreatExchangeIndicatorRecord([opinion])},
        fb.FBThreatExchangeCheckpoint(1, 2),
    )

    found = {
        r.key: (tuple(r.prints[0]), r.disputed) for d in (stopncii, meta) for r in read_state(pickle.dumps(d))
    }

    assert found == {
        f"pdq:{PDQ}": (("pdq", PDQ), True),
        f"video_md5:{MD5}": (("md5", MD5), False),
        f"HASH_PDQ:{PDQ}": (("pdq", PDQ), True),
    }


def test_its_static_sample(tmp_path: Path) -> None:
    pytest.importorskip("threatexchange", reason="needs threatexchange: scripts/install test interop")
    from threatexchange.exchanges.impl.static_sample import StaticSampleSignalExchangeAPI
    from threatexchange.signal_type.md5 import VideoMD5Signal
    from threatexchange.signal_type.pdq.signal import PdqSignal

    delta = next(StaticSampleSignalExchangeAPI().fetch_iter([PdqSignal, VideoMD5Signal], None))
    path = tmp_path / "sample.state.pickle"
    path.write_bytes(pickle.dumps(delta))

    kept = Kept().run(opened(path)).run(opened(path))

    prints = {each for p in kept.prints().values() for each in p}
    assert prints == {("pdq", text) for text in PdqSignal.get_examples()} | {
        ("md5", text) for text in VideoMD5Signal.get_examples()
    }
    assert [p.unchanged for p in kept.pages] == [False, True]


class Evil:
    def __init__(self, what: object, *args: object) -> None:
        self.what, self.args = what, args

    def __reduce__(self) -> object:
        return self.what, self.args


@pytest.mark.parametrize(
    "evil", [Evil(os.system, "touch /tmp/owned"), Evil(eval, "1"), Evil(getattr, 1, "real"), Evil(Path, "x")]
)
def test_a_state_file_runs_nothing(evil: Evil, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("it ran"))

    with pytest.raises(ExchangeError) as caught:
        list(read_state(pickle.dumps({"updates": evil})))

    assert caught.value.kind == "hostile"


@pytest.mark.parametrize("data", [b"", b"{}", b"\x80\x04.", pickle.dumps({"x": 1}), pickle.dumps([1])])
def test_what_is_no_state_file_is_malformed(data: bytes) -> None:
    with pytest.raises(ExchangeError) as caught:
        list(read_state(data))

    assert caught.value.kind == "malformed"


def test_names_that_would_lead_elsewhere_are_stand_ins() -> None:
    """``threatexchange.x.os.system`` names a thing inside a module: it is not looked up."""
    data = b"\x80\x04\x8c\x17threatexchange.cli.main\x8c\x09os.system\x93\x8c\x01x\x85R."

    assert isinstance(pytx_state._Reader(io.BytesIO(data)).load(), pytx_state._Thing)


def test_no_file_is_no_empty_list(tmp_path: Path) -> None:
    with pytest.raises(ExchangeError) as caught:
        Kept().run(opened(tmp_path / "none"))

    assert caught.value.kind == "gone"
    assert not opened(tmp_path / "none").probe()[0].well
