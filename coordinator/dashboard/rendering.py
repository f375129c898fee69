"""A template and its values → an HTML answer; everything is escaped, always."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from common.security import SecurityContext, SecurityLevel
from coordinator.dashboard.assets import packaged_assets
from coordinator.dashboard.filters import FILTERS
from coordinator.dashboard.navigation import navigation

TEMPLATES_FOLDER = Path(__file__).parent / "templates"


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The one environment; a name that a page forgot to pass is a fault, not an empty string."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters.update(FILTERS)
    found.globals["asset"] = packaged_assets().address
    return found


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """One page or partial.

    Templates get ``user`` (who asks, or None), ``is_signed_in`` (with both factors), ``csrf`` (for
    forms), ``nav``, ``path``, ``now``, ``asset(name)`` and ``is_partial`` beside ``values``.

    Args:
        request: The request that is answered.
        template: Below ``templates/``, such as ``city.html``.
        status: Of the answer.
        values: For the template; ``csrf`` and ``now`` may be replaced here.
    """
    user: SecurityContext | None = getattr(request.state, "security_context", None)
    is_signed_in = user is not None and user.level >= SecurityLevel.MULTI_FACTOR
    given: dict[str, Any] = {
        "user": user,
        "is_signed_in": is_signed_in,
        "csrf": _csrf(request, user),
        "nav": navigation(user if is_signed_in else None, request.url.path),
        "path": request.url.path,
        "now": _now(request),
        "is_partial": wants_part(request),
    }
    text = environment().get_template(template).render(given | values)
    # A fragment and the page share one address.
    return HTMLResponse(text, status_code=status, headers={"Vary": "HX-Request"})


def wants_part(request: Request) -> bool:
    """True when htmx asks for a fragment; going back in the browser wants the whole page."""
    is_htmx = request.headers.get("HX-Request") == "true"
    return is_htmx and request.headers.get("HX-History-Restore-Request") != "true"


def _now(request: Request) -> datetime:
    container = getattr(request.app.state, "container", None)
    return container.clock().now() if container is not None else datetime.now(UTC)


def _csrf(request: Request, user: SecurityContext | None) -> str:
    container = getattr(request.app.state, "container", None)
    if user is None or container is None:
        return ""
    return str(container.authenticator().csrf_token(user))
