"""A number of sites → tenant, sites, cameras, series and drawings of a made-up city."""

from __future__ import annotations

from sqlalchemy import Connection, text

TENANT = "benchmark"
ZONE = "Europe/Vienna"
LEGS = ("north", "east", "south", "west")
SERIES_PER_SITE = 2 * len(LEGS) + len(LEGS) ** 2
ROWS_PER_SITE_DAY = SERIES_PER_SITE * 1440


def make_places(connection: Connection, sites: int) -> None:
    """Junctions with four legs and one camera each, numbered from 1; none is there yet."""
    values = {"tenant": TENANT, "zone": ZONE, "sites": sites, "legs": list(LEGS)}
    for statement in _PLACES:
        connection.execute(text(statement), values)


_PLACES = (
    "INSERT INTO tenant (id, name, created_at) VALUES (:tenant, 'Benchmark', now()) "
    "ON CONFLICT DO NOTHING",
    "INSERT INTO site (id, tenant_id, slug, name, timezone, created_at) "
    "SELECT n, :tenant, 'site-' || n, 'Site ' || n, :zone, now() "
    "FROM generate_series(1, :sites) AS n",
    "INSERT INTO camera (id, tenant_id, site_id, slug, created_at) "
    "SELECT n, :tenant, n, 'cam', now() FROM generate_series(1, :sites) AS n",
    "INSERT INTO series (tenant_id, camera_id, kind, name, direction) "
    "SELECT :tenant, n, 'line', leg, way FROM generate_series(1, :sites) AS n, "
    "unnest(CAST(:legs AS text[])) AS leg, unnest(ARRAY['left', 'right']) AS way ORDER BY n",
    "INSERT INTO series (tenant_id, camera_id, kind, name, direction) "
    "SELECT :tenant, n, 'flow', a || '-' || b, '' "
    "FROM generate_series(1, :sites) AS n, "
    "unnest(CAST(:legs AS text[])) AS a, unnest(CAST(:legs AS text[])) AS b ORDER BY n",
    "INSERT INTO camera_layout (camera_id, valid_from, tenant_id, content) "
    "SELECT n, timestamptz '2026-01-01 00:00+00', :tenant, json_build_object("
    "'camera', 'cam', 'frame_size', json_build_array(1280, 720), 'is_calibrated', true, "
    "'sections', (SELECT json_agg(json_build_object('name', leg, 'use', 'traffic', 'points_px', "
    "json_build_array(json_build_array(0, 0), json_build_array(9, 0)))) "
    "FROM unnest(CAST(:legs AS text[])) AS leg), "
    "'flows', (SELECT json_agg(json_build_object('name', a || '-' || b, 'start', a, 'end', b, "
    "'movement', (ARRAY['u_turn', 'left', 'thru', 'right'])[1 + (m - k + 4) % 4])) "
    "FROM unnest(CAST(:legs AS text[])) WITH ORDINALITY AS x(a, k), "
    "unnest(CAST(:legs AS text[])) WITH ORDINALITY AS y(b, m))) "
    "FROM generate_series(1, :sites) AS n",
)
