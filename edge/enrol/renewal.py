"""Time → a renewed identity before the old one ends, however long the coordinator is away."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from threading import Event

import structlog

from common.errors import ConflictError, TrustError, UnreachableError
from common.timing import Clock
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import renew
from edge.enrol.identity import Identity

log = structlog.get_logger(__name__)

LOOK_EVERY = timedelta(minutes=10)
FIRST_RETRY = timedelta(seconds=30)


class Renewal:
    """Renews when a third of the certificate's life is left; after a failure it backs off."""

    def __init__(
        self,
        folder: Path,
        *,
        clock: Clock,
        on_renewed: Callable[[Identity], None],
        signing_days: float = 90,
        client: Callable[[str], CoordinatorClient] = CoordinatorClient,
    ) -> None:
        """Prepare; nothing is contacted yet.

        Args:
            folder: The identity folder.
            clock: Judges what is due.
            on_renewed: Told of each new identity, to connect and sign with it.
            signing_days: Life of the report-signing key.
            client: Makes the client of a coordinator's address.
        """
        self._folder = folder
        self._clock = clock
        self._on_renewed = on_renewed
        self._signing_life = timedelta(days=signing_days)
        self._client = client
        self._failures = 0

    def run(self, stop: Event) -> None:
        """Look after the identity until told to stop."""
        while not stop.wait(self.step().total_seconds()):
            pass

    def step(self) -> timedelta:
        """Renew if it is due.

        Returns:
            How long to wait for the next step.

        Raises:
            ConfigError: The identity is gone or damaged.
        """
        identity = Identity.load(self._folder)
        now = self._clock.now()
        is_old = now - identity.about.signing_since > self._signing_life
        if not is_old and not identity.certificate.is_due(now):
            self._failures = 0
            return LOOK_EVERY
        try:
            client = self._client(identity.about.coordinator_url)
            renewed = renew(client, identity, clock=self._clock, rotate_signing=is_old)
        except (UnreachableError, TrustError, ConflictError) as error:
            # A refusal may be a clock or a repair on the other side: ask on, ever more slowly.
            self._failures += 1
            log.warning(
                "renewal_failed",
                device=identity.device,
                reason=str(error),
                attempts=self._failures,
                expires_at=identity.certificate.expires_at.isoformat(),
            )
            return self._retry_after()
        self._failures = 0
        self._on_renewed(renewed)
        return LOOK_EVERY

    def _retry_after(self) -> timedelta:
        longest = min(FIRST_RETRY * float(2 ** min(self._failures - 1, 10)), LOOK_EVERY)
        # Ten thousand boxes must not come back in one second after an outage.
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load  # nosec B311
