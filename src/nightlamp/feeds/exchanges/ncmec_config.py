"""NCMEC's environments of hash sharing, test and production, and what an operator sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from nightlamp.feeds.exchange import ExchangeConfig

Environment = Literal[
    "test-industry",
    "test-industry-exploitative",
    "test-law-enforcement",
    "test-ngo",
    "test-exploitative",
    "test-generative-ai-csam",
    "test-generative-ai-exploitative",
    "industry",
    "industry-exploitative",
    "law-enforcement",
    "ngo",
    "exploitative",
    "generative-ai-csam",
    "generative-ai-exploitative",
]
ADDRESSES: Mapping[str, str] = {
    "test-industry": "https://exttest.cybertip.org/hashsharing",
    "test-industry-exploitative": "https://exttest.cybertip.org/exploitative-hashsharing",
    "test-law-enforcement": "https://betalesp.ncmec.org/csam-hashsharing",
    "test-ngo": "https://hashsharing-test.ncmec.org/npo",
    "test-exploitative": "https://hashsharing-test.ncmec.org/exploitative",
    "test-generative-ai-csam": "https://hashsharing-test.ncmec.org/generative-ai-csam",
    "test-generative-ai-exploitative": "https://hashsharing-test.ncmec.org/generative-ai-exploitative",
    "industry": "https://report.cybertip.org/hashsharing",
    "industry-exploitative": "https://report.cybertip.org/exploitative-hashsharing",
    "law-enforcement": "https://lesp.ncmec.org/csam-hashsharing",
    "ngo": "https://hashsharing.ncmec.org/npo",
    "exploitative": "https://hashsharing.ncmec.org/exploitative",
    "generative-ai-csam": "https://hashsharing.ncmec.org/generative-ai-csam",
    "generative-ai-exploitative": "https://hashsharing.ncmec.org/generative-ai-exploitative",
}
# NCMEC's names of fingerprints (as elements, and in capitals as types of feedback) → ours.
SIGNALS: Mapping[str, str] = {
    "md5": "md5",
    "sha1": "sha1",
    "pdna": "photodna",
    "pdq": "pdq",
    "netclean": "netclean",
    "videntifier": "videntifier",
    "tmk_pdqf": "tmk_pdqf",
    "ssvh_pdna": "ssvh_pdna",
    "ssvh_safer_hash": "ssvh_safer_hash",
}


class NcmecConfig(ExchangeConfig):
    """What an operator sets.

    Args:
        environment: whose list, and whether for tests.
        username: as NCMEC gave it for hash sharing (not the CyberTipline's).
        url: another address of the service, for a proxy of one's own.
        members: only entries of these members (numbers); all, if empty.
        forgets_after: days without a run after which the whole list is fetched anew, in case withdrawals of
            that time are not told any more.
        links: fetch fingerprints that stand behind a link, where their signal is installed; else only their
            being there is kept, as not checked.
        link_bytes: the largest such fingerprint.
        feedback_on: the fingerprint that opinions are about, where an entry has it.
        reasons: our reason for a negative opinion → NCMEC's name of its reason; ``*``: for all others.
    """

    environment: Environment = "test-industry"
    username: str = Field(min_length=1, max_length=200)
    url: str = ""
    members: tuple[int, ...] = ()
    forgets_after: int = Field(90, ge=1, le=3_650)
    links: bool = False
    link_bytes: int = Field(8 << 20, ge=1, le=64 << 20)
    feedback_on: Literal["md5", "sha1", "pdna", "pdq"] = "md5"
    reasons: dict[str, str] = Field(default_factory=dict)
