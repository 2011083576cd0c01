"""Passkeys (WebAuthn): they prove presence and the person at once, so one is enough to sign in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from nightlamp import audit
from nightlamp.accounts.person import Person
from nightlamp.accounts.tables import account, passkey
from nightlamp.errors import AccessError
from nightlamp.store import new_id

_MOST = 20


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey, as its owner sees it."""

    id: str
    name: str
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Site:
    """For whom passkeys are good: the origin, e.g. ``https://nightlamp.example``, and its host."""

    origin: str
    host: str


def every(connection: Connection, account_id: str) -> list[Passkey]:
    """The passkeys of an account, the oldest first."""
    query = select(passkey).where(passkey.c.account == account_id).order_by(passkey.c.created_at)
    return [Passkey(r.id, r.name, r.created_at, r.used_at) for r in connection.execute(query)]


def registration(connection: Connection, person: Person, site: Site) -> tuple[str, bytes]:
    """What the browser is asked for to make a passkey, as JSON, and the challenge in it."""
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers import structs

    known = connection.scalars(select(passkey.c.credential).where(passkey.c.account == person.id))
    options = generate_registration_options(
        rp_id=site.host,
        rp_name="Nightlamp",
        user_name=person.name,
        user_id=person.id.encode(),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=bytes(each)) for each in known],
    )
    return options_to_json(options), options.challenge


def register(
    connection: Connection,
    person: Person,
    name: str,
    answer: str,
    challenge: bytes,
    site: Site,
    *,
    now: datetime,
) -> None:
    """Store what the browser made.

    Raises:
        AccessError: it is not what was asked for, or there are too many.
    """
    from webauthn import verify_registration_response
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        made = verify_registration_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise AccessError("the passkey was not accepted", where="passkey") from None
    if len(every(connection, person.id)) >= _MOST:
        raise AccessError("there are too many passkeys", where="passkey", hint="remove one first")
    if connection.scalar(select(passkey.c.id).where(passkey.c.credential == made.credential_id)):
        raise AccessError("the passkey is known already", where="passkey")
    values = {
        "id": new_id(),
        "account": person.id,
        "name": name.strip()[:100] or "passkey",
        "credential": made.credential_id,
        "public_key": made.credential_public_key,
        "sign_count": made.sign_count,
        "created_at": now,
    }
    connection.execute(insert(passkey).values(values))
    audit.append(connection, person.actor, "account.passkey_added", f"person:{person.id}", at=now)


def remove(connection: Connection, person: Person, passkey_id: str, *, now: datetime) -> None:
    """Forget a passkey of a person."""
    mine = (passkey.c.id == passkey_id) & (passkey.c.account == person.id)
    if connection.execute(delete(passkey).where(mine)).rowcount:
        audit.append(connection, person.actor, "account.passkey_removed", f"person:{person.id}", at=now)


def question(site: Site) -> tuple[str, bytes]:
    """What the browser is asked for to sign in, as JSON, and the challenge in it."""
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    options = generate_authentication_options(
        rp_id=site.host, user_verification=UserVerificationRequirement.REQUIRED
    )
    return options_to_json(options), options.challenge


def answered(connection: Connection, answer: str, challenge: bytes, site: Site, *, now: datetime) -> str:
    """The account whose passkey answered.

    Raises:
        AccessError: none did.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authentication_credential_json
    from webauthn.helpers.exceptions import WebAuthnException

    refused = AccessError("the passkey was not accepted", where="passkey")
    try:
        credential = parse_authentication_credential_json(answer)
        row: Any = connection.execute(
            select(passkey)
            .join(account, account.c.id == passkey.c.account)
            .where(passkey.c.credential == credential.raw_id, account.c.disabled_at.is_(None))
        ).one_or_none()
        if row is None or credential.response.user_handle not in (None, row.account.encode()):
            raise refused
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=bytes(row.public_key),
            credential_current_sign_count=row.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError):
        raise refused from None
    values = {"sign_count": verified.new_sign_count, "used_at": now}
    connection.execute(update(passkey).where(passkey.c.id == row.id).values(values))
    return str(row.account)
