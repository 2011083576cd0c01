"""Fixtures that every part's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("nightlamp", deadline=None, derandomize=True, print_blob=False)
settings.load_profile("nightlamp")

SHARED_DATA = Path(os.environ.get("NIGHTLAMP_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of harmless test pictures; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the shared test pictures are absent; set NIGHTLAMP_TEST_DATA to their folder")
    return SHARED_DATA
