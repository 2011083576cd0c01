"""From statements to one outcome: a table, tried from the top; the first rule whose needs are all met gives
it.

A need is met by a statement that says one of these things at this strength or more. Nothing in the table
asks for the *absence* of a statement, so more or stronger statements can only move the outcome up the
table: it is monotone, and nobody can add evidence to get a better-looking outcome.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from nightlamp.values import Assessment, Outcome, Says, Statement, Strength, Unchecked


@dataclass(frozen=True, slots=True)
class Need:
    """A statement that says one of ``says``, at least as strongly as ``strength``."""

    says: frozenset[Says]
    strength: Strength

    def met_by(self, statements: Iterable[Statement]) -> Statement | None:
        """The strongest statement that meets it."""
        fit = [s for s in statements if s.says in self.says and s.strength >= self.strength]
        return max(fit, key=lambda s: s.strength, default=None)


@dataclass(frozen=True, slots=True)
class Rule:
    """An outcome, what it needs, and its sentence: ``{0}`` is the text of what met the first need, and so
    on."""

    outcome: Outcome
    needs: tuple[Need, ...]
    sentence: str


def _need(strength: Strength, *says: Says) -> Need:
    return Need(frozenset(says), strength)


RULES: tuple[Rule, ...] = (
    Rule(
        "inconsistent",
        (_need(Strength.DECLARED, "broken"),),
        "What the file says of itself does not hold: {0}.",
    ),
    Rule(
        "inconsistent",
        (
            _need(Strength.DECLARED, "ai-made"),
            _need(Strength.DECLARED, "camera", "signed capture"),
        ),
        "The file contradicts itself: {0} ({0.strength}), but {1} ({1.strength}).",
    ),
    Rule(
        "inconsistent",
        (_need(Strength.DECLARED, "ai-edited"), _need(Strength.SIGNED, "signed capture")),
        "The file contradicts itself: {0} ({0.strength}), but {1} ({1.strength}).",
    ),
    Rule(
        "declared AI-made",
        (_need(Strength.DECLARED, "ai-made"),),
        "The file is declared AI-made: {0} ({0.strength}).",
    ),
    Rule(
        "declared AI-edited",
        (_need(Strength.DECLARED, "ai-edited"),),
        "The file is declared changed by AI: {0} ({0.strength}).",
    ),
    Rule(
        "edited",
        (_need(Strength.DECLARED, "edited", "thumbnail differs"),),
        "The file was edited: {0} ({0.strength}).",
    ),
    Rule(
        "camera-signed",
        (_need(Strength.TRUSTED, "signed capture"),),
        "A camera's signature holds: {0} ({0.strength}).",
    ),
    Rule("unknown", (), "How the file was made is not known: nothing in it decides that."),
)
"""From the top outcome down; the last rule needs nothing, so there is always one."""

OUTCOMES: tuple[Outcome, ...] = tuple(dict.fromkeys(rule.outcome for rule in reversed(RULES)))
"""The order of the outcomes, lowest first."""

_PHRASES = {
    Strength.CONTEXT: "context",
    Strength.WEAK: "a weak hint",
    Strength.DECLARED: "plain metadata, forgeable",
    Strength.SIGNED: "signed, but by nobody on the trust list who vouches for it",
    Strength.TRUSTED: "signed, by a signer on the trust list",
}
_SOURCE = " Another picture went into it, which may show a real person."


def assess(statements: Iterable[Statement], unchecked: Iterable[Unchecked] = ()) -> Assessment:
    """The assessment that the table gives."""
    strongest = tuple(sorted(statements, key=lambda s: -s.strength))
    missed = tuple(unchecked)
    for rule in RULES:
        met = [need.met_by(strongest) for need in rule.needs]
        if all(met):
            sentence = _filled(rule.sentence, [s for s in met if s is not None])
            return Assessment(rule.outcome, sentence + _addition(rule, strongest, missed), strongest, missed)
    raise AssertionError("the last rule needs nothing")


def _filled(sentence: str, met: list[Statement]) -> str:
    # One pass, never formatted: a statement's text comes from the file.
    def text(mark: re.Match[str]) -> str:
        statement = met[int(mark[1])]
        return _phrase(statement) if mark[2] else statement.text

    return re.sub(r"\{(\d)(\.strength)?\}", text, sentence)


def _phrase(statement: Statement) -> str:
    if statement.says == "thumbnail differs":
        return "a comparison of the pictures"
    return _PHRASES[statement.strength]


def _addition(rule: Rule, statements: tuple[Statement, ...], unchecked: tuple[Unchecked, ...]) -> str:
    """What a reader of the one sentence must not miss."""
    said = {s.says for s in statements if s.strength >= Strength.DECLARED}
    more = ""
    if "source picture" in said:
        more += _SOURCE
    if rule.outcome == "unknown":
        if "signed capture" in said:
            more += " A signature says that a camera took it, but nobody on the trust list vouches for that."
        elif "camera" in said:
            more += " It names a camera, which anybody can write."
        more += " That does not mean that it is real."
        if any(s.strength == Strength.WEAK for s in statements):
            more += " There are weak hints."
    if rule.outcome == "camera-signed":
        more += " What a camera took may be a screen or a print."
    if unchecked:
        more += f" Not checked: {', '.join(dict.fromkeys(u.what for u in unchecked))}."
    return more
