from __future__ import annotations

import pickle
import stat

import pytest

from nightlamp.errors import VaultError
from nightlamp.vault import Identity, Recipients


def test_a_private_key_is_written_for_its_owner_alone_and_read_back(tmp_path, identity):
    path = tmp_path / "new" / "vault.key"
    identity.write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Identity.read(path).public == identity.public
    with pytest.raises(VaultError, match="already"):
        identity.write(path)


def test_nothing_shows_a_private_key(tmp_path, identity):
    secret = str(identity.key)
    assert secret.startswith("AGE-SECRET-KEY-")
    assert secret not in f"{identity} {identity!r} {vars(type(identity))}"
    with pytest.raises(TypeError):
        pickle.dumps(identity)


def test_a_key_file_that_others_can_read_is_refused(tmp_path, identity):
    identity.write(path := tmp_path / "vault.key")
    path.chmod(0o640)
    with pytest.raises(VaultError, match="others"):
        Identity.read(path)


@pytest.mark.parametrize("text", ["", "AGE-SECRET-KEY-1QQQ\n", "a\nb\n"])
def test_a_file_that_is_no_key_is_refused_without_showing_it(tmp_path, text):
    path = tmp_path / "vault.key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(VaultError) as caught:
        Identity.read(path)
    assert "QQQ" not in str(caught.value)


def test_recipients_are_a_set(tmp_path, identity):
    other = Identity.generate().public
    path = tmp_path / "vault.pub"
    path.write_text(f"# ours\n{identity.public}  # first\n\n{other}\n{other}\n")
    recipients = Recipients.read(path)
    assert recipients.names == tuple(sorted([identity.public, other]))
    assert recipients.fingerprint == Recipients.of([other, identity.public]).fingerprint
    assert len(recipients.fingerprint) == 16


@pytest.mark.parametrize("names", [[], [" "], ["age1nonsense"], ["AGE-SECRET-KEY-1QQQ"]])
def test_what_is_no_public_key_is_refused_without_showing_it(names):
    with pytest.raises(VaultError) as caught:
        Recipients.of(names)
    assert "QQQ" not in str(caught.value)
