"""Kept pictures that nobody looked at twice → better labels, while the box is idle.

One picture at a time, the most valuable first, in a thread of the lowest priority; after each
it rests for as long as it worked, and while others use the processor it waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import structlog

from common.errors import ConfigError
from common.sample_files import SampleVault
from common.samples import LabelSource
from common.timing import Clock
from edge.learn.background import step_back
from edge.learn.teacher import Looker, taught

log = structlog.get_logger(__name__)

OpenLookers = Callable[[], Sequence[Looker]]

_IDLE_S = 30.0
_BUSY_S = 10.0
_LOOK_UP_S = 0.5
_LAST_LOOK_S = 5.0
"""A look that is nearly over when the box stops is not thrown away."""
_UNTAUGHT = frozenset({LabelSource.NONE, LabelSource.TRACKS})


class IdleTeacher:
    """Works through the vault; a service of the agent."""

    name = "idle-teacher"

    def __init__(
        self,
        vault: SampleVault,
        *,
        open_lookers: OpenLookers,
        load: Callable[[], float | None],
        busy_share: float,
        clock: Clock,
    ) -> None:
        """Prepare; the network is loaded when there is something to look at.

        Args:
            vault: Whose pictures.
            open_lookers: Loads the network at its sizes.
            load: Share of the processor that others use, None where nobody knows.
            busy_share: Above it, the box is busy.
            clock: Measures how long a picture took.
        """
        self._vault = vault
        self._open_lookers = open_lookers
        self._load = load
        self._busy_share = busy_share
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Look at one picture after the other until told to stop.

        On a loaded box a single look may take a minute at this priority. Nobody waits for it: it
        goes on in a thread of its own, and what it would have found is found again next time.

        Raises:
            ConfigError: The network cannot be loaded.
            UnreachableError: The vault cannot be written.
        """
        thread = ThreadPoolExecutor(1, thread_name_prefix=self.name)
        ended = thread.submit(self._look_until, stop)
        thread.shutdown(wait=False)
        while not (stop.is_set() or ended.done()):
            wait([ended], timeout=_LOOK_UP_S)
        wait([ended], timeout=_LAST_LOOK_S)
        if ended.done():
            ended.result()

    def _look_until(self, stop: threading.Event) -> None:
        step_back()
        self._load()
        wait_s = _BUSY_S
        lookers: Sequence[Looker] | None = None
        while not stop.wait(wait_s):
            load = self._load()
            if load is not None and load > self._busy_share:
                wait_s = _BUSY_S
                continue
            waiting = untaught(self._vault)
            if not waiting:
                lookers, wait_s = None, _IDLE_S  # the network's memory is given back
                continue
            lookers = lookers or self._open_lookers()
            began_s = self._clock.monotonic_s()
            teach(self._vault, waiting[0], lookers)
            wait_s = self._clock.monotonic_s() - began_s


def untaught(vault: SampleVault) -> list[str]:
    """Ids of pictures that the better pass did not see, the most valuable first."""
    waiting = [facts for facts in vault.facts() if facts.source in _UNTAUGHT]
    return [facts.id for facts in sorted(waiting, key=lambda each: (-each.value, each.order))]


def teach(vault: SampleVault, sample_id: str, lookers: Sequence[Looker]) -> bool:
    """Give one picture its better labels; False when it is gone or no picture.

    Raises:
        UnreachableError: The vault cannot be written.
    """
    sample = vault.get(sample_id)
    if sample is None:
        return False
    try:
        better = taught(sample, lookers)
    except ConfigError as error:
        log.warning("sample_dropped", sample=sample_id, reason=str(error))
        vault.remove(sample_id)
        return False
    vault.add(better)
    log.info(
        "sample_taught",
        camera_id=better.camera,
        boxes=len(better.boxes),
        boxes_before=len(sample.boxes),
        ignored=len(better.ignore),
    )
    return True
