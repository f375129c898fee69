"""A large city in PostgreSQL → how long the questions of a city take, with their plans."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from random import Random
from statistics import quantiles
from typing import Any

from coordinator.database import Database
from coordinator.schema import migrate
from coordinator.traffic.benchmark_places_store import ROWS_PER_SITE_DAY, TENANT
from coordinator.traffic.benchmark_plans_store import clocked, explain, heard
from coordinator.traffic.benchmark_rows_store import (
    FIRST_DAY,
    City,
    check_sums,
    count_rows,
    fill_city,
    size_bytes,
    tidy,
)
from coordinator.traffic.count_answers import CountAnswers
from coordinator.traffic.movement_answers import MovementAnswers
from coordinator.traffic.overview_answers import OverviewAnswers
from coordinator.traffic.questions import CountQuestion, MovementQuestion, TotalQuestion
from coordinator.traffic.store import Session
from coordinator.traffic.views import View

_MONTH = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkOptions:
    """What is measured.

    Attributes:
        rows: Sizes of ``traffic_count`` to measure at, rising.
        days: Days of history of every site; a month at least for the month's question.
        repeats: How often each question is asked, each time about another site and day.
    """

    rows: tuple[int, ...]
    days: int = 32
    repeats: int = 100
    seed: int = 1

    def city(self, rows: int) -> City:
        """The smallest city with so many rows."""
        return City(sites=ceil(rows / (self.days * ROWS_PER_SITE_DAY)), days=self.days)


@dataclass(slots=True)
class _Asked:
    """One question while it is measured."""

    name: str
    ask: Callable[[Session, Random], View]
    took_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    statements_ms: list[float] = field(default_factory=list)


def run_benchmark(
    url: str, options: BenchmarkOptions, *, told: Callable[[str], None]
) -> dict[str, Any]:
    """Fill a city of every size and measure at each.

    Args:
        url: An empty PostgreSQL database, or one that an earlier run left.
        options: Sizes and repeats.
        told: Gets a line now and then.

    Raises:
        UnreachableError: The database is away.
    """
    database = Database(url)
    try:
        migrate(database)
        return {
            "days": options.days,
            "repeats": options.repeats,
            "sizes": [_measure(database, rows, options, told) for rows in options.rows],
        }
    finally:
        database.close()


def _measure(
    database: Database, rows: int, options: BenchmarkOptions, told: Callable[[str], None]
) -> dict[str, Any]:
    city = options.city(rows)
    began = time.perf_counter()
    fill_city(database, city, told=told)
    # A migration may have filled tables of a city that was there.
    tidy(database)
    filled_s = time.perf_counter() - began
    found = count_rows(database)
    told(f"{found['traffic_count']} rows after {filled_s:.0f} s")
    return {
        "rows": found,
        "sites": city.sites,
        "bytes": size_bytes(database),
        "filled_s": round(filled_s, 1),
        "sums_checked": check_sums(database, city),
        "load_average": os.getloadavg(),
        "questions": [_time(database, asked, options) for asked in _questions(city)],
    }


def _time(database: Database, asked: _Asked, options: BenchmarkOptions) -> dict[str, Any]:
    chance = Random(options.seed)  # noqa: S311 - which site is asked about  # nosec B311
    for _ in range(options.repeats):
        with database.session() as session, clocked(database) as statements_ms:
            session.connection()
            began, cpu_began = time.perf_counter(), time.process_time()
            size = len(asked.ask(session, chance).model_dump_json())
            asked.cpu_ms.append((time.process_time() - cpu_began) * 1000)
            asked.took_ms.append((time.perf_counter() - began) * 1000)
        asked.statements_ms.append(sum(statements_ms))
    with database.session() as session, heard(database) as statements:
        asked.ask(session, chance)
    with database.session() as session:
        plans = [explain(session.connection(), statement) for statement in statements]
    return {
        "question": asked.name,
        "p50_ms": _percentile(asked.took_ms, 50),
        "p95_ms": _percentile(asked.took_ms, 95),
        # What of it was waiting for PostgreSQL, and what this process worked: on a busy
        # machine the rest is waiting for a turn.
        "statements_p50_ms": _percentile(asked.statements_ms, 50),
        "statements_p95_ms": _percentile(asked.statements_ms, 95),
        "cpu_p50_ms": _percentile(asked.cpu_ms, 50),
        "worst_ms": round(max(asked.took_ms), 2),
        "first_ms": round(asked.took_ms[0], 2),
        "answer_bytes": size,
        "database_ms": round(sum(plan["execution_ms"] for plan in plans), 2),
        "statements": plans,
    }


def _percentile(values: Sequence[float], percent: int) -> float:
    return round(quantiles(values, n=100, method="inclusive")[percent - 1], 2)


def _questions(city: City) -> Sequence[_Asked]:
    now = datetime.combine(FIRST_DAY, datetime.min.time(), UTC) + timedelta(days=city.days)

    def site(chance: Random) -> str:
        return f"site-{chance.randint(1, city.sites)}"

    def day(chance: Random) -> Any:
        return FIRST_DAY + timedelta(days=chance.randrange(city.days - 1))

    def site_day(session: Session, chance: Random) -> View:
        question = CountQuestion(day=day(chance), limit=20_000)
        return CountAnswers(session, TENANT, now=now).counts(site(chance), question)

    def site_month(session: Session, chance: Random) -> View:
        question = TotalQuestion.model_validate({"from": now - _MONTH, "to": now})
        return CountAnswers(session, TENANT, now=now).totals(site(chance), question)

    def series_month(session: Session, chance: Random) -> View:
        question = CountQuestion.model_validate(
            {"from": now - _MONTH, "to": now, "section": "north-south"}
        )
        return CountAnswers(session, TENANT, now=now).counts(site(chance), question)

    def city_day(session: Session, chance: Random) -> View:
        return OverviewAnswers(session, TENANT, now=now).city_day(day(chance))

    def movements(session: Session, chance: Random) -> View:
        question = MovementQuestion(day=day(chance))
        return MovementAnswers(session, TENANT, now=now).table_view(site(chance), question)

    return [
        _Asked("site-day at 15 minutes, every series and class", site_day),
        _Asked("site-month at 15 minutes, flows added up", site_month),
        _Asked("site-month at 15 minutes, one movement", series_month),
        _Asked("city-day overview", city_day),
        _Asked("turning-movement table of a day", movements),
    ]


def sizes_of(text: str) -> tuple[int, ...]:
    """``10000000,100000000`` → sizes in rising order.

    Raises:
        ValueError: Not numbers above zero.
    """
    sizes = sorted(int(part.replace("_", "")) for part in text.split(","))
    if sizes[0] <= 0:
        raise ValueError(f"size {sizes[0]}, expected above zero")
    return tuple(sizes)
