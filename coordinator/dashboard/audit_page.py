"""What auditors ask → who did what, page by page, and whether the log still is what it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from common.security import Permission
from coordinator.dashboard.rendering import render
from coordinator.dependencies import ContainerDep
from coordinator.security.access import may
from coordinator.security.audit_entries import Action, AuditEntry
from coordinator.security.audit_search_store import AuditFilter
from coordinator.security.audit_trail import AuditTrail

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
_READ = [may(Permission.AUDIT_READ)]
_MOST_NAMED_FAULTS = 20


def trail_of(container: ContainerDep) -> AuditTrail:
    """The audit log of the tenant."""
    trail: AuditTrail = container.audit_trail()
    return trail


TrailDep = Annotated[AuditTrail, Depends(trail_of)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownEntry:
    """An entry of the log in words."""

    number: int
    at: datetime
    who: str
    kind: str
    what: str
    subject: str
    details: tuple[tuple[str, str], ...]
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The filters as they stand in the address."""

    chain: str
    action: Action | None
    actor: str
    subject: str

    def address(self, before: int) -> str:
        """Of the entries below ``before``."""
        asked = {
            "chain": self.chain,
            "action": self.action.value if self.action else "",
            "actor": self.actor,
            "subject": self.subject,
            "before": before,
        }
        return "/audit?" + urlencode({name: value for name, value in asked.items() if value})


def question_of(
    chain: Literal["tenant", "database"] = "tenant",
    action: Annotated[Action | Literal[""], Query()] = "",
    actor: Annotated[str, Query(max_length=128)] = "",
    subject: Annotated[str, Query(max_length=256)] = "",
) -> Question:
    """What is asked; an empty action is any."""
    return Question(chain=chain, action=action or None, actor=actor, subject=subject)


QuestionDep = Annotated[Question, Depends(question_of)]


@router.get("/audit", response_class=HTMLResponse, dependencies=_READ)
def show_audit(
    request: Request,
    question: QuestionDep,
    trail: TrailDep,
    before: Annotated[int | None, Query(ge=1, lt=2**63)] = None,
) -> HTMLResponse:
    """Entries, the newest first; nothing is verified yet."""
    wanted = AuditFilter(
        action=question.action,
        actor=question.actor,
        subject=question.subject,
        before=before,
        most=PER_PAGE + 1,
    )
    found = trail.entries(wanted, of_database=question.chain == "database")
    entries = [shown(entry) for entry in found[:PER_PAGE]]
    return render(
        request,
        "audit.html",
        entries=entries,
        question=question,
        actions=[(action.value, words(action.value)) for action in Action],
        older=question.address(entries[-1].number) if len(found) > PER_PAGE else "",
        is_first=before is None,
    )


@router.get("/audit/verification", response_class=HTMLResponse, dependencies=_READ)
def verify_audit(request: Request, trail: TrailDep) -> HTMLResponse:
    """Follow every entry from the first; htmx puts the answer into the page."""
    verified = trail.verify()
    return render(
        request,
        "audit/_verification.html",
        verified=verified,
        faults=verified.verdict.faults[:_MOST_NAMED_FAULTS],
    )


def shown(entry: AuditEntry) -> ShownEntry:
    """An entry as people read it; what somebody bent in the table is shown as it stands."""
    return ShownEntry(
        number=entry.number,
        at=datetime.fromisoformat(entry.at),
        who=entry.actor_name,
        kind=entry.actor_kind,
        what=words(entry.action),
        subject=entry.subject,
        details=tuple((words(name), _value(value)) for name, value in _details(entry.detail)),
        digest=entry.digest,
    )


def words(name: str) -> str:
    """``device_retired`` → ``Device retired``."""
    return name.replace("_", " ").capitalize()


def _details(text: str) -> list[tuple[str, object]]:
    try:
        told = json.loads(text)
    except ValueError:
        return [("unreadable", text)]
    return sorted(told.items()) if isinstance(told, dict) else [("unreadable", text)]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)
