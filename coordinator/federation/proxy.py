"""Where boxes and SuperLink are → an nginx configuration that lets nothing else through.

Flower serves three APIs at one port. The one of the fleet knows who is there by the nodes'
keys; the one that starts runs asks nobody. What is not for the fleet is answered here with 403,
before it reaches the SuperLink.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from common.errors import ConfigError
from coordinator.config import CoordinatorConfig
from coordinator.fleet.own_certificates import OwnCertificates

FLEET_PREFIX = "/v1/fleet/"
PROXY_NAME = "rounds-proxy"
LINK_HOST = "127.0.0.1"
LINK_NAME = "localhost"
"""nginx compares names alone: an address in the SuperLink's certificate would not do."""

_MOST_BODY = "64m"
"""An update of fp32 is 10.4 MB, a global model the same; twice over with all its wrapping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """What the configuration says.

    Attributes:
        host: Address to listen on.
        trust: PEM that the SuperLink's certificate is checked with.
        link_name: Name that stands in the SuperLink's certificate.
        folder: For the pid file and bodies that do not fit into memory.
    """

    host: str
    port: int
    certificate: Path
    key: Path
    trust: Path
    link_port: int
    folder: Path
    link_name: str = LINK_NAME

    @classmethod
    def of(
        cls,
        settings: CoordinatorConfig,
        certificates: OwnCertificates,
        *,
        folder: Path | None = None,
    ) -> Self:
        """The settings of a coordinator; makes the proxy's certificate.

        Args:
            settings: Of the coordinator.
            certificates: Where the proxy's is made.
            folder: For the proxy's own files; None is one in the coordinator's data folder.

        Raises:
            ConfigError: Rounds are off, or no public address is set.
        """
        federation = settings.federation
        if federation is None or federation.public is None:
            raise ConfigError(
                "no public address of the rounds, expected federation.public",
                hint="set federation.public.host to the name by which boxes reach the proxy",
            )
        public = federation.public
        certificate, key = certificates.server(PROXY_NAME, (public.host,))
        return cls(
            host="0.0.0.0",  # noqa: S104 - boxes come from everywhere  # nosec B104
            port=public.port,
            certificate=certificate,
            key=key,
            trust=certificates.trust_file,
            link_port=federation.port,
            folder=folder or settings.federation_folder / "proxy",
        )


def nginx_conf(settings: ProxySettings) -> str:
    """A whole ``nginx.conf``; the folder must exist."""
    here = settings.folder
    return f"""\
# Written by its-camera-ai rounds proxy; changes are lost.
pid {here}/nginx.pid;
error_log stderr warn;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  server_tokens off;
  client_body_temp_path {here}/body;
  proxy_temp_path {here}/proxied;
  fastcgi_temp_path {here}/unused;
  uwsgi_temp_path {here}/unused;
  scgi_temp_path {here}/unused;
  limit_conn_zone $binary_remote_addr zone=boxes:1m;
  server {{
    listen {settings.host}:{settings.port} ssl;
    ssl_certificate {settings.certificate};
    ssl_certificate_key {settings.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets off;
    client_max_body_size {_MOST_BODY};
    client_body_timeout 60s;
    limit_conn boxes 64;
    location / {{ return 403; }}
    # nginx would send this one to the same with a slash.
    location = {FLEET_PREFIX.rstrip("/")} {{ return 403; }}
    location {FLEET_PREFIX} {{
      limit_except POST {{ deny all; }}
      proxy_pass https://{LINK_HOST}:{settings.link_port};
      proxy_http_version 1.1;
      proxy_set_header Host $host;
      proxy_set_header Connection "";
      proxy_read_timeout 300s;
      proxy_send_timeout 300s;
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 2;
      proxy_ssl_trusted_certificate {settings.trust};
      proxy_ssl_name {settings.link_name};
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
    }}
  }}
}}
"""
