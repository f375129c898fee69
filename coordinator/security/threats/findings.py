"""The words of threat detection → what was found, how bad it is, and what shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

Evidence = str | int | float | bool | Sequence[str]

MOST_NAMED = 10
"""Addresses or accounts that a finding names one by one."""


class Severity(StrEnum):
    """How soon somebody should look."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return tuple(Severity).index(self)


class ThreatKind(StrEnum):
    """What was found; one detector each."""

    BRUTE_FORCE = "brute_force"
    PASSWORD_SPRAYING = "password_spraying"  # noqa: S105 - a kind of threat  # nosec B105
    TOKEN_REUSE = "token_reuse"  # noqa: S105 - a kind of threat  # nosec B105
    CODE_REPLAY = "code_replay"
    FORGED_CREDENTIALS = "forged_credentials"
    PROBING = "probing"
    REPLAYED_REPORTS = "replayed_reports"
    BAD_SIGNATURES = "bad_signatures"
    IMPOSSIBLE_SEQUENCE = "impossible_sequence"
    SILENT_DEVICE = "silent_device"
    UPDATE_OUTLIER = "update_outlier"


STANDING = frozenset({ThreatKind.SILENT_DEVICE})
"""States rather than deeds: their alerts close by themselves when the state ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A trace of an attack.

    Attributes:
        kind: Which trace.
        subject: Whom it concerns: an account, an address, a box.
        severity: How bad.
        summary: One sentence with the numbers and the threshold.
        evidence: The numbers.
        first_at: When it began, as far as is known.
        last_at: The newest thing that shows it.
    """

    kind: ThreatKind
    subject: str
    severity: Severity
    summary: str
    first_at: datetime
    last_at: datetime
    evidence: Mapping[str, Evidence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From where on something is a trace of an attack.

    Attributes:
        window: How far back sign-ins are looked at: a quarter of an hour is longer than any lock.
        failures_of_account: Refusals of one account. It is paused after five, and pauses grow:
            within the window nobody gets to many more, and a person who forgot gives up sooner.
        accounts_of_address: Accounts that one network address failed at without getting in.
            Colleagues behind one address get in sooner or later; a list of names does not.
        accounts_together: The same from many addresses, none of which stands out.
        refusals_of_account: Refused requests of somebody who is signed in: a stale page
            explains a few.
        forgeries: Credentials that were never ours.
        replayed_codes: One comes from a form that was sent twice.
        reports_window: How far back reports are looked at.
        bad_signatures: Reports of one box; transport is by TLS, so a flipped bit is not why.
        strangers: Reports of boxes that nobody enrolled; one may be wired to the wrong city.
        repeats: Reports of one box that came again. A lost acknowledgement brings back a window
            of some dozens.
        old_reports: Of one box, older than any that is taken in; a box with a dead clock battery
            sends some before it knows the time.
        overlap: So long after a box began a new stream its old one may still grow: clocks are
            set, and never by an hour on a box whose time is trusted.
        usual_times: A box is silent after so many times its usual pause.
        least_silence: Never sooner: a mobile network may be away for a while.
        long_silence: Then it is urgent.
        together_share: More boxes of all than this at once are one fault of ours, not theirs.
        outlier_deviations: Length of an update beyond so many robust standard deviations.
        refused_rounds: Updates of one box refused in so many rounds are no accident.
    """

    window: timedelta = timedelta(minutes=15)
    failures_of_account: int = 8
    accounts_of_address: int = 5
    accounts_together: int = 15
    refusals_of_account: int = 20
    forgeries: int = 5
    replayed_codes: int = 3
    reports_window: timedelta = timedelta(hours=1)
    bad_signatures: int = 3
    strangers: int = 20
    repeats: int = 500
    old_reports: int = 20
    overlap: timedelta = timedelta(hours=1)
    usual_times: float = 5.0
    least_silence: timedelta = timedelta(minutes=10)
    long_silence: timedelta = timedelta(hours=24)
    together_share: float = 0.5
    outlier_deviations: float = 6.0
    refused_rounds: int = 3


DEFAULT_LIMITS = Limits()


def named(names: Iterable[str]) -> list[str]:
    """The first few in order, and how many more there are."""
    ordered = sorted(set(names))
    more = len(ordered) - MOST_NAMED
    return ordered if more <= 0 else [*ordered[:MOST_NAMED], f"and {more} more"]
