"""The lead's view: what waits, how far people agree, who sees how much, which lists and rules are right."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from nightlamp import cases
from nightlamp.feeds import all_feeds
from nightlamp.server.console.charts import Bar, bars
from nightlamp.server.console.desk import Lead, names_of, terms_of
from nightlamp.server.console.language import N_, gettext
from nightlamp.server.console.pages import page
from nightlamp.server.console.visiting import Visiting
from nightlamp.store import reading, utc_now

router = APIRouter(prefix="/lead")
_AGES = (N_("under 1 h"), N_("to 4 h"), N_("to 24 h"), N_("to 3 days"), N_("to 7 days"), N_("older"))


@router.get("")
def show(
    request: Request,
    visit: Visiting,
    person: Lead,  # noqa: ARG001 (a role is needed)
    days: Annotated[int, Query(ge=1, le=366)] = 30,
) -> Response:
    """All of it, over the last ``days``."""
    now = utc_now()
    since, shift = now - timedelta(days=days), now - terms_of(visit).limits.shift
    with reading(visit.node.engine) as connection:
        waiting = cases.backlog(connection, now=now)
        exposed = cases.exposures(connection, since=shift)
        by_list = cases.precision_by_list(connection, since=since)
        by_rule = cases.precision_by_rule(connection, since=since)
        names = names_of(connection, list(exposed))
        values: dict[str, Any] = {
            "waiting": waiting,
            "agreement": cases.agreement(connection, since=since),
            "times": cases.times(connection, since=since),
            "exposed": exposed,
            "names": names,
            "precise": [("list", by_list), ("rule", by_rule)],
            "most": cases.MOST_JUDGED,
            "feeds": all_feeds(connection),
            "escalated": cases.page_cases(connection, now=now, state="escalated", limit=20),
        }
    ages = [sum(each.ages[at] for each in waiting) for at in range(len(cases.AGES) + 1)]
    bounds = [gettext(each) for each in _AGES]
    charts = {
        "ages": bars(
            gettext("Cases that wait, by age"),
            [Bar(label, [count], str(count)) for label, count in zip(bounds, ages, strict=True)],
        ),
        "exposed": bars(
            gettext("Looks of this shift, by person"),
            [Bar(names[who], [seen.reveals], str(seen.reveals)) for who, seen in exposed.items()],
        ),
        **{
            kind: bars(
                gettext("Share of decided cases that were CSAM"),
                [Bar(each.name, [each.share, 1 - each.share], f"{each.share:.0%}") for each in found[:15]],
                most=1.0,
            )
            for kind, found in (("list", by_list), ("rule", by_rule))
        },
    }
    return page(
        request,
        "lead.html",
        charts=charts,
        ages=list(zip(bounds, ages, strict=True)),
        days=days,
        now=now,
        **values,
    )
