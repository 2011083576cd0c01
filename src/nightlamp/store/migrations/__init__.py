"""The schema, step by step: one linear history, run by ``nightlamp.store.upgrade``.

To change the schema: change your part's ``tables.py``, add ``versions/<next number>_<part>.py`` whose
``down_revision`` is the present head, and write the same change there in ``op.…`` calls, without
importing the part (a migration must not change when the part does). ``tests/store/test_migrate.py``
compares the two on both databases. There is no way down. Names of constraints are spelt in full inside
``op.f("…")``.
"""
