"""The answers that a case's form offers, each with its key, and what a sent form says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from nightlamp.cases import Answer, Classification, Finding
from nightlamp.cases.decision import AiMade
from nightlamp.errors import CaseError
from nightlamp.server.console.language import N_
from nightlamp.server.console.visiting import Form


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of the form.

    Args:
        finding: what it says.
        detail: with csam the classification, else the reason; ``""``: none.
        label: marked for translation.
        key: the shortcut that chooses it.
    """

    finding: Finding
    detail: str
    label: str
    key: str

    @property
    def value(self) -> str:
        """As the form sends it."""
        return f"{self.finding}:{self.detail}"


@dataclass(frozen=True, slots=True)
class Group:
    """Answers of one finding."""

    label: str
    choices: Sequence[Choice]


GROUPS: Sequence[Group] = (
    Group(
        N_("CSAM"),
        (
            Choice("csam", "A1", N_("A1: prepubescent, sex act"), "1"),
            Choice("csam", "A2", N_("A2: prepubescent, lascivious exhibition"), "2"),
            Choice("csam", "B1", N_("B1: pubescent, sex act"), "3"),
            Choice("csam", "B2", N_("B2: pubescent, lascivious exhibition"), "4"),
            Choice("csam", "", N_("Not classified"), "5"),
        ),
    ),
    Group(
        N_("Not CSAM"),
        (
            Choice("not_csam", "adult", N_("Everybody in it is an adult"), "x a"),
            Choice("not_csam", "no_person", N_("Nobody is in it"), "x p"),
            Choice("not_csam", "innocent", N_("A child, and nothing sexual"), "x i"),
            Choice("not_csam", "medical", N_("Medicine, teaching, news"), "x m"),
            Choice("not_csam", "wrong_match", N_("Not what the list's entry shows"), "x w"),
            Choice("not_csam", "lawful_drawing", N_("Drawn or made, and lawful"), "x d"),
            Choice("not_csam", "other", N_("Another reason"), "x o"),
        ),
    ),
    Group(
        N_("To the lead"),
        (
            Choice("escalate", "imminent_harm", N_("A child may be in danger now"), "e h"),
            Choice("escalate", "new_victim", N_("Perhaps a victim that nobody knows of"), "e v"),
            Choice("escalate", "law", N_("A question of law"), "e l"),
            Choice("escalate", "staff", N_("It concerns somebody at work here"), "e s"),
            Choice("escalate", "other", N_("Something else"), "e o"),
        ),
    ),
    Group(
        N_("Second opinion"),
        (
            Choice("unsure", "", N_("Somebody else should say"), "s s"),
            Choice("unsure", "age", N_("Unsure of the age"), "s a"),
            Choice("unsure", "content", N_("Unsure of what it shows"), "s c"),
            Choice("unsure", "cannot_open", N_("It cannot be opened"), "s x"),
        ),
    ),
)
CHOICES = {choice.value: choice for group in GROUPS for choice in group.choices}
LEAD_GROUPS = GROUPS[:2]


def answer_of(form: Form, *, seen: bool, known: bool) -> Answer:
    """What a sent form says.

    Args:
        form: its fields.
        seen: whoever sent it has had something of the case shown.
        known: a trusted list knows all of the case.

    Raises:
        CaseError: nothing was chosen.
    """
    choice = CHOICES.get(form.get("answer", ""))
    if choice is None:
        raise CaseError("invalid", N_("choose an answer"), where=N_("answer"))
    csam = choice.finding == "csam"
    reason = ("seen" if seen else "known" if known else "") if csam else choice.detail
    return Answer(
        choice.finding,
        cast("Classification", choice.detail) if csam and choice.detail else None,
        cast("AiMade", form.get("ai_made", "unknown")),
        "drawn" in form,
        reason,
        form.get("note", "").replace("\r\n", "\n").strip(),
    )


def fields_of(answer: Answer) -> Form:
    """An answer as the form's fields, to be changed and sent again."""
    detail = (answer.classification or "") if answer.finding == "csam" else answer.reason
    drawn = {"drawn": "yes"} if answer.drawn else {}
    return {
        "answer": f"{answer.finding}:{detail}",
        "ai_made": answer.ai_made,
        "note": answer.note,
        **drawn,
    }


def label_of(answer: Answer) -> str:
    """The choice that an answer was, marked for translation."""
    found = CHOICES.get(fields_of(answer)["answer"])
    return found.label if found else N_("Another answer")


def finding_label(finding: str) -> str:
    """A finding, marked for translation."""
    return {"csam": N_("CSAM"), "not_csam": N_("Not CSAM"), "escalate": N_("To the lead")}.get(
        finding, N_("Second opinion")
    )
