"""A new policy shows what it would change: its own text, and what it says of past items."""

from __future__ import annotations

import html
import re

from nightlamp.intake import activate_policy, add_policy
from nightlamp.store import utc_now

from . import drawn
from .conftest import House

OLD = """\
nightlamp-policy: 1
name: here
rules:
  - id: rest
    when: "true"
    then: review
    reason: "A person looks."
"""
RULE = """\
  - id: listed
    when: matches.exists(m, m.exact)
    then: block
    reason: "Known."
    hold: P1Y
    priority: high
    queue: "<b>video"
    two_person: true
"""
NEW = OLD.replace("rules:\n", f"rules:\n{RULE}")


def plain(page: str) -> str:
    """The words of what was found, with nothing of its markup."""
    section = page.split('<section id="draft"')[1].split("</section>")[0]
    return html.unescape(re.sub(r"<[^>]+>", " ", section))


def test_what_would_be_treated_differently_is_shown(house: House) -> None:
    filed = drawn.file(house.node, 5)
    made = house.node.change(lambda c: add_policy(c, OLD, actor="key:1", now=utc_now()))
    house.node.change(lambda c: activate_policy(c, made.id, actor="key:1", now=utc_now()))
    browser = house.signed_in("admin")
    # when another text is tried
    page = browser.post("/policies/check", {"text": NEW.replace("\n", "\r\n")}).text
    words = " ".join(plain(page).split())
    # then the first items are named, with what is said of each now and then
    assert filed.item in words
    assert "review , rule rest normal · queue: the common one" in words
    assert "block , rule listed high · queue: <b>video · two people must agree · kept: P1Y" in words
    # and what it says otherwise than the text in force, line by line
    assert "<ins>+  - id: listed</ins>" in page
    assert "<del>" not in page
    assert "Against the text in force" in words
    assert not any(each.value.hex() in page for each in filed.prints)
    # the text in force differs from itself in nothing
    same = plain(browser.get(f"/policies/{made.id}").text)
    assert "Against" not in same
    assert filed.item not in same


def test_a_text_with_errors_is_compared_all_the_same(house: House) -> None:
    made = house.node.change(lambda c: add_policy(c, OLD, actor="key:1", now=utc_now()))
    house.node.change(lambda c: activate_policy(c, made.id, actor="key:1", now=utc_now()))
    text = OLD.replace("then: review", "then: nothing")
    page = house.signed_in("admin").post("/policies/check", {"text": text}).text
    assert "<del>-    then: review</del>" in page
    assert "<ins>+    then: nothing</ins>" in page
    assert "past item" not in page
