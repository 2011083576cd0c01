"""Reports to authorities: drafted from decisions, approved by people, sent exactly once.

Promises: every report that people approved ends as exactly one finished report at the authority, or says
clearly that a person is needed, whatever crashes and whatever the network does; nothing goes to production
unless the settings say so in as many words; evidence is opened only to be sent, and never on a disk. Takes
final decisions and people's changes; gives drafts, reports and their course. Must never put content, a hash
value or a person's data into an error, a log or the audit.

The way of a report: ``drafts`` → ``lifecycle`` (people) → ``sending`` (the authority) → ``reconciling``.
``docs/reporting.md`` describes it for operators.
"""

from nightlamp.reports.by_rule import ByRule, remember
from nightlamp.reports.destroying import destroy, needs
from nightlamp.reports.drafts import Operator, draft_for, files_of, withdraw_drafts
from nightlamp.reports.evidence import Evidence
from nightlamp.reports.exports import (
    Export,
    ask_export,
    authorise_export,
    get_export,
    page_exports,
    stop_export,
)
from nightlamp.reports.lifecycle import (
    NewFile,
    NewReport,
    add_files,
    approve,
    change,
    draft,
    follow_up,
    retract,
    send_again,
)
from nightlamp.reports.reconciling import Reconciler, Standing, standing
from nightlamp.reports.records import (
    STATES,
    Call,
    State,
    StoredFile,
    StoredReport,
    calls_of,
    count_states,
    get_report,
    page_reports,
    prior_numbers,
)
from nightlamp.reports.sending import Sender
from nightlamp.reports.wiring import client_of, consumer_of, loops, sender_of

__all__ = [
    "STATES",
    "ByRule",
    "Call",
    "Evidence",
    "Export",
    "NewFile",
    "NewReport",
    "Operator",
    "Reconciler",
    "Sender",
    "Standing",
    "State",
    "StoredFile",
    "StoredReport",
    "add_files",
    "approve",
    "ask_export",
    "authorise_export",
    "calls_of",
    "change",
    "client_of",
    "consumer_of",
    "count_states",
    "destroy",
    "draft",
    "draft_for",
    "files_of",
    "follow_up",
    "get_export",
    "get_report",
    "loops",
    "needs",
    "page_exports",
    "page_reports",
    "prior_numbers",
    "remember",
    "retract",
    "send_again",
    "sender_of",
    "standing",
    "stop_export",
    "withdraw_drafts",
]
