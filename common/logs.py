"""Log calls → one JSON object a line on stderr, with secrets taken out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from enum import StrEnum
from typing import Any

import structlog

REDACTED = "[redacted]"

_PRIVATE_FIELDS = (
    r"passw(?:or)?d|passphrase|pwd|secret|token|authori[sz]ation|private_?key|api_?key|"
    r"credential|cookie"
)
_SECRET_KEYS = re.compile(_PRIVATE_FIELDS, re.IGNORECASE)
# Up to the last @ before the path; a password may itself hold an @, and a careless one a /,
# which is told from a port by not being a number.
_URL_CREDENTIALS = re.compile(r"""(?<=://)(?:[^\s/"]*@|[^\s/:@"]*:(?!\d+(?:[/\s"]|$))[^\s@"]*@)""")
# Many cameras take their password as ?pwd=… or even as a piece of the path.
_SECRET_PARAMETERS = re.compile(rf"""((?:{_PRIVATE_FIELDS})\w*=)[^&\s"]+""", re.IGNORECASE)


class LogLevel(StrEnum):
    """The least important event that is still written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def set_up_logs(*, level: LogLevel = LogLevel.INFO, as_json: bool = True) -> None:
    """Configure structlog once for this process."""
    renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        # Plain tracebacks: they are text before redaction, and show no local variables.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace the values of secret-looking fields and the credentials inside URLs."""
    return _redacted_fields(event)


def without_credentials(text: str) -> str:
    """The text with ``user:password@`` and ``password=…`` taken out of every URL in it."""
    return _SECRET_PARAMETERS.sub(rf"\1{REDACTED}", _URL_CREDENTIALS.sub("", text))


def _redacted_fields(fields: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        key: REDACTED if _SECRET_KEYS.search(str(key)) else _redacted(value)
        for key, value in fields.items()
    }


def _redacted(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return _redacted_fields(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(each) for each in value]
    # An exception or a path is rendered as its text, so its text must be clean.
    text = str(value)
    clean = without_credentials(text)
    return value if clean == text else clean
