"""Who did what to what, and proof that nothing of it was changed after.

Promises: a record is written in the same transaction as what it records, or not at all; records form one
hash chain without gaps across all nodes; signed checkpoints let ``verify`` find any change, gap,
reordering or cut behind one, and say where. Takes pseudonymous ids and short facts. Gives records,
checkpoints, and exports that can be verified offline. Must never hold content, hash values or list
entries' ids.

``docs/formats/audit.md`` describes the records, their hashes and the export, with test vectors.
"""

from nightlamp.audit.chain import Finding, Link, Report, verify
from nightlamp.audit.checkpoint import Checkpoint, PublicKeys, SigningKey
from nightlamp.audit.export import export, read_witness, verify_export
from nightlamp.audit.extract import extract
from nightlamp.audit.log import Appended, append, append_all, checkpoint, checkpoint_if_due, verify_log
from nightlamp.audit.record import Detail, Draft, Record

__all__ = [
    "Appended",
    "Checkpoint",
    "Detail",
    "Draft",
    "Finding",
    "Link",
    "PublicKeys",
    "Record",
    "Report",
    "SigningKey",
    "append",
    "append_all",
    "checkpoint",
    "checkpoint_if_due",
    "export",
    "extract",
    "read_witness",
    "verify",
    "verify_export",
    "verify_log",
]
