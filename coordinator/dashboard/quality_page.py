"""What city staff ask about data quality → the page of gaps and anomalies, and their reviews."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import StringConstraints

from common.security import Permission
from coordinator.dashboard.anomaly_words import KINDS, STATES, Seen, tell
from coordinator.dashboard.evidence_chart import draw_evidence
from coordinator.dashboard.gap_strips import REASONS, draw_strip, ticks
from coordinator.dashboard.quality_filters import QualityQuery
from coordinator.dashboard.rendering import render
from coordinator.dependencies import ClockDep, SessionDep, TenantDep
from coordinator.security.access import may
from coordinator.traffic.anomaly_evidence import EvidenceAnswers
from coordinator.traffic.anomaly_store import ReviewState
from coordinator.traffic.ledger_answers import Ledger, LedgerAnswers, LedgerQuestion
from coordinator.traffic.periods import zone_of
from coordinator.traffic.quality_answers import QualityAnswers
from coordinator.traffic.quality_views import AnomalyQuestion, AnomalyView, Text
from coordinator.traffic.scenes import Site

router = APIRouter(include_in_schema=False)

PER_PAGE = 25
ANOMALIES_PER_PAGE = 8
MOST_STRIPS = 25
_DONE = {
    "confirmed": "The anomaly is confirmed.",
    "dismissed": "The anomaly is dismissed.",
    "open": "The anomaly is open again.",
    "noted": "The note is kept.",
    "empty": "A note needs a text; nothing was kept.",
}


def ledger_answers(session: SessionDep, tenant: TenantDep) -> LedgerAnswers:
    """The gap ledger of the tenant."""
    return LedgerAnswers(session, tenant)


def quality_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> QualityAnswers:
    """Data quality of the tenant."""
    return QualityAnswers(session, tenant, now=clock.now())


def evidence_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> EvidenceAnswers:
    """Evidence of anomalies of the tenant."""
    return EvidenceAnswers(session, tenant, now=clock.now())


LedgerDep = Annotated[LedgerAnswers, Depends(ledger_answers)]
QualityDep = Annotated[QualityAnswers, Depends(quality_answers)]
EvidenceDep = Annotated[EvidenceAnswers, Depends(evidence_answers)]
AnomalyPath = Annotated[int, Path(ge=1, le=2**31 - 1)]
NoteText = Annotated[Text, StringConstraints(max_length=2000)]


@router.get("/quality", response_class=HTMLResponse, dependencies=[may(Permission.QUALITY_READ)])
def show_quality(
    request: Request,
    query: Annotated[QualityQuery, Query()],
    ledgers: LedgerDep,
    quality: QualityDep,
    clock: ClockDep,
) -> HTMLResponse:
    """Gaps and anomalies of the chosen places and days."""
    now, sites = clock.now(), ledgers.sites()
    zone = zone_of(_zone_name(query, sites))
    period = query.period(now, zone)
    ledger = ledgers.ledger(
        LedgerQuestion(
            period=period,
            site=query.site,
            reason=query.reason,
            page=query.page,
            per_page=PER_PAGE,
        )
    )
    asked = query.model_dump(include={"site", "state", "kind", "before"})
    question = AnomalyQuestion.model_validate(
        asked | {"from": period.start, "to": period.end, "limit": ANOMALIES_PER_PAGE}
    )
    found = quality.anomalies(question)
    strips = [draw_strip(one, period, now=now, zone=zone) for one in ledger.strips[:MOST_STRIPS]]
    return render(
        request,
        "quality.html",
        query=query,
        sites=sites,
        days=query.days(now, zone),
        zone=zone.key,
        ledger=ledger,
        pages=-(-ledger.total // PER_PAGE),
        per_page=PER_PAGE,
        strips=strips,
        ticks=ticks(period, zone),
        figures=_figures(ledger),
        anomalies=[_told(one) for one in found.anomalies],
        counts=quality.anomaly_counts(question),
        next_before=found.next_before,
        **_names(),
    )


@router.get(
    "/quality/anomalies/{anomaly}",
    response_class=HTMLResponse,
    dependencies=[may(Permission.QUALITY_READ)],
)
def show_anomaly(
    request: Request, anomaly: AnomalyPath, quality: QualityDep, evidences: EvidenceDep
) -> HTMLResponse:
    """One anomaly with its evidence, its notes, and what to do about it."""
    view = quality.anomaly(anomaly)
    evidence = evidences.evidence(anomaly)
    done = request.query_params.get("done", "")
    return render(
        request,
        "quality/anomaly.html",
        one=_told(view),
        evidence=evidence,
        chart=draw_evidence(evidence),
        zone=evidence.scene.site.timezone,
        notice=_DONE.get(done, ""),
        notice_tone="watch" if done == "empty" else "good",
        **_names(),
    )


@router.get(
    "/quality/anomalies/{anomaly}/chart",
    response_class=HTMLResponse,
    dependencies=[may(Permission.QUALITY_READ)],
)
def show_chart(request: Request, anomaly: AnomalyPath, evidences: EvidenceDep) -> HTMLResponse:
    """The small chart of one anomaly; the list fetches it when it comes into view."""
    chart = draw_evidence(evidences.evidence(anomaly))
    return render(request, "quality/_chart.html", chart=chart)


@router.post("/quality/anomalies/{anomaly}/reviews", dependencies=[may(Permission.QUALITY_REVIEW)])
def review_anomaly(
    anomaly: AnomalyPath,
    quality: QualityDep,
    state: Annotated[ReviewState | None, Form()] = None,
    text: Annotated[NoteText, Form()] = "",
) -> RedirectResponse:
    """Confirm, dismiss or reopen an anomaly, or write a note and leave its state."""
    if state is None and not text:
        done = "empty"
    else:
        quality.review(anomaly, state=state, text=text)
        done = state.value if state else "noted"
    return RedirectResponse(f"/quality/anomalies/{anomaly}?done={done}", status_code=303)


def _zone_name(query: QualityQuery, sites: list[Site]) -> str:
    """The days of the chosen site, or of all sites where they agree."""
    zones = {site.timezone for site in sites if query.site in (None, site.slug)}
    return zones.pop() if len(zones) == 1 else "UTC"


def _figures(ledger: Ledger) -> dict[str, float]:
    strips = ledger.strips
    return {
        "cameras": len(strips),
        "whole": sum(1 for strip in strips if strip.place.scan and not strip.gaps),
        "gaps": ledger.total,
        "lost_s": sum(strip.lost_s for strip in strips),
    }


def _told(view: AnomalyView) -> dict[str, Any]:
    seen = Seen(
        kind=view.kind,
        subject=view.subject,
        start=view.start,
        end=view.end,
        detail=view.detail,
    )
    return {"view": view, "told": tell(seen)}


def _names() -> dict[str, Any]:
    return {"kinds": KINDS, "states": STATES, "reasons": REASONS}
