"""Signing in through an OpenID Connect provider: the code flow with PKCE, state and nonce.

The provider says who somebody is and which groups they are in; groups become roles by the settings. How the
person proves themselves, a second factor too, is the provider's business.
"""

from __future__ import annotations

import base64
import json
import math
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from nightlamp.errors import AccessError, OutboundError
from nightlamp.outbound import Fetcher, Rules
from nightlamp.settings.console import ConsoleSettings, Role

_ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
_FRESH = 3600.0
_LEEWAY = 60
_BYTES = 1 << 20
_KEYS_STAY = 10.0  # seconds
_LONGEST, _TEXT = 16 << 10, 1024  # characters of a logout token, and of what it names
_LOGGED_OUT = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_FRESH = 300  # seconds since it was issued


@dataclass(frozen=True, slots=True)
class Vouched:
    """For whom the provider vouches; ``name`` and ``display`` may hold anything.

    ``session`` is what the provider calls this sign-in (``sid``), if it tells.
    """

    issuer: str
    subject: str
    name: str
    display: str
    roles: frozenset[Role]
    session: str = ""


@dataclass(frozen=True, slots=True)
class SignedOut:
    """What is over at the provider.

    Args:
        subject: whose sessions; ``""``: it does not say.
        session: which one alone; ``""``: all of the subject's.
        token: its ``jti``, good once.
    """

    issuer: str
    subject: str
    session: str
    token: str


class Provider:
    """The provider of the settings; safe to share between threads.

    Args:
        settings: with ``oidc_issuer``.
        fetcher: asks the provider; by default within the settings' rules.
    """

    def __init__(self, settings: ConsoleSettings, fetcher: Fetcher | None = None) -> None:
        self._settings = settings
        self._fetcher = fetcher or Fetcher(
            Rules(
                ports=frozenset(settings.oidc_ports), allow=settings.oidc_allow, max_bytes=_BYTES, seconds=10
            )
        )
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._keys: dict[str, Any] = {}
        self._read_at = self._keys_at = float("-inf")

    def begin(self, back: str) -> tuple[str, dict[str, Any]]:
        """Where to send the browser, and what to remember until it is ``back``.

        Raises:
            AccessError: the provider does not answer as it should.
        """
        from authlib.oauth2.rfc7636 import create_s256_code_challenge

        kept = {name: secrets.token_urlsafe(32) for name in ("state", "nonce", "verifier")}
        query = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": back,
            "scope": self._settings.oidc_scope,
            "state": kept["state"],
            "nonce": kept["nonce"],
            "code_challenge": create_s256_code_challenge(kept["verifier"]),
            "code_challenge_method": "S256",
        }
        address = self._endpoint("authorization_endpoint")
        return f"{address}{'&' if '?' in address else '?'}{urlencode(query)}", kept

    def finish(self, kept: Mapping[str, Any], given: Mapping[str, str], back: str) -> Vouched:
        """Who came back from the provider.

        Args:
            kept: what ``begin`` gave.
            given: the parameters that the browser brought.

        Raises:
            AccessError: it was not the provider, it says no, or the person has no role here.
        """
        issuer = self._settings.oidc_issuer
        right = secrets.compare_digest(given.get("state", "").encode(), str(kept["state"]).encode())
        if not right or given.get("iss", issuer) != issuer:
            raise AccessError("the answer is not to our question", where="provider", hint="sign in again")
        if "code" not in given:
            raise AccessError("the provider did not let you in", where="provider")
        claims = self._claims(self._exchange(given["code"], str(kept["verifier"]), back), str(kept["nonce"]))
        groups = claims.get(self._settings.oidc_claim, [])
        named = [groups] if isinstance(groups, str) else groups if isinstance(groups, list) else []
        known = self._settings.oidc_roles
        roles = frozenset(known[group] for group in named if isinstance(group, str) and group in known)
        if not roles:
            raise AccessError("no role here belongs to any of your groups", where="provider")
        subject = str(claims["sub"])
        name = str(claims.get("preferred_username") or claims.get("email") or subject)
        sid = claims.get("sid")
        session = sid if isinstance(sid, str) else ""
        return Vouched(issuer, subject[:300], name, str(claims.get("name") or name), roles, session)

    def ended(self, token: str) -> SignedOut:
        """What a logout token says, by the rules of OpenID Connect Back-Channel Logout 1.0.

        Whether it came once is for the caller to see.

        Raises:
            AccessError: it is not of the provider, not for us, not new, or no logout token.
        """
        from joserfc.errors import JoseError

        refused = AccessError("not a logout token of the provider", where="logout_token")
        if len(token) > _LONGEST:
            raise refused
        try:
            header, claims = self._decoded(token)
        except (JoseError, ValueError, KeyError, TypeError):
            raise refused from None
        s, now = self._settings, time.time()
        audience, events = claims.get("aud"), claims.get("events")
        texts = [claims.get(name, "") for name in ("sub", "sid", "jti")]
        times = [claims.get("iat"), claims.get("exp", now)]
        well = (
            str(header.get("typ", "jwt")).lower() in ("jwt", "logout+jwt")
            and claims.get("iss") == s.oidc_issuer
            and s.oidc_client_id in (audience if isinstance(audience, list) else [audience])
            and all(isinstance(each, str) and len(each) <= _TEXT for each in texts)
            and isinstance(events, dict)
            and isinstance(events.get(_LOGGED_OUT), dict)
            and "nonce" not in claims  # else it may be an ID token
            and all(isinstance(each, int | float) and math.isfinite(each) for each in times)
        )
        if not well:
            raise refused
        (subject, sid, token_id), (issued, expires) = texts, times
        fresh = -_LEEWAY <= now - issued <= LOGOUT_FRESH and now - _LEEWAY < expires
        if not fresh or not token_id or not (subject or sid):
            raise refused
        return SignedOut(s.oidc_issuer, subject[:300], sid, token_id)

    def _exchange(self, code: str, verifier: str, back: str) -> str:
        s = self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": verifier,
        }
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        secret = s.oidc_client_secret.get_secret_value()
        ways = self._known().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if secret and "client_secret_basic" in ways:
            pair = f"{quote(s.oidc_client_id, safe='')}:{quote(secret, safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form |= {"client_id": s.oidc_client_id} | ({"client_secret": secret} if secret else {})
        answer = self._asked("POST", self._endpoint("token_endpoint"), headers, urlencode(form).encode())
        if not isinstance(answer.get("id_token"), str):
            raise AccessError("the provider did not say who you are", where="provider")
        return str(answer["id_token"])

    def _claims(self, token: str, nonce: str) -> Mapping[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        refused = AccessError("what the provider said of you is not to be trusted", where="provider")
        s = self._settings
        try:
            header, found = self._decoded(token)
            options: Any = {"iss": {"essential": True, "value": s.oidc_issuer}}
            options["aud"] = {"essential": True, "value": s.oidc_client_id}
            params = {"nonce": nonce, "client_id": s.oidc_client_id}
            claims = CodeIDToken(found, header, options, params)
            claims.validate(leeway=_LEEWAY)
        except (JoseError, ValueError, KeyError, TypeError):
            raise refused from None
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise refused
        return dict(claims)

    def _decoded(self, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Header and claims of a token that one of the provider's keys signed; keys are read anew once.

        Raises:
            JoseError, ValueError: none did.
        """
        from joserfc import jwt
        from joserfc.errors import JoseError, MissingKeyError
        from joserfc.jwk import KeySet

        for again in (False, True):
            try:
                keys = KeySet.import_key_set(self._known_keys(again))  # type: ignore[arg-type]
                decoded = jwt.decode(token, keys, algorithms=_ALGORITHMS)
                break
            except (MissingKeyError, ValueError, JoseError):
                if again:
                    raise
        return decoded.header, decoded.claims

    def _known(self) -> dict[str, Any]:
        """The provider's own description, read anew once an hour."""
        with self._lock:
            if time.monotonic() - self._read_at > _FRESH:
                issuer = self._settings.oidc_issuer
                found = self._asked("GET", issuer.rstrip("/") + "/.well-known/openid-configuration", {}, b"")
                if found.get("issuer") != issuer:
                    raise AccessError("the provider calls itself otherwise", where="console.oidc_issuer")
                self._metadata, self._read_at, self._keys = found, time.monotonic(), {}
            return self._metadata

    def _known_keys(self, again: bool) -> dict[str, Any]:
        address = self._endpoint("jwks_uri")
        old = time.monotonic() - self._keys_at > _KEYS_STAY
        if not self._keys or (again and old):
            # Answer or none: whoever sends bad tokens has us ask no more often.
            self._keys_at = time.monotonic()
            self._keys = self._asked("GET", address, {}, b"")
        return self._keys

    def _endpoint(self, name: str) -> str:
        address = self._known().get(name)
        # An https issuer does not send anybody, or us, to a place without TLS.
        safe = urlsplit(self._settings.oidc_issuer).scheme
        if not isinstance(address, str) or urlsplit(address).scheme not in {safe, "https"}:
            raise AccessError("the provider does not say where to go", where=f"provider.{name}")
        return address

    def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        try:
            answer = self._fetcher.ask(method, url, headers=headers, body=body)
            found = json.loads(answer.body) if answer.status == 200 else None
        except (OutboundError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise AccessError("the provider does not answer as it should", where="provider", hint="try again")
        return found
