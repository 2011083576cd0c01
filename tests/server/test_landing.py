"""Results of threads on the event loop."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future

import pytest
from tests.looping import run

from nightlamp.server.landing import landed


def test_each_result_and_each_error_comes_to_who_waits_for_it() -> None:
    futures: list[Future[int]] = [Future() for _ in range(300)]

    def settle() -> None:
        for at, future in enumerate(futures):
            if at % 7:
                future.set_result(at)
            else:
                future.set_exception(ValueError(at))

    async def ask() -> list[int | BaseException]:
        waiting = [landed(future) for future in futures]
        thread = threading.Thread(target=settle)
        thread.start()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        thread.join()
        return found

    for at, found in enumerate(run(ask())):
        assert found == at if at % 7 else isinstance(found, ValueError) and found.args == (at,)


def test_what_is_there_already_comes_too_on_any_loop() -> None:
    done: Future[str] = Future()
    done.set_result("here")

    async def ask() -> str:
        return await landed(done)

    assert [run(ask()) for _ in range(3)] == ["here"] * 3


def test_who_stops_waiting_does_not_stop_the_work_nor_the_others() -> None:
    gone: Future[int] = Future()
    other: Future[int] = Future()

    async def ask() -> int:
        impatient, patient = landed(gone), landed(other)
        impatient.cancel()
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert not gone.cancelled()
        gone.set_result(1)
        other.set_result(2)
        return await patient

    assert run(ask()) == 2


def test_a_result_after_the_loop_has_closed_is_nobodys_fault() -> None:
    late: Future[int] = Future()

    async def ask() -> None:
        landed(late)

    run(ask())
    late.set_result(1)
    assert late.result() == 1
