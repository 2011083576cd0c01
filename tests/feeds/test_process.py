"""The process in which feeds run."""

from __future__ import annotations

from threading import Event

import pytest

from nightlamp.errors import FeedError
from nightlamp.feeds.process import run_due_elsewhere
from nightlamp.settings.feeds import FeedsSettings

from .conftest import World


def test_a_process_that_fails_is_a_failure_of_the_loop(sqlite_world: World) -> None:
    wrong = FeedsSettings.model_construct(**{**FeedsSettings().model_dump(), "allow": ("nowhere",)})
    assert not run_due_elsewhere(sqlite_world.node, wrong, Event())
    sqlite_world.add("one")

    with pytest.raises(FeedError, match="failed"):
        run_due_elsewhere(sqlite_world.node, wrong, Event())
