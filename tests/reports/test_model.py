"""Any valid report is in the schema's order, comes back as it was, and passes an independent table."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from nightlamp.errors import ReportError
from nightlamp.outbound import guarded_xml
from nightlamp.reports.cybertip import FileDetails, Report, as_json, check, from_json, read, write
from nightlamp.reports.cybertip.choices import Classification, IncidentType, Relevance
from nightlamp.reports.cybertip.model import (
    BatchedReport,
    ChatImIncident,
    FileAnnotations,
    FileHash,
    IncidentSummary,
    InternetDetails,
    Reporter,
    Victim,
    WebPageIncident,
)
from nightlamp.reports.cybertip.parts import IpCaptureEvent, Person
from nightlamp.reports.fake.order import complaint

from .drawing import FILES, REPORTS
from .model import NOON, minimal

examples = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def element(data: bytes) -> guarded_xml.Element:
    [root] = guarded_xml.elements([data], ["report", "fileDetails"])
    return root


@examples
@given(REPORTS)
def test_any_valid_report_comes_back_as_it_was_and_is_in_order(report: Report) -> None:
    assert not check(report)
    sent = write(report)
    assert read(Report, sent) == report
    assert not complaint(element(sent))
    assert from_json(Report, as_json(report)) == report


@examples
@given(FILES)
def test_any_valid_file_comes_back_as_it_was_and_is_in_order(details: FileDetails) -> None:
    assert not check(details)
    sent = write(details)
    assert read(FileDetails, sent) == details
    assert not complaint(element(sent))
    assert from_json(FileDetails, as_json(details)) == details


@examples
@given(REPORTS)
def test_the_second_table_notices_when_two_elements_change_places(report: Report) -> None:
    root = element(write(report))
    names = [child.name for child in root.children]
    if len(set(names)) > 1:
        root.children.reverse()
        if [child.name for child in root.children] != names:
            assert "order" in complaint(root)


# The order of the children, as it stands in the facts, word for word; what is not there is not known to us.
PERSON = "firstName lastName phone email address age ageAssertionDiscrepancy dateOfBirth"
CONTACT = "firstName lastName phone email address"
ORDERS = {
    "report": "batchedReport incidentSummary internetDetails lawEnforcement reporter personOrUserReported "
    "intendedRecipient victim additionalInfo",
    "incidentSummary": "incidentType platform escalateToHighPriority reportAnnotations incidentDateTime "
    "incidentDateTimeDescription",
    "reportAnnotations": "sextortion csamSolicitation minorToMinorInteraction spam "
    "sadisticOnlineExploitation informational",
    "internetDetails": "webPageIncident emailIncident newsgroupIncident chatImIncident onlineGamingIncident "
    "cellPhoneIncident nonInternetIncident peer2peerIncident",
    "webPageIncident": "url additionalInfo",
    "emailIncident": "emailAddress content additionalInfo",
    "newsgroupIncident": "name emailAddress content additionalInfo",
    "chatImIncident": "chatClient chatRoomName content additionalInfo",
    "onlineGamingIncident": "gameName console content additionalInfo",
    "cellPhoneIncident": "phoneNumber latitude longitude additionalInfo",
    "nonInternetIncident": "locationName incidentAddress additionalInfo",
    "peer2peerIncident": "client ipCaptureEvent fileNames additionalInfo",
    "lawEnforcement": "agencyName caseNumber officerContact reportedToLe servedLegalProcessDomestic "
    "servedLegalProcessInternational",
    "reporter": "reportingPerson contactPerson companyTemplate termsOfService legalURL",
    "reportingPerson": PERSON,
    "personOrUserReportedPerson": PERSON,
    "intendedRecipientPerson": PERSON,
    "victimPerson": PERSON,
    "contactPerson": CONTACT,
    "officerContact": CONTACT,
    "address": "address city zipCode state nonUsaState country",
    "incidentAddress": "address city zipCode state nonUsaState country",
    "estimatedLocation": "city region countryCode",
    "ipCaptureEvent": "ipAddress eventName dateTime possibleProxy port",
    "deviceId": "idType idValue eventName dateTime",
    "personOrUserReported": "personOrUserReportedPerson vehicleDescription espIdentifier espService "
    "compromisedAccount screenName displayName profileUrl profileBio ipCaptureEvent deviceId "
    "thirdPartyUserReported priorCTReports groupIdentifier accountTemporarilyDisabled "
    "accountPermanentlyDisabled estimatedLocation allEmailsReported associatedAccount additionalInfo",
    "intendedRecipient": "intendedRecipientPerson espIdentifier espService compromisedAccount screenName "
    "displayName profileUrl profileBio ipCaptureEvent deviceId priorCTReports groupIdentifier "
    "accountTemporarilyDisabled accountPermanentlyDisabled estimatedLocation allEmailsReported "
    "additionalInfo",
    "victim": "victimPerson espIdentifier espService compromisedAccount screenName displayName profileUrl "
    "profileBio ipCaptureEvent deviceId schoolName priorCTReports accountTemporarilyDisabled "
    "accountPermanentlyDisabled estimatedLocation allEmailsReported associatedAccount additionalInfo",
    "fileDetails": "reportId fileId fileName originalFileName uploadedToEspTimestamp locationOfFile "
    "fileViewedByEsp exifViewedByEsp publiclyAvailable fileRelevance potentialMeme fileAnnotations "
    "industryClassification originalFileHash ipCaptureEvent deviceId details additionalInfo",
    "fileAnnotations": "animeDrawingVirtualHentai potentialMeme viral possibleSelfProduction physicalHarm "
    "violenceGore bestiality liveStreaming infant generativeAi",
    "details": "nameValuePair",
    "nameValuePair": "name value",
}


@examples
@given(REPORTS, FILES)
def test_the_order_is_the_facts_own(report: Report, details: FileDetails) -> None:
    for document in (report, details):
        for each in element(write(document)).walk():
            if each.children and each.name != "associatedAccount":  # whose order the facts do not have
                places = ORDERS[each.name].split()
                seen = [places.index(child.name) for child in each.children]
                assert seen == sorted(seen)


def test_presence_tags_are_empty_elements_and_nothing_else_is_said() -> None:
    details = FileDetails(
        report_id=1, file_id="f", file_annotations=FileAnnotations(viral=True, generative_ai=True)
    )
    sent = write(details).decode()
    assert "<fileAnnotations><viral/><generativeAi/></fileAnnotations>" in sent
    assert "bestiality" not in sent


def test_a_report_without_anything_says_what_is_missing_in_the_schemas_words() -> None:
    assert [str(fault) for fault in check(Report())] == [
        "incidentSummary: must be given",
        "internetDetails: give at least 1",
        "reporter: must be given",
    ]
    assert all(fault.missing for fault in check(Report()))


FAULTY: list[tuple[Any, str]] = [
    (
        minimal(
            incident_summary=IncidentSummary(
                incident_type=IncidentType.CSAM, incident_date_time=NOON.replace(tzinfo=None)
            )
        ),
        "incidentSummary.incidentDateTime: needs a time zone",
    ),
    (
        minimal(
            incident_summary=IncidentSummary(
                incident_type=IncidentType.CSAM, incident_date_time=NOON, escalate_to_high_priority="x" * 3001
            )
        ),
        "incidentSummary.escalateToHighPriority: has 3001 characters; at most 3000 may be sent",
    ),
    (
        minimal(internet_details=(InternetDetails(),)),
        "internetDetails[1]: must say where it happened: give one kind of incident",
    ),
    (
        minimal(
            internet_details=(
                InternetDetails(
                    web_page_incident=WebPageIncident(),
                    peer2peer_incident=None,
                    email_incident=WebPageIncident(),  # type: ignore[arg-type]
                ),
            )
        ),
        "internetDetails[1].emailIncident: must be a EmailIncident",
    ),
    (
        minimal(reporter=Reporter(reporting_person=Person(first_name="a\0b"))),
        "reporter.reportingPerson.firstName: has a control character, which XML cannot hold",
    ),
    (
        minimal(reporter=Reporter(reporting_person=Person(age=151))),
        "reporter.reportingPerson.age: must be a whole number from 0 to 150",
    ),
    (
        FileDetails(report_id=1, file_id="f", ip_capture_event=IpCaptureEvent(port=0)),
        "ipCaptureEvent.ipAddress: must be given",
    ),
    (
        FileDetails(report_id=1, file_id="f", original_file_hash=(FileHash(value="0"),)),
        "originalFileHash[1].@hashType: must be given, e.g. MD5",
    ),
    (
        FileDetails(
            report_id=1,
            file_id="f",
            file_relevance=Relevance.SUPPLEMENTAL,
            file_annotations=FileAnnotations(potential_meme=True),
        ),
        "fileAnnotations.potentialMeme: may not be said of a supplemental file",
    ),
    (
        FileDetails(
            report_id=1,
            file_id="f",
            file_relevance=Relevance.SUPPLEMENTAL,
            industry_classification=Classification.A1,
            potential_meme=False,
        ),
        "industryClassification: may not be said of a supplemental file",
    ),
    (
        FileDetails(report_id=1, file_id="f", original_file_hash=(FileHash(value="0", hash_type="x" * 65),)),
        "originalFileHash[1].@hashType: has 65 characters; at most 64 may be sent",
    ),
    (
        FileDetails(report_id=1, file_id="f", original_file_name="x" * 2057),
        "originalFileName: has 2057 characters; at most 2056 may be sent",
    ),
    (minimal(victim=(Victim(),)), "victim[1].victimPerson: must be given"),
    (minimal(batched_report=BatchedReport()), "batchedReport.@reason: must be given"),
    (FileDetails(), "reportId: must be given"),
]


@pytest.mark.parametrize(
    ("document", "says"), FAULTY, ids=[f"{at} {says.split(':')[0]}" for at, (_, says) in enumerate(FAULTY)]
)
def test_what_is_wrong_is_said_by_the_fields_name(document: Any, says: str) -> None:
    assert says in [str(fault) for fault in check(document)]


def test_two_kinds_of_incident_are_one_too_many() -> None:
    both = InternetDetails(web_page_incident=WebPageIncident(), chat_im_incident=ChatImIncident())
    assert "has 2 kinds of incident (webPageIncident, chatImIncident)" in str(
        check(minimal(internet_details=(both,)))[0]
    )


def test_a_files_ids_are_not_asked_for_before_it_is_uploaded() -> None:
    assert not check(FileDetails(), uploaded=False)


def test_nothing_of_a_person_is_shown_by_accident() -> None:
    report = minimal(reporter=Reporter(reporting_person=Person(first_name="Rosalind")))
    assert "Rosalind" not in repr(report) + str(report.reporter)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<report>",
        b"<fileDetails/>",
        b'<!DOCTYPE r [<!ENTITY a "b">]><report>&a;</report>',
        b"<report><victim/><incidentSummary/></report>",
        b"<report><incidentSummary><incidentType>Nonsense</incidentType></incidentSummary></report>",
        b"<report unknown='1'/>",
        b"<report>" + b"<a>" * 50 + b"</a>" * 50 + b"</report>",
    ],
)
def test_what_is_no_report_is_refused(data: bytes) -> None:
    with pytest.raises(ReportError):
        read(Report, data)


@pytest.mark.parametrize(
    ("stored", "where"),
    [
        ({"surprise": 1}, "document"),
        ({"incidentSummary": {"incidentType": "Nonsense"}}, "incidentSummary.incidentType"),
        ({"incidentSummary": {"incidentDateTime": "yesterday"}}, "incidentSummary.incidentDateTime"),
        ({"victim": {}}, "victim"),
        ({"victim": [1]}, "victim"),
        ({"additionalInfo": 1}, "additionalInfo"),
    ],
)
def test_what_is_no_draft_is_refused_by_the_fields_name(stored: dict[str, Any], where: str) -> None:
    with pytest.raises(ReportError) as refused:
        from_json(Report, stored)
    assert refused.value.where == where


@pytest.mark.skipif(sys.version_info < (3, 13), reason="ncmec-cybertip needs Python 3.13")
@examples
@given(FILES)
def test_another_packages_model_reads_the_same(details: FileDetails) -> None:
    files = pytest.importorskip("ncmec_cybertip.files", reason="ncmec-cybertip is not installed")
    ours = replace(details, file_name=None, potential_meme=None)  # elements that it does not know
    theirs = files.FileDetails.from_xml(write(ours))
    assert theirs.file_id == ours.file_id
    assert theirs.file_viewed_by_esp == ours.file_viewed_by_esp
    assert not complaint(element(theirs.to_xml(exclude_none=True)))
