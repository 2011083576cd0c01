"""What the section ``origin`` asks of the workers."""

from __future__ import annotations

import pytest
from tests.origin.files import png
from tests.origin.models import written

from nightlamp.errors import ConfigError
from nightlamp.examine import Workers
from nightlamp.policy import Facts
from nightlamp.settings import Settings


def test_the_pixels_and_the_operators_own_detectors_are_asked_if_the_settings_say_so(tmp_path):
    settings = Settings(origin={"forensics": True, "detectors": [str(written(tmp_path))]})
    with Workers(1, origin=settings.origin.asked()) as pool:
        found = pool.examine(png()).result().origin
    sources = {statement.source for statement in found.statements}
    assert "detector" in sources


def test_a_detectors_probabilities_are_scores_of_the_policy(tmp_path):
    with Workers(1, origin=Settings(origin={"detectors": [str(written(tmp_path))]}).origin.asked()) as pool:
        facts = Facts.of(pool.examine(png()).result(), ())
    assert set(facts.scores) == {"bright_real", "bright_made"}
    assert sum(facts.scores.values()) == pytest.approx(1)


def test_by_default_the_pixels_are_not_asked(tmp_path):
    asked = Settings().origin.asked()
    assert not asked.forensics
    assert asked.detectors == ()


def test_a_detector_that_cannot_be_used_stops_the_start(tmp_path):
    with pytest.raises(ConfigError):
        Settings(origin={"detectors": [str(tmp_path / "none.toml")]}).origin.asked()
