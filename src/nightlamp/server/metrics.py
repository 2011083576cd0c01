"""Prometheus metrics, in two registries: what anybody may see, and what tells about lists and verdicts."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # type: ignore[no-untyped-call] # a line more for each number, which nobody reads
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """This process's numbers."""

    def __init__(self) -> None:
        self.open = CollectorRegistry()
        self.inside = CollectorRegistry()
        self.requests = Histogram(
            "nightlamp_request_seconds",
            "Time from a request's headers to its answer.",
            ("method", "route", "status"),
            registry=self.open,
            buckets=_SECONDS,
        )
        self.received = Counter("nightlamp_received_bytes", "Bytes of request bodies.", registry=self.open)
        self.under_way = Gauge("nightlamp_items_under_way", "Items on their way.", registry=self.open)
        self.up = Gauge("nightlamp_up", "1: this check of readiness is well.", ("check",), registry=self.open)
        self.runs = Counter(
            "nightlamp_loop_runs", "Runs of background loops.", ("loop", "result"), registry=self.open
        )
        self.stages = Histogram(
            "nightlamp_stage_seconds",
            "Time of an item in each stage: examine, ask, decide, seal, commit.",
            ("stage",),
            registry=self.inside,
            buckets=_SECONDS,
        )
        self.items = Counter("nightlamp_items", "Items taken.", ("kind", "state"), registry=self.inside)
        self.verdicts = Counter("nightlamp_verdicts", "Verdicts.", ("action", "late"), registry=self.inside)
        self.generation = Gauge("nightlamp_banks_generation", "Bank changes in force.", registry=self.inside)
        self.entries = Gauge(
            "nightlamp_bank_enabled", "1: the bank is in force.", ("bank",), registry=self.inside
        )
        feed = ("feed", "bank")
        self.feed_behind = Gauge(
            "nightlamp_feed_behind_seconds",
            "Time for which changes at a feed's source may be unknown here.",
            feed,
            registry=self.inside,
        )
        self.feed_entries = Gauge("nightlamp_feed_entries", "Entries in force.", feed, registry=self.inside)
        self.feed_paused = Gauge("nightlamp_feed_paused", "1: it rests.", feed, registry=self.inside)
        self.feed_failures = Gauge(
            "nightlamp_feed_failures", "Attempts in a row that failed.", feed, registry=self.inside
        )
        self.feedback = Gauge(
            "nightlamp_feedback", "Opinions: waiting, doubtful.", ("feed", "state"), registry=self.inside
        )
        self.waiting = Gauge(
            "nightlamp_waiting", "Work that waits: webhooks, urls, late.", ("what",), registry=self.inside
        )

        self._of_request: dict[tuple[str, str, int], Histogram] = {}
        self._of_outcome: dict[tuple[str, str, str | None], tuple[Counter, ...]] = {}
        stages = ("examine", "ask", "decide", "seal", "commit")
        self._of_stage = {name: self.stages.labels(name) for name in stages}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Note a request that was answered."""
        known = self._of_request.get((method, route, status))
        if known is None:  # to find a labelled number takes longer than to count it
            known = self._of_request[method, route, status] = self.requests.labels(method, route, str(status))
        known.observe(seconds)

    def stage(self, name: str, seconds: float) -> None:
        """Note the time that an item spent in a stage."""
        self._of_stage[name].observe(seconds)

    def outcome(self, kind: str, state: str, action: str | None) -> None:
        """Note an item that was taken, and its verdict if it has one."""
        known = self._of_outcome.get((kind, state, action))
        if known is None:
            known = (self.items.labels(kind, state),)
            if action:
                known += (self.verdicts.labels(action, "no"),)
            self._of_outcome[kind, state, action] = known
        for number in known:
            number.inc()

    def page(self, inside: bool) -> bytes:
        """The text of the metrics page; ``inside``: with what tells about lists."""
        return generate_latest(self.open) + (generate_latest(self.inside) if inside else b"")


def together(pages: Mapping[int, str]) -> str:
    """One page of several processes' pages: each metric once, each number with the label ``process``."""
    heads: dict[str, list[str]] = {}
    numbers: dict[str, list[str]] = {}
    for process, page in sorted(pages.items()):
        name = ""
        for line in page.splitlines():
            if line.startswith("#"):
                name = line.split(" ", 3)[2]
                if line not in heads.setdefault(name, []):
                    heads[name].append(line)
                continue
            full, _, value = line.rpartition(" ")
            metric, _, labels = full.partition("{")
            told = f'process="{process}"' + (f",{labels}" if labels else "}")
            numbers.setdefault(name, []).append(f"{metric}{{{told} {value}")
    lines = [line for name, head in heads.items() for line in (*head, *numbers.get(name, ()))]
    return "\n".join(lines) + "\n"
