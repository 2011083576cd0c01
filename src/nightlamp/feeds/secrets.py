"""References to secrets: what the database holds instead of them.

``env:NAME`` a variable of the service's environment, ``file:/path`` a file (one line; nobody else may write
it), ``keyring:service/user`` the system's keyring. They are read anew at every run: a changed secret is in
force with the next one.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from nightlamp.access.keys import Secret
from nightlamp.errors import FeedError

__all__ = ["Secret", "check_reference", "read_all", "read_secret"]

_ENV = re.compile(r"(?!NIGHTLAMP_)[A-Za-z_][A-Za-z0-9_]{0,127}")  # the service's own are no feed's business
_MOST = 64 << 10
_HINT = "env:NAME, file:/path or keyring:service/user"


def check_reference(reference: str, name: str) -> str:
    """``reference`` if it is one. A secret itself, given by mistake, is refused without being shown.

    Raises:
        FeedError: it is none.
    """
    scheme, _, rest = reference.partition(":")
    well = (
        (scheme == "env" and bool(_ENV.fullmatch(rest)))
        or (scheme == "file" and rest.startswith("/") and rest.isprintable())
        or (scheme == "keyring" and all(rest.partition("/")) and rest.isprintable())
    )
    if not well or len(reference) > 1024:
        raise FeedError("not a reference to a secret", where=f"secret {name}", hint=_HINT)
    return reference


def read_secret(reference: str, name: str) -> Secret:
    """What a reference leads to.

    Raises:
        FeedError: it leads nowhere, or to nothing that can be a secret.
    """
    scheme, _, rest = check_reference(reference, name).partition(":")
    where = f"secret {name}"
    if scheme == "env":
        text = os.environ.get(rest)
        if text is None:
            raise FeedError(f"the variable {rest} is not set", where=where, hint="set it for the service")
    elif scheme == "file":
        text = _read_file(Path(rest), where)
    else:
        text = _read_keyring(rest, where)
    text = text.strip("\r\n")
    if not text:
        raise FeedError("it is empty", where=where, hint=reference)
    return Secret(text)


def read_all(references: Mapping[str, str]) -> dict[str, Secret]:
    """Every secret of a feed by its name.

    Raises:
        FeedError: as ``read_secret``.
    """
    return {name: read_secret(reference, name) for name, reference in references.items()}


def _read_file(path: Path, where: str) -> str:
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise FeedError("not a plain file", where=where, hint=str(path))
            if state.st_mode & stat.S_IWOTH:
                raise FeedError("anybody may write its file", where=where, hint=f"chmod 600 {path}")
            data = file.read(_MOST + 1)
    except OSError as error:
        what = f"its file cannot be read ({error.strerror})"
        raise FeedError(what, where=where, hint=f"{path} must be readable by the service") from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise FeedError("its file is not text", where=where, hint=str(path)) from None
    if len(data) > _MOST:
        raise FeedError("its file is too large for a secret", where=where, hint=str(path))
    return text


def _read_keyring(rest: str, where: str) -> str:
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise FeedError(
            "the package keyring is not installed", where=where, hint="pip install keyring"
        ) from None
    service, _, user = rest.partition("/")
    try:
        text = keyring.get_password(service, user)
    except keyring.errors.KeyringError as error:
        what = f"the keyring does not open ({type(error).__name__})"
        raise FeedError(what, where=where, hint="env:NAME or file:/path") from None
    if text is None:
        raise FeedError("the keyring has no such entry", where=where, hint=f"keyring set {service} {user}")
    return str(text)
