"""A report and the details of a file, whole, in the schema's order.

Sources: the types that ncmec-go generates from the CyberTipline's XSD, and the element order that Coop's
tests lock; elements that only newer documentation has say so. Nothing here is required by Python: see
``checking.check`` for what must be given.
"""

from __future__ import annotations

from datetime import datetime

from nightlamp.reports.cybertip.choices import (
    BatchReason,
    Classification,
    DetailsType,
    IncidentType,
    Relevance,
)
from nightlamp.reports.cybertip.parts import (
    COUNTRY,
    REPORT,
    URL,
    Address,
    AssociatedAccount,
    ContactPerson,
    DeviceId,
    Email,
    EstimatedLocation,
    IpCaptureEvent,
    PermanentlyDisabled,
    Person,
    Phone,
    TemporarilyDisabled,
)
from nightlamp.reports.cybertip.table import (
    BOOL,
    TIME,
    Choice,
    Number,
    Part,
    Text,
    attribute,
    content,
    flag,
    many,
    maybe,
    one,
    part,
)


@part
class BatchedReport:
    """Says that many reports were put into this one."""

    reason: BatchReason | None = attribute(Choice(BatchReason))


@part
class ReportAnnotations:
    """What the reporter says of the incident; ``informational`` is of newer schemas only."""

    sextortion: bool = flag()
    csam_solicitation: bool = flag()
    minor_to_minor_interaction: bool = flag()
    spam: bool = flag()
    sadistic_online_exploitation: bool = flag()
    informational: bool = flag()


@part
class IncidentSummary:
    """What happened, and when. ``escalate_to_high_priority`` is the reason; leave it out to not escalate."""

    incident_type: IncidentType | None = one(Choice(IncidentType))
    platform: str | None = maybe(Text(256))
    escalate_to_high_priority: str | None = maybe(Text(3000))
    report_annotations: ReportAnnotations | None = maybe(Part(ReportAnnotations))
    incident_date_time: datetime | None = one(TIME)
    incident_date_time_description: str | None = maybe(Text(3000))


@part
class WebPageIncident:
    """On a web page. ``third_party_hosted_content`` is of newer schemas only."""

    third_party_hosted_content: bool | None = attribute(BOOL)
    url: tuple[str, ...] = many(URL)
    additional_info: str | None = maybe(Text())


@part
class EmailIncident:
    """By email."""

    email_address: tuple[Email, ...] = many(Part(Email))
    content: str | None = maybe(Text())
    additional_info: str | None = maybe(Text())


@part
class NewsgroupIncident:
    """In a newsgroup."""

    name: str | None = maybe(Text(255))
    email_address: tuple[Email, ...] = many(Part(Email))
    content: str | None = maybe(Text())
    additional_info: str | None = maybe(Text())


@part
class ChatImIncident:
    """In a chat or by instant messages."""

    chat_client: str | None = maybe(Text(255))
    chat_room_name: str | None = maybe(Text(255))
    content: str | None = maybe(Text())
    additional_info: str | None = maybe(Text())


@part
class OnlineGamingIncident:
    """In an online game."""

    game_name: str | None = maybe(Text(255))
    console: str | None = maybe(Text(255))
    content: str | None = maybe(Text())
    additional_info: str | None = maybe(Text())


@part
class CellPhoneIncident:
    """By telephone."""

    phone_number: Phone | None = maybe(Part(Phone))
    latitude: float | None = maybe(Number(-90, 90, whole=False))
    longitude: float | None = maybe(Number(-180, 180, whole=False))
    additional_info: str | None = maybe(Text())


@part
class NonInternetIncident:
    """Not online at all."""

    location_name: str | None = maybe(Text(255))
    incident_address: tuple[Address, ...] = many(Part(Address))
    additional_info: str | None = maybe(Text())


@part
class Peer2peerIncident:
    """In a peer-to-peer network."""

    client: str | None = maybe(Text(255))
    ip_capture_event: tuple[IpCaptureEvent, ...] = many(Part(IpCaptureEvent))
    file_names: str | None = maybe(Text())
    additional_info: str | None = maybe(Text())


@part
class InternetDetails:
    """Where it happened: exactly one of these."""

    web_page_incident: WebPageIncident | None = maybe(Part(WebPageIncident))
    email_incident: EmailIncident | None = maybe(Part(EmailIncident))
    newsgroup_incident: NewsgroupIncident | None = maybe(Part(NewsgroupIncident))
    chat_im_incident: ChatImIncident | None = maybe(Part(ChatImIncident))
    online_gaming_incident: OnlineGamingIncident | None = maybe(Part(OnlineGamingIncident))
    cell_phone_incident: CellPhoneIncident | None = maybe(Part(CellPhoneIncident))
    non_internet_incident: NonInternetIncident | None = maybe(Part(NonInternetIncident))
    peer2peer_incident: Peer2peerIncident | None = maybe(Part(Peer2peerIncident))


@part
class ServedInternational:
    """Whether a foreign authority served legal process, and of which country."""

    value: bool | None = content(BOOL)
    flea_country: str | None = attribute(COUNTRY)


@part
class LawEnforcement:
    """An authority that knows of it already."""

    agency_name: str | None = one(Text(255))
    case_number: str | None = maybe(Text(100))
    officer_contact: ContactPerson | None = maybe(Part(ContactPerson))
    reported_to_le: bool | None = maybe(BOOL)
    served_legal_process_domestic: bool | None = maybe(BOOL)
    served_legal_process_international: ServedInternational | None = maybe(Part(ServedInternational))


@part
class Reporter:
    """Who reports."""

    reporting_person: Person | None = one(Part(Person))
    contact_person: ContactPerson | None = maybe(Part(ContactPerson))
    company_template: str | None = maybe(Text())
    terms_of_service: str | None = maybe(Text())
    legal_url: str | None = maybe(URL, "legalURL")


@part
class PersonOrUserReported:
    """Who is reported."""

    person: Person | None = maybe(Part(Person), "personOrUserReportedPerson")
    vehicle_description: str | None = maybe(Text(300))
    esp_identifier: str | None = maybe(Text(255))
    esp_service: str | None = maybe(Text(100))
    compromised_account: bool | None = maybe(BOOL)
    screen_name: str | None = maybe(Text(256))
    display_name: tuple[str, ...] = many(Text())
    profile_url: tuple[str, ...] = many(URL)
    profile_bio: str | None = maybe(Text())
    ip_capture_event: tuple[IpCaptureEvent, ...] = many(Part(IpCaptureEvent))
    device_id: tuple[DeviceId, ...] = many(Part(DeviceId))
    third_party_user_reported: bool | None = maybe(BOOL)
    prior_ct_reports: tuple[int, ...] = many(REPORT, "priorCTReports")
    group_identifier: str | None = maybe(Text(255))
    account_temporarily_disabled: TemporarilyDisabled | None = maybe(Part(TemporarilyDisabled))
    account_permanently_disabled: PermanentlyDisabled | None = maybe(Part(PermanentlyDisabled))
    estimated_location: EstimatedLocation | None = maybe(Part(EstimatedLocation))
    all_emails_reported: bool | None = maybe(BOOL)
    associated_account: tuple[AssociatedAccount, ...] = many(Part(AssociatedAccount))
    additional_info: str | None = maybe(Text())


@part
class IntendedRecipient:
    """Who was to get it."""

    person: Person | None = maybe(Part(Person), "intendedRecipientPerson")
    esp_identifier: str | None = maybe(Text(255))
    esp_service: str | None = maybe(Text(100))
    compromised_account: bool | None = maybe(BOOL)
    screen_name: str | None = maybe(Text(256))
    display_name: tuple[str, ...] = many(Text())
    profile_url: tuple[str, ...] = many(URL)
    profile_bio: str | None = maybe(Text())
    ip_capture_event: tuple[IpCaptureEvent, ...] = many(Part(IpCaptureEvent))
    device_id: tuple[DeviceId, ...] = many(Part(DeviceId))
    prior_ct_reports: tuple[int, ...] = many(REPORT, "priorCTReports")
    group_identifier: str | None = maybe(Text(255))
    account_temporarily_disabled: TemporarilyDisabled | None = maybe(Part(TemporarilyDisabled))
    account_permanently_disabled: PermanentlyDisabled | None = maybe(Part(PermanentlyDisabled))
    estimated_location: EstimatedLocation | None = maybe(Part(EstimatedLocation))
    all_emails_reported: bool | None = maybe(BOOL)
    additional_info: tuple[str, ...] = many(Text())


@part
class Victim:
    """A child."""

    person: Person | None = one(Part(Person), "victimPerson")
    esp_identifier: str | None = maybe(Text(255))
    esp_service: str | None = maybe(Text(100))
    compromised_account: bool | None = maybe(BOOL)
    screen_name: str | None = maybe(Text(256))
    display_name: tuple[str, ...] = many(Text())
    profile_url: tuple[str, ...] = many(URL)
    profile_bio: str | None = maybe(Text())
    ip_capture_event: tuple[IpCaptureEvent, ...] = many(Part(IpCaptureEvent))
    device_id: tuple[DeviceId, ...] = many(Part(DeviceId))
    school_name: str | None = maybe(Text(255))
    prior_ct_reports: tuple[int, ...] = many(REPORT, "priorCTReports")
    account_temporarily_disabled: TemporarilyDisabled | None = maybe(Part(TemporarilyDisabled))
    account_permanently_disabled: PermanentlyDisabled | None = maybe(Part(PermanentlyDisabled))
    estimated_location: EstimatedLocation | None = maybe(Part(EstimatedLocation))
    all_emails_reported: bool | None = maybe(BOOL)
    associated_account: tuple[AssociatedAccount, ...] = many(Part(AssociatedAccount))
    additional_info: str | None = maybe(Text())


@part
class Report:
    """A whole report.

    The schema's comment asks for at least one ``internet_details``, clients read from the documentation
    take it as optional: sending one fits both.
    """

    batched_report: BatchedReport | None = maybe(Part(BatchedReport))
    incident_summary: IncidentSummary | None = one(Part(IncidentSummary))
    internet_details: tuple[InternetDetails, ...] = many(Part(InternetDetails), least=1)
    law_enforcement: LawEnforcement | None = maybe(Part(LawEnforcement))
    reporter: Reporter | None = one(Part(Reporter))
    person_or_user_reported: PersonOrUserReported | None = maybe(Part(PersonOrUserReported))
    intended_recipient: tuple[IntendedRecipient, ...] = many(Part(IntendedRecipient))
    victim: tuple[Victim, ...] = many(Part(Victim))
    additional_info: str | None = maybe(Text())


@part
class FileAnnotations:
    """What the reporter says of a file."""

    anime_drawing_virtual_hentai: bool = flag()
    potential_meme: bool = flag()
    viral: bool = flag()
    possible_self_production: bool = flag()
    physical_harm: bool = flag()
    violence_gore: bool = flag()
    bestiality: bool = flag()
    live_streaming: bool = flag()
    infant: bool = flag()
    generative_ai: bool = flag()


@part
class FileHash:
    """A hash of the file as it came to the reporter."""

    value: str | None = content(Text())
    hash_type: str | None = attribute(Text(64))


@part
class NameValuePair:
    """One piece of a file's metadata."""

    type: DetailsType | None = attribute(Choice(DetailsType))
    name: str | None = one(Text(64))
    value: str | None = one(Text())


@part
class Details:
    """Metadata of a file."""

    name_value_pair: tuple[NameValuePair, ...] = many(Part(NameValuePair), least=1)


@part
class FileDetails:
    """All about an uploaded file; ``report_id`` and ``file_id`` are known once it is uploaded.

    ``file_viewed_by_esp`` says that the company viewed the *entire* file, and has legal weight: it is set
    from audited views alone.
    """

    report_id: int | None = one(REPORT)
    file_id: str | None = one(Text(255))
    file_name: str | None = maybe(Text(2056))
    original_file_name: str | None = maybe(Text(2056))
    uploaded_to_esp_timestamp: datetime | None = maybe(TIME)
    location_of_file: str | None = maybe(URL)
    file_viewed_by_esp: bool | None = maybe(BOOL)
    exif_viewed_by_esp: bool | None = maybe(BOOL)
    publicly_available: bool | None = maybe(BOOL)
    file_relevance: Relevance | None = maybe(Choice(Relevance))
    potential_meme: bool | None = maybe(BOOL)
    file_annotations: FileAnnotations | None = maybe(Part(FileAnnotations))
    industry_classification: Classification | None = maybe(Choice(Classification))
    original_file_hash: tuple[FileHash, ...] = many(Part(FileHash))
    ip_capture_event: IpCaptureEvent | None = maybe(Part(IpCaptureEvent))
    device_id: tuple[DeviceId, ...] = many(Part(DeviceId))
    details: tuple[Details, ...] = many(Part(Details))
    additional_info: tuple[str, ...] = many(Text())
