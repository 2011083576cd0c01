"""An assessment as JSON and back; what is sealed is left out unless it is asked for."""

from __future__ import annotations

from typing import Any, cast, get_args

from nightlamp.values import Assessment, Channel, Outcome, Says, Sealed, Statement, Strength, Unchecked, Value


def to_json(assessment: Assessment, *, reveal: bool = False) -> dict[str, Any]:
    """Plain values. A sealed field is ``{"sealed": null}``, with ``reveal`` ``{"sealed": "its text"}``."""
    return {
        "outcome": assessment.outcome,
        "sentence": assessment.sentence,
        "statements": [
            {
                "source": s.source,
                "says": s.says,
                "text": s.text,
                "strength": s.strength.name.lower(),
                "forgeable": s.forgeable,
                "fields": {name: _plain(value, reveal) for name, value in s.fields},
            }
            for s in assessment.statements
        ],
        "unchecked": [{"what": u.what, "why": u.why, "detail": u.detail} for u in assessment.unchecked],
    }


def from_json(plain: Any) -> Assessment:
    """The assessment that ``to_json`` wrote.

    Raises:
        ValueError: it is none.
    """
    match plain:
        case {
            "outcome": str(outcome),
            "sentence": str(sentence),
            "statements": list(said),
            "unchecked": list(missed),
        }:
            if outcome in get_args(Outcome):
                statements, unchecked = tuple(map(_statement, said)), tuple(map(_unchecked, missed))
                return Assessment(cast(Outcome, outcome), sentence, statements, unchecked)
    raise ValueError("not an assessment")


def _statement(plain: Any) -> Statement:
    match plain:
        case {
            "source": str(source),
            "says": str(says),
            "text": str(text),
            "strength": str(strength),
            "forgeable": str(forgeable),
            "fields": dict(fields),
        }:
            known = (
                source in get_args(Channel)
                and says in get_args(Says)
                and strength.upper() in Strength.__members__
            )
            if known and strength.islower():
                values = tuple((str(name), _value(value)) for name, value in fields.items())
                level = Strength[strength.upper()]
                return Statement(cast(Channel, source), cast(Says, says), text, level, forgeable, values)
    raise ValueError("not a statement")


def _unchecked(plain: Any) -> Unchecked:
    match plain:
        case {"what": str(what), "why": str(why), "detail": str(detail)}:
            return Unchecked(what, why, detail)
    raise ValueError("not a note of what was not checked")


def _plain(value: Value, reveal: bool) -> Any:
    if isinstance(value, Sealed):
        return {"sealed": value.reveal() if reveal else None}
    return value


def _value(value: Any) -> Value:
    match value:
        case {"sealed": (str() | None) as text}:
            return Sealed(text)
        case str() | int() | float() | bool():
            return value
    raise ValueError("not a field's value")
