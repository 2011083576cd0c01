"""The fixed sets of values of the CyberTipline's schema."""

from __future__ import annotations

from enum import StrEnum


class IncidentType(StrEnum):
    """What is reported."""

    CSAM = "Child Pornography (possession, manufacture, and distribution)"
    TRAFFICKING = "Child Sex Trafficking"
    TOURISM = "Child Sex Tourism"
    MOLESTATION = "Child Sexual Molestation"
    MISLEADING_DOMAIN = "Misleading Domain Name"
    MISLEADING_WORDS = "Misleading Words or Digital Images on the Internet"
    ENTICEMENT = "Online Enticement of Children for Sexual Acts"
    UNSOLICITED = "Unsolicited Obscene Material Sent to a Child"


class EventName(StrEnum):
    """At which event an address or device was seen."""

    LOGIN = "Login"
    REGISTRATION = "Registration"
    PURCHASE = "Purchase"
    UPLOAD = "Upload"
    OTHER = "Other"
    UNKNOWN = "Unknown"


class EmailType(StrEnum):
    """Kinds of email addresses."""

    HOME = "Home"
    WORK = "Work"
    BUSINESS = "Business"
    RECOVERY = "Recovery"


class PhoneType(StrEnum):
    """Kinds of telephone numbers."""

    MOBILE = "Mobile"
    HOME = "Home"
    BUSINESS = "Business"
    WORK = "Work"
    FAX = "Fax"
    INTERNET = "Internet"
    RECOVERY = "Recovery"


class AddressType(StrEnum):
    """Kinds of postal addresses."""

    HOME = "Home"
    BUSINESS = "Business"
    BILLING = "Billing"
    SHIPPING = "Shipping"
    TECHNICAL = "Technical"


class AccountType(StrEnum):
    """How an associated account belongs to a person."""

    BILLING = "Billing"
    LINKED = "Linked"
    BUSINESS = "Business"
    CREATOR = "Creator"
    GUARDIAN = "Parent/Guardian"
    OTHER = "Other"


class BatchReason(StrEnum):
    """Why reports were put together."""

    VIRAL_POTENTIAL_MEME = "VIRAL_POTENTIAL_MEME"


class Relevance(StrEnum):
    """Whether a file is what is reported, or belongs to it."""

    REPORTED = "Reported"
    SUPPLEMENTAL = "Supplemental Reported"


class Classification(StrEnum):
    """A: prepubescent, B: pubescent; 1: sex act, 2: lascivious exhibition.

    Only for companies that signed the Industry Hash Sharing agreement.
    """

    A1 = "A1"
    A2 = "A2"
    B1 = "B1"
    B2 = "B2"


class DetailsType(StrEnum):
    """Kinds of name-value pairs of a file."""

    EXIF = "EXIF"
    HASH = "HASH"
