"""HTTP questions → files: CSV, Parquet, NGSI-LD and GeoJSON."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from common.security import Permission
from coordinator.dependencies import SessionDep, TenantDep
from coordinator.problems import problems
from coordinator.security.access import may
from coordinator.traffic.exports.geojson import sites_geojson
from coordinator.traffic.exports.long_rows import long_csv
from coordinator.traffic.exports.ngsi_ld import traffic_flow_observed
from coordinator.traffic.exports.parquet import parquet_bytes
from coordinator.traffic.exports.tmc_csv import tmc_csv
from coordinator.traffic.providers import CountsDep, FiguresDep, MovementsDep, SitePath
from coordinator.traffic.questions import CountQuestion, LineQuestion, MovementQuestion
from coordinator.traffic.store import SceneStore
from coordinator.traffic.views import AnswerView

router = APIRouter(
    tags=["exports"],
    dependencies=[may(Permission.TRAFFIC_EXPORT)],
    responses=problems(404, 422, 503),
)

_CSV = "text/csv; charset=utf-8"
_PARQUET = "application/vnd.apache.parquet"
_LD_JSON = "application/ld+json"
_GEOJSON = "application/geo+json"
_JSON: dict[str, dict[str, object]] = {
    _LD_JSON: {"type": "array", "items": {"type": "object"}},
    _GEOJSON: {
        "type": "object",
        "required": ["type", "features"],
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": {"type": "array", "items": {"type": "object"}},
        },
    },
}


def scene_store(session: SessionDep, tenant: TenantDep) -> SceneStore:
    """Where things are counted."""
    return SceneStore(session, tenant)


ScenesDep = Annotated[SceneStore, Depends(scene_store)]


def _file(media_type: str) -> dict[int | str, dict[str, object]]:
    """What is sent: JSON documents as such, everything else as a file."""
    schema = _JSON.get(media_type, {"type": "string"})
    return {200: {"content": {media_type.partition(";")[0]: {"schema": schema}}}}


@router.get("/sites/{site}/exports/tmc.csv", response_class=Response, responses=_file(_CSV))
def export_movements(
    site: SitePath, question: Annotated[MovementQuestion, Query()], answers: MovementsDep
) -> Response:
    """Turning-movement sheet: leg blocks Right, Thru, Left, U-Turn; totals; peak hour."""
    scene, period, table = answers.table(site, question)
    return _download(tmc_csv(scene.site, period, table), _CSV, f"{site}-tmc.csv")


@router.get("/sites/{site}/exports/counts.csv", response_class=Response, responses=_file(_CSV))
def export_counts_csv(
    site: SitePath, question: Annotated[CountQuestion, Query()], answers: CountsDep
) -> Response:
    """One line for every series, bin and class; header `X-Next-From` starts the next page."""
    view = answers.counts(site, question)
    return _download(long_csv(view, question.road_user), _CSV, f"{site}-counts.csv", page=view)


@router.get(
    "/sites/{site}/exports/counts.parquet", response_class=Response, responses=_file(_PARQUET)
)
def export_counts_parquet(
    site: SitePath, question: Annotated[CountQuestion, Query()], answers: CountsDep
) -> Response:
    """The same as Parquet; header `X-Next-From` starts the next page."""
    view = answers.counts(site, question)
    content = parquet_bytes(view, question.road_user)
    return _download(content, _PARQUET, f"{site}-counts.parquet", page=view)


@router.get("/sites/{site}/exports/ngsi-ld", response_class=Response, responses=_file(_LD_JSON))
def export_ngsi_ld(
    site: SitePath,
    question: Annotated[LineQuestion, Query()],
    counts: CountsDep,
    figures: FiguresDep,
    scenes: ScenesDep,
) -> Response:
    """NGSI-LD `TrafficFlowObserved` entities of the measured bins of every line direction."""
    view = counts.counts(site, question.as_counts())
    entities = traffic_flow_observed(
        scenes.site(site), view, figures.speeds(site, question), figures.headways(site, question)
    )
    return _download(json.dumps(entities), _LD_JSON, f"{site}.jsonld", page=view)


@router.get("/exports/sites.geojson", response_class=Response, responses=_file(_GEOJSON))
def export_sites(scenes: ScenesDep) -> Response:
    """Every site as a GeoJSON feature."""
    return _download(json.dumps(sites_geojson(scenes.scenes())), _GEOJSON, "sites.geojson")


def _download(
    content: str | bytes, media_type: str, name: str, *, page: AnswerView | None = None
) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if page is not None and page.next_from is not None:
        headers["X-Next-From"] = page.next_from.isoformat().replace("+00:00", "Z")
    return Response(content, media_type=media_type, headers=headers)
