"""Requests of courts and authorities: to keep, to hand over, to destroy."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta

import pyrage
import pytest

from nightlamp.errors import VaultError
from nightlamp.vault import Identity, Recipients, destroy, hold_for_request, holds, purge

from .test_vault import actions, keep, names, the_hold


def ask(vault, object_id, days=400, reference="warrant 1"):
    with vault.engine.begin() as connection:
        now = vault.clock()
        return hold_for_request(
            connection, object_id, reference, until=now + timedelta(days=days), jurisdiction="US",
            actor="operator:a", now=now,
        )  # fmt: skip


def test_a_legal_request_keeps_beyond_every_other_hold(vault, clock):
    kept = keep(vault)
    made = ask(vault, kept)
    clock.move(days=399)
    purge(vault)
    assert len(names(vault)) == 1
    clock.move(days=2)
    purge(vault)
    assert names(vault) == set()
    assert made.legal


def test_the_same_request_again_moves_the_end_only_forward(vault):
    kept = keep(vault)
    first, later, earlier = ask(vault, kept, 400), ask(vault, kept, 500), ask(vault, kept, 100)
    assert first.id == later.id == earlier.id
    assert earlier.expires == later.expires > first.expires
    assert ask(vault, kept, reference="warrant 2").id != first.id


@pytest.mark.parametrize("reference", ["", "  ", "x" * 151, "a\x00b"])
def test_a_reference_is_a_short_printable_text(vault, reference):
    with pytest.raises(VaultError, match="reference"):
        ask(vault, keep(vault), reference=reference)


def test_an_authority_may_have_content_destroyed_though_it_is_held(vault):
    kept = keep(vault)
    assert destroy(vault, kept, actor="operator:a", request="FBI 7")
    assert names(vault) == set()
    assert the_hold(vault, kept).released is not None
    assert actions(vault)[-3:] == ["vault.destruction_ordered", "vault.released", "vault.destroyed"]
    with pytest.raises(VaultError, match="does not keep"):
        destroy(vault, kept, actor="operator:a", request="FBI 7")


def test_a_legal_request_stands_in_the_way_of_destruction(vault):
    kept = keep(vault)
    made = ask(vault, kept)
    with pytest.raises(VaultError, match="legal request"):
        destroy(vault, kept, actor="operator:a", request="FBI 7")
    assert len(names(vault)) == 1
    with vault.engine.begin() as connection:
        holds.release(connection, made.id, actor="operator:a", reason="done", now=vault.clock())
    assert destroy(vault, kept, actor="operator:a", request="FBI 7")


class _Hash:
    def __init__(self):
        self.digest = hashlib.sha256()

    def write(self, data):
        self.digest.update(data)
        return len(data)


@pytest.mark.parametrize("size", [0, 1, 300_000])
def test_content_is_sealed_for_somebody_else_in_a_stream(vault, identity, size):
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    kept, theirs, out, watch = keep(vault, content), Identity.generate(), io.BytesIO(), _Hash()
    digest, length = vault.hand_over(
        out, kept, identity, Recipients.of([theirs.public]), actor="operator:a", why="a test", watch=watch
    )
    sealed = out.getvalue()
    assert (digest, length) == (hashlib.sha256(sealed).hexdigest(), len(sealed))
    assert pyrage.decrypt(sealed, [theirs.key]) == content
    assert watch.digest.digest() == hashlib.sha256(content).digest()
    assert actions(vault)[-1] == "vault.opened"


def test_a_failure_on_either_side_is_that_failure(vault, identity):
    kept, theirs = keep(vault), Recipients.of([Identity.generate().public])
    with pytest.raises(VaultError, match="identity"):
        vault.hand_over(
            io.BytesIO(), kept, Identity.generate(), theirs, actor="a:b", why="a test", watch=_Hash()
        )

    class Full:
        def write(self, data):
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        vault.hand_over(Full(), kept, identity, theirs, actor="a:b", why="a test", watch=_Hash())
