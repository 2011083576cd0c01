from __future__ import annotations

from pathlib import Path

import pytest
from tests.signals.plugins import install

from nightlamp.errors import SignalError
from nightlamp.signals import installed, signal_named
from nightlamp.signals.registry import installed as cached

SIGNAL = """
from nightlamp.signals import Signal, hex_parser
MINE = Signal("{name}", 4, "exact", hex_parser(4), bytes.hex)
"""


@pytest.mark.parametrize(
    ("package", "value", "source", "said"),
    [
        ("broken", "broken:MINE", "raise OSError('no library')", r"broken.*cannot be imported \(OSError\)"),
        ("absent", "absent:MINE", "", r"absent.*cannot be imported \(AttributeError\)"),
        ("other", "other:MINE", "MINE = 'photodna'", "other.*is not a nightlamp Signal"),
        ("twin", "twin:MINE", SIGNAL.format(name="pdq"), "pdq.*two plug-ins bring this signal"),
    ],
)
def test_a_plug_in_that_cannot_be_used_is_refused_by_name(
    package: str, value: str, source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(install(tmp_path, package, {package: value}, **{package: source}))

    with pytest.raises(SignalError, match=said) as refused:
        cached.__wrapped__()

    assert "no library" not in str(refused.value)


def test_a_plug_in_comes_after_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SIGNAL.format(name="mine")
    monkeypatch.syspath_prepend(
        install(tmp_path, "mine", {"another": "mine_signal:MINE"}, mine_signal=source)
    )

    found = cached.__wrapped__()

    assert list(found) == [*(name for name in installed() if name != "mine"), "mine"]
    assert found["mine"].size == 4


def test_a_signal_that_is_not_installed_is_refused_with_those_that_are() -> None:
    with pytest.raises(SignalError, match=r"photodna.*not installed.*pdq"):
        signal_named("photodna")
