"""A file over SFTP: through the guarded connection, from a host whose key is known."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nightlamp.access.keys import Secret
from nightlamp.errors import ExchangeError, ExchangeKind, FeedError, OutboundError
from nightlamp.outbound import Fetcher

if TYPE_CHECKING:
    import paramiko

_BLOCK = 256 << 10


def download(
    url: str, user: str, secrets: Mapping[str, Secret], host_key: str, http: Fetcher, most: int, name: str
) -> Iterator[bytes]:
    """The file in pieces, of at most ``most`` bytes together.

    Args:
        url: ``sftp://host:port/path``; the path is absolute.
        user: to log in as.
        secrets: ``key`` (a private key) or ``password``.
        host_key: type and base64, as in known_hosts.
        http: makes the connection.
        most: bytes.
        name: for messages.

    Raises:
        ExchangeError: as its kind says.
        FeedError: the package that speaks SFTP is not installed, or the host key is none.
    """
    try:
        import paramiko
    except ImportError:
        raise FeedError(
            "the package paramiko is not installed", where=name, hint="pip install nightlamp[sftp]"
        ) from None

    def failed(kind: ExchangeKind, what: str, hint: str = "") -> ExchangeError:
        return ExchangeError(kind, what, where=name, hint=hint)

    parts = urlsplit(url)
    expected = _host_key(host_key, name)
    try:
        connection = http.dial(parts.hostname or "", parts.port or 22)
    except OutboundError as error:
        raise failed("network", f"no connection ({error.what})") from None
    transport: paramiko.Transport | None = None
    try:
        transport = paramiko.Transport(connection)
        seconds = http.rules.seconds
        transport.banner_timeout = transport.auth_timeout = seconds
        transport.get_security_options().key_types = (expected[0],)
        transport.start_client(timeout=seconds)
        if transport.get_remote_server_key().asbytes() != expected[1]:
            hint = "find out why before you change host_key="
            raise failed("hostile", "the host has another key than the one that is set", hint)
        _log_in(transport, user, secrets, name)
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        channel = client.get_channel()
        assert channel is not None
        channel.settimeout(seconds)
        with client.open(unquote(parts.path), "rb") as file:
            total = 0
            while piece := file.read(_BLOCK):
                total += len(piece)
                if total > most:
                    raise failed("hostile", f"a list of more than {most:,} bytes", "max_bytes=")
                yield piece
    except paramiko.AuthenticationException:
        raise failed(
            "credentials", "it refuses our user, password or key", "check the feed's secrets"
        ) from None
    except FileNotFoundError:
        raise failed("gone", "there is no such file", "check the path in url=") from None
    except PermissionError:
        raise failed("credentials", "we may not read this file there") from None
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise failed("network", f"no SFTP session, or it broke ({type(error).__name__})") from None
    finally:
        if transport is not None:
            transport.close()
        connection.close()


def _host_key(text: str, name: str) -> tuple[str, bytes]:
    kind, _, rest = text.strip().partition(" ")
    try:
        return kind, base64.b64decode(rest.split(" ")[0], validate=True)
    except ValueError:
        raise FeedError("not a host key", where=name, hint="host_key=ssh-ed25519 AAAA…") from None


def _log_in(transport: paramiko.Transport, user: str, secrets: Mapping[str, Secret], name: str) -> None:
    import paramiko

    key, password = secrets.get("key"), secrets.get("password")
    if key is not None:
        for form in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
            try:
                transport.auth_publickey(user, form.from_private_key(io.StringIO(key.reveal())))
            except paramiko.AuthenticationException:
                raise
            except (paramiko.SSHException, ValueError):
                continue
            return
        raise ExchangeError("credentials", "the secret key is no private key", where=name)
    if password is None:
        raise ExchangeError("credentials", "neither a password nor a key", where=name, hint="set a secret")
    transport.auth_password(user, password.reveal())
