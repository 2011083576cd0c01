"""The parts that many parts of a report are made of. Their fields stand in the schema's order."""

from __future__ import annotations

from datetime import date, datetime

from nightlamp.reports.cybertip.choices import AccountType, AddressType, EmailType, EventName, PhoneType
from nightlamp.reports.cybertip.table import (
    BOOL,
    DATE,
    TIME,
    Choice,
    Number,
    Part,
    Text,
    attribute,
    content,
    many,
    maybe,
    one,
    part,
)

COUNTRY = Text(2, r"[A-Z][A-Z0-9]", "a country's two letters, e.g. US")
REPORT = Number(1, 2**63 - 1)
URL = Text(2083)


@part
class Email:
    """An email address."""

    value: str | None = content(Text(255))
    type: EmailType | None = attribute(Choice(EmailType))
    verified: bool | None = attribute(BOOL)
    verification_date: datetime | None = attribute(TIME)


@part
class Phone:
    """A telephone number."""

    value: str | None = content(Text(50))
    type: PhoneType | None = attribute(Choice(PhoneType))
    verified: bool | None = attribute(BOOL)
    verification_date: datetime | None = attribute(TIME)
    country_calling_code: str | None = attribute(Text(4, r"\+[0-9]{1,3}", "+ and one to three digits"))
    extension: str | None = attribute(Text(10, r"[0-9]{1,10}", "one to ten digits"))


@part
class Address:
    """A postal address."""

    type: AddressType | None = attribute(Choice(AddressType))
    address: str | None = maybe(Text(255))
    city: str | None = maybe(Text(100))
    zip_code: str | None = maybe(Text(20))
    state: str | None = maybe(Text(2, r"[A-Z]{2}", "a US state's two letters"))
    non_usa_state: str | None = maybe(Text(100))
    country: str | None = maybe(COUNTRY)


@part
class ContactPerson:
    """Whom to contact."""

    first_name: str | None = maybe(Text(100))
    last_name: str | None = maybe(Text(100))
    phone: tuple[Phone, ...] = many(Part(Phone))
    email: tuple[Email, ...] = many(Part(Email))
    address: tuple[Address, ...] = many(Part(Address))


@part
class Person:
    """A person, as far as known. ``age_assertion_discrepancy`` is of newer schemas only."""

    first_name: str | None = maybe(Text(100))
    last_name: str | None = maybe(Text(100))
    phone: tuple[Phone, ...] = many(Part(Phone))
    email: tuple[Email, ...] = many(Part(Email))
    address: tuple[Address, ...] = many(Part(Address))
    age: int | None = maybe(Number(0, 150))
    age_assertion_discrepancy: bool | None = maybe(BOOL)
    date_of_birth: date | None = maybe(DATE)


@part
class IpCaptureEvent:
    """An address, when it was seen, and at what."""

    ip_address: str | None = one(Text(45, r"[0-9A-Fa-f:.]{2,45}", "an IPv4 or IPv6 address"))
    event_name: EventName | None = maybe(Choice(EventName))
    date_time: datetime | None = maybe(TIME)
    possible_proxy: bool | None = maybe(BOOL)
    port: int | None = maybe(Number(1, 65535))


@part
class DeviceId:
    """A device, when it was seen, and at what."""

    id_type: str | None = one(Text(255))
    id_value: str | None = one(Text(2083))
    event_name: EventName | None = maybe(Choice(EventName))
    date_time: datetime | None = maybe(TIME)


@part
class EstimatedLocation:
    """Where somebody seems to be."""

    verified: bool | None = attribute(BOOL)
    timestamp: datetime | None = attribute(TIME)
    city: str | None = maybe(Text(255))
    region: str | None = maybe(Text(255))
    country_code: str | None = one(COUNTRY)


@part
class TemporarilyDisabled:
    """Whether an account was disabled for a while."""

    value: bool | None = content(BOOL)
    disabled_date: datetime | None = attribute(TIME)
    user_notified: bool | None = attribute(BOOL)
    user_notified_date: datetime | None = attribute(TIME)
    reenabled_date: datetime | None = attribute(TIME)


@part
class PermanentlyDisabled:
    """Whether an account was disabled for good."""

    value: bool | None = content(BOOL)
    disabled_date: datetime | None = attribute(TIME)
    user_notified: bool | None = attribute(BOOL)
    user_notified_date: datetime | None = attribute(TIME)


@part
class Platform:
    """A service that an associated account is on."""

    value: str | None = content(Text(256))
    third_party_user: bool | None = attribute(BOOL)


@part
class AssociatedAccount:
    """Another account of the same person. ``age_assertion_discrepancy`` is of newer schemas only."""

    type: AccountType | None = attribute(Choice(AccountType))
    platform: Platform | None = maybe(Part(Platform))
    first_name: str | None = maybe(Text(256))
    middle_name: str | None = maybe(Text(256))
    last_name: str | None = maybe(Text(256))
    approximate_age: int | None = maybe(Number(0, 150))
    age_assertion_discrepancy: bool | None = maybe(BOOL)
    date_of_birth: date | None = maybe(DATE)
    phone: tuple[Phone, ...] = many(Part(Phone))
    email: tuple[Email, ...] = many(Part(Email))
    all_emails_reported: bool | None = maybe(BOOL)
    address: tuple[Address, ...] = many(Part(Address))
    esp_service: str | None = maybe(Text(256))
    esp_identifier: str | None = maybe(Text(256))
    profile_url: tuple[str, ...] = many(URL)
    screen_name: str | None = maybe(Text(256))
    display_name: tuple[str, ...] = many(Text())
    profile_bio: str | None = maybe(Text())
    group_identifier: str | None = maybe(Text(256))
    compromised_account: bool | None = maybe(BOOL)
    account_temporarily_disabled: TemporarilyDisabled | None = maybe(Part(TemporarilyDisabled))
    account_permanently_disabled: PermanentlyDisabled | None = maybe(Part(PermanentlyDisabled))
    ip_capture_event: tuple[IpCaptureEvent, ...] = many(Part(IpCaptureEvent))
    device_id: tuple[DeviceId, ...] = many(Part(DeviceId))
    prior_ct_report: tuple[int, ...] = many(REPORT, "priorCTReport")
    additional_info: str | None = maybe(Text())
