"""Rows of the attack table → text, JSON values, and the rows that broke the promise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from common.rounds import Strategy
from models.federated.attacks import Attack
from models.federated.verdicts import Judged

MOST_LOST = 0.01
"""With screening and up to two attackers of ten."""
PROMISED_ATTACKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One cell of the table.

    Attributes:
        attackers: How many of the ten.
        map50: After the attacked round; 0 for weights that are not finite, None where the
            strategy found no result at all.
        lost: Against the same strategy, nobody bad and nothing screened.
        caught: How many of the attackers were refused.
        wronged: How many of the others were.
        bad_rise: The least rise of the classes' cross entropy among the attackers that were
            asked about the server's pictures, nats; None where nobody was.
        honest_rise: The most among the others.
        note: Why there is no result.
    """

    strategy: Strategy
    attack: Attack
    attackers: int
    is_screened: bool
    map50: float | None
    car_map50: float | None
    lost: float | None
    caught: int
    wronged: int
    bad_rise: float | None = None
    honest_rise: float | None = None
    note: str = ""


def rises_of(judged: Sequence[Judged]) -> list[float]:
    """What those answered who were asked about the server's pictures, nats."""
    return [one.class_rise for one in judged if one.class_rise is not None]


def broken_promises(rows: Sequence[Row]) -> list[str]:
    """Rows with screening and up to two attackers that lost more than a point."""
    return [
        line(row)
        for row in rows
        if row.is_screened
        and row.attackers <= PROMISED_ATTACKERS
        and (row.lost is None or row.lost > MOST_LOST)
    ]


def as_plain(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Rows as JSON values."""
    return [asdict(row) for row in rows]


def table(rows: Sequence[Row]) -> str:
    """One line per strategy and attack: mAP50 without and with screening."""
    found = {(r.strategy, r.attack, r.attackers, r.is_screened): r for r in rows}
    strategies = list(dict.fromkeys(row.strategy for row in rows))
    attacks = list(dict.fromkeys(row.attack for row in rows if row.attackers))
    most = max((row.attackers for row in rows), default=0)
    heads = [f"{n} bad" for n in range(1, most + 1)]
    lines = [
        "| strategy | attack | " + " | ".join(f"{h}: off / on" for h in heads) + " |",
        "|---|---|" + "---:|" * most,
    ]
    for strategy in strategies:
        cells = [_cell(found.get((strategy, Attack.NONE, 0, on))) for on in (False, True)]
        lines.append(f"| {strategy} | none | {' / '.join(cells)} |" + " |" * (most - 1))
        for attack in attacks:
            row = [
                " / ".join(_cell(found.get((strategy, attack, n, on))) for on in (False, True))
                for n in range(1, most + 1)
            ]
            lines.append(f"| {strategy} | {attack} | {' | '.join(row)} |")
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None or row.map50 is None:
        return "–"
    return f"{100 * row.map50:.1f}"


def line(row: Row) -> str:
    """One row for reading."""
    state = "screened" if row.is_screened else "unscreened"
    lost = "no result: " + row.note if row.lost is None else f"lost {100 * row.lost:+.1f}"
    rises = "".join(
        f", {who} {rise:+.2f} nats"
        for who, rise in (("bad from", row.bad_rise), ("honest to", row.honest_rise))
        if rise is not None
    )
    return (
        f"{row.strategy} {row.attack} x{row.attackers} {state}: {_cell(row)} ({lost}; "
        f"{row.caught} caught, {row.wronged} wronged{rises})"
    )
