"""From an item to what look-up services are asked about it."""

from __future__ import annotations

from nightlamp.intake.deciding import Subject
from nightlamp.lookups import Query


def query_of(subject: Subject) -> Query:
    """The question. Its content is read when a service gets to it, or not at all."""
    submission, examination = subject.submission, subject.examination
    content = submission.content
    return Query(
        "url" if submission.url else submission.kind,
        examination.media_type,
        content.size if content is not None else 0,
        (lambda: content.reader().read()) if content is not None else None,
        examination.fingerprints,
        submission.url,
    )
