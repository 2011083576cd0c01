"""Opening a package with the recipient's private key, in memory, to see that its parts say what it says."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pyrage
from pydantic import ValidationError

from nightlamp.audit import PublicKeys
from nightlamp.audit.extract import verify_extract
from nightlamp.errors import AuditError, ReportError
from nightlamp.reports.bundle.package import AUDIT, REPORT, Checked, check, opened
from nightlamp.reports.document import Document
from nightlamp.reports.evidence import Measure
from nightlamp.vault import Identity


def check_opened(path: Path, identity: Identity, keys: PublicKeys | None = None) -> tuple[Checked, Document]:
    """As ``check``, and that every content has the hashes that the report names, and the extract is sound.

    Nothing clear is written anywhere.

    Raises:
        ReportError: it is no package, or the key does not open it.
    """
    found = check(path, keys)
    faults = list(found.faults)
    with opened(path) as parts:
        if REPORT not in parts:
            raise ReportError("malformed", "it has no report", where=str(path))
        report = io.BytesIO()
        with parts[REPORT]() as file:
            _open(file, report, identity, REPORT)
        try:
            document = Document.model_validate_json(report.getvalue())
        except ValidationError:
            raise ReportError("malformed", "not a report of this version", where=REPORT) from None
        if document.id != found.manifest.id or document.purpose != found.manifest.purpose:
            faults.append(f"{REPORT}: belongs to another package")
        for content in {each.content for each in document.items if each.content is not None}:
            name, measure = f"{content.name}.age", Measure()
            if name in parts:
                with parts[name]() as file:
                    _open(file, measure, identity, name)
            named = (("MD5", content.md5), ("SHA1", content.sha1), ("SHA256", content.sha256))
            if (measure.measured().size, measure.measured().hashes) != (content.size, named):
                faults.append(f"{name}: is not what the report says")
        if AUDIT in parts:
            faults += _extract(parts[AUDIT](), identity, keys)
    return replace(found, faults=tuple(faults), opened=True), document


def _extract(file: IO[bytes], identity: Identity, keys: PublicKeys | None) -> list[str]:
    clear = io.BytesIO()
    with file:
        _open(file, clear, identity, AUDIT)
    try:
        report, _ = verify_extract(clear, Path("audit.jsonl"), keys, ())
    except AuditError as error:
        return [f"{AUDIT}: {error.what}"]
    return [f"{AUDIT}: {each}" for each in report.findings]


def _open(sealed: IO[bytes], out: Any, identity: Identity, name: str) -> None:
    try:
        pyrage.decrypt_io(sealed, out, [identity.key])
    except (pyrage.DecryptError, OSError):
        raise ReportError(
            "refused", "this private key does not open it, or it is damaged", where=name
        ) from None
