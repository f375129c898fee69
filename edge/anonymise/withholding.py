"""A bin and a least cell size → the bin without small counts, nor what would give them away.

Primary and complementary suppression of Hundepool et al., *Statistical Disclosure Control*
(Wiley 2012), chapter 5, and *Handbook on Statistical Disclosure Control* (ESSnet SDC 2010),
chapter 4; the minimum frequency rule decides what is small. A withheld row is marked as such:
it is neither zero nor unwatched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from common.messages import AreaFigures, CameraBin, FlowCounts, SectionCounts
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.anonymise.relations import Relation, Row

INCIDENTS_WITHHELD = "incidents_withheld"
CONFLICTS_WITHHELD = "conflicts_withheld"

_PERSON = ROAD_USER_INDEX[RoadUser.PERSON]
_DETERMINED = 1e-9

Values = Mapping[Row, tuple[int, ...]]
"""Counts per class of every watched row."""


def withheld(bin_: CameraBin, *, below: int, relations: Collection[Relation] | None) -> CameraBin:
    """The bin as a public product may show it.

    Args:
        bin_: The numbers, true or noisy.
        below: Counts from 1 to one less than this are small.
        relations: Which rows add up to which; None when nobody knows, and then every row is
            withheld as soon as one is.
    """
    values = _values(bin_)
    hidden = rows_to_withhold(values, below=below, relations=relations)
    incidents, conflicts = _kinds(bin_.incidents, below), _kinds(bin_.conflicts, below)
    flags = set(bin_.flags)
    if incidents != bin_.incidents:
        flags.add(INCIDENTS_WITHHELD)
    if conflicts != bin_.conflicts:
        flags.add(CONFLICTS_WITHHELD)
    return bin_.model_copy(
        update={
            "sections": tuple(_section(row, below, hidden) for row in bin_.sections),
            "flows": tuple(
                FlowCounts(flow=row.flow, counts=None, withheld=True)
                if Row("flow", row.flow) in hidden
                else row
                for row in bin_.flows
            ),
            "areas": tuple(_area(row, below, hidden) for row in bin_.areas),
            "incidents": incidents,
            "conflicts": conflicts,
            "flags": tuple(sorted(flags)),
        }
    )


def rows_to_withhold(
    values: Values, *, below: int, relations: Collection[Relation] | None
) -> frozenset[Row]:
    """Rows with a small count, and as few others as stop somebody from computing those.

    The others are added one by one, the smallest that takes part first: as long as the
    relations determine a withheld row, or leave a small remainder when the rows that are
    told are subtracted from their sum.
    """
    small = {row for row, counts in values.items() if _is_small(counts, below)}
    if relations is None:
        return frozenset(values) if small else frozenset()
    hidden = set(small)
    known = [each for each in relations if all(row in values for row in each.rows)]
    while hidden:
        open_relations = _revealing(values, hidden, known, below)
        candidates = {row for each in open_relations for row in each.rows} - hidden
        if not candidates:
            break
        hidden.add(min(candidates, key=lambda row: (sum(values[row]), row)))
    return frozenset(hidden)


def _revealing(
    values: Values, hidden: set[Row], relations: Collection[Relation], below: int
) -> list[Relation]:
    """Relations that help to compute a withheld row."""
    revealed = determined(hidden, relations)
    return [
        each
        for each in relations
        if not hidden.isdisjoint(each.rows)
        and (not revealed.isdisjoint(each.rows) or _leaves_little(values, hidden, each, below))
    ]


def determined(hidden: Collection[Row], relations: Collection[Relation]) -> frozenset[Row]:
    """Withheld rows whose value follows from the others by solving the relations.

    A row is determined exactly when no direction of the null space of the relations,
    restricted to the withheld rows, moves it.
    """
    columns = {row: column for column, row in enumerate(sorted(hidden, key=str))}
    system = np.zeros((len(relations), len(columns)))
    for line, each in zip(system, relations, strict=True):
        for row in each.rows:
            if row in columns:
                line[columns[row]] += 1 if row == each.whole else -1
    if not columns or not len(relations):
        return frozenset()
    _, sizes, directions = np.linalg.svd(system)
    rank = int((sizes > _DETERMINED).sum())
    free = np.abs(directions[rank:]).max(axis=0, initial=0.0)
    return frozenset(row for row, column in columns.items() if free[column] <= _DETERMINED)


def _leaves_little(values: Values, hidden: set[Row], relation: Relation, below: int) -> bool:
    """True when what is told of a sum leaves a small number for what is not."""
    if relation.whole in hidden:
        return False
    rest = np.array(values[relation.whole])
    for part in relation.parts:
        if part not in hidden:
            rest = rest - np.array(values[part])
    return _is_small(tuple(int(n) for n in rest), below)


def _values(bin_: CameraBin) -> dict[Row, tuple[int, ...]]:
    values = {
        Row("line", row.section, row.direction): row.counts
        for row in bin_.sections
        if row.counts is not None
    }
    values |= {Row("flow", row.flow): row.counts for row in bin_.flows if row.counts is not None}
    for area in bin_.areas:
        if area.walks is not None:
            counts = [0] * len(ROAD_USERS)
            counts[_PERSON] = area.walks
            values[Row("area", area.section)] = tuple(counts)
    return values


def _is_small(counts: tuple[int, ...], below: int) -> bool:
    return any(0 < count < below for count in counts)


def _kinds(counted: dict[str, int] | None, below: int) -> dict[str, int] | None:
    if counted is None or _is_small(tuple(counted.values()), below):
        return None
    return counted


def _section(row: SectionCounts, below: int, hidden: Collection[Row]) -> SectionCounts:
    if row.counts is None:
        return row
    if Row("line", row.section, row.direction) in hidden:
        return SectionCounts(
            section=row.section, direction=row.direction, counts=None, withheld=True
        )
    has_speeds = bool(row.speeds) and not _is_small(tuple(n for _, n in row.speeds), below)
    has_headways, has_gaps = row.headways >= below, row.time_gaps >= below
    return row.model_copy(
        update={
            "inferred": row.inferred if row.inferred >= below else 0,
            "speeds": row.speeds if has_speeds else (),
            "speed_sum_kmh": row.speed_sum_kmh if has_speeds else 0.0,
            "headways": row.headways if has_headways else 0,
            "headway_sum_s": row.headway_sum_s if has_headways else 0.0,
            # The shortest headway belongs to one road user, however many there were.
            "headway_least_s": None,
            "time_gaps": row.time_gaps if has_gaps else 0,
            "time_gap_sum_s": row.time_gap_sum_s if has_gaps else 0.0,
        }
    )


def _area(row: AreaFigures, below: int, hidden: Collection[Row]) -> AreaFigures:
    """All of an area or nothing: a queue or walkers are the crowd that hides each of them."""
    if row.withheld:
        return row
    numbers = tuple(n for n in (row.queue_most, row.walks) if n is not None)
    is_crowd = max(numbers, default=0) >= below
    # One road user who drove through occupies and stays, too.
    is_touched = bool(row.occupied_share or row.queue_most_m or row.dwell_mean_s)
    is_hidden = Row("area", row.section) in hidden or _is_small(numbers, below)
    if is_hidden or (is_touched and not is_crowd):
        return AreaFigures(section=row.section, withheld=True)
    # Nobody knows of how many a mean stay is made: it is never told.
    return row.model_copy(update={"dwell_mean_s": None})
