"""A draft of a report: edited field by field, approved by two people, in a browser and by hand."""

from __future__ import annotations

from typing import Any

import pytest

from nightlamp import reports
from nightlamp.accounts import sessions
from nightlamp.reports.cybertip.choices import IncidentType
from nightlamp.store import reading, utc_now

from .conftest import House, cookie
from .test_browser import faults_of

WHEN = "2026-03-01T12:30:15"


def report_of(house: House) -> reports.StoredReport:
    with reading(house.node.engine) as connection:
        return reports.get_report(connection, house.ids["report_id"])


def browser_of(house: House, name: str) -> Any:
    made = house.browser(origin="http://localhost")
    made.client.cookies.set("nightlamp-session", house.session(name).reveal())
    return made


def edit_of(tab: Any, house: House, address: str) -> None:
    """The form of the draft, by keyboard."""
    tab.goto(f"{address}/reports/{house.ids['report_id']}")
    tab.keyboard.press("e")
    tab.wait_for_selector("#answer")
    tab.wait_for_load_state("load")


def add(tab: Any, path: str) -> None:
    tab.click(f"button[name=add][value='{path}']")
    tab.wait_for_selector(f"[id='{path}'], [id='{path}[1]']")


def keep(tab: Any) -> None:
    tab.click("text=Keep")
    tab.wait_for_url("**?done=changed")


def fill_in(tab: Any) -> None:
    """What a report must say."""
    add(tab, "incidentSummary")
    tab.select_option("[id='incidentSummary.incidentType']", IncidentType.CSAM.value)
    tab.fill("[id='incidentSummary.incidentDateTime']", WHEN)
    add(tab, "internetDetails")
    add(tab, "internetDetails[1].webPageIncident")
    tab.fill("[id='internetDetails[1].webPageIncident.url[1]']", "https://example.org/a")
    add(tab, "reporter")
    add(tab, "reporter.reportingPerson")
    tab.fill("[id='reporter.reportingPerson.lastName']", "A Company")


def test_a_draft_is_filled_in_and_approved_by_two_people(live, tabs):
    house, address = live
    tab = tabs(house, address, "reporter")
    tab.goto(f"{address}/reports/{house.ids['report_id']}")
    # given a draft that says what is missing, and a way there
    assert "incidentSummary: must be given" in tab.inner_text("main")
    edit_of(tab, house, address)
    assert faults_of(tab) == []
    fill_in(tab)
    assert tab.evaluate("document.activeElement.closest('fieldset').id") == "reporter.reportingPerson"
    tab.check("text=Seen to: who is it?")
    tab.select_option("#public", "no")
    assert faults_of(tab) == []
    keep(tab)
    found = report_of(house)
    assert not found.faults
    assert not found.asks
    assert found.document.incident_summary.incident_date_time.isoformat() == f"{WHEN}+00:00"
    assert found.document.internet_details[0].web_page_incident.url == ("https://example.org/a",)
    assert found.files[0].details.publicly_available is False
    # what is said of a file has a page of its own
    tab.click("table a")
    tab.wait_for_selector("[id='originalFileName']")
    tab.wait_for_load_state("load")
    assert faults_of(tab) == []
    tab.fill("[id='originalFileName']", "holiday.jpg")
    add(tab, "fileAnnotations")
    tab.check("[id='fileAnnotations.viral']")
    keep(tab)
    details = report_of(house).files[0].details
    assert (details.original_file_name, details.file_annotations.viral) == ("holiday.jpg", True)
    # two people approve it, no one twice
    tab.on("dialog", lambda dialog: dialog.accept())
    tab.keyboard.press("a")
    tab.wait_for_selector("text=You have approved it")
    assert tab.locator("text=Approved by 1 of 2").count() == 1
    approved = {"version": str(report_of(house).version)}
    again = browser_of(house, "reporter").post(f"/reports/{house.ids['report_id']}/approve", approved)
    assert "cannot approve it twice" in again.text
    other = tabs(house, address, "lead")
    other.on("dialog", lambda dialog: dialog.accept())
    other.goto(f"{address}/reports/{house.ids['report_id']}")
    other.keyboard.press("a")
    other.wait_for_url("**?done=changed")
    assert report_of(house).state == "approved"
    other.goto(f"{address}/reports/{house.ids['report_id']}/edit")
    assert "cannot be changed any more" in other.inner_text("main")


def test_what_cannot_be_read_is_named_and_nothing_is_lost(live, tabs):
    house, address = live
    tab = tabs(house, address, "reporter")
    edit_of(tab, house, address)
    add(tab, "personOrUserReported")
    tab.fill("[id='personOrUserReported.screenName']", "somebody")
    tab.fill("[id='personOrUserReported.priorCTReports[1]']", "twelve")
    tab.click("text=Keep")
    tab.wait_for_selector("text=Put this right first")
    assert "must be a whole number" in tab.inner_text("main")
    assert tab.input_value("[id='personOrUserReported.priorCTReports[1]']") == "twelve"
    assert tab.input_value("[id='personOrUserReported.screenName']") == "somebody"
    assert faults_of(tab) == []
    assert report_of(house).version == 1
    tab.fill("[id='personOrUserReported.priorCTReports[1]']", "12")
    keep(tab)
    assert report_of(house).document.person_or_user_reported.prior_ct_reports == (12,)


def test_two_who_edit_at_once_lose_nothing(live, tabs):
    house, address = live
    one, two = tabs(house, address, "reporter"), tabs(house, address, "lead")
    for tab, name in ((one, "mine"), (two, "theirs")):
        edit_of(tab, house, address)
        add(tab, "personOrUserReported")
        tab.fill("[id='personOrUserReported.screenName']", name)
    add(two, "incidentSummary")
    two.fill("[id='incidentSummary.platform']", "a platform")
    keep(two)
    one.click("text=Keep")
    one.wait_for_selector("text=Somebody has changed it")
    assert one.input_value("[id='personOrUserReported.screenName']") == "mine"
    text = one.inner_text("main")
    assert "Stored by now: theirs" in text
    assert "incidentSummary.platform: a platform" in text
    assert report_of(house).document.person_or_user_reported.screen_name == "theirs"
    add(one, "incidentSummary")
    one.fill("[id='incidentSummary.platform']", "a platform")
    keep(one)
    found = report_of(house).document
    assert (found.person_or_user_reported.screen_name, found.incident_summary.platform) == (
        "mine",
        "a platform",
    )


def test_a_lost_network_and_a_session_that_ends_keep_what_was_entered(live, tabs):
    house, address = live
    tab = tabs(house, address, "reporter")
    edit_of(tab, house, address)
    add(tab, "personOrUserReported")
    tab.fill("[id='personOrUserReported.screenName']", "somebody")
    tab.context.set_offline(True)
    tab.click("text=Keep")
    tab.wait_for_selector("[data-trouble=network]:visible")
    tab.context.set_offline(False)
    person = house.people["reporter"]
    house.node.writer.write(lambda c: sessions.end_all(c, person.id, now=utc_now()))
    tab.click("text=Keep")
    tab.wait_for_selector("[data-trouble=session]:visible")
    cookie(house, address, "reporter", tab)
    tab.evaluate("dispatchEvent(new Event('focus'))")
    tab.wait_for_selector("[data-trouble=again]:visible")
    keep(tab)
    assert report_of(house).document.person_or_user_reported.screen_name == "somebody"


def test_without_scripts_the_form_works_as_well(live):
    house, _ = live
    browser = browser_of(house, "reporter")
    path = f"/reports/{house.ids['report_id']}/edit"
    fields = {"version": "1", "part personOrUserReported": "new"}
    fields |= {"field personOrUserReported.screenName": "x", "seen": "personOrUserReported who is it?"}
    shown = browser.post(path, {**fields, "add": "personOrUserReported.deviceId"})
    assert shown.status_code == 200
    assert "personOrUserReported.deviceId[1].idValue" in shown.text
    assert report_of(house).version == 1
    done = browser.post(path, fields)
    assert done.headers["location"].endswith("?done=changed")
    found = report_of(house)
    assert (found.document.person_or_user_reported.screen_name, found.asks) == ("x", ())


@pytest.mark.parametrize("what", ["edit", "files"])
def test_who_may_not_and_what_is_stale_or_senseless(live, what):
    house, _ = live
    place = "edit" if what == "edit" else f"files/{house.ids['file_id']}"
    path = f"/reports/{house.ids['report_id']}/{place}"
    for name in ("reviewer", "auditor", "admin"):
        assert browser_of(house, name).post(path, {"version": "1"}).status_code == 403
    browser = browser_of(house, "reporter")
    assert browser.post(path, {"version": "x"}).status_code == 400
    wrong = {"version": "1", "person": house.people["lead"].id}
    assert browser.post(path, wrong).status_code == 403
    stale = browser.post(path, {"version": "7"})
    assert stale.status_code == 422
    assert "what you have entered stands below" in stale.text
    assert browser.post(f"{path}x" if what == "files" else f"/reports/x/{place}").status_code == 404
    assert report_of(house).version == 1


def test_a_report_with_more_fields_than_a_page_holds_says_so(live):
    house, _ = live
    from nightlamp.reports.cybertip import Report
    from nightlamp.reports.cybertip.model import PersonOrUserReported

    many = Report(person_or_user_reported=PersonOrUserReported(display_name=tuple(map(str, range(1_600)))))
    house.node.writer.write(
        lambda c: reports.change(c, house.ids["report_id"], many, version=1, by="system", now=utc_now())
    )
    page = browser_of(house, "reporter").get(f"/reports/{house.ids['report_id']}/edit").text
    assert "more fields than a page can hold" in page
    assert 'id="answer"' not in page
