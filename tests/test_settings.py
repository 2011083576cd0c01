from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from nightlamp import settings as module
from nightlamp.cli import settings_reference
from nightlamp.errors import ConfigError
from nightlamp.settings import load, origins, unknown_variables, values


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No variable and no file of whoever runs the tests."""
    import os

    for name in list(os.environ):
        if name.startswith("NIGHTLAMP_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(module, "CONFIG_FILES", ())
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text('[database]\nbusy_seconds = 3\n[vault]\nrecipients = ["age1c"]\ndestroy_after = "PT2H"\n')
    return path


def test_the_defaults_need_no_file(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    settings = load()
    assert settings.database_url == f"sqlite:///{tmp_path}/data/nightlamp/nightlamp.db"
    assert settings.vault_path == tmp_path / "data" / "nightlamp" / "vault"
    assert set(origins().values()) == {"default"}


def test_the_environment_beats_the_file_which_beats_the_defaults(monkeypatch, file):
    monkeypatch.setenv("NIGHTLAMP_VAULT_RECIPIENTS", "age1a, age1b")
    monkeypatch.setenv("NIGHTLAMP_VAULT_S3_BUCKET", "bucket")
    settings = load(file)
    assert settings.vault.recipients == ("age1a", "age1b")
    assert settings.vault.destroy_after == timedelta(hours=2)
    assert settings.vault.s3_bucket == "bucket"
    assert settings.database.busy_seconds == 3
    assert settings.database.pool_size == 10
    found = origins(file)
    assert found["vault.recipients"] == "NIGHTLAMP_VAULT_RECIPIENTS"
    assert found["database.busy_seconds"] == str(file)
    assert found["database.pool_size"] == "default"


def test_the_file_is_found_by_its_variable(monkeypatch, file):
    monkeypatch.setenv("NIGHTLAMP_CONFIG", str(file))
    assert load().database.busy_seconds == 3
    monkeypatch.setenv("NIGHTLAMP_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigError, match="no such file"):
        load()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[database]\nbusy_seconds = "planted"', "database.busy_seconds"),
        ('[databse]\nurl = "planted"', "databse"),
        ('[vault]\nrecipents = ["planted"]', "vault.recipents"),
        ('[vault]\nbackend = "s3"\ns3_secret_key = "planted"', "vault.s3_bucket"),
        ("[database", "TOML"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(tmp_path, text, named):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named) as caught:
        load(path)
    assert "planted" not in str(caught.value)


def test_secrets_are_in_no_repr_and_no_error(monkeypatch):
    monkeypatch.setenv("NIGHTLAMP_DATABASE_URL", "postgresql://user:planted@host/base")
    monkeypatch.setenv("NIGHTLAMP_VAULT_S3_SECRET_KEY", "planted")
    settings = load()
    assert "planted" not in f"{settings} {settings!r} {dict(values(settings))} {settings.model_dump_json()}"
    assert "planted" in settings.database_url
    monkeypatch.setenv("NIGHTLAMP_DATABASE_POOL_SIZE", "planted")
    with pytest.raises(ConfigError) as caught:
        load()
    assert "planted" not in repr(caught.value)


def test_a_misspelt_variable_is_noticed(monkeypatch):
    monkeypatch.setenv("NIGHTLAMP_DATABASE_ULR", "x")
    monkeypatch.setenv("NIGHTLAMP_CONFIG", "x")
    monkeypatch.setenv("NIGHTLAMP_TEST_CHROMIUM", "required")
    assert unknown_variables() == ["NIGHTLAMP_DATABASE_ULR"]


@pytest.mark.parametrize(
    ("given", "dropped", "kept"),
    [
        (None, {"utm_source", "fbclid"}, {"ref"}),
        ("default, ref", {"utm_source", "fbclid", "ref"}, {"default"}),
        ("ref,src", {"ref", "src"}, {"utm_source"}),
        ("", set(), {"utm_source", "ref"}),
    ],
)
def test_tracking_parameters_are_the_usual_ones_or_others_or_both(monkeypatch, given, dropped, kept):
    if given is not None:
        monkeypatch.setenv("NIGHTLAMP_URLS_TRACKING", given)
    tracking = load().tracking
    assert dropped <= tracking
    assert not kept & tracking


@pytest.mark.parametrize(
    "endpoint", ["localhost:4318", "http://user:planted@host/", "https://host/?key=planted"]
)
def test_an_endpoint_of_traces_holds_no_secret(monkeypatch, endpoint):
    monkeypatch.setenv("NIGHTLAMP_TRACING_ENDPOINT", endpoint)
    with pytest.raises(ConfigError, match=r"tracing\.endpoint") as caught:
        load()
    assert "planted" not in str(caught.value)


def test_settings_cannot_be_changed_after():
    with pytest.raises(ValueError, match="frozen"):
        load().database.pool_size = 3


def test_every_setting_is_described_and_the_page_says_what_the_code_does():
    page = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text()
    assert page == settings_reference.page(), (
        "python -m nightlamp.cli.settings_reference > docs/configuration.md"
    )
    for name, _ in values(load()):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        assert len(row.split("|")[4].strip()) > 5, f"{name} has no description"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("JURISDICTION", "DE"),
        ("JURISDICTION", "us"),
        ("JURISDICTION", "x" * 21),
        ("HOLD_DAYS", "0"),
        ("HOLD_DAYS", "99999999"),
    ],
)
def test_a_term_that_no_report_could_be_held_for_is_refused_at_the_start(monkeypatch, variable, value):
    if len(value) > 20:
        monkeypatch.setenv("NIGHTLAMP_REPORTS_HOLD_DAYS", "365")
    monkeypatch.setenv(f"NIGHTLAMP_REPORTS_{variable}", value)
    with pytest.raises(ConfigError, match="reports"):
        load()
