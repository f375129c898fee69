"""Broker → judged, committed and answered reports, batch by batch, until told to stop.

Three stages overlap: messages arrive on the event loop, threads judge the next batches while
another commits the one before. Whatever stalls, memory is bounded: what finds the queue full
is dropped unanswered, and its box sends it again. Nothing is answered before its commit.
"""

from __future__ import annotations

import asyncio
import gc
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from common.encryption import SigningKey
from common.errors import UnreachableError
from common.timing import Clock
from coordinator.ingest.answers import Answer, signed_answers
from coordinator.ingest.broker_link import Link, Links
from coordinator.ingest.intake import Intake
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Accepted, Fate, Outcome, Received, Rejected
from coordinator.ingest.waiting import WaitingMessages

_LEAST_PAUSE_S, _MOST_PAUSE_S = 0.25, 10.0
_ANSWERS_AT_ONCE = 64
_DRAIN_S = 5.0

log = structlog.get_logger(__name__)

_Judging = asyncio.Task[list[Accepted | Rejected]]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """How much a worker takes at once, and which part of the fleet is its.

    Attributes:
        batch: Most reports in one transaction.
        queue: Most messages that wait.
        queue_bytes: Most bytes that wait.
        judges: Threads that judge, a batch each: one waits for what is opened while the other
            reads what was.
        index: Number of this worker, from 0.
        workers: Of how many. Above 1 and without shared subscriptions every worker hears
            everything and takes the devices whose hash is its own.
    """

    batch: int = 200
    queue: int = 2000
    queue_bytes: int = 64_000_000
    judges: int = 2
    index: int = 0
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """What a worker works with."""

    intake: Intake
    taker: ReportTaker
    links: Links
    signing: Callable[[], SigningKey]
    clock: Clock
    metrics: IngestMetrics


class IngestWorker:
    """Takes in reports from one broker connection."""

    def __init__(self, parts: WorkerParts, settings: WorkerSettings | None = None) -> None:
        self._parts = parts
        self._settings = settings or WorkerSettings()
        self._link: Link | None = None
        self._stop = asyncio.Event()
        self._judging: set[_Judging] = set()
        self._judges = ThreadPoolExecutor(self._settings.judges, thread_name_prefix="judge")
        self._committer = ThreadPoolExecutor(1, thread_name_prefix="commit")

    @property
    def metrics(self) -> IngestMetrics:
        """Counters of this worker."""
        return self._parts.metrics

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; then finish, for some seconds, what is in hand."""
        self._stop = stop
        _calm_collector()
        waiting = WaitingMessages(most=self._settings.queue, most_bytes=self._settings.queue_bytes)
        judged: asyncio.Queue[_Judging | None] = asyncio.Queue(1)
        receive: asyncio.Future[None] = asyncio.create_task(self._receive(waiting))
        stages: asyncio.Future[tuple[None, None]] = asyncio.gather(
            self._judge(waiting, judged), self._commit(judged)
        )
        told: asyncio.Future[bool] = asyncio.create_task(stop.wait())
        ends: list[asyncio.Future[Any]] = [receive, stages, told]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            # A stage never ends by itself: one that did has failed, and its error is ours.
            for stage in (receive, stages):
                if stage.done():
                    stage.result()
            waiting.close()
            async with asyncio.timeout(_DRAIN_S):
                await stages
        except TimeoutError:
            log.warning("ingest_stopped_early", waiting=len(waiting))
        finally:
            left = [*ends, *self._judging]
            for end in left:
                end.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            self._judges.shutdown(wait=True, cancel_futures=True)
            self._parts.intake.close()
            self._committer.shutdown(wait=True, cancel_futures=True)

    async def _receive(self, waiting: WaitingMessages) -> None:
        """Stay connected; what arrives goes to the queue or is dropped."""

        def sink(message: Received) -> None:
            if self._stop.is_set() or not self._is_ours(message.topic):
                return
            self.metrics.received += 1
            if not waiting.offer(message):
                self.metrics.dropped += 1
            self.metrics.waiting = len(waiting)

        pause_s = _LEAST_PAUSE_S
        while True:
            try:
                async with self._parts.links(sink) as link:
                    self._link, self.metrics.is_connected = link, 1
                    pause_s = _LEAST_PAUSE_S
                    log.info("broker_connected")
                    await link.lost()
            except UnreachableError as error:
                log.warning("broker_away", error=str(error), pause_s=pause_s)
            finally:
                self._link, self.metrics.is_connected = None, 0
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _MOST_PAUSE_S)

    async def _judge(
        self, waiting: WaitingMessages, judged: asyncio.Queue[_Judging | None]
    ) -> None:
        """Begin a batch while the ones before are judged; the queue keeps their order."""
        while batch := await waiting.take(self._settings.batch):
            judging = asyncio.create_task(
                self._until_reachable(self._judges, self._parts.intake.examine_all, batch)
            )
            self._judging.add(judging)
            judging.add_done_callback(self._judging.discard)
            await judged.put(judging)
            self.metrics.waiting = len(waiting)
        await judged.put(None)

    async def _commit(self, judged: asyncio.Queue[_Judging | None]) -> None:
        while (judging := await judged.get()) is not None:
            verdicts = await judging
            answers = await self._until_reachable(self._committer, self._take_in, verdicts)
            await self._send(answers)

    def _take_in(self, verdicts: Sequence[Accepted | Rejected]) -> list[Answer]:
        rejected = [each for each in verdicts if isinstance(each, Rejected)]
        outcomes = self._parts.taker.take_in(
            [each for each in verdicts if isinstance(each, Accepted)]
        )
        self._parts.taker.quarantine(rejected)
        outcomes += [
            Outcome(each.place, Fate.REFUSED, each.reason) for each in rejected if each.place
        ]
        return signed_answers(outcomes, signing=self._parts.signing, at=self._parts.clock.now())

    async def _send(self, answers: Sequence[Answer]) -> None:
        for start in range(0, len(answers), _ANSWERS_AT_ONCE):
            link = self._link
            part = answers[start : start + _ANSWERS_AT_ONCE]
            if link is None:
                self.metrics.unanswered += len(part)
                continue
            sent = await asyncio.gather(
                *(link.publish(answer.topic, answer.payload) for answer in part),
                return_exceptions=True,
            )
            failures = [each for each in sent if isinstance(each, BaseException)]
            for failure in failures:
                if not isinstance(failure, UnreachableError):
                    raise failure
            self.metrics.acknowledgements += len(part) - len(failures)
            self.metrics.unanswered += len(failures)

    async def _until_reachable(
        self,
        threads: ThreadPoolExecutor,
        work: Callable[[Sequence[_Item]], _Result],
        items: Sequence[_Item],
    ) -> _Result:
        """Try again until the database serves; meanwhile the stages before fill up and stop."""
        pause_s = _LEAST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            try:
                result = await loop.run_in_executor(threads, work, items)
            except UnreachableError as error:
                self.metrics.database_failures += 1
                self.metrics.is_database_away = 1
                log.warning(
                    "database_away", error=str(error), pause_s=pause_s, waiting=self.metrics.waiting
                )
            else:
                if self.metrics.is_database_away:
                    log.info("database_came_back")
                self.metrics.is_database_away = 0
                return result
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _MOST_PAUSE_S)

    def _is_ours(self, topic: str) -> bool:
        settings = self._settings
        if settings.workers == 1:
            return True
        _, _, rest = topic.partition("/v1/")
        device, _, _ = rest.partition("/")
        return zlib.crc32(device.encode()) % settings.workers == settings.index


def _calm_collector() -> None:
    """Spare the garbage collector a walk over all remembered ids every few hundred reports.

    What a batch allocates dies with the batch, by reference counts.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
