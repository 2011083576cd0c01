"""``report.pdf`` of a package: the document for people. No pictures, no hash values, nothing that runs.

Where it and ``report.json`` differ, the latter counts. Letters that the built-in font lacks are shown by
their numbers, as in ``\\u{4e2d}``.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

from nightlamp.reports.document import Document, Item

MOST_ITEMS = 200
_MOST_RECORDS = 500
_MOST_ADDRESSES = 50
_LONGEST = 600


def write_paper(document: Document, title: str) -> bytes:
    """The PDF.

    Args:
        title: of the authority, or of what it is.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    out = io.BytesIO()
    page = SimpleDocTemplate(
        out,
        pagesize=A4,
        leftMargin=18 * mm,
        rightMargin=18 * mm,
        topMargin=18 * mm,
        bottomMargin=18 * mm,
        title=f"{document.purpose} {document.id}",
        author="",
        subject="",
        creator="nightlamp",
        invariant=1,
    )
    page.build(list(_story(document, title, _Type())), onFirstPage=_foot, onLaterPages=_foot)
    return out.getvalue()


class _Type:
    """The letters that there are, and how texts are set."""

    def __init__(self) -> None:
        import reportlab
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.pdfbase import pdfmetrics
        from reportlab.pdfbase.ttfonts import TTFont

        folder = Path(reportlab.__file__).parent / "fonts"
        for name in ("Vera", "VeraBd"):
            if name not in pdfmetrics.getRegisteredFontNames():
                pdfmetrics.registerFont(TTFont(name, str(folder / f"{name}.ttf")))
        self._letters = pdfmetrics.getFont("Vera").face.charToGlyph
        self._styles = {
            "text": ParagraphStyle("text", fontName="Vera", fontSize=8.5, leading=12),
            "small": ParagraphStyle("small", fontName="Vera", fontSize=7, leading=9),
            "name": ParagraphStyle("name", fontName="VeraBd", fontSize=7, leading=9),
            "head": ParagraphStyle("head", fontName="VeraBd", fontSize=10.5, leading=16, spaceBefore=8),
            "title": ParagraphStyle("title", fontName="VeraBd", fontSize=15, leading=20, spaceAfter=4),
        }

    def set(self, text: object, style: str = "text") -> Any:
        """A paragraph of plain text."""
        from reportlab.platypus import Paragraph

        plain = str(text)
        if len(plain) > _LONGEST:
            plain = plain[:_LONGEST] + " … (see report.json)"
        seen = "".join(
            letter if ord(letter) in self._letters and letter.isprintable() else f"\\u{{{ord(letter):x}}}"
            for letter in " ".join(plain.split())
        )
        return Paragraph(escape(seen, quote=False), self._styles[style])

    def table(self, rows: Sequence[Sequence[object]], widths: Sequence[float], head: bool) -> Any:
        """Rows of texts; ``head``: the first names the columns, else the first column names the rows."""
        from reportlab.lib import colors
        from reportlab.lib.units import mm
        from reportlab.platypus import LongTable

        cells = [
            [
                self.set(cell, "name" if (head and at == 0) or (not head and place == 0) else "small")
                for place, cell in enumerate(row)
            ]
            for at, row in enumerate(rows)
        ]
        made = LongTable(cells, [width * mm for width in widths], repeatRows=int(head))
        made.setStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.lightgrey),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("TOPPADDING", (0, 0), (-1, -1), 1.5),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
            ]
        )
        return made


def _story(document: Document, title: str, type_: _Type) -> Iterator[Any]:
    yield type_.set(title, "title")
    if document.urgent:
        yield type_.set(f"URGENT: {document.urgent}", "head")
    yield type_.table([row for row in _facts(document) if row[1]], (45, 129), head=False)
    if document.notes:
        yield type_.set("Notes", "head")
        for note in document.notes:
            yield type_.set(f"• {note}")
    if document.elsewhere:
        yield type_.set("Reported elsewhere", "head")
        rows = [(e.authority, e.number, e.host, _time(e.finished_at)) for e in document.elsewhere]
        yield type_.table([("authority", "number", "host", "finished"), *rows], (60, 40, 34, 40), head=True)
    if document.persons:
        yield type_.set("Accounts", "head")
        people = [
            (
                each.identifier or "(not told)",
                ", ".join(each.services),
                each.items,
                "; ".join(_address(a.ip, a.port, a.at) for a in each.addresses[:_MOST_ADDRESSES]),
            )
            for each in document.persons[:MOST_ITEMS]
        ]
        yield type_.table(
            [("account", "services", "items", "addresses"), *people], (50, 30, 14, 80), head=True
        )
    yield type_.set(f"Items ({len(document.items)})", "head")
    for item in document.items[:MOST_ITEMS]:
        yield type_.table([row for row in _about(item) if row[1]], (45, 129), head=False)
        yield type_.set("", "small")
    if len(document.items) > MOST_ITEMS:
        yield type_.set(f"The other {len(document.items) - MOST_ITEMS} are in report.json.")
    if document.custody:
        yield type_.set(f"Chain of custody ({len(document.custody)} records)", "head")
        steps = [
            (r.sequence, _time(r.at), r.actor, r.action, r.subject) for r in document.custody[:_MOST_RECORDS]
        ]
        names = ("record", "at (UTC)", "who", "what", "of what")
        yield type_.table([names, *steps], (14, 32, 44, 34, 50), head=True)
        yield type_.set("All of them, with proof that none was changed: audit.jsonl, nightlamp audit verify.")


def _facts(document: Document) -> list[tuple[str, object]]:
    reporter, decision = document.reporter, document.decision
    found: list[tuple[str, object]] = [
        ("package", document.id),
        ("made at (UTC)", _time(document.made_at)),
        ("jurisdiction", document.jurisdiction),
        ("legal process", document.process),
        ("from", ", ".join(filter(None, (reporter.company, reporter.platform)))),
        ("contact", ", ".join(filter(None, (reporter.email, reporter.phone, reporter.legal_url)))),
    ]
    if decision is not None:
        found += [
            ("case", decision.case),
            (
                "opened, decided (UTC)",
                f"{_time(decision.opened_at)}, {_time(decision.decided_at) or 'not yet'}",
            ),
            ("decision", decision.finding.replace("_", " ") or "none"),
            ("classification", decision.classification),
            ("made by AI", decision.made_by_ai if decision.finding else ""),
            ("drawn", "yes" if decision.drawn else ""),
            ("agreed by", f"{decision.people} of the reporter's staff" if decision.people else ""),
        ]
    return found


def _about(item: Item) -> list[tuple[str, object]]:
    seen = [word for word, yes in (("all", item.viewed_whole), ("metadata", item.viewed_metadata)) if yes]
    return [
        ("item", item.id),
        ("platform's own id", item.platform_id),
        ("account", item.person),
        ("where", ", ".join(filter(None, (item.service, item.room, item.url)))),
        ("uploaded, examined (UTC)", f"{_time(item.uploaded_at) or 'not told'}, {_time(item.received_at)}"),
        ("type, bytes", ", ".join(filter(None, (item.media_type, str(item.size or ""))))),
        ("what was done", item.action),
        ("on lists of", ", ".join(item.found_by)),
        ("viewed by a person", ", ".join(seen) or "no"),
        ("says of its origin", item.origin_sentence or item.origin),
        ("content", item.content.name if item.content else item.without_content),
    ]


def _address(ip: str, port: int | None, at: datetime | None) -> str:
    return f"{ip}{f' port {port}' if port else ''}{f' at {_time(at)}' if at else ''}"


def _time(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at is not None else ""


def _foot(canvas: Any, page: Any) -> None:
    canvas.saveState()
    canvas.setFont("Vera", 7)
    canvas.drawString(
        51, 30, f"{page.title}: confidential; no pictures; report.json counts where they differ"
    )
    canvas.drawRightString(544, 30, str(page.page))
    canvas.restoreState()
