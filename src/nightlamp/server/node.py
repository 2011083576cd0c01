"""One node of the service: its parts, put together from the settings, and how they are.

``Node`` is the only place that knows all parts. ``start`` and ``stop`` are called once each.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from nightlamp import access, audit, reports
from nightlamp.banks.live import LiveBanks
from nightlamp.errors import AuditError, NightlampError, VaultError
from nightlamp.examine import Renderer, Workers
from nightlamp.index import warm_up
from nightlamp.intake import (
    ActivePolicy,
    Content,
    Decider,
    Deliverer,
    Examiner,
    Forgetting,
    Intake,
    LateVerdicts,
    Outcome,
    UrlFetcher,
    first_policy,
    waiting_deliveries,
    waiting_urls,
)
from nightlamp.intake.examiner import Pool
from nightlamp.lookback import LookBack
from nightlamp.media import Limits
from nightlamp.outbound import Fetcher, Rules
from nightlamp.server import reviewing
from nightlamp.server.following import Following
from nightlamp.server.memory import give_back
from nightlamp.server.metrics import Metrics, together
from nightlamp.server.siblings import Siblings
from nightlamp.server.supervisor import Loop, Supervisor
from nightlamp.server.tracing import Tracing, open_tracing
from nightlamp.settings import Settings
from nightlamp.store import Writer, connect, reading, schema, upgrade, utc_now
from nightlamp.vault import Identity, Vault, open_vault, purge, reconcile, still_strange

T = TypeVar("T")
IDENTITY_FILE = "vault.key"  # in data_dir, until the operator takes it away
_OUT_OF_TOUCH = 5.0  # seconds without the database before the node is not ready
_PLACE_CHECK = 15.0


@dataclass(frozen=True, slots=True)
class Check:
    """How one part is.

    Args:
        name: of the part.
        well: whether it does what it should.
        why: what is wrong, for anybody.
        detail: more of it, for those who may read.
        vital: without it the node takes no requests.
    """

    name: str
    well: bool
    why: str = ""
    detail: str = ""
    vital: bool = False


class Node:
    """The parts of one node.

    Args:
        settings: all of them.
        fetch, post: for requests to the outside; by default within the settings' rules.
        workers: makes the pool that opens content; by default by the settings.
        tracing: of requests; by default by the settings.
        siblings: the other processes of this node; None: there are none.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        fetch: Fetcher | None = None,
        post: Fetcher | None = None,
        workers: Callable[[], AbstractContextManager[Pool]] | None = None,
        tracing: Tracing | None = None,
        siblings: Siblings | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.renderer = Renderer()
        self.first_key: access.NewKey | None = None
        self.fresh_identity: Path | None = None
        self._fetcher = fetch or _fetcher(settings)
        self._poster = post or _poster(settings)
        self._workers = workers or self._own_workers
        self.tracing = tracing
        self._siblings = siblings
        self._started = False
        self._in_touch = float("-inf")
        self._place_fault = ""
        self._strangers: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Database, keys and policy: what must be right before the first request.

        Raises:
            NightlampError: a setting is wrong, or the database cannot be used.
        """
        s = self.settings
        self.tracing = self.tracing or open_tracing(s.tracing)
        self.engine: Engine = connect(
            s.database_url,
            busy_seconds=s.database.busy_seconds,
            pool_size=s.database.pool_size,
            silence_seconds=s.database.silence_seconds,
        )
        if s.database.upgrade_at_start:
            upgrade(self.engine)
        elif not schema(self.engine).current:
            raise NightlampError("the database's schema is not up to date", hint="nightlamp db upgrade")
        self._asked = s.origin.asked()
        self._make_keys()
        self.signing = audit.SigningKey.read(s.audit_key_file)
        self.vault: Vault = open_vault(s, self.engine)
        self.writer = Writer(
            self.engine,
            gather=s.writer.gather_ms / 1000,
            most=s.writer.most,
            waiting=s.writer.waiting,
            patience=s.writer.patience_seconds,
        )
        self.first_key = self.writer.write(lambda c: access.first(c, now=utc_now()))
        self.writer.write(lambda c: first_policy(c, s.intake.policy_profile, now=utc_now()))
        self.gate = access.Gate(self.engine)
        shared = self._siblings.rates if self._siblings is not None else None
        self.buckets = access.Buckets(s.access.rush_seconds, shared)
        self.banks = LiveBanks(self.engine, cache_dir=s.data_dir / "banks", elsewhere=True)
        self.policies = ActivePolicy(self.engine)
        self.examiner = Examiner(self._workers, origin=self._asked is not None)
        self._build_intake()

    def start(self) -> None:
        """Load kernels, banks, keys and policy, start workers and loops.

        What fails of banks and the like is said by ``checks``.
        """
        if not self._started:
            self._started = True
            _warm_up(self.settings.data_dir)
            for loop in self.supervisor.loops:
                if loop.name in ("changes", "workers", "feed ages"):
                    self.supervisor.run_once(loop)
            self.supervisor.start()
            if self._siblings is not None:
                self._siblings.answer(
                    {
                        "changes": self._caught_up,
                        "checks": lambda: json.dumps([asdict(check) for check in self.own_checks()]),
                        "metrics": lambda: self._own_page(inside=False),
                        "metrics inside": lambda: self._own_page(inside=True),
                    }
                )

    def stop(self) -> None:
        """Finish what is in flight, then end every part."""
        if self._siblings is not None:
            self._siblings.close()
        self.intake.close()
        if self.lookups is not None:
            self.lookups.close()
        self.following.stop()
        self.banks.stop()
        self.supervisor.stop(self.settings.server.stop_seconds)
        self.deliverer.close()
        self.urls.close()
        self.examiner.stop()
        self.renderer.close()
        self.buckets.close()
        self.writer.close()
        # The database may be away by now: then the next start signs.
        with contextlib.suppress(Exception), self.engine.begin() as connection:
            audit.checkpoint(connection, self.signing)
        self.engine.dispose()
        if self.tracing is not None:
            self.tracing.close()

    def change(self, work: Callable[[Connection], T]) -> T:
        """Commit a change, and have it in force on this node when this returns."""
        result = self.writer.write(work)
        self.catch_up()
        if self._siblings is not None:
            self._siblings.ask("changes")  # who does not answer looks for changes all the time
        return result

    def catch_up(self) -> None:
        """Put in force here whatever is committed."""
        newest = None
        try:
            self.banks.poll()
            newest = self.banks.current().mark
        finally:  # a change of a bank that cannot be applied must not keep a revoked key in force
            self.gate.refresh(newest)
            self.policies.refresh(newest)
            self._in_touch = time.monotonic()

    def checks(self) -> list[Check]:
        """How every part is; what is wrong in another process of the node is wrong with the node."""
        found = {check.name: check for check in self.own_checks()}
        if self._siblings is None:
            return list(found.values())
        told = self._siblings.ask("checks")
        silent = sum(answer is None for answer in told.values())
        why = f"{silent} of {len(told) + 1} do not answer" if silent else ""
        found["processes"] = Check("processes", not silent, why)
        for answer in filter(None, told.values()):
            for check in (Check(**each) for each in json.loads(answer)):
                if not check.well and found[check.name].well:
                    found[check.name] = replace(check, vital=False)  # this process takes requests
        return list(found.values())

    def page(self, inside: bool) -> str:
        """The metrics of the node: of several processes, each number with its process."""
        if self._siblings is None:
            return self._own_page(inside)
        told = self._siblings.ask("metrics inside" if inside else "metrics")
        own = self._own_page(inside, silent=None in told.values())
        return together({self._siblings.number: own, **{at: page for at, page in told.items() if page}})

    def own_checks(self) -> list[Check]:
        """How every part of this process is."""
        away = time.monotonic() - self._in_touch
        lost = away > _OUT_OF_TOUCH
        status = self.banks.status()
        policy = self.policies.current().why
        workers = self.examiner.why_down
        keyless = "" if self.vault.recipients else "no public key to seal for"
        stuck = self.writer.fault
        behind = self.following.unwell()
        place = keyless or self.vault.fault or self._place_fault
        strange = f"{len(self._strangers)}; nightlamp vault strangers" if self._strangers else ""
        found = [
            Check("database", not lost, "it does not answer" if lost else "", vital=True),
            Check("writes", not stuck, "nothing can be written" if stuck else "", stuck),
            Check(
                "banks",
                not status.degraded,
                "not everything is checked against" if status.degraded else "",
                "; ".join(status.degraded),
            ),
            Check("policy", not policy, policy),
            Check("workers", not workers, workers),
            Check("clock", not self.forgetting.why, self.forgetting.why),
            Check("feeds", not behind, "a list is out of date, or has stopped" if behind else "", behind),
            Check("vault", not place, "what must be held is refused" if place else "", place),
            Check(
                "strangers",
                not strange,
                "sealed content that the database does not know is kept" if strange else "",
                strange,
            ),
        ]
        for lane in self.lookups.lanes if self.lookups is not None else ():
            found.append(Check(lane.service.name, not lane.fault, lane.fault))
        found += [
            Check(f"loop {loop.name}", not loop.why, loop.why)
            for loop in self.supervisor.loops
            if loop.name not in ("changes", "workers")
        ]
        for check in found:
            self.metrics.up.labels(check.name).set(check.well)
        return found

    def _caught_up(self) -> str:
        self.catch_up()
        return "in force"

    def _own_page(self, inside: bool, *, silent: bool = False) -> str:
        """This process's metrics; ``silent``: it asked the others, and one did not answer."""
        if self._siblings is not None:
            self.metrics.up.labels("processes").set(not silent)
        try:
            self.measure()
        except SQLAlchemyError:
            self.own_checks()
        return self.metrics.page(inside).decode()

    def measure(self) -> None:
        """Bring the gauges up to date."""
        self.metrics.under_way.set(self.intake.load().items)
        view = self.banks.current()
        self.metrics.generation.set(view.generation)
        self.metrics.entries.clear()
        for stored in view.banks.values():
            self.metrics.entries.labels(stored.bank.name).set(stored.enabled)
        self.own_checks()
        self.following.measure(self.metrics)
        with reading(self.engine) as connection:
            self.metrics.waiting.labels("webhooks").set(waiting_deliveries(connection))
            self.metrics.waiting.labels("urls").set(waiting_urls(connection))

    def new_content(self) -> Content:
        """Room for content on its way in, within the settings' limits."""
        s = self.settings.intake
        return Content(s.memory_bytes, s.most_bytes, s.spool_dir)

    def _own_workers(self) -> Workers:
        s = self.settings.intake
        limits = Limits(bytes=s.most_bytes, video_frames=s.video_frames)
        return Workers(s.workers, limits, origin=self._asked)

    def _build_intake(self) -> None:
        s = self.settings
        keep = timedelta(days=s.intake.keep_days)
        self.decider = Decider(self.engine, self.banks, self.policies)
        self.lookups = s.lookups.opened()
        self.intake = Intake(
            self.engine,
            self.examiner,
            self.decider,
            self.writer,
            self.vault,
            keep=keep,
            most=s.intake.at_once,
            watch=self.metrics.stage,
            follow=self.tracing.follow if self.tracing is not None else None,
            seen=self._seen,
            tracking=s.tracking,
            lookups=self.lookups,
        )
        self.deliverer = Deliverer(self.writer, self._poster)
        self.urls = UrlFetcher(self.intake, self.writer, self._fetcher, new_content=self.new_content)
        self.late = LateVerdicts(self.writer, self.decider, self.intake.recorder, self.catch_up)
        self.look_back = LookBack(self.engine)
        self.following = Following(self.engine, s, self.banks)
        self.forgetting = Forgetting(self.writer, keep)
        loops = [
            Loop("changes", s.access.poll_ms / 1000, self.catch_up, longest=1.0),
            Loop("workers", 5.0, lambda: self.examiner.start() and None),
            Loop("snapshots", 10.0, self._tend_banks, longest=60.0),
            Loop("look-back", 1.0, self.look_back.run_once),
            Loop("late", 1.0, self._find_late),
            Loop("webhooks", 1.0, self.deliverer.run_once),
            Loop("urls", 0.5, self.urls.run_once),
            Loop("forgetting", 60.0, lambda: self.forgetting.run_once() and None),
            Loop("vault", _PLACE_CHECK, self._tend_vault),
            Loop("destruction", 3600.0, self._destroy, longest=300.0),
            Loop("checkpoints", 60.0, self._checkpoint),
            *self.following.loops(),
            *reviewing.loops(self.engine, self.writer, s),
            *(Loop(*each) for each in reports.loops(s, self.engine, self.writer, self.vault)),
        ]
        self.supervisor = Supervisor(
            loops,
            lambda name, result: self.metrics.runs.labels(name, result).inc(),
            self.tracing.loop if self.tracing is not None else None,
        )

    def _seen(self, kind: str, outcome: Outcome) -> None:
        if not outcome.replayed:
            self.metrics.outcome(kind, outcome.state, outcome.action)

    def _find_late(self) -> int:
        found = self.late.run_once()
        self.metrics.verdicts.labels("any", "yes").inc(found)
        return found

    def _tend_banks(self) -> bool:
        before = self.banks.status().snapshot
        done = self.banks.maintain()
        if self.banks.status().snapshot != before:  # the entries were in memory, and now are in a file
            give_back()
        return done

    def _tend_vault(self) -> None:
        try:
            self.vault.place.check()
        except VaultError as error:
            self._place_fault = error.what
            raise
        self._place_fault = self.vault.fault = ""
        self._strangers = still_strange(self.vault, self._strangers)

    def _destroy(self) -> None:
        purge(self.vault, delay=self.settings.vault.destroy_after)
        self._strangers = reconcile(self.vault).strangers

    def _checkpoint(self) -> None:
        a = self.settings.audit
        with self.engine.begin() as connection:
            audit.checkpoint_if_due(
                connection, self.signing, records=a.checkpoint_records, seconds=a.checkpoint_seconds
            )

    def _make_keys(self) -> None:
        """On a fresh machine: the key that signs the audit log, and one pair for a vault on local disk."""
        s = self.settings
        if s.audit.key_file is None and not s.audit_key_file.exists():
            with contextlib.suppress(AuditError):  # another process of this folder was quicker
                audit.SigningKey.generate().write(s.audit_key_file)
        alone = self.engine.dialect.name == "sqlite" and s.vault.backend == "disk"
        given = s.vault.recipients or s.vault.recipients_file
        if not alone or given or s.recipients_file.exists():
            return
        identity, path = Identity.generate(), s.data_dir / IDENTITY_FILE
        try:
            identity.write(path)
        except VaultError:  # another process of this folder was quicker, or an earlier one was cut short
            identity = Identity.read(path)
        part = s.recipients_file.with_name(f"{s.recipients_file.name}.{os.getpid()}")
        part.write_text(identity.public + "\n")
        part.replace(s.recipients_file)
        self.fresh_identity = path


def _fetcher(settings: Settings) -> Fetcher:
    o = settings.outbound
    return Fetcher(
        Rules(
            ports=frozenset(o.fetch_ports),
            allow=o.fetch_allow,
            max_bytes=settings.intake.most_bytes,
            seconds=o.fetch_seconds,
        )
    )


def _poster(settings: Settings) -> Fetcher:
    o = settings.outbound
    schemes = frozenset({"http", "https"} if o.webhook_http else {"https"})
    return Fetcher(Rules(schemes=schemes, ports=frozenset(o.webhook_ports), allow=o.webhook_allow))


def _warm_up(folder: Path) -> None:
    """Have what searches ready before anybody asks; of several processes one compiles, the others load."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".kernels").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        warm_up()
