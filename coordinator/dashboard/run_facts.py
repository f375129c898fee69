"""A run → its state in words, how far it has come, and its curves by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from common.rounds import ClientOutcome, ClientVerdict, RoundOutcome, RunState
from coordinator.dashboard.filters import words
from coordinator.federation.views import RunDetailView, RunEventView

STATES: Mapping[RunState, tuple[str, str, str]] = MappingProxyType(
    {
        RunState.PLANNED: ("Planned", "info", "begins when no other run is under way"),
        RunState.RUNNING: ("Running", "info", "boxes train, updates are screened and joined"),
        RunState.SCREENED: ("Screened", "info", "all rounds are done; the result is judged"),
        RunState.EVALUATED: ("Evaluated", "info", "the result was measured"),
        RunState.CANDIDATE: ("Candidate", "good", "the result passed and can go on"),
        RunState.REJECTED: ("Rejected", "watch", "the result did not pass"),
        RunState.FAILED: ("Failed", "bad", "it ended before it had a result"),
    }
)
"""State → its name, its tone, and what it means."""

VERDICTS: Mapping[ClientVerdict, tuple[str, str]] = MappingProxyType(
    {
        ClientVerdict.ACCEPTED: ("Accepted", "good"),
        ClientVerdict.CAPPED: ("Capped", "watch"),
        ClientVerdict.REFUSED: ("Refused", "bad"),
        ClientVerdict.MISSING: ("Missing", "none"),
    }
)
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "not_finite": "holds numbers that are none",
        "not_invited": "the box was not asked",
        "stale": "belongs to an earlier round",
        "other_base": "began with other weights",
        "zero": "changes nothing",
        "no_samples": "the box trained on nothing",
        "bad_sample_count": "the number of samples cannot be",
        "claims_too_many": "claims more samples than are known of",
        "too_much_weight": "would weigh too much, so it weighs less",
        "long": "longer than the others, so it was shortened",
        "clipped": "clipped for the privacy of the run",
        "too_long": "many times longer than the others",
        "too_long_for_parent": "longer than any step away from the parent may be",
        "one_layer": "changes almost nothing but one layer",
        "against_the_others": "points against the others",
        "confuses_classes": "mixes up road users on the server's own pictures",
    }
)
"""Code of the screening → what it means; others are shown as they are written."""

_WAY = (RunState.PLANNED, RunState.RUNNING, RunState.SCREENED, RunState.EVALUATED)
_ENDS = frozenset({RunState.CANDIDATE, RunState.REJECTED, RunState.FAILED})
_MOST_CURVES = 12
"""More lines cannot be told apart; of larger runs the median of all boxes is drawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A step of the run; ``mark`` is done, now, ahead or failed."""

    name: str
    meaning: str
    mark: str


def stages(state: RunState, passed: Sequence[str]) -> tuple[Stage, ...]:
    """The way of a run; ``passed`` are the states that it was in."""
    found = []
    # A run that was resumed has been further than it is: what counts is where it is now.
    reached = _WAY.index(state) if state in _WAY else len(_WAY)
    for place, step in enumerate(_WAY):
        is_done = place < reached and step.value in passed
        mark = "now" if step is state else "done" if is_done else "ahead"
        found.append(Stage(name=STATES[step][0], meaning=STATES[step][2], mark=mark))
    if state in _ENDS:
        mark = "failed" if state is not RunState.CANDIDATE else "done"
        found.append(Stage(name=STATES[state][0], meaning=STATES[state][2], mark=mark))
    else:
        found.append(Stage(name="Verdict", meaning="candidate or rejected", mark="ahead"))
    return tuple(found)


def reason_words(code: str) -> str:
    """A reason of the screening in words."""
    return REASONS.get(code, words(code).lower())


def event_words(event: RunEventView) -> str:
    """What happened, in a sentence."""
    detail = event.detail
    number = detail.get("round", detail.get("number"))
    if event.kind == "state":
        name = STATES[RunState(detail["state"])][0] if detail.get("state") in _values() else "?"
        reason = detail.get("reason")
        return f"{name}: {reason}" if reason else name
    if event.kind == "client":
        verdict = str(detail.get("verdict", ""))
        reasons = detail.get("reasons") or []
        why = f" ({', '.join(reason_words(str(one)) for one in reasons)})" if reasons else ""
        return f"Round {number}: {detail.get('device')} {verdict}{why}"
    if event.kind == "round_started":
        return f"Round {number} began"
    if event.kind == "round_finished":
        return f"Round {number} is done"
    return words(event.kind)


def curves(view: RunDetailView) -> dict[str, Any]:
    """Numbers by round, as JSON for the charts; None where a round has none."""
    rounds = view.finished
    sets = sorted({name for one in rounds for name in one.map50})
    return {
        "rounds": [one.number for one in rounds],
        "map50": [
            {"label": name, "values": [_points(one.map50.get(name)) for one in rounds]}
            for name in sets
        ],
        "loss": _by_device(rounds, "loss"),
        "norm": _by_device(rounds, "norm"),
        "sent": _by_device(rounds, "sent_bytes"),
    }


def totals(view: RunDetailView) -> dict[str, float]:
    """What the finished rounds add up to."""
    clients = [client for one in view.finished for client in one.clients]
    return {
        "took_s": sum(one.took_s for one in view.finished),
        "sent_bytes": sum(client.sent_bytes for client in clients),
        "refused": sum(1 for client in clients if client.verdict is ClientVerdict.REFUSED),
        "missing": sum(1 for client in clients if client.verdict is ClientVerdict.MISSING),
    }


def _by_device(rounds: Sequence[RoundOutcome], name: str) -> list[dict[str, Any]]:
    devices = sorted({client.device for one in rounds for client in one.clients})
    table = [{client.device: client for client in one.clients} for one in rounds]
    lines: list[dict[str, Any]] = [
        {"label": device, "values": [_value(row.get(device), name) for row in table]}
        for device in devices
    ]
    if len(lines) <= _MOST_CURVES:
        return lines
    middles = [
        _median([value for line in lines if (value := line["values"][place]) is not None])
        for place in range(len(rounds))
    ]
    return [{"label": f"Median of {len(lines)} boxes", "values": middles}]


def _value(client: ClientOutcome | None, name: str) -> float | None:
    if client is None or client.verdict is ClientVerdict.MISSING:
        return None
    value = getattr(client, name)
    return None if value is None else float(value)


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None


def _points(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 3)


def _values() -> frozenset[str]:
    return frozenset(state.value for state in RunState)
