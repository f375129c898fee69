"""An address below the coordinator → bytes for TUF, never redirected, never slower than agreed."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator

import httpx
from tuf.api.exceptions import DownloadError, DownloadHTTPError, SlowRetrievalError
from tuf.ngclient import FetcherInterface

GRACE_S = 60.0
LEAST_BYTES_PER_S = 2048
"""A file that arrives slower than this after ``GRACE_S`` is given up: the slow retrieval attack
(TUF 1.5.2) would otherwise hold a box for good. Two thousand bytes a second is a bad GPRS day."""


class StoppedError(DownloadError):
    """The box is shutting down; nothing is wrong with the other side."""


class HttpFetcher(FetcherInterface):
    """Downloads by HTTP; TUF itself counts the bytes and compares the hashes."""

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        timeout_s: float = 20.0,
        grace_s: float = GRACE_S,
        stop: threading.Event | None = None,
    ) -> None:
        """Prepare; nothing is contacted yet.

        Args:
            context: Whom to believe over HTTPS; None for plain HTTP on this machine.
            timeout_s: How long the other side may say nothing at all.
            grace_s: How long it may be slower than ``LEAST_BYTES_PER_S``.
            stop: Set when the process ends.
        """
        self._context = context
        self._timeout_s = timeout_s
        self._grace_s = grace_s
        self._stop = stop or threading.Event()

    def _fetch(self, url: str) -> Iterator[bytes]:
        started_s = time.monotonic()
        received = 0
        verify: ssl.SSLContext | bool = True if self._context is None else self._context
        # What is counted is what was sent: no content encoding, no redirect, no proxy.
        headers = {"accept-encoding": "identity"}
        try:
            with (
                httpx.Client(verify=verify, timeout=self._timeout_s, trust_env=False) as client,
                client.stream("GET", url, headers=headers) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise DownloadHTTPError(
                        f"{url} answered {response.status_code}", response.status_code
                    )
                # Without a size: a wish for whole chunks would hide how slowly they fill.
                for chunk in response.iter_raw():
                    received += len(chunk)
                    self._judge(url, received, time.monotonic() - started_s)
                    yield chunk
        except httpx.TimeoutException as error:
            raise SlowRetrievalError(f"{url} said nothing for {self._timeout_s:g} s") from error
        except httpx.HTTPError as error:
            raise DownloadError(f"{url} did not answer: {error or type(error).__name__}") from error

    def _judge(self, url: str, received: int, elapsed_s: float) -> None:
        if self._stop.is_set():
            raise StoppedError(f"download of {url} was stopped")
        if elapsed_s > self._grace_s and received < elapsed_s * LEAST_BYTES_PER_S:
            raise SlowRetrievalError(
                f"{url} sent {received} bytes in {elapsed_s:.0f} s, "
                f"expected {LEAST_BYTES_PER_S} a second"
            )
