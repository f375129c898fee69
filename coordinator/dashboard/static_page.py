"""An address of a static file → its bytes, kept by browsers for as long as they like."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from coordinator.dashboard.assets import STATIC_PREFIX, packaged_assets
from coordinator.security.access import public

router = APIRouter(include_in_schema=False)

_FOR_EVER = "public, max-age=31536000, immutable"


@router.get(STATIC_PREFIX + "/{build}/{name:path}", dependencies=[public()])
def show_static(request: Request, build: str, name: str) -> Response:
    """One file; under the id of another build it is sent too, and not kept."""
    assets = packaged_assets()
    asset = assets.find(name)
    if asset is None:
        raise HTTPException(404, f"no static file {name[:100]!r}")
    headers = {"Cache-Control": _FOR_EVER if build == assets.build else "no-cache"}
    content = asset.content
    if asset.packed is not None:
        headers["Vary"] = "Accept-Encoding"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            content = asset.packed
    return Response(content, media_type=asset.media_type, headers=headers)
