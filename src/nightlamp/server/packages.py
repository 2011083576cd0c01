"""Packages for authorities without an interface, and disclosures: made for whoever asks, and sent to nobody.

Only a node with the private key makes them. The file is sealed for its recipient before any of it is on a
disk, has no name by the time that it is answered with, and is gone when the answer ends: who loses it asks
again.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from nightlamp.access import Principal
from nightlamp.errors import ReportError, VaultError
from nightlamp.reports.authorities import authorities
from nightlamp.reports.bundle import Manifest, Office, bundle, disclose, page_packages
from nightlamp.reports.wiring import identity_file
from nightlamp.server import listings
from nightlamp.server.asking import Asked, Identity, Limit, need
from nightlamp.server.listings import Page
from nightlamp.server.node import Node
from nightlamp.server.problems import Problem
from nightlamp.server.shapes import Given, Text
from nightlamp.store import reading
from nightlamp.vault import Identity as PrivateKey
from nightlamp.vault import Recipients

router = APIRouter(tags=["reports"], prefix="/v1")
READER = Depends(need("report", "disclose", "audit"))
Discloser = Annotated[Principal, Depends(need("disclose"))]
_TAR: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-tar": {}}, "description": "the package; its id is in Nightlamp-Package"}
}
_AT_ONCE = threading.BoundedSemaphore(2)  # each reads and seals whole files
_OLD = 86_400.0  # seconds
_PIECE = 1 << 18
Keys = Annotated[list[Annotated[str, Field(max_length=200)]], Field(min_length=1, max_length=20)]


class PackageRow(BaseModel):
    """A package that was made; `by` had it made."""

    id: str
    purpose: str
    authority: str
    case: str | None
    item: str | None
    process: str
    recipients: list[str]
    files: int
    at: datetime
    by: str


class PackagePage(Page):
    """Packages."""

    packages: list[PackageRow]


class AuthorityOut(BaseModel):
    """An authority that packages can be made for."""

    name: str
    title: str
    jurisdiction: str
    transport: str
    duties: list[str]


class AuthorityList(BaseModel):
    """All of them."""

    authorities: list[AuthorityOut]


class PackageIn(Given):
    """A confirmed case, for an authority."""

    case: Identity
    recipients: Keys = Field(description="age public keys")
    authority: Text = Field("generic", min_length=1, description="one of /v1/packages/authorities")
    urgent: Text = Field("", description="why it cannot wait; empty: it is not urgent")
    again: bool = Field(False, description="though it was reported elsewhere, and that is enough")


class DisclosureIn(Given):
    """A case or an item, for law enforcement on a legal process."""

    subject: Identity = Field(description="the case's or the item's id")
    process: Text = Field(min_length=1, description="the court's or authority's own reference")
    recipients: Keys = Field(description="age public keys")
    until: AwareDatetime | None = Field(None, description="how long its content is held; else the law's term")


class AskedOut(BaseModel):
    """It is asked for; another person must ask for the same within a week."""

    asked: bool = True


@router.get("/packages", dependencies=[READER], responses=listings.of(PackagePage))
def list_packages(node: Asked, cursor: Identity | None = None, limit: Limit = 50) -> PackagePage:
    """What was made for whom, and who had it made, the newest first."""
    with reading(node.engine) as connection:
        found = page_packages(connection, before=cursor, limit=limit)
    more = found[-1]["id"] if len(found) == limit else None
    return PackagePage(packages=[PackageRow(**each) for each in found], next=more)


@router.get("/packages/authorities", dependencies=[Depends(need("report", "disclose"))])
def list_authorities() -> AuthorityList:
    """The authorities that packages can be made for, and how a package gets there."""
    profiles = [each.profile for each in authorities().values()]
    names = AuthorityOut.model_fields
    return AuthorityList(
        authorities=[AuthorityOut(**{name: getattr(each, name) for name in names}) for each in profiles]
    )


@router.post("/packages", response_class=StreamingResponse, responses=_TAR)
def make_package(node: Asked, principal: Discloser, given: PackageIn) -> Response:
    """Have the package of a case made that is decided as csam. It is in the answer, and sent to nobody."""

    def made(office: Office, out: Path) -> Manifest:
        return bundle(
            office,
            given.case,
            out,
            Recipients.of(given.recipients),
            authority=given.authority,
            urgent=given.urgent,
            again=given.again,
            one_file=True,
        )

    return sealed(node, principal.actor, made)


@router.post(
    "/disclosures",
    response_class=StreamingResponse,
    responses=_TAR | {202: {"model": AskedOut, "description": "another person must ask for the same"}},
)
def make_disclosure(node: Asked, principal: Discloser, given: DisclosureIn) -> Response:
    """Have what is known of a case or an item sealed for law enforcement, on a legal process."""

    def made(office: Office, out: Path) -> Manifest | None:
        to = Recipients.of(given.recipients)
        return disclose(office, given.subject, out, to, process=given.process, until=given.until)

    return sealed(node, principal.actor, made)


def sealed(node: Node, actor: str, make: Callable[[Office, Path], Manifest | None]) -> Response:
    """The answer that holds what ``make`` puts, sealed, into a file; 202 if it makes nothing yet.

    Raises:
        Problem: this node has no private key, or is busy with others.
        ReportError: as ``make``, or the vault cannot give the content.
    """
    with _folder(node.settings.data_dir) as folder, _told():
        office = Office(node.vault, _identity(node), node.signing, node.settings.reports, actor)
        made = make(office, folder / "package.tar")
        if made is None:
            return JSONResponse(AskedOut().model_dump(), 202)
        file = (folder / "package.tar").open("rb")
    size = file.seek(0, 2)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="package-{made.id}.tar"',
        "Nightlamp-Package": made.id,
    }
    return StreamingResponse(_pieces(file), headers=headers, media_type="application/x-tar")


def _identity(node: Node) -> PrivateKey:
    path = identity_file(node.settings)
    if not path.exists():
        raise Problem("unavailable", "this node has no private key", hint="ask one that has it")
    return PrivateKey.read(path)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


@contextmanager
def _folder(data_dir: Path) -> Iterator[Path]:
    """A folder of one request; what a process left behind that was killed goes away with the next one."""
    if not _AT_ONCE.acquire(blocking=False):
        raise Problem("unavailable", "other packages are being made", headers={"Retry-After": "60"})
    try:
        place = data_dir / "packages"
        place.mkdir(mode=0o700, exist_ok=True)
        for each in place.iterdir():
            with suppress(OSError):
                if time.time() - each.stat().st_mtime > _OLD:
                    shutil.rmtree(each)
        with tempfile.TemporaryDirectory(dir=place) as name:
            yield Path(name)
    finally:
        _AT_ONCE.release()


@contextmanager
def _told() -> Iterator[None]:
    """A vault's refusal is of this request, and no fault of the service."""
    try:
        yield
    except VaultError as error:
        raise ReportError("conflict", error.what, where=error.where, hint=error.hint) from None
