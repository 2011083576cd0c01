from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nightlamp.settings.sections import VaultSettings
from nightlamp.vault import DiskPlace, Identity, Recipients, Vault


class SetClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def identity() -> Identity:
    return Identity.generate()


@pytest.fixture(scope="session")
def recipients(identity) -> Recipients:
    return Recipients.of([identity.public])


@pytest.fixture(scope="session")
def s3_server():
    """A faithful fake of S3 on loopback (moto)."""
    pytest.importorskip("boto3", reason="the extra s3 is not installed")
    server_module = pytest.importorskip("moto.server", reason="moto is not installed")
    server = server_module.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_place(s3_server, request):
    from nightlamp.vault.s3 import S3Place

    settings = VaultSettings(
        backend="s3",
        s3_bucket=f"vault-{abs(hash(request.node.nodeid)) % 10**9}",
        s3_endpoint=s3_server,
        s3_region="us-east-1",
        s3_access_key="test-access",
        s3_secret_key="test-secret",
    )
    place = S3Place.of(settings)
    place._client.create_bucket(Bucket=settings.s3_bucket)
    return place


@pytest.fixture(params=["disk", "s3"])
def place(request, tmp_path):
    return DiskPlace(tmp_path / "vault") if request.param == "disk" else request.getfixturevalue("s3_place")


@pytest.fixture
def vault(engine, tmp_path, recipients, clock) -> Vault:
    """A vault on disk, with each database."""
    return Vault(engine, DiskPlace(tmp_path / "vault"), recipients, clock=clock)
