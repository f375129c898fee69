"""What may be an attack → its kind, whom it is about, and where it came from."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

NOBODY = "?"

_SHOWN_DIGITS = 12
_KEY = secrets.token_bytes(32)
"""Of this process alone: nobody can try words against what a copied database holds."""


class EventKind(StrEnum):
    """What is noted."""

    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    CODE_REPLAYED = "code_replayed"
    LOCKED_OUT = "locked_out"
    REFRESH_REUSED = "refresh_reused"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - a kind of event  # nosec B105
    CSRF_REFUSED = "csrf_refused"
    LINK_REFUSED = "link_refused"
    ACCESS_REFUSED = "access_refused"
    ENROLMENT_REFUSED = "enrolment_refused"
    REPORT_REPEATED = "report_repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEvent:
    """The same thing, some times.

    Attributes:
        kind: What.
        subject: Whom it is about: an account, a token, a box; ``?`` and digits for a stranger.
        address: Where it came from.
        times: How often between the two moments.
    """

    kind: EventKind
    subject: str
    address: str
    first_at: datetime
    last_at: datetime
    times: int


def stranger(typed: str) -> str:
    """A name that no account has → something to count by.

    People type passwords where a name is asked for; what was typed is not kept.
    """
    return NOBODY + hmac.digest(_KEY, typed.encode(), "sha256").hex()[:_SHOWN_DIGITS]
