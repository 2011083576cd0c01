"""Whatever happens to a connection on its way, a submission is one item."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.fault_proxy import FAULTS, FaultProxy
from tests.looping import run

from nightlamp.client import AsyncClient, Client, ClientError, Retry
from nightlamp.values import Fingerprint

from .conftest import QUICK, Service, picture

_names = itertools.count()
plans = st.lists(st.sampled_from([fault for fault in FAULTS if fault != "none"]), max_size=6)


@pytest.fixture(scope="module")
def proxy(service: Service) -> Iterator[FaultProxy]:
    with FaultProxy(service.port) as proxy:
        yield proxy


@settings(max_examples=40)
@given(plan=plans, kind=st.sampled_from(["content", "fingerprints", "url"]))
def test_after_any_faults_there_is_exactly_one_item(service: Service, proxy: FaultProxy, plan, kind) -> None:
    # given a way on which the next requests break
    proxy.plan(*plan)
    name = f"fault-{next(_names)}"
    with Client(proxy.address, service.key, retry=QUICK) as client:
        # when something is submitted once
        if kind == "content":
            outcome = client.submit(picture(20), platform_id=name)
        elif kind == "url":
            outcome = client.submit_url("https://example.com/a.jpg", platform_id=name)
        else:
            outcome = client.submit_fingerprints([Fingerprint("md5", bytes(16))], platform_id=name)
        assert proxy.seen[: len(plan)] == plan

        # then it is there once, and the answer is about it
        assert [item.id for item in client.items(platform_id=name)] == [outcome.id]


@settings(max_examples=20)
@given(plan=plans)
def test_the_same_for_asyncio(service: Service, proxy: FaultProxy, plan) -> None:
    proxy.plan(*plan)
    name = f"fault-{next(_names)}"

    async def submit() -> tuple[str, list[str]]:
        async with AsyncClient(proxy.address, service.key, retry=QUICK) as client:
            outcome = await client.submit(picture(20), platform_id=name)
            return outcome.id, [item.id async for item in client.items(platform_id=name)]

    made, found = run(submit())
    assert found == [made]


@pytest.mark.parametrize("fault", ["lose answer", "cut answer", "lose request", "cut request"])
def test_what_must_not_be_done_twice_is_not_sent_twice(
    service: Service, proxy: FaultProxy, client: Client, fault: str
) -> None:
    name = f"once-{fault}"
    proxy.plan(fault)
    with Client(proxy.address, service.key, retry=QUICK) as through, pytest.raises(ClientError) as caught:
        through.create_key(name, ["submit"])
    assert caught.value.code == "unreachable"
    assert proxy.seen == [fault]
    keys = client.keys()
    assert sum(key.name == name for key in keys) == ("answer" in fault)


@pytest.mark.parametrize("fault", ["busy", "slow down"])
def test_what_was_refused_is_sent_again_even_then(service: Service, proxy: FaultProxy, fault: str) -> None:
    proxy.plan(fault, fault)
    with Client(proxy.address, service.key, retry=QUICK) as client:
        assert client.create_key(f"again-{fault}", ["submit"]).secret
    assert proxy.seen == [fault, fault, "none"]


def test_it_gives_up_in_the_end(service: Service, proxy: FaultProxy) -> None:
    proxy.plan(*["lose answer"] * 10)
    quick = Retry(attempts=3, first=0.001)
    with Client(proxy.address, service.key, retry=quick) as client, pytest.raises(ClientError) as caught:
        client.submit(picture(20))
    assert caught.value.code == "unreachable"
    assert len(proxy.seen) == 3
