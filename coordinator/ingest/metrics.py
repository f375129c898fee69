"""What a worker does → plain counters that the process publishes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class IngestMetrics:
    """Counters since the start of one worker; only ever added to, but for the gauges.

    Attributes:
        received: Messages that the broker delivered.
        dropped: Messages that found the queue full; nothing was acknowledged, boxes send again.
        stored: Reports that were committed for the first time.
        duplicates: Reports that were committed before.
        refused: Reports that their boxes were told to forget without their being stored.
        rejected: Messages per reason, the refused ones among them.
        acknowledgements: Signed answers that were published.
        unanswered: Answers that could not be published; boxes send again and are answered then.
        batches: Transactions.
        database_failures: Times the database was found away.
        is_database_away: Gauge: 1 while the worker waits for it.
        is_connected: Gauge: 1 while the broker is connected.
        waiting: Gauge: messages in the queue.
        crypto_s: Processor seconds spent on signatures and opening.
        parsing_s: Processor seconds spent on JSON and its checks.
        database_s: Seconds spent on rows and in the database.
    """

    received: int = 0
    dropped: int = 0
    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    acknowledgements: int = 0
    unanswered: int = 0
    batches: int = 0
    database_failures: int = 0
    is_database_away: int = 0
    is_connected: int = 0
    waiting: int = 0
    crypto_s: float = 0.0
    parsing_s: float = 0.0
    database_s: float = 0.0

    def figures(self) -> dict[str, float]:
        """Names and values without the prefix; one name for each reason."""
        figures = {
            f"ingest_{each.name}": float(getattr(self, each.name))
            for each in fields(self)
            if each.name != "rejected"
        }
        return figures | {
            f"ingest_rejected_{reason}": float(number) for reason, number in self.rejected.items()
        }

    def start_anew(self) -> None:
        """Forget everything that was counted."""
        for each in fields(self):
            setattr(self, each.name, getattr(_NOTHING, each.name))
        self.rejected = Counter()


_NOTHING = IngestMetrics()
