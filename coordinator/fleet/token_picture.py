"""A one-time token → a QR code that a page can show, as the address of a picture."""

from __future__ import annotations

import segno

from common.enrolment import EnrolmentToken

_QUIET_MODULES = 4
"""ISO/IEC 18004 asks for four empty modules around a code; cameras need them."""


def token_picture(token: EnrolmentToken) -> str:
    """A ``data:`` address of an SVG: nothing is stored, and nothing is asked for again.

    Black on white whatever the page's colours are: scanners expect it that way round.
    """
    code = segno.make(token.to_text(), error="m")
    return code.svg_data_uri(
        border=_QUIET_MODULES, dark="#000", light="#fff", omitsize=True, svgclass=None,
        lineclass=None,
    )  # fmt: skip
