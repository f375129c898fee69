"""What the coordinator does → Prometheus figures at ``/metrics``.

Parts that count register their own counters at ``Metrics.registry``; figures that the database
knows are read when somebody asks, so that they are right with any number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    make_asgi_app,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from coordinator.federation.figures_store import RoundFigures
    from coordinator.security.threats.findings import Severity

Figures = Callable[[], Mapping[str, float]]
"""Names without the prefix ``its_`` → values, read at each scrape."""

_REJECTED = "ingest_rejected_"
_INGEST_GAUGES = frozenset({"ingest_waiting", "ingest_is_connected", "ingest_is_database_away"})


class _Figures(Collector):
    def __init__(self, read: Figures, help_texts: Mapping[str, str]) -> None:
        self._read = read
        self._help = help_texts

    def describe(self) -> Iterable[Metric]:
        """The names alone, so that registering asks no database."""
        return [GaugeMetricFamily(f"its_{name}", text) for name, text in self._help.items()]

    def collect(self) -> Iterable[Metric]:
        """One gauge a figure."""
        for name, value in self._read().items():
            yield GaugeMetricFamily(f"its_{name}", self._help.get(name, name), value=value)


class _Ingest(Collector):
    """Counters of ingest workers; the rejected ones carry their reason as a label."""

    def __init__(self, read: Figures) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before the workers count."""
        return []

    def collect(self) -> Iterable[Metric]:
        """One family a name."""
        rejected = CounterMetricFamily(
            f"its_{_REJECTED.rstrip('_')}", "Messages that were not believed", labels=["reason"]
        )
        for name, value in self._read().items():
            text = f"Ingest: {name.removeprefix('ingest_').replace('_', ' ')}"
            if name.startswith(_REJECTED):
                rejected.add_metric([name.removeprefix(_REJECTED)], value)
            elif name in _INGEST_GAUGES:
                yield GaugeMetricFamily(f"its_{name}", text, value=value)
            else:
                yield CounterMetricFamily(f"its_{name}", text, value=value)
        yield rejected


class _Rounds(Collector):
    """Federated runs by state, rounds with their seconds, and refused updates by reason."""

    def __init__(self, read: Callable[[], RoundFigures | None]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering asks no database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """One family each; none while nobody knows."""
        figures = self._read()
        if figures is None:
            return
        runs = GaugeMetricFamily("its_federated_runs", "Federated runs", labels=["state"])
        for state, count in figures.runs.items():
            runs.add_metric([state], count)
        yield runs
        yield SummaryMetricFamily(
            "its_federated_round_seconds",
            "Finished rounds and how long they took",
            count_value=figures.rounds,
            sum_value=figures.rounds_s,
        )
        refused = CounterMetricFamily(
            "its_federated_updates_refused", "Updates refused in rounds", labels=["reason"]
        )
        for reason, count in sorted(figures.refused.items()):
            refused.add_metric([reason], count)
        yield refused


class _Alerts(Collector):
    """Alerts that nobody has closed, by severity."""

    def __init__(self, read: Callable[[], Mapping[Severity, int] | None]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering asks no database."""
        return []

    def collect(self) -> Iterable[Metric]:
        """One family; none while nobody knows."""
        counts = self._read()
        if counts is None:
            return
        family = GaugeMetricFamily(
            "its_alerts_open", "Alerts that nobody has closed", labels=["severity"]
        )
        for severity, count in counts.items():
            family.add_metric([severity.value], count)
        yield family


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "its_http_requests",
            "HTTP requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "its_http_request_seconds",
            "Time to answer an HTTP request",
            ["route"],
            registry=self.registry,
        )
        self.enrolments = Counter(
            "its_enrolments", "Enrolments and renewals", ["result"], registry=self.registry
        )
        self.loop_failures = Counter(
            "its_loop_failures",
            "Rounds of a background loop that failed",
            ["loop"],
            registry=self.registry,
        )

    def add_figures(self, read: Figures, *, help_texts: Mapping[str, str]) -> None:
        """Ask ``read`` at every scrape; it must answer without the database being there."""
        self.registry.register(_Figures(read, help_texts))

    def add_ingest(self, read: Figures) -> None:
        """Ask ``read`` for the counters of ingest workers at every scrape."""
        self.registry.register(_Ingest(read))

    def add_rounds(self, read: Callable[[], RoundFigures | None]) -> None:
        """Ask ``read`` for the sums of federated rounds at every scrape."""
        self.registry.register(_Rounds(read))

    def add_alerts(self, read: Callable[[], Mapping[Severity, int] | None]) -> None:
        """Ask ``read`` for the alerts that are not closed at every scrape."""
        self.registry.register(_Alerts(read))

    def application(self) -> ASGIApp:
        """Answers every path with the figures, to whoever asks."""
        return make_asgi_app(self.registry)

    def text(self) -> bytes:
        """Everything in the text format that Prometheus reads."""
        return generate_latest(self.registry)
