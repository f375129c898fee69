"""Who asks → the entries of the main navigation that they may open."""

from __future__ import annotations

from dataclasses import dataclass

from common.security import Permission, SecurityContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the navigation.

    Attributes:
        path: Where it leads.
        label: One or two words.
        icon: Name of a symbol in ``static/img/icons.svg``.
        permission: What its page asks for.
        group: Heading above it.
    """

    path: str
    label: str
    icon: str
    permission: Permission
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry as one page shows it."""

    entry: Entry
    is_current: bool


ENTRIES = (
    Entry(path="/", label="City", icon="city", permission=Permission.TRAFFIC_READ, group="Traffic"),
    Entry(
        path="/quality",
        label="Data quality",
        icon="quality",
        permission=Permission.QUALITY_READ,
        group="Traffic",
    ),
    Entry(
        path="/fleet", label="Boxes", icon="fleet", permission=Permission.FLEET_READ, group="Fleet"
    ),
    Entry(
        path="/rounds",
        label="Rounds",
        icon="rounds",
        permission=Permission.ROUNDS_READ,
        group="Learning",
    ),
    Entry(
        path="/models",
        label="Models",
        icon="models",
        permission=Permission.MODELS_READ,
        group="Learning",
    ),
    Entry(
        path="/alerts",
        label="Alerts",
        icon="alerts",
        permission=Permission.ALERTS_READ,
        group="Trust",
    ),
    Entry(
        path="/audit",
        label="Audit log",
        icon="audit",
        permission=Permission.AUDIT_READ,
        group="Trust",
    ),
    Entry(
        path="/users",
        label="People",
        icon="users",
        permission=Permission.USERS_MANAGE,
        group="Trust",
    ),
)

_PARENTS = {"/sites": "/", "/rollouts": "/models"}
"""Pages that are no entry → the entry they belong to."""


def navigation(user: SecurityContext | None, path: str) -> dict[str, list[ShownEntry]]:
    """Heading → entries, in order; the entry of ``path`` is the current one."""
    shown: dict[str, list[ShownEntry]] = {}
    if user is None:
        return shown
    first = "/" + path.strip("/").partition("/")[0]
    current = _PARENTS.get(first, first)
    for entry in ENTRIES:
        if user.may(entry.permission):
            one = ShownEntry(entry=entry, is_current=entry.path == current)
            shown.setdefault(entry.group, []).append(one)
    return shown
