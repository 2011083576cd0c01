"""The ways in: each slows down who guesses, ends in a session with a new token, and is audited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Engine

from nightlamp import audit
from nightlamp.accounts import attempts, codes, handshakes, passkeys, passwords, people, sessions
from nightlamp.accounts.person import Person
from nightlamp.accounts.provider import LOGOUT_FRESH, SignedOut, Vouched
from nightlamp.accounts.sessions import Method, Session, Stage
from nightlamp.accounts.tokens import Token
from nightlamp.errors import AccessError
from nightlamp.settings.console import ConsoleSettings
from nightlamp.store import Clock, reading, utc_now

T = TypeVar("T")


class Write(Protocol):
    """Commits a work durably, e.g. ``Writer.write``."""

    def __call__(self, work: Callable[[Connection], T], /) -> T:
        """Commit, and give what the work gave."""


@dataclass(frozen=True, slots=True)
class Whence:
    """Whose browser it is, as far as it tells."""

    address: str
    browser: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """A session that has begun; ``stage`` says whether it opens anything yet."""

    token: Token
    stage: Stage


class RefusedError(AccessError):
    """Nobody gets in by this; it does not say whether the name, the password or the code is wrong."""


class Entrance:
    """Signs people in.

    Args:
        engine: to read from.
        write: commits.
        box: opens secrets of one-time codes.
        settings: how long sessions live, and whether a second factor is required.
    """

    def __init__(
        self,
        engine: Engine,
        write: Write,
        box: codes.Box,
        settings: ConsoleSettings,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._write = write
        self._box = box
        self._clock = clock
        self._required = settings.second_factor == "required"
        self.idle = timedelta(minutes=settings.idle_minutes)
        self.life = timedelta(hours=settings.session_hours)

    def session(self, token: Token) -> Session | None:
        """The living session of a token."""
        now = self._clock()
        with reading(self._engine) as connection:
            found = sessions.find(connection, token, now=now, idle=self.idle)
        if found is not None and now - found.seen_at >= sessions.SEEN_EVERY:
            self._write(lambda c: sessions.touch(c, found.id, now=now))
        return found

    def by_password(self, name: str, password: str, whence: Whence) -> Entered:
        """Begin with a name and a password.

        Raises:
            RefusedError: one of them is wrong.
            TooFastError: there were too many failures.
        """
        plain = people.normal(name)[:200]
        self._reserve(plain, whence)
        with reading(self._engine) as connection:
            found = passwords.stored_of(connection, plain)
        if not passwords.right(found[1] if found else None, password) or found is None:
            self._failed(found[0] if found else None, "password")
            raise RefusedError("the name or the password is wrong", where="sign-in")
        account_id = found[0]

        def begin(connection: Connection) -> Entered | RefusedError:
            if passwords.stored_of(connection, plain) != found:  # taken away while it was checked
                return RefusedError("the name or the password is wrong", where="sign-in")
            account = people.get(connection, account_id)
            stage: Stage = "second" if account.second_factor else "setup" if self._required else "full"
            if stage == "full":  # the count of one that is half-way is taken back with its second factor
                attempts.settle(connection, plain, whence.address, now=self._clock())
            return self._begin(connection, account_id, stage, "password", whence)

        return _or_raise(self._write(begin))

    def confirm(self, person: Person, password: str, whence: Whence) -> None:
        """Make sure that it is the person who sits there.

        Raises:
            RefusedError: the password is wrong.
            TooFastError: there were too many failures.
        """
        self._reserve(person.name, whence)
        with reading(self._engine) as connection:
            found = passwords.stored_of(connection, person.name)
        if not passwords.right(found[1] if found else None, password):
            self._failed(person.id, "password")
            raise RefusedError("is wrong", where="password")
        self._write(lambda c: attempts.settle(c, person.name, whence.address, now=self._clock()))

    def has_codes(self, session: Session) -> bool:
        """Whether the session's person has one-time codes."""
        with reading(self._engine) as connection:
            return people.get(connection, session.person.id).codes

    def by_code(self, session: Session, code: str, whence: Whence) -> Entered:
        """Complete a sign-in with a one-time code or a recovery code.

        Raises:
            RefusedError: it is wrong, or was used already, or the sign-in was ended.
            TooFastError: there were too many failures.
        """
        person = session.person
        guess = f"code of {person.id}"
        self._reserve(guess, whence)

        def complete(connection: Connection) -> Entered | None:
            now = self._clock()
            method: Method = "codes"
            if not codes.take(connection, self._box, person.id, code, now=now):
                method = "recovery"
                if not codes.take_recovery(connection, person.id, code):
                    return None
            for name in (guess, person.name):
                attempts.settle(connection, name, whence.address, now=now)
            return self._complete(connection, session, method, whence)

        entered = self._write(complete)
        if entered is None:
            self._failed(person.id, "code")
            raise RefusedError("the code is wrong, or was used already", where="code")
        return entered

    def ask_passkey(self, visitor: Token, site: passkeys.Site) -> str:
        """The question for a passkey, as JSON."""
        question, challenge = passkeys.question(site)
        data = {"challenge": challenge.hex()}
        self._write(lambda c: handshakes.keep(c, visitor, "passkey", data, now=self._clock()))
        return question

    def by_passkey(self, visitor: Token, answer: str, site: passkeys.Site, whence: Whence) -> Entered:
        """Begin, or complete, with a passkey.

        Raises:
            AccessError: it answers another question, or is nobody's.
        """

        def begin(connection: Connection) -> Entered | AccessError:
            now = self._clock()
            asked = handshakes.take(connection, visitor, "passkey", now=now)
            if asked is None:
                return AccessError("the question is too old", where="passkey", hint="try again")
            try:
                challenge = bytes.fromhex(asked["challenge"])
                account_id = passkeys.answered(connection, answer, challenge, site, now=now)
            except AccessError as error:  # the question is used up all the same
                return error
            name = people.get(connection, account_id).person.name
            attempts.welcome(connection, name, whence.address, now=now)
            return self._begin(connection, account_id, "full", "passkey", whence)

        return _or_raise(self._write(begin))

    def by_provider(self, vouched: Vouched, whence: Whence) -> Entered:
        """Begin with what an OpenID provider says.

        Raises:
            AccessError: the account is disabled.
        """

        def begin(connection: Connection) -> Entered:
            account = people.vouched(
                connection,
                vouched.issuer,
                vouched.subject,
                name=vouched.name,
                display=vouched.display,
                roles=vouched.roles,
                now=self._clock(),
            )
            return self._begin(connection, account.id, "full", "provider", whence, vouched.session)

        return self._write(begin)

    def end_at_provider(self, out: SignedOut) -> int:
        """End what an OpenID provider says is over; how many sessions.

        Raises:
            AccessError: it has said that already.
        """
        again = AccessError("this logout token came before", where="logout_token")

        def end(connection: Connection) -> int:
            now, kept = self._clock(), timedelta(seconds=2 * LOGOUT_FRESH)
            name = f"logout {out.issuer} {out.token}"
            if not handshakes.first_time(connection, name, now=now, keep_for=kept):
                raise again
            ended = sessions.end_at_provider(
                connection, out.issuer, subject=out.subject, provider_session=out.session, now=now
            )
            for account_id, number in ended.items():
                facts: dict[str, audit.Detail] = {"sessions": number, "by": "provider"}
                subject = f"person:{account_id}"
                audit.append(connection, "system", "account.sessions_ended", subject, facts, at=now)
            return sum(ended.values())

        return self._write(end)

    def by_invitation(self, token: Token, password: str, whence: Whence) -> Entered:
        """Begin with a one-time link, and set the password.

        Raises:
            AccessError: the link is used up, or the password will not do.
        """
        used_up = AccessError("the link is used up or too old", where="link", hint="ask for a new one")
        with reading(self._engine) as connection:
            if not handshakes.invited(connection, token, now=self._clock()):
                raise used_up
        new = passwords.hashed(password, "")

        def begin(connection: Connection) -> Entered | AccessError:
            now = self._clock()
            account_id = handshakes.accept(connection, token, now=now)
            account = people.get(connection, account_id) if account_id else None
            if account is None or account.disabled_at is not None:
                return used_up
            passwords.store(connection, account.person, new, now=now)
            stage: Stage = "second" if account.second_factor else "setup" if self._required else "full"
            return self._begin(connection, account.id, stage, "link", whence)

        return _or_raise(self._write(begin))

    def complete(self, connection: Connection, session: Session, whence: Whence) -> Entered:
        """Open everything to a session whose person has set up a second factor; it gets a new token.

        Raises:
            RefusedError: the session was ended.
        """
        return self._complete(connection, session, session.method, whence)

    def leave(self, session: Session) -> None:
        """End a session."""

        def end(connection: Connection) -> None:
            now, person = self._clock(), session.person
            if sessions.end(connection, person.id, session.id, now=now):
                audit.append(connection, person.actor, "account.signed_out", _subject(person), at=now)

        self._write(end)

    def _reserve(self, name: str, whence: Whence) -> None:
        self._write(lambda c: attempts.reserve(c, name, whence.address, now=self._clock()))

    def _failed(self, account_id: str | None, method: str) -> None:
        subject = f"person:{account_id or 'unknown'}"
        facts: dict[str, audit.Detail] = {"method": method}
        self._write(lambda c: audit.append(c, "system", "account.sign_in_failed", subject, facts))

    def _complete(self, connection: Connection, session: Session, method: Method, whence: Whence) -> Entered:
        if not sessions.end(connection, session.person.id, session.id, now=self._clock()):
            raise RefusedError("this sign-in was ended", where="sign-in", hint="sign in again")
        return self._begin(connection, session.person.id, "full", method, whence)

    def _begin(
        self,
        connection: Connection,
        account_id: str,
        stage: Stage,
        method: Method,
        whence: Whence,
        provider_session: str = "",
    ) -> Entered:
        now = self._clock()
        token = sessions.start(
            connection,
            account_id,
            stage=stage,
            method=method,
            now=now,
            life=self.life,
            address=whence.address,
            browser=whence.browser,
            provider_session=provider_session,
        )
        if stage == "full":
            actor = f"person:{account_id}"
            audit.append(connection, actor, "account.signed_in", actor, {"method": method}, at=now)
        return Entered(token, stage)


def _subject(person: Person) -> str:
    return f"person:{person.id}"


def _or_raise(result: T | AccessError) -> T:
    """What a work gave that had to commit though it failed."""
    if isinstance(result, AccessError):
        raise result
    return result
