"""Sites → a GeoJSON feature collection (RFC 7946); sites without a position have no geometry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from coordinator.traffic.scenes import Scene


def sites_geojson(scenes: Iterable[Scene]) -> dict[str, Any]:
    """One feature a site, longitude first."""
    return {"type": "FeatureCollection", "features": [_feature(scene) for scene in scenes]}


def _feature(scene: Scene) -> dict[str, Any]:
    site = scene.site
    has_place = site.latitude is not None and site.longitude is not None
    return {
        "type": "Feature",
        "id": site.slug,
        "geometry": (
            {"type": "Point", "coordinates": [site.longitude, site.latitude]} if has_place else None
        ),
        "properties": {
            "site": site.slug,
            "name": site.name,
            "timezone": site.timezone,
            "cameras": [camera.slug for camera in scene.cameras],
        },
    }
