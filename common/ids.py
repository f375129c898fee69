"""Free text → identifiers that are safe in file names, topics and URLs."""

from types import MappingProxyType
from typing import Annotated

from pydantic import StringConstraints

SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?$"

LABEL_PATTERN = r"^\w[\w .:/-]{0,63}$"

Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN)]
"""1 to 64 of ``a-z 0-9 - _``, with a letter or digit at both ends."""

Label = Annotated[str, StringConstraints(pattern=LABEL_PATTERN)]
"""A name that people gave to a section or flow; 1 to 64 printable characters."""

PATTERN_MEANINGS = MappingProxyType(
    {
        SLUG_PATTERN: "1 to 64 of a-z, 0-9, - and _, with a letter or digit at both ends",
        LABEL_PATTERN: "1 to 64 letters, digits, spaces and _ . : / -, the first a letter or digit",
    }
)
"""Pattern → the same in words, for whoever mistyped."""
