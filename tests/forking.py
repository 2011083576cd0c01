"""Processes that start as quickly as a fork, but are none of the test run's own.

The test run has threads: a fork of it may inherit a lock that one of them holds, and wait for it for ever.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.util import get_temp_dir

get_temp_dir()  # made now for its socket: tests that move temporary files have paths too long for one
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["tests.reports.test_kill", "tests.vault.test_faults"])
