"""The order of elements, written down a second time, from the documentation alone.

Nothing here is shared with the model that writes reports: a mistake would have to be made twice. One line is
one type; ``name:type`` is an element of another type than its own name, ``?`` ``*`` ``+`` say how often,
``@`` is an attribute, ``|`` parts the kinds of which there is exactly one. A name that is no type is plain
text.
"""

from __future__ import annotations

import re
from functools import cache

from nightlamp.outbound.guarded_xml import Element

_TYPES = """
report = batchedReport? incidentSummary internetDetails* lawEnforcement? reporter
  personOrUserReported:reported? intendedRecipient:recipient* victim* additionalInfo?
batchedReport = @reason
incidentSummary = incidentType platform? escalateToHighPriority? reportAnnotations? incidentDateTime
  incidentDateTimeDescription?
reportAnnotations = sextortion:empty? csamSolicitation:empty? minorToMinorInteraction:empty? spam:empty?
  sadisticOnlineExploitation:empty? informational:empty?
internetDetails = webPageIncident | emailIncident | newsgroupIncident | chatImIncident |
  onlineGamingIncident | cellPhoneIncident | nonInternetIncident | peer2peerIncident
webPageIncident = @thirdPartyHostedContent url* additionalInfo?
emailIncident = emailAddress:email* content? additionalInfo?
newsgroupIncident = name? emailAddress:email* content? additionalInfo?
chatImIncident = chatClient? chatRoomName? content? additionalInfo?
onlineGamingIncident = gameName? console? content? additionalInfo?
cellPhoneIncident = phoneNumber:phone? latitude? longitude? additionalInfo?
nonInternetIncident = locationName? incidentAddress:postal* additionalInfo?
peer2peerIncident = client? ipCaptureEvent* fileNames? additionalInfo?
lawEnforcement = agencyName caseNumber? officerContact:contact? reportedToLe? servedLegalProcessDomestic?
  servedLegalProcessInternational:international?
international = @fleaCountry
reporter = reportingPerson:person contactPerson:contact? companyTemplate? termsOfService? legalURL?
reported = personOrUserReportedPerson:person? vehicleDescription? espIdentifier? espService?
  compromisedAccount? screenName? displayName* profileUrl* profileBio? ipCaptureEvent* deviceId*
  thirdPartyUserReported? priorCTReports* groupIdentifier? accountTemporarilyDisabled:temporarily?
  accountPermanentlyDisabled:permanently? estimatedLocation? allEmailsReported? associatedAccount*
  additionalInfo?
recipient = intendedRecipientPerson:person? espIdentifier? espService? compromisedAccount? screenName?
  displayName* profileUrl* profileBio? ipCaptureEvent* deviceId* priorCTReports* groupIdentifier?
  accountTemporarilyDisabled:temporarily? accountPermanentlyDisabled:permanently? estimatedLocation?
  allEmailsReported? additionalInfo*
victim = victimPerson:person espIdentifier? espService? compromisedAccount? screenName? displayName*
  profileUrl* profileBio? ipCaptureEvent* deviceId* schoolName? priorCTReports*
  accountTemporarilyDisabled:temporarily? accountPermanentlyDisabled:permanently? estimatedLocation?
  allEmailsReported? associatedAccount* additionalInfo?
temporarily = @disabledDate @userNotified @userNotifiedDate @reenabledDate
permanently = @disabledDate @userNotified @userNotifiedDate
person = firstName? lastName? phone* email* address:postal* age? ageAssertionDiscrepancy? dateOfBirth?
contact = firstName? lastName? phone* email* address:postal*
email = @type @verified @verificationDate
phone = @type @verified @verificationDate @countryCallingCode @extension
postal = @type address? city? zipCode? state? nonUsaState? country?
estimatedLocation = @verified @timestamp city? region? countryCode
ipCaptureEvent = ipAddress eventName? dateTime? possibleProxy? port?
deviceId = idType idValue eventName? dateTime?
associatedAccount = @type platform? firstName? middleName? lastName? approximateAge?
  ageAssertionDiscrepancy? dateOfBirth? phone* email* allEmailsReported? address:postal* espService?
  espIdentifier? profileUrl* screenName? displayName* profileBio? groupIdentifier? compromisedAccount?
  accountTemporarilyDisabled:temporarily? accountPermanentlyDisabled:permanently? ipCaptureEvent*
  deviceId* priorCTReport* additionalInfo?
fileDetails = reportId fileId fileName? originalFileName? uploadedToEspTimestamp? locationOfFile?
  fileViewedByEsp? exifViewedByEsp? publiclyAvailable? fileRelevance? potentialMeme? fileAnnotations?
  industryClassification? originalFileHash* ipCaptureEvent? deviceId* details* additionalInfo*
fileAnnotations = animeDrawingVirtualHentai:empty? potentialMeme:empty? viral:empty?
  possibleSelfProduction:empty? physicalHarm:empty? violenceGore:empty? bestiality:empty?
  liveStreaming:empty? infant:empty? generativeAi:empty?
originalFileHash = @hashType!
details = nameValuePair+
nameValuePair = @type name value
empty =
"""
# The platform of an associated account alone has an attribute.
_FREE = {("associatedAccount", "platform"): {"thirdPartyUser"}}
_INCIDENTS = (
    "Child Pornography (possession, manufacture, and distribution)",
    "Child Sex Trafficking",
    "Child Sex Tourism",
    "Child Sexual Molestation",
    "Misleading Domain Name",
    "Misleading Words or Digital Images on the Internet",
    "Online Enticement of Children for Sexual Acts",
    "Unsolicited Obscene Material Sent to a Child",
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_VALUES = {
    "incidentType": re.compile("|".join(map(re.escape, _INCIDENTS))),
    "eventName": re.compile("Login|Registration|Purchase|Upload|Other|Unknown"),
    "incidentDateTime": _TIME,
    "dateTime": _TIME,
    "uploadedToEspTimestamp": _TIME,
}


def complaint(element: Element) -> str:
    """Why the schema would refuse a document; ``""``: it would not."""
    return _complaint(element, element.name, "")


def _complaint(element: Element, kind: str, parent: str) -> str:
    types = _types()
    attributes = set(element.attributes) - {"noNamespaceSchemaLocation"}
    if kind not in types:
        free = _FREE.get((parent, element.name), set())
        return "" if not element.children and attributes <= free else f"{element.name} is plain text"
    known, needed, pattern, children = types[kind]
    if not needed <= attributes <= known:
        return f"{element.name} has wrong attributes"
    if children and not re.fullmatch(pattern, "".join(f"{child.name} " for child in element.children)):
        return f"the elements of {element.name} are not in the schema's order"
    if kind == "empty" and (element.text or element.children):
        return f"{element.name} must be empty"
    for child in element.children:
        fits = _VALUES.get(child.name)
        if fits is not None and not fits.fullmatch(child.text):
            return f"{child.name} has no valid value"
        found = _complaint(child, children[child.name], kind)
        if found:
            return found
    return ""


@cache
def _types() -> dict[str, tuple[set[str], set[str], str, dict[str, str]]]:
    """By type: attributes, those that must be, the order as a pattern, and the type of each child."""
    found = {}
    for line in re.sub(r"\n +", " ", _TYPES.strip()).splitlines():
        name, _, rest = line.partition(" =")
        words = rest.split()
        attributes = [word[1:] for word in words if word.startswith("@")]
        children: dict[str, str] = {}
        pattern = ""
        for word in words:
            if word.startswith("@"):
                continue
            if word == "|":
                pattern += "|"
                continue
            tag, _, kind = word.rstrip("?*+").partition(":")
            children[tag] = kind or tag
            pattern += f"({tag} ){word[-1] if word[-1] in '?*+' else ''}"
        found[name] = (
            {each.rstrip("!") for each in attributes},
            {each[:-1] for each in attributes if each.endswith("!")},
            pattern,
            children,
        )
    return found
