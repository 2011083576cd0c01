"""The clients of exchanges: one module a kind, each with a ``KIND``.

Promises that an exchange costs no more than its limits, is asked at its own address and nowhere else, and
that no answer of it, however wrong, is taken for "nothing more" or "withdrawn". Takes a config, secrets and
the guarded fetcher; gives pages of records, findings and what became of opinions, or an ``ExchangeError``.
Must never put a hash, a key or a secret into an error.
"""
