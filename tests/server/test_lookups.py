"""What look-up services say of an item: in the verdict for those who may read, in readiness, nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.fakes.exchanges.exchange import status
from tests.fakes.lookups.services import KEY, FakePhotoDna
from tests.server.conftest import Service, Start, picture

from nightlamp.settings.lookups import LookupsSettings


@pytest.fixture
def photodna() -> Iterator[FakePhotoDna]:
    fake = FakePhotoDna()
    with fake.running():
        yield fake


@pytest.fixture
def asking(
    start: Start, sqlite_url: str, photodna: FakePhotoDna, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Service]:
    """A service that asks the fake."""
    real = LookupsSettings.opened
    monkeypatch.setattr(LookupsSettings, "opened", lambda self: real(self, photodna.fetcher(seconds=30.0)))
    lookups: dict[str, Any] = {"photodna_key": KEY, "photodna_url": photodna.url, "seconds": 60.0}
    return lambda: start(sqlite_url, lookups=lookups)


def test_a_score_is_shown_to_those_who_may_read(
    asking: Callable[[], Service], photodna: FakePhotoDna
) -> None:
    service, data = asking(), picture(1)
    photodna.known[data] = {"Status": {"Code": 3000}, "IsMatch": True}

    told = service.submit(data, service.key("submit")).json()
    item = told["id"]
    [verdict] = service.get(f"/v1/items/{item}/verdicts", service.key("read")).json()["verdicts"]

    assert (told["action"], set(told)) == ("review", {"id", "state", "action"})
    assert verdict["scores"] == {"photodna_match": 1.0}
    assert verdict["rule"] == "looked-up"
    assert [c.name for c in service.node.checks() if not c.well and c.name == "photodna-cloud"] == []


def test_a_service_that_fails_is_named_in_readiness(
    asking: Callable[[], Service], photodna: FakePhotoDna
) -> None:
    photodna.faults = [status(401)] * 5
    service = asking()

    told = [service.submit(picture(seed), service.key("submit", "read")).json() for seed in range(6)]

    whys = [[(u["what"], u["why"]) for u in each["verdict"]["unchecked"]] for each in told]
    assert whys == [[("photodna-cloud", "credentials")]] * 5 + [[("photodna-cloud", "unavailable")]]
    assert {each["action"] for each in told} == {"review"}
    assert [(c.well, c.why) for c in service.node.checks() if c.name == "photodna-cloud"] == [
        (False, "credentials")
    ]
    assert KEY not in service.log.getvalue()
