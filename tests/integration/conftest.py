"""Servers that several folders of integration tests share."""

from __future__ import annotations

from tests.fakes.postgres_server import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]
