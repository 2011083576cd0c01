"""Cases: what a person reviews, and what they decide.

Near-identical items are one case, so that a person decides once. Promises: nobody's work is lost and nothing
is decided twice, whoever races; every step is in the audit log, in the transaction that it records.
"""
